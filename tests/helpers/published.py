"""What the tests of models/ share: the published checkpoints, their outputs, and Set5 measured independently.

PSNR is computed with scikit-image here, on purpose: ntire_bench.metrics must not judge what it is judged by.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from PIL import Image
from places import ROOT
from torch import nn


@functools.cache
def load_model_file(name: str) -> ModuleType:
    """Import models/NAME from its file, as a stranger's program would: it is no part of a package."""
    path = ROOT / "models" / name
    module_name = f"published_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not an importable file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module


def published_state(shared: Path, name: str) -> dict[str, torch.Tensor]:
    """Return the state dict of a published checkpoint, unwrapped, on the CPU."""
    stored: Mapping[str, Any] = torch.load(
        shared / "weights" / f"{name}.pth", map_location="cpu", weights_only=True
    )
    for key in ("params_ema", "params"):
        if key in stored:
            stored = stored[key]
            break
    return dict(stored)


def reference(shared: Path, name: str) -> dict[str, torch.Tensor]:
    """Return what the released network computed: "input", "output" and "module:PATH" arrays."""
    with np.load(shared / "reference" / f"{name}.npz") as stored:
        return {key: torch.from_numpy(stored[key]) for key in stored.files}


def reference_indices(shared: Path) -> dict[str, dict[str, Any]]:
    """Return reference/index.json: "params", "fvcore_flops_256", "data_range" and others, by checkpoint."""
    return dict(json.loads((shared / "reference" / "index.json").read_text()))


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the largest absolute difference over the largest absolute expected value, in float64."""
    if found.shape != expected.shape:
        raise ValueError(f"shapes differ: {tuple(found.shape)} and {tuple(expected.shape)}")
    found, expected = found.detach().double(), expected.detach().double()
    return float((found - expected).abs().max() / expected.abs().max())


def module_outputs(model: nn.Module, image: torch.Tensor, paths: list[str]) -> dict[str, torch.Tensor]:
    """Run `model` on `image` and return what each module of `paths` returned, on its last call.

    Copies are taken at once: an activation that works in place may overwrite its input later.
    """
    outputs: dict[str, torch.Tensor] = {}

    def keep(path: str, output: Any) -> None:
        outputs[path] = (output[0] if isinstance(output, tuple) else output).clone()

    hooks = [
        model.get_submodule(path).register_forward_hook(lambda _m, _i, output, path=path: keep(path, output))
        for path in paths
    ]
    try:
        with torch.inference_mode():
            model(image)
    finally:
        for hook in hooks:
            hook.remove()
    return outputs


def module_errors(model: nn.Module, stored: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """Return the relative error of every "module:PATH" array of a reference, by PATH."""
    expected = {k.removeprefix("module:"): value for k, value in stored.items() if k.startswith("module:")}
    found = module_outputs(model, stored["input"], list(expected))
    return {path: relative_error(found[path], expected[path]) for path in expected}


def fvcore_analysis(model: nn.Module, height: int = 256, width: int = 256) -> Any:
    """Return fvcore's FlopCountAnalysis of `model` on a (1, 3, height, width) input in eval mode, done."""
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(model.eval(), torch.rand(1, 3, height, width))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    with torch.no_grad():  # else AGDN takes 4 GiB, for gradients that nobody asks for
        analysis.total()
    return analysis


def fvcore_flops(model: nn.Module, height: int = 256, width: int = 256) -> int:
    """Return fvcore's count on a (1, 3, height, width) input in eval mode."""
    return int(fvcore_analysis(model, height, width).total())


def set5(shared: Path, model: nn.Module, data_range: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return HR and SR of each image of Set5, x4, LR images as published, 4 pixels cropped off every side.

    Args:
        shared: Folder that holds data/Set5.
        model: In eval mode; (1, 3, H, W) in [0, data_range] to (1, 3, 4H, 4W).
        data_range: 1 or 255.

    Returns:
        Arrays (H, W, 3) of uint8.
    """
    pairs = []
    for path in sorted((shared / "data" / "Set5" / "HR").glob("*.png")):
        lr = np.array(Image.open(shared / "data" / "Set5" / "LR_x4" / f"{path.stem}x4.png"))
        hr = np.array(Image.open(path).convert("RGB"))[: lr.shape[0] * 4, : lr.shape[1] * 4]
        image = torch.from_numpy(lr).permute(2, 0, 1)[None].float() * (data_range / 255)
        with torch.inference_mode():
            output = model(image)[0]
        levels = (output.clamp(0, data_range) * (255 / data_range)).round().to(torch.uint8)
        sr = levels.permute(1, 2, 0).numpy()
        pairs.append((hr[4:-4, 4:-4], sr[4:-4, 4:-4]))
    if len(pairs) != 5:
        raise ValueError(f"{shared / 'data' / 'Set5' / 'HR'} holds {len(pairs)} PNG images, not 5")
    return pairs


def luma(image: np.ndarray) -> np.ndarray:
    """Return Y of a uint8 image: 16 + (65.481 R + 128.553 G + 24.966 B) / 255, as the papers' MATLAB code."""
    from skimage.color import rgb2ycbcr

    return np.asarray(rgb2ycbcr(image)[..., 0])


def psnr_db(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """Return the mean PSNR of Y and of RGB [dB] over pairs of HR and SR."""
    from skimage.metrics import peak_signal_noise_ratio

    y = [peak_signal_noise_ratio(luma(hr), luma(sr), data_range=255) for hr, sr in pairs]
    rgb = [peak_signal_noise_ratio(hr, sr, data_range=255) for hr, sr in pairs]
    return float(np.mean(y)), float(np.mean(rgb))


def ssim(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the mean SSIM of Y, as the papers' MATLAB code: Gaussian 11x11, sigma 1.5, valid area."""
    from skimage.metrics import structural_similarity

    # scikit-image itself leaves out the 5 pixels where the window would leave the image.
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    return float(np.mean([structural_similarity(luma(hr), luma(sr), **options) for hr, sr in pairs]))


def imported_packages(name: str) -> set[str]:
    """Return the top-level packages that models/NAME imports outside the standard library."""
    tree = ast.parse((ROOT / "models" / name).read_text())
    packages = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            packages.add("." if node.level else str(node.module).split(".")[0])
    return packages - sys.stdlib_module_names


def declaration(name: str) -> dict[str, Any]:
    """Return the literal SUBMISSION of models/NAME, declared once, without running the file."""
    declared = [
        node.value
        for node in ast.parse((ROOT / "models" / name).read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SUBMISSION"
    ]
    if len(declared) != 1:
        raise ValueError(f"models/{name} declares SUBMISSION {len(declared)} times, not once")
    return dict(ast.literal_eval(declared[0]))


def definitions(name: str) -> dict[str, str]:
    """Return the source of each class and function at the top level of models/NAME, docstrings included."""
    source = (ROOT / "models" / name).read_text()
    return {
        node.name: str(ast.get_source_segment(source, node))
        for node in ast.parse(source).body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef))
    }


def randomize(model: nn.Module, seed: int = 0, std: float = 0.1) -> nn.Module:
    """Give every bias and every per-channel parameter of `model` random values, and return it.

    Fresh biases are zero, and with them a wrong treatment of the border could not be seen.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * std)
    return model


def impulse_response(linear: nn.Module, in_channels: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the kernel and the bias of a "same" convolution by experiment, from its outputs alone.

    Args:
        linear: Maps (N, in_channels, size, size) to (N, out_channels, size, size).
        in_channels: Number of input channels.
        size: Odd; side of the kernel.

    Returns:
        Weight (out_channels, in_channels, size, size) and bias (out_channels,), as of torch.nn.Conv2d.
    """
    images = torch.zeros(in_channels, in_channels, size, size, dtype=next(linear.parameters()).dtype)
    images[range(in_channels), range(in_channels), size // 2, size // 2] = 1
    with torch.no_grad():
        constant = linear(torch.zeros_like(images[:1]))
        responses = linear(images) - constant
    # A convolution layer correlates: the response to an impulse is the kernel turned round.
    return responses.flip(2, 3).transpose(0, 1), constant[0, :, size // 2, size // 2]
