"""How steady a record's runtime was, drawn with characters for a terminal."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ntire_bench.records.record import Record

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ntire_bench.estimating.stability import Stability

__all__ = ["bars", "cause_in_words", "draw", "histogram_limit", "sparkline"]

_EIGHTHS = " ▁▂▃▄▅▆▇█"
# A letter for each cause of a slow call, and what it says.
_CAUSES = {
    "allocation": ("a", "memory was allocated in them"),
    "context-switches": ("s", "their thread was interrupted"),
    "clock": ("c", "the GPU's clock was low"),
    "other-process": ("p", "another process was on the GPU"),
    "load": ("l", "other programs used the CPU"),
    "unknown": ("?", "nothing was seen"),
}
_BINS = 11
_MOST_WIDTHS = 12


def sparkline(values: Sequence[float] | npt.NDArray[np.float64], *, low: float, high: float) -> str:
    """Return values as a line of blocks, the lowest for `low` and the highest for `high`.

    >>> sparkline([1.0, 2.0, 3.0, 9.0], low=1.0, high=3.0)
    '▁▅██'
    """
    span = high - low
    steps = len(_EIGHTHS) - 2
    places = [0 if span <= 0 else round((min(max(v, low), high) - low) / span * steps) for v in values]
    return "".join(_EIGHTHS[1 + place] for place in places)


def bars(values: Sequence[float], *, width: int) -> list[str]:
    """Return a horizontal bar for each value, the largest `width` characters long.

    >>> bars([1.0, 2.0, 0.0], width=4)
    ['██', '████', '']
    """
    largest = max(values, default=0.0)
    return ["█" * (round(value / largest * width) if largest > 0 else 0) for value in values]


def draw(record: Record, found: Stability, width: int = 80) -> Iterator[str]:
    """Yield the lines of the drawing.

    Args:
        record: The record, for its name and its timing.
        found: How steady its runtime was.
        width: Columns of the terminal.
    """
    import numpy as np

    timing = record.timing
    rounds, launches = sum(found.launches), len(found.launches)
    of_both = f"{rounds} round{'s' * (rounds != 1)} in {launches} launch{'es' * (launches != 1)}"
    yield f"{record.submission.label}: {of_both}"
    if timing is not None:
        reached = "no interval" if timing.half_width is None else f"±{timing.half_width:.2%}"
        if found.baseline_ms is None:  # of the baseline itself the ratio is 1; the interval is of its runtime
            yield f"the baseline, runtime {reached}, stopped by {timing.stopped}"
        else:
            yield f"ratio to the baseline {timing.ratio:.4f} {reached}, stopped by {timing.stopped}"
        cold = ", ".join(f"{launch.first_call_ms:.1f}" for launch in timing.launches)
        yield f"first calls, not counted [ms]: {cold}"
        for reason in timing.unstable:
            yield f"unstable: {reason}"
    yield from _of_calls(record, found)
    yield ""
    series = [("runtime", found.runtime_ms)]
    if found.baseline_ms is not None:
        series += [("baseline", found.baseline_ms), ("ratio", found.ratio)]
    slow = {"runtime": found.slow, "baseline": found.baseline_slow}
    yield "Rounds in order, each from its lowest to its highest value; | begins a launch"
    for name, values in series:
        low, high = float(values.min()), float(values.max())
        unit = "" if name == "ratio" else " ms"
        digits = 3 if name == "ratio" else 2
        line = _in_launches(sparkline(values, low=low, high=high), found.launches)
        yield f"{name:>9} {line} {low:.{digits}f} to {high:.{digits}f}{unit}"
        most = max((count for counts in slow.get(name, {}).values() for count in counts), default=0)
        for cause, of_rounds in slow.get(name, {}).items():
            line = _in_launches(_marks(of_rounds, most), found.launches)
            yield f"{'slow ' + _letter(cause):>9} {line} {sum(of_rounds)}"
    yield from _of_slow(record, found)
    yield ""
    yield "Calls by how far they are from their image's median; the ends take what lies beyond"
    limit = histogram_limit(found)
    counts, edges = np.histogram(np.clip(found.deviations, -limit, limit), bins=_BINS, range=(-limit, limit))
    for count, edge, bar in zip(counts, edges, bars(counts.tolist(), width=width - 30), strict=False):
        centre = edge + limit / _BINS
        if centre + limit / _BINS <= -1:  # no call takes less than no time
            continue
        yield f"{round(centre, 6) + 0.0:>+9.1%} {bar} {count}"
    yield ""
    if found.half_widths:
        yield "Half of the 95 % interval after so many rounds"
        step = -(-len(found.half_widths) // _MOST_WIDTHS)
        shown = found.half_widths[::-1][::step][::-1]
        for (rounds, half), bar in zip(shown, bars([h for _, h in shown], width=width - 30), strict=True):
            yield f"{rounds:>9} {bar} {half:.2%}"


def cause_in_words(cause: str) -> str:
    """Return what was seen of slow calls, in words.

    >>> cause_in_words("load"), cause_in_words("cause not stored")
    ('other programs used the CPU', 'cause not stored')
    """
    return _CAUSES.get(cause, ("", cause))[1]


def _of_calls(record: Record, found: Stability) -> Iterator[str]:
    """Say what the calls were like: in turns or one by one, made again or not, bound by the CPU or not."""
    timing = record.timing
    if timing is None:
        return
    if timing.turn_calls > 1:
        yield f"turns of {timing.turn_calls} calls of one side, of which the first does not count"
    for cause, pairs in sorted(timing.repeated.items()):
        yield f"pairs of calls made again, as {cause_in_words(cause)}: {pairs}"
    if found.host_ms is not None:
        share = found.host_ms / statistics.fmean(split.runtime_ms for split in record.splits.values())
        yield f"last kernel of a call queued after {found.host_ms:.2f} ms, {share:.0%} of the runtime"
    if timing.exact_over_composed is not None:
        times = f"{timing.exact_over_composed:.3f} times"
        yield f"LR images of the data set took {times} as long as composed ones"


def _of_slow(record: Record, found: Stability) -> Iterator[str]:
    """Say how many calls were slow, and of which causes."""
    sides = [(record.submission.label, found.slow)]
    if found.baseline_ms is not None and record.baseline is not None:
        sides.append((record.baseline.submission.label, found.baseline_slow))
    if not any(slow for _, slow in sides):
        return
    yield ""
    yield "Slow calls (over 1.2 times their image's median), by what was seen of them"
    for label, slow in sides:
        counts = {cause: sum(of_rounds) for cause, of_rounds in slow.items()}
        total = sum(counts.values())
        yield f"  {label}: {total} of {found.calls} ({total / found.calls:.1%})"
        for cause, count in sorted(counts.items(), key=lambda item: -item[1]):
            yield f"{count:>9} {_letter(cause)}: {cause_in_words(cause)}"


def _letter(cause: str) -> str:
    return _CAUSES.get(cause, ("x", ""))[0]


def _marks(counts: Sequence[int], most: int) -> str:
    """Return how many calls of each round were slow as a line of blocks, the highest for `most`; · for none.

    >>> _marks([0, 1, 4], 4)
    '·▁█'
    """
    blocks = sparkline(counts, low=min(1, most), high=most)
    return "".join(block if count else "·" for count, block in zip(counts, blocks, strict=True))


def histogram_limit(found: Stability) -> float:
    """Return the deviation at which a histogram of the calls ends on either side: 98 % of them are within.

    It is 1 % at least, so that noise of a very steady runtime is not drawn as if it were large.
    """
    import numpy as np

    return max(0.01, float(np.quantile(np.abs(found.deviations), 0.98)))


def _in_launches(line: str, launches: Sequence[int]) -> str:
    parts, begin = [], 0
    for count in launches:
        parts.append(line[begin : begin + count])
        begin += count
    return "|" + "|".join(parts) + "|"
