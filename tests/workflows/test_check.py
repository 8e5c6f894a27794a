"""What a reader must know of a result: work that the counter cannot see."""

from __future__ import annotations

from pathlib import Path

import pytest
import toys

from ntire_bench.data import sample
from ntire_bench.protocols import protocol
from ntire_bench.workflows.check import check

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
