"""How steady a record's runtime was, drawn with characters for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ntire_bench.records.record import Record

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ntire_bench.estimating.stability import Stability

__all__ = ["bars", "draw", "histogram_limit", "sparkline"]

_EIGHTHS = " ▁▂▃▄▅▆▇█"
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
    yield f"{record.submission.label}: {sum(found.launches)} rounds in {len(found.launches)} launches"
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
    yield ""
    series = [("runtime", found.runtime_ms)]
    if found.baseline_ms is not None:
        series += [("baseline", found.baseline_ms), ("ratio", found.ratio)]
    yield "Rounds in order, each from its lowest to its highest value; | begins a launch"
    for name, values in series:
        low, high = float(values.min()), float(values.max())
        unit = "" if name == "ratio" else " ms"
        digits = 3 if name == "ratio" else 2
        line = _in_launches(sparkline(values, low=low, high=high), found.launches)
        yield f"{name:>9} {line} {low:.{digits}f} to {high:.{digits}f}{unit}"
    yield ""
    yield "Calls by how far they are from their image's median; the ends take what lies beyond"
    limit = histogram_limit(found)
    counts, edges = np.histogram(np.clip(found.deviations, -limit, limit), bins=_BINS, range=(-limit, limit))
    for count, edge, bar in zip(counts, edges, bars(counts.tolist(), width=width - 30), strict=False):
        centre = edge + limit / _BINS
        yield f"{round(centre, 6) + 0.0:>+9.1%} {bar} {count}"
    yield ""
    if found.half_widths:
        yield "Half of the 95 % interval after so many rounds"
        step = -(-len(found.half_widths) // _MOST_WIDTHS)
        shown = found.half_widths[::-1][::step][::-1]
        for (rounds, half), bar in zip(shown, bars([h for _, h in shown], width=width - 30), strict=True):
            yield f"{rounds:>9} {bar} {half:.2%}"


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
