"""What is found out of denoisers, whose output has the size of the input: range, arguments, output."""

from __future__ import annotations

from pathlib import Path

import denoisers
import pytest
import torch
import toys
from skimage.data import astronaut, chelsea, coffee

from ntire_bench.data import sample
from ntire_bench.data.noise import noisy
from ntire_bench.errors import SubmissionError
from ntire_bench.worker.loading import load as loader
from ntire_bench.worker.loading.load import Loaded
from ntire_bench.worker.loading.trial_run import _reduced
from ntire_bench.worker.network.pixels import to_tensor

CLAMPED = ".clamp(0, 1)"
SHRINK = """
        blurred = self.second(torch.relu(self.first(noisy)))
        detail = noisy - blurred
        return blurred + detail * torch.sigmoid((detail.abs() - {least}) / {soft})
"""


def loaded(folder: Path, body: str) -> Loaded:
    denoisers.write_denoiser(folder, 5, "Denoiser", body=body)
    item = toys.found(folder)
    return loader.load(
        item.file,
        item.name,
        item.checkpoint,
        item.declaration,
        scale=1,
        device=torch.device("cpu"),
        probe=sample.probe_lr(1, 50),
    )


def shrinking(least: float, soft: float) -> str:
    begin = denoisers.BODY.index("        return self.second")
    return denoisers.BODY[:begin] + SHRINK.format(least=least, soft=soft).lstrip("\n")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (denoisers.BODY, 1.0),
        (denoisers.BODY.replace(CLAMPED, ".clamp(2, 255)"), 255.0),  # white where white is 1
        (denoisers.BODY.replace(CLAMPED, ""), 1.0),  # the same at both
        (shrinking(0.5, 0.05), 1.0),  # where white is 255, it changes nothing: closest to its input
    ],
    ids=["at 1", "at 255", "at both", "nothing at 255"],
)
def test_the_input_range_is_found(tmp_path: Path, body: str, expected: float) -> None:
    found = loaded(tmp_path, body)
    assert found.upscaler.data_range == expected and found.upscaler.scale == 1
    assert not found.findings


def test_a_network_that_is_not_trained_is_refused(tmp_path: Path) -> None:
    body = denoisers.BODY.replace(CLAMPED, " * 0.02")
    with pytest.raises(SubmissionError, match="its input range cannot be determined"):
        loaded(tmp_path, body)


def test_a_larger_output_is_no_denoised_image(tmp_path: Path) -> None:
    larger = ".clamp(0, 1).repeat_interleave(2, -1)"
    with pytest.raises(SubmissionError, match="return an image of the input's size"):
        loaded(tmp_path, denoisers.BODY.replace(CLAMPED, larger))


def test_noise_is_what_little_is_left_of_it_when_images_are_reduced() -> None:
    """The figures of the comparison: clean photographs against noisy ones, and black against its noise."""
    for number, photograph in enumerate((astronaut(), chelsea(), coffee())):
        clean = photograph[:256, :256]
        reduced = [
            _reduced(to_tensor(image, 1.0).double(), 8) for image in (clean, noisy(clean, 50, number, "a"))
        ]
        error = (reduced[0] - reduced[1]).square().mean()
        assert float(-10 * torch.log10(error)) > 22
