"""models/team41_RLFN-52.py and models/team44_RLFN-S.py compute what the paper's released networks do.

The challenge's own RLFN, models/team00_RLFN.py, has tests of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import published
import pytest
import torch
from torch import nn


@dataclass(frozen=True)
class Case:
    """One released network: its file and constructor arguments, its cost, and its quality on Set5."""

    file: str
    checkpoint: str
    args: dict[str, Any]
    params: int
    flops: int
    arrays: int

    def build(self) -> nn.Module:
        torch.manual_seed(0)
        return published.load_model_file(self.file).RLFN(**self.args).eval()

    def load(self, shared: Path) -> nn.Module:
        model = self.build()
        model.load_state_dict(published.published_state(shared, self.checkpoint), strict=True)
        return model


# Parameters and fvcore's total at 1x3x256x256 of the released networks (their own code, counted by fvcore);
# the paper's Table 1 prints 543 K and 470 K (x4), 527 K (x2, 52 channels).
RLFN_X4 = Case("team41_RLFN-52.py", "rlfn_x4", {}, 543_740, 33_956_613_120, 20)
RLFN_S_X4 = Case("team44_RLFN-S.py", "rlfn_s_x4", {}, 470_208, 29_146_008_576, 20)
RLFN_X2 = Case("team41_RLFN-52.py", "rlfn_x2", {"upscale": 2}, 526_856, 32_852_462_592, 21)
CASES = [pytest.param(case, id=case.checkpoint) for case in (RLFN_X4, RLFN_S_X4, RLFN_X2)]
X4 = CASES[:2]

# PSNR on Set5 [dB], Y and RGB, of the released checkpoints run by the released code; the paper's Table 1
# prints 32.24 and 32.23 (Y).
SET5_DB = {"rlfn_x4": (32.2379, 30.3199), "rlfn_s_x4": (32.2395, 30.3251)}


@pytest.mark.parametrize("name", ["team41_RLFN-52.py", "team44_RLFN-S.py"])
def test_file_is_self_contained_and_declares_its_network(name: str) -> None:
    assert published.imported_packages(name) == {"torch"}
    assert published.declaration(name) == {"model": "RLFN", "data_range": 255}


def test_files_of_the_family_repeat_the_same_blocks() -> None:
    files = sorted(path.name for path in (published.ROOT / "models").glob("team*_RLFN*.py"))
    assert {"team41_RLFN-52.py", "team44_RLFN-S.py"} <= set(files)
    for block in ("ESA", "RLFB"):
        assert len({published.definitions(file)[block] for file in files}) == 1, block


@pytest.mark.parametrize("case", CASES)
def test_cost_is_the_released_networks(case: Case) -> None:
    model = case.build()
    assert sum(p.numel() for p in model.parameters()) == case.params
    assert published.fvcore_flops(model) == case.flops


@pytest.mark.shared
@pytest.mark.parametrize("case", CASES)
def test_figures_above_are_those_of_the_index(case: Case, shared: Path) -> None:
    index = published.reference_index(shared, case.checkpoint)
    assert (index["params"], index["fvcore_flops_256"]) == (case.params, case.flops)
    assert index["data_range"] == published.declaration(case.file)["data_range"]


@pytest.mark.shared
@pytest.mark.parametrize("case", CASES)
def test_output_is_the_released_networks(case: Case, shared: Path) -> None:
    model, stored = case.load(shared), published.reference(shared, case.checkpoint)
    with torch.inference_mode():
        assert published.relative_error(model(stored["input"]), stored["output"]) < 1e-5


@pytest.mark.shared
@pytest.mark.parametrize("case", CASES)
def test_features_are_the_released_networks(case: Case, shared: Path) -> None:
    # In float64, so that all that differs is how the released network rounded, not how this machine does.
    model, stored = case.load(shared).double(), published.reference(shared, case.checkpoint)
    errors = published.module_errors(model, {**stored, "input": stored["input"].double()})
    assert len(errors) == case.arrays
    assert max(errors.values()) < 1e-5, errors


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("case", X4)
def test_set5_is_the_published(case: Case, shared: Path) -> None:
    luma, colour = published.set5_psnr(shared, case.load(shared), 255)
    assert (luma, colour) == pytest.approx(SET5_DB[case.checkpoint], abs=1e-3)


@pytest.mark.shared
@pytest.mark.slow
def test_set5_ssim_is_the_papers(shared: Path) -> None:
    # Table 1: 0.8952 for RLFN x4; the checkpoint gives 0.89527. For RLFN-S it prints 0.8961, which does not
    # fit: the released checkpoint, whose PSNR fits to 0.01 dB, gives 0.8954.
    assert published.set5_ssim(shared, RLFN_X4.load(shared), 255) == pytest.approx(0.8952, abs=1e-4)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("height", "width"), [(57, 86), (17, 23), (15, 15)])
def test_odd_sizes(case: Case, height: int, width: int) -> None:
    scale = case.args.get("upscale", 4)
    with torch.inference_mode():
        output = case.build()(torch.rand(2, 3, height, width) * 255)
    assert output.shape == (2, 3, height * scale, width * scale)
    assert output.isfinite().all()


@pytest.mark.parametrize("case", X4)
@pytest.mark.parametrize(("height", "width"), [(14, 40), (40, 14)])
def test_too_small_is_told_plainly(case: Case, height: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"at least 15x15 pixels, found {height}x{width}"):
        case.build()(torch.rand(1, 3, height, width))


@pytest.mark.parametrize("case", X4)
def test_every_parameter_learns(case: Case) -> None:
    model = case.build().train()
    model(torch.rand(2, 3, 32, 32) * 255).abs().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name
