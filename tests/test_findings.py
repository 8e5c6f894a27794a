"""What a reader must know of a result: work that the counter cannot see, rounds that disagree."""

from __future__ import annotations

from pathlib import Path

import pytest
import toys

from ntire_bench import measure, protocol, resolve, sample
from ntire_bench.dataset import Split
from ntire_bench.records import ImageResult

RULES = protocol.load()
DECLARATION = 'SUBMISSION = {"model": "Toy", "data_range": 1}'


@pytest.mark.parametrize(
    ("body", "operators", "share"),
    [
        (toys.DECLARED, [], 1.0),
        # The same two convolutions: fvcore knows "padding=1" and gives "padding='same'" nothing.
        (toys.DECLARED.replace("padding=1", "padding='same'"), ["aten::_convolution_mode"], 0.0),
    ],
    ids=["seen", "unseen"],
)
def test_work_that_fvcore_gives_nothing_is_said(
    tmp_path: Path, body: str, operators: list[str], share: float
) -> None:
    toys.write_toy(tmp_path, body=body)
    found = resolve.check(toys.found(tmp_path), sample.probe_lr(), RULES, device="cpu", isolation="auto")
    messages = [f.message for f in found.findings if f.code == "flops-uncounted-operators"]
    assert len(messages) == len(operators)
    assert all(name in found.complexity.uncounted_ops for name in operators)
    assert all("_convolution_mode" in message for message in messages)
    # By hand: 3x3 convolutions from 3 to 8 and from 8 to 48 channels on 256x256 pixels, besides the
    # enlargement, which fvcore counts as well and which both have.
    by_hand = 256 * 256 * 9 * (3 * 8 + 8 * 48)
    assert found.complexity.convs == 2
    assert (found.complexity.flops >= by_hand) == (share == 1.0)


def image(*samples_ms: float) -> ImageResult:
    median = sorted(samples_ms)[len(samples_ms) // 2]
    return ImageResult(
        name="a",
        height=64,
        width=64,
        psnr_y_db=30.0,
        psnr_rgb_db=28.0,
        runtime_ms=median,
        runtime_samples_ms=samples_ms,
    )


@pytest.mark.parametrize(
    ("images", "unsteady"),
    [
        ([image(10.0, 10.1, 9.9, 10.0, 10.2)] * 3, False),
        ([image(10.0, 10.1, 9.9, 10.0, 400.0)] * 3, False),  # the median does not mind one disturbed call
        ([image(64.1, 415.7, 424.0, 416.0, 420.0), image(20.0, 60.0, 40.0, 90.0, 30.0)] * 2, True),
        ([image(10.0, 20.0)] * 3, False),  # two rounds tell nothing of their spread
    ],
)
def test_rounds_that_disagree_are_a_finding(images: list[ImageResult], unsteady: bool) -> None:
    split = Split("valid", "valid", (), "0" * 64, False)
    found = measure._steadiness_findings(split, images, "05_Toy")
    assert [(f.code, f.severity) for f in found] == ([("runtime-unsteady", "warning")] if unsteady else [])
