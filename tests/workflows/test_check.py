"""What a reader must know of a result: work that the counter cannot see."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import toys

from ntire_bench.data import sample
from ntire_bench.data.images import matlab_bicubic_down
from ntire_bench.protocols import protocol
from ntire_bench.records.record import Finding
from ntire_bench.workflows.check import check, compare_with_plain

RULES = protocol.load()
DECLARATION = 'SUBMISSION = {"model": "Toy", "data_range": 1}'


@pytest.mark.slow
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
    found = check(toys.found(tmp_path), sample.probe_lr(), RULES, device="cpu", isolation="auto")
    messages = [f.message for f in found.findings if f.code == "flops-uncounted-operators"]
    assert len(messages) == len(operators)
    assert all(name in found.complexity.uncounted_ops for name in operators)
    assert all("_convolution_mode" in message for message in messages)
    # By hand: 3x3 convolutions from 3 to 8 and from 8 to 48 channels on 256x256 pixels, besides the
    # enlargement, which fvcore counts as well and which both have.
    by_hand = 256 * 256 * 9 * (3 * 8 + 8 * 48)
    assert found.complexity.convs == 2
    assert (found.complexity.flops >= by_hand) == (share == 1.0)


def enlarged(kind: str) -> np.ndarray:
    """Return the probe enlarged by another program than the one that the check compares with."""
    lr, hr = sample.probe_lr(), sample.probe_hr()
    if kind == "hr":
        return hr
    if kind == "black":
        return np.zeros_like(hr)
    how = {"cubic": cv2.INTER_CUBIC, "linear": cv2.INTER_LINEAR, "nearest": cv2.INTER_NEAREST}[kind]
    return np.asarray(cv2.resize(lr, hr.shape[1::-1], interpolation=how))


@pytest.mark.parametrize(
    ("kind", "told"),
    [("hr", False), ("cubic", False), ("linear", True), ("nearest", True), ("black", True)],
)
@pytest.mark.parametrize("contradicted", [False, True])
def test_a_worse_image_than_bicubic_is_a_finding(kind: str, told: bool, contradicted: bool) -> None:
    """Once: where the declared range is known to be wrong, that is the reason."""
    findings = [Finding(code="range-contradicted", severity="warning", message="")] if contradicted else []
    side = SimpleNamespace(
        worker=SimpleNamespace(run=lambda _: SimpleNamespace(sr=enlarged(kind))),
        info=SimpleNamespace(data_range=1.0),
        findings=findings,
        note=findings.append,
    )
    compare_with_plain(side, sample.probe_lr(), sample.probe_hr(), RULES)  # type: ignore[arg-type]
    new = [one for one in findings if one.code == "worse-than-bicubic"]
    assert len(new) == (told and not contradicted)
    assert all(one.severity == "warning" and "data_range right (1 here)" in one.message for one in new)


def test_the_probe_is_the_reduction_of_its_hr_image() -> None:
    """Up to the border, where the photograph goes on and the crop does not."""
    reduced = matlab_bicubic_down(sample.probe_hr())
    assert np.array_equal(reduced[4:-4, 4:-4], sample.probe_lr()[4:-4, 4:-4])
