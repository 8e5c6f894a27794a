"""What is particular to the files of RLFN: one class for all, the same blocks, and the shipped weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

import published
import pytest
import torch
from released_networks import RLFN_52, RLFN_NTIRE, RLFN_S, RLFN_X2, Released
from torch import nn

# model_zoo/team00_RLFN.pth on Set5, PSNR of Y and of RGB [dB], as measured by `published.psnr_db` (torch
# 2.13, CPU); whoever trained it measured 31.56 and 29.65.
SHIPPED_SET5_DB = (31.5587, 29.6488)


def with_shipped_weights(root: Path) -> nn.Module:
    model = RLFN_NTIRE.build()
    state = torch.load(root / "model_zoo" / "team00_RLFN.pth", map_location="cpu", weights_only=True)
    model.load_state_dict(state, strict=True)
    return model


def test_files_of_the_family_repeat_the_same_blocks(root: Path) -> None:
    files = sorted(path.name for path in (root / "models").glob("team*_RLFN*.py"))
    assert {RLFN_NTIRE.file, RLFN_52.file, RLFN_S.file} <= set(files)
    for block in ("ESA", "RLFB"):
        assert len({published.definitions(file)[block] for file in files}) == 1, block


@pytest.mark.shared
@pytest.mark.parametrize(
    ("released", "arguments"),
    [
        pytest.param(RLFN_52, {"blocks": 6, "channels": 52, "middle": 52}, id="rlfn_x4"),
        pytest.param(RLFN_S, {"blocks": 6, "channels": 48, "middle": 48}, id="rlfn_s_x4"),
        pytest.param(RLFN_X2, {"blocks": 6, "channels": 52, "middle": 52, "upscale": 2}, id="rlfn_x2"),
    ],
)
def test_the_papers_models_are_the_class_of_the_challenges(
    shared: Path, released: Released, arguments: dict[str, int]
) -> None:
    model = RLFN_NTIRE.build(**arguments)
    model.load_state_dict(published.published_state(shared, released.checkpoint), strict=True)
    stored = published.reference(shared, released.checkpoint)
    with torch.inference_mode():
        assert published.relative_error(model(stored["input"]), stored["output"]) < 1e-5


def test_14_pixels_are_too_few_for_the_challenges() -> None:
    """The docstring's limit is the real one."""
    with pytest.raises(RuntimeError, match="too small"), torch.inference_mode():
        RLFN_NTIRE.build()(torch.rand(1, 3, 14, 32))


def test_shipped_checkpoint_is_the_one_its_readme_describes_and_loads_strictly(root: Path) -> None:
    assert all(torch.isfinite(p).all() for p in with_shipped_weights(root).parameters())
    digest = hashlib.sha256((root / "model_zoo" / "team00_RLFN.pth").read_bytes()).hexdigest()
    assert digest in (root / "model_zoo" / "README.md").read_text(encoding="utf-8")


@pytest.mark.shared
def test_shipped_checkpoint_has_the_set5_psnr_its_readme_states(root: Path, shared: Path) -> None:
    measured = published.psnr_db(published.set5(shared, with_shipped_weights(root), RLFN_NTIRE.data_range))
    assert measured == pytest.approx(SHIPPED_SET5_DB, abs=0.001)
    readme = (root / "model_zoo" / "README.md").read_text(encoding="utf-8")
    assert f"| {measured[0]:.4f} | {measured[1]:.4f} |" in readme
