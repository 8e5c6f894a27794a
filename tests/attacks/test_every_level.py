"""Attacks on the machine at every level of isolation, in a sandbox as every worker's.

What ends them is the sandbox, so its process needs no torch here; test_conduct has whole evaluations of them.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest
from attack_limits import ENDLESS, LIMITS, LOAD_TIMEOUT_S, RESOURCES
from stubs import Stub, skip_unless

from ntire_bench.errors import SubmissionError

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="isolation is made of Linux's system calls"),
    pytest.mark.slow,
]

MODELS = Path(__file__).parent / "models"


@pytest.mark.parametrize("level", ("L0", "L1", "L2", "L3"))
@pytest.mark.parametrize("name", RESOURCES)
def test_an_attack_on_the_machine_is_ended_with_a_reason(name: str, level: str) -> None:
    skip_unless(level)
    code = (MODELS / f"{name}.py").read_text(encoding="utf-8")
    timeout_s = LOAD_TIMEOUT_S if name in ENDLESS else 30.0
    with contextlib.ExitStack() as stack:
        stubs = Stub(stack)
        box = stubs.start(level, limits=LIMITS)
        with pytest.raises(SubmissionError, match=RESOURCES[name]) as caught:
            box.call("load", timeout_s, code=code)
        box.close()
        assert stubs.alive() == []
    assert "Remedy:" in str(caught.value)
