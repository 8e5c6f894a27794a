"""The checkpoints of model_zoo/ give what its README says, beside what the published ones give."""

from __future__ import annotations

import re
from pathlib import Path

import published
import pytest
import torch
from released_networks import AGDN_S, EFDN, ESPAN, LKDN_S, SPAN
from torch import nn

SHIPPED = {network.file.removesuffix(".py"): network for network in (AGDN_S, ESPAN, SPAN, LKDN_S, EFDN)}


def stated(root: Path, stem: str) -> tuple[tuple[float, float], tuple[float, float]]:
    text = (root / "model_zoo" / "README.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {stem}\.pth\n(.*?)(?=^## |\Z)", text, flags=re.DOTALL | re.MULTILINE)
    assert section is not None
    rows = re.findall(r"^\| .*? \| ([0-9.]+) \| ([0-9.]+) \|$", section[1], flags=re.MULTILINE)
    (own, other) = [(float(y), float(rgb)) for y, rgb in rows]
    return own, other


def with_shipped_weights(root: Path, stem: str) -> nn.Module:
    model = SHIPPED[stem].build()
    model.load_state_dict(torch.load(root / "model_zoo" / f"{stem}.pth", weights_only=True), strict=True)
    return model


@pytest.mark.shared
@pytest.mark.parametrize("stem", SHIPPED)
def test_psnr_of_the_shipped_weights(shared: Path, root: Path, stem: str):
    own, other = stated(root, stem)
    pairs = published.set5(shared, with_shipped_weights(root, stem), SHIPPED[stem].data_range)
    assert published.psnr_db(pairs) == pytest.approx(own, abs=1e-3)
    assert other == SHIPPED[stem].set5_db
    assert own[0] >= 30.8 and own[0] < other[0]


@pytest.mark.parametrize("stem", SHIPPED)
def test_shipped_files_are_small(root: Path, stem: str):
    assert (root / "model_zoo" / f"{stem}.pth").stat().st_size <= 4 * 2**20
