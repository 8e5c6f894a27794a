"""Slow calls: which they are, what caused them, and when a pair is made again."""

from __future__ import annotations

import pytest

from ntire_bench.measuring.slow_calls import Usual, cause_of, disturbed
from ntire_bench.measuring.timings import Surroundings, TimedCall

SIZE = (80, 96)
BUSY = Surroundings(load=0.5)
QUIET = Surroundings()


def call(ms: float, around: Surroundings = QUIET, **seen: int) -> TimedCall:
    return TimedCall(claimed_ms=ms, bracket_ms=ms + 1, around=around, **seen)


@pytest.mark.parametrize(
    ("slow", "cause"),
    [
        (call(9.0, BUSY, allocations=1, switches=2), "allocation"),
        (call(9.0, Surroundings(slow_clock=True, load=0.5)), "clock"),
        (call(9.0, Surroundings(other_process=True)), "other-process"),
        (call(9.0, BUSY, switches=1), "load"),
        (call(9.0, Surroundings(load=0.05), switches=1), "context-switches"),
        (call(9.0), "unknown"),
    ],
)
def test_the_cause_is_what_was_seen(slow: TimedCall, cause: str) -> None:
    assert cause_of(slow) == cause


def usual(calls: int = 5) -> Usual:
    known = Usual()
    for _ in range(calls):
        known.add([SIZE], [[call(10.0)], [call(20.0)]])
    return known


@pytest.mark.parametrize("side", [0, 1])
def test_a_pair_is_made_again_whichever_side_was_slow(side: int) -> None:
    timed = [[call(10.0)], [call(20.0)]]
    assert disturbed(usual(), [SIZE], timed, BUSY) is None  # busy, and yet as fast as ever
    timed[side] = [call(25.0)]
    assert disturbed(usual(), [SIZE], timed, BUSY) == "load"
    assert disturbed(usual(), [SIZE], timed, Surroundings(slow_clock=True)) == "clock"


def test_what_a_submission_can_bring_about_is_no_reason() -> None:
    timed = [[call(10.0)], [call(90.0, allocations=3, switches=50)]]
    assert disturbed(usual(), [SIZE], timed, Surroundings(load=0.05)) is None


def test_nothing_is_slow_as_long_as_little_is_known() -> None:
    assert disturbed(usual(4), [SIZE], [[call(10.0)], [call(90.0)]], BUSY) is None
    assert disturbed(usual(), [(1, 1)], [[call(10.0)], [call(90.0)]], BUSY) is None
