"""Calls that took too long: which they are, what was seen of each, and when a pair is made again."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from ntire_bench.data.dataset import Split
from ntire_bench.measuring.surroundings import BUSY_SHARE
from ntire_bench.measuring.timings import Surroundings, TimedCall, Timings
from ntire_bench.records.record import SLOW, SlowCall, SlowCause

__all__ = ["Usual", "cause_of", "counted", "disturbed", "slow_calls"]

_FEWEST_OF_IMAGE = 3
_FEWEST_OF_SIZE = 5

Size = tuple[int, int]


class Usual:
    """What calls of each side and size took so far, of those that count."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, Size], list[float]] = {}

    def add(self, sizes: Sequence[Size], timed: Sequence[Sequence[TimedCall]]) -> None:
        """Note some calls.

        Args:
            sizes: (height, width) of each LR image.
            timed: Calls of each side, one for each of them.
        """
        for side, calls in enumerate(timed):
            for size, call in zip(sizes, calls, strict=True):
                self._known.setdefault((side, size), []).append(call.claimed_ms)

    def is_slow(self, side: int, size: Size, call: TimedCall) -> bool:
        """Say whether a call is slow; False as long as few of its size are known."""
        known = self._known.get((side, size), [])
        return len(known) >= _FEWEST_OF_SIZE and call.claimed_ms > SLOW * statistics.median(known)


def disturbed(
    usual: Usual, sizes: Sequence[Size], timed: Sequence[Sequence[TimedCall]], around: Surroundings
) -> SlowCause | None:
    """Return why the turns of both sides are to be made again; None where they count.

    Only what a submission cannot bring about is a reason, and only where a call was slow.

    Args:
        usual: What is known so far.
        sizes: (height, width) of each LR image.
        timed: Calls of each side, one for each of them.
        around: What else there was.
    """
    cause = _outside(around)
    if cause is None:
        return None
    slow = any(
        usual.is_slow(side, size, call)
        for side, calls in enumerate(timed)
        for size, call in zip(sizes, calls, strict=True)
    )
    return cause if slow else None


def _outside(around: Surroundings) -> SlowCause | None:
    if around.slow_clock:
        return "clock"
    if around.other_process:
        return "other-process"
    return "load" if around.load is not None and around.load > BUSY_SHARE else None


def cause_of(call: TimedCall) -> SlowCause:
    """Return what was seen of a slow call.

    >>> cause_of(TimedCall(claimed_ms=1.0, bracket_ms=2.0, allocations=1, switches=3))
    'allocation'
    """
    if call.allocations:
        return "allocation"
    outside = _outside(call.around)
    if outside is not None:
        return outside
    return "context-switches" if call.switches else "unknown"


def slow_calls(timings: Timings, split: Split) -> list[tuple[SlowCall, ...]]:
    """Return the slow calls on each image of a split.

    A call is compared with the median of its image; where that has fewer than three, with the median of all
    images of its size, if those have five.

    Args:
        timings: Of one side.
        split: Of those that were run.
    """
    of_image = [timings.of_image(split.name, index) for index in range(len(split.pairs))]
    of_size: dict[Size, list[float]] = {}
    for pair, calls in zip(split.pairs, of_image, strict=True):
        of_size.setdefault((pair.height, pair.width), []).extend(call.claimed_ms for call in calls)
    found: list[tuple[SlowCall, ...]] = []
    for pair, calls in zip(split.pairs, of_image, strict=True):
        known = [call.claimed_ms for call in calls]
        if len(known) < _FEWEST_OF_IMAGE:
            same = of_size[pair.height, pair.width]
            known = same if len(same) >= _FEWEST_OF_SIZE else []
        limit = SLOW * statistics.median(known) if known else float("inf")
        found.append(
            tuple(
                SlowCall(call=place, cause=cause_of(call))
                for place, call in enumerate(calls)
                if call.claimed_ms > limit
            )
        )
    return found


def counted(found: Sequence[tuple[SlowCall, ...]]) -> Counter[str]:
    """Return how many slow calls there are, by cause."""
    return Counter(slow.cause for of_image in found for slow in of_image)
