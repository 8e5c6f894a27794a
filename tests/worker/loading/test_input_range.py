"""The input range where the SR image reduces to the LR image at both: told by detail, or asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from ntire_bench.errors import SubmissionError
from ntire_bench.source import files
from ntire_bench.submissions import declaration
from ntire_bench.worker.loading import load, trial_run
from ntire_bench.worker.loading.input_range import infer_data_range
from ntire_bench.worker.network.upscaler import Upscaler

CPU = torch.device("cpu")


class TooBright(nn.Module):
    """Bicubic enlargement, and a little more light at either range: 0.02 of white is 34 dB, 0.03 30.5 dB."""

    def __init__(self, error_1, error_255):
        super().__init__()
        self.errors = error_1, error_255

    def forward(self, x):
        error_1, error_255 = self.errors
        light = error_1 if x.max() <= 1 else error_255 * 255
        return functional.interpolate(x, scale_factor=4, mode="bicubic") + light


@pytest.fixture(scope="module")
def probe():
    """A smooth LR image, uint8 HWC."""
    y, x = np.mgrid[0:48, 0:52]
    planes = [127 + 60 * np.sin(x / 6 + c) * np.cos(y / (5 + c)) for c in range(3)]
    return np.stack(planes, -1).astype(np.uint8)


def upscaler(network):
    return Upscaler(network.eval(), Path("team05_X.py"), 4, CPU)


@pytest.mark.parametrize(
    ("errors", "gains", "told"),
    [
        ((0.02, 0.0205), (0.9, 0.2), 1.0),  # alike at both: the gain tells
        ((0.02, 0.0205), (0.2, 0.9), 255.0),
        ((0.02, 0.0205), (0.9, 0.7), None),  # a gain that leads by too little
        ((0.02, 0.0205), (0.2, -0.9), None),  # a lead without a gain: at neither range does it recover detail
        ((0.02, 0.03), (0.9, 0.7), 1.0),  # likeness and gain lead by little, and agree
        ((0.02, 0.03), (0.7, 0.9), None),  # and do not
        ((0.02, 0.03), (0.2, 0.9), None),  # a gain against the likeness
        ((0.02, 0.03), (0.1, 0.0), None),
    ],
)
def test_detail_tells_where_likeness_does_not(monkeypatch, probe, errors, gains, told):
    given = dict(zip((1.0, 255.0), gains, strict=True))
    monkeypatch.setattr(trial_run, "detail_gain_db", lambda _, __, data_range: given[data_range])
    bright = upscaler(TooBright(*errors))
    if told is None:
        with pytest.raises(SubmissionError, match=r"cannot be determined.*PSNR over bicubic.*dB at range 1,"):
            infer_data_range(bright, probe)
        return
    how = infer_data_range(bright, probe)
    assert bright.data_range == told
    assert how.value == f"{told:g}"
    assert "reduced once more" in how.how


def test_bicubic_gains_nothing_over_bicubic(probe):
    # 8-bit values rounded before enlarging are the same on both sides.
    bicubic = upscaler(TooBright(0.0, 0.0))
    for data_range in trial_run.RANGES:
        assert trial_run.detail_gain_db(bicubic, probe, data_range) == pytest.approx(0.0, abs=1e-3)
    assert bicubic.data_range == 1.0


def test_a_trial_says_what_failed_and_changes_nothing(probe):
    class Overflows(TooBright):
        def forward(self, x):
            return super().forward(x) / (x.max() <= 1).float()

    failing = upscaler(Overflows(0.0, 0.0))
    failing.data_range = 255.0
    found = trial_run.run(failing, probe)
    assert failing.data_range == 255.0
    assert (found.best, found.works) == (1.0, True)
    assert found.images.keys() == {1.0}
    assert "it fails at range 255" in found.told()
    assert "NaN or infinite" in str(found.failure)


def test_flops_are_torchs_count(probe):
    network = nn.Sequential(nn.Conv2d(3, 48, 3, padding=1), nn.PixelShuffle(4))
    # Two operations per multiply-accumulate: pixels x 9 x 3 x 48 x 2, the bias not counted.
    assert trial_run.run(upscaler(network), probe).flops == 48 * 52 * 9 * 3 * 48 * 2


@pytest.mark.shared
@pytest.mark.parametrize(
    ("model", "weights", "own"),
    [("team00_RLFN", "rlfn_ntire_x4", 255.0), ("team38_SPAN", "span_ch28_x4", 1.0)],
)
def test_published_networks_gain_detail_at_their_own_range_alone(shared, root, model, weights, own):
    from PIL import Image

    lr = np.array(Image.open(shared / "data" / "Set5" / "LR_x4" / "babyx4.png").convert("RGB"))[:64, :64]
    file = root / "models" / f"{model}.py"
    declared = declaration.read(file, files.parse(file))
    loaded = load.load(
        file, model, shared / "weights" / f"{weights}.pth", declared,
        scale=4, device=CPU, probe=np.ascontiguousarray(lr),
    )  # fmt: skip
    gains = {
        r: trial_run.detail_gain_db(loaded.upscaler, np.ascontiguousarray(lr), r) for r in trial_run.RANGES
    }
    assert gains.pop(own) > 1.0
    assert next(iter(gains.values())) < 0.0
