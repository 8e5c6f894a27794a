"""models/team00_RLFN.py computes what the released RLFN does, and model_zoo/ holds weights for it."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio
from torch import nn

# The released network's parameters and fvcore total at 1x3x256x256, published as 0.317 M and 19.67 G
# (NTIRE 2024 report, Table 1, RLFN), and its checkpoint's PSNR on Set5 (x4, border 4, float32 on a CPU):
# all with every digit, as the released code gives them.
PARAMS = 317_218
FLOPS_256 = 19_674_859_520
PUBLISHED_SET5_DB = {"y": 32.0973, "rgb": 30.2058}

# model_zoo/team00_RLFN.pth on the same images, as measured by `set5_psnr_db` below (torch 2.13, CPU); whoever
# trained it measured 31.56 and 29.65.
DEMO_SET5_DB = {"y": 31.5587, "rgb": 29.6488}


@pytest.fixture(scope="module")
def file(root: Path) -> Path:
    return root / "models" / "team00_RLFN.py"


@pytest.fixture(scope="module")
def module(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("team00_RLFN", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def published(module: ModuleType, shared: Path) -> nn.Module:
    return load(module.RLFN(), shared / "weights" / "rlfn_ntire_x4.pth")


def load(model: nn.Module, checkpoint: Path) -> nn.Module:
    model.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True), strict=True)
    return model.eval()


def relative_error(got: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference over the largest expected magnitude."""
    assert got.shape == expected.shape
    return float(np.abs(got.astype(np.float64) - expected).max() / np.abs(expected).max())


def set5_psnr_db(model: nn.Module, set5: Path) -> dict[str, float]:
    """Mean PSNR over the images, by scikit-image: nothing here is ntire_bench's."""
    values: dict[str, list[float]] = {"y": [], "rgb": []}
    luma = np.array([65.481, 128.553, 24.966]) / 255  # ITU-R BT.601, 16..235
    for hr_file in sorted((set5 / "HR").glob("*.png")):
        hr = np.asarray(Image.open(hr_file).convert("RGB"))
        lr = np.asarray(Image.open(set5 / "LR_x4" / f"{hr_file.stem}x4.png").convert("RGB"))
        with torch.inference_mode():
            out = model(torch.from_numpy(lr.transpose(2, 0, 1)[None].astype(np.float32)))
        sr = out[0].clamp(0, 255).round().byte().permute(1, 2, 0).numpy()
        hr = hr[: sr.shape[0], : sr.shape[1]]
        sr, hr = sr[4:-4, 4:-4], hr[4:-4, 4:-4]
        values["rgb"].append(peak_signal_noise_ratio(hr, sr, data_range=255))
        values["y"].append(peak_signal_noise_ratio(hr @ luma + 16, sr @ luma + 16, data_range=255))
    assert len(values["y"]) == 5
    return {channel: float(np.mean(db)) for channel, db in values.items()}


def test_is_one_file_that_imports_torch_only_and_declares_itself_literally(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert imported == {"torch"}
    declared = [
        n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "SUBMISSION"
    ]
    assert [ast.literal_eval(value) for value in declared] == [{"model": "RLFN", "data_range": 255}]


def test_parameters_and_flops_are_the_published_ones(module: ModuleType) -> None:
    model = module.RLFN().eval()
    assert sum(p.numel() for p in model.parameters()) == PARAMS
    flops = FlopCountAnalysis(model, torch.zeros(1, 3, 256, 256))
    flops.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    assert flops.total() == FLOPS_256


@pytest.mark.shared
def test_output_and_features_are_those_of_the_released_network(published: nn.Module, shared: Path) -> None:
    with np.load(shared / "reference" / "rlfn_ntire_x4.npz") as reference:
        arrays = dict(reference)
    features: dict[str, np.ndarray] = {}
    paths = [key.removeprefix("module:") for key in arrays if key.startswith("module:")]
    assert len(paths) == 18
    # Copies: the activation works in place. One module called more than once keeps its last output.
    hooks = [
        published.get_submodule(path).register_forward_hook(
            lambda _m, _i, out, path=path: features.__setitem__(path, out.numpy().copy())
        )
        for path in paths
    ]
    with torch.inference_mode():
        output = published(torch.from_numpy(arrays["input"])).numpy()
    for hook in hooks:
        hook.remove()
    errors = {path: relative_error(features[path], arrays[f"module:{path}"]) for path in paths}
    errors["output"] = relative_error(output, arrays["output"])
    assert max(errors.values()) < 1e-5, errors


@pytest.mark.shared
def test_published_checkpoint_has_the_published_set5_psnr(published: nn.Module, shared: Path) -> None:
    assert set5_psnr_db(published, shared / "data" / "Set5") == pytest.approx(PUBLISHED_SET5_DB, abs=0.001)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("rlfn_x4", {"blocks": 6, "channels": 52, "middle": 52}),
        ("rlfn_s_x4", {"blocks": 6, "channels": 48, "middle": 48}),
        ("rlfn_x2", {"blocks": 6, "channels": 52, "middle": 52, "upscale": 2}),
    ],
)
def test_the_papers_other_models_are_the_same_class(
    module: ModuleType, shared: Path, name: str, arguments: dict[str, int]
) -> None:
    model = load(module.RLFN(**arguments), shared / "weights" / f"{name}.pth")
    with np.load(shared / "reference" / f"{name}.npz") as reference, torch.inference_mode():
        output = model(torch.from_numpy(reference["input"])).numpy()
        assert relative_error(output, reference["output"]) < 1e-5


@pytest.mark.parametrize(("height", "width"), [(15, 15), (15, 40), (17, 23), (57, 86)])
def test_any_size_from_15_pixels_is_enlarged_fourfold(module: ModuleType, height: int, width: int) -> None:
    with torch.inference_mode():
        assert module.RLFN().eval()(torch.rand(2, 3, height, width)).shape == (2, 3, 4 * height, 4 * width)


def test_14_pixels_are_too_few(module: ModuleType) -> None:
    """The docstring's limit is the real one."""
    with pytest.raises(RuntimeError, match="too small"), torch.inference_mode():
        module.RLFN().eval()(torch.rand(1, 3, 14, 32))


def test_shipped_checkpoint_is_the_one_its_readme_describes_and_loads_strictly(
    module: ModuleType, root: Path
) -> None:
    checkpoint = root / "model_zoo" / "team00_RLFN.pth"
    model = load(module.RLFN(), checkpoint)
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert hashlib.sha256(checkpoint.read_bytes()).hexdigest() in (
        root / "model_zoo" / "README.md"
    ).read_text(encoding="utf-8")


@pytest.mark.shared
def test_shipped_checkpoint_has_the_set5_psnr_its_readme_states(
    module: ModuleType, root: Path, shared: Path
) -> None:
    model = load(module.RLFN(), root / "model_zoo" / "team00_RLFN.pth")
    measured = set5_psnr_db(model, shared / "data" / "Set5")
    assert measured == pytest.approx(DEMO_SET5_DB, abs=0.001)
    readme = (root / "model_zoo" / "README.md").read_text(encoding="utf-8")
    assert f"| {measured['y']:.4f} | {measured['rgb']:.4f} |" in readme
