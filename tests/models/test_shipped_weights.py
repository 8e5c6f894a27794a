"""The checkpoints of model_zoo/ give what its README says, beside what the published ones give."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import published
import pytest
import torch
from torch import nn

# ../shared/MODELS.md, "Values to reproduce": PSNR Y and RGB [dB] of the published checkpoints.
PUBLISHED = {
    "team31_AGDN-S": (32.0263, 30.1017),
    "team36_ESPAN": (31.9408, 30.0422),
    "team38_SPAN": (31.7390, 29.8483),
    "team39_LKDN-S": (32.1016, 30.1924),
    "team40_EFDN": (32.0758, 30.1754),
}


def stated(root: Path, stem: str) -> tuple[tuple[float, float], tuple[float, float]]:
    text = (root / "model_zoo" / "README.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {stem}\.pth\n(.*?)(?=^## |\Z)", text, flags=re.DOTALL | re.MULTILINE)
    assert section is not None
    rows = re.findall(r"^\| .*? \| ([0-9.]+) \| ([0-9.]+) \|$", section[1], flags=re.MULTILINE)
    (own, other) = [(float(y), float(rgb)) for y, rgb in rows]
    return own, other


def network(root: Path, stem: str) -> nn.Module:
    spec = importlib.util.spec_from_file_location(f"shipped_{stem}", root / "models" / f"{stem}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    built: nn.Module = getattr(module, module.SUBMISSION["model"])().eval()
    state = torch.load(root / "model_zoo" / f"{stem}.pth", weights_only=True)
    built.load_state_dict(state, strict=True)
    return built


@pytest.mark.shared
@pytest.mark.parametrize("stem", PUBLISHED)
def test_psnr_of_the_shipped_weights(shared: Path, root: Path, stem: str):
    own, other = stated(root, stem)
    assert published.set5_psnr(shared, network(root, stem), data_range=1) == pytest.approx(own, abs=1e-3)
    assert other == PUBLISHED[stem]
    assert own[0] >= 30.8 and own[0] < other[0]


@pytest.mark.parametrize("stem", PUBLISHED)
def test_shipped_files_are_small(root: Path, stem: str):
    assert (root / "model_zoo" / f"{stem}.pth").stat().st_size <= 4 * 2**20
