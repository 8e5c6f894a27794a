"""How steady a record's runtime was, as a picture: PNG, SVG or PDF."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ntire_bench.records.record import Record
from ntire_bench.reporting.picture import refuse_other_suffix, save
from ntire_bench.reporting.stability_text import cause_in_words, histogram_limit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ntire_bench.estimating.stability import Stability

__all__ = ["plot"]

_OWN, _BASE = "#c8553d", "#3d6b8c"
# In the order of the legend; a cause that is not among them is grey.
_CAUSES = {
    "allocation": "#8c564b",
    "context-switches": "#e0a458",
    "clock": "#9467bd",
    "other-process": "#2ca02c",
    "load": "#17becf",
    "unknown": "#555555",
}


def plot(record: Record, found: Stability, path: Path) -> None:
    """Draw rounds over time with their slow calls, the distribution of calls, and how the interval narrows.

    Args:
        record: The record, for its name and its timing.
        found: How steady its runtime was.
        path: File to write; its suffix decides the format.

    Raises:
        UsageError: The suffix names no format.
        RecordError: The file cannot be written.
    """
    refuse_other_suffix(path)
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    any_slow = bool(found.slow or found.baseline_slow)
    figure = Figure(figsize=(11, 4.6 if any_slow else 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(1, 3, width_ratios=(1.6, 1, 1))
    times = grid[0].subgridspec(2 if any_slow else 1, 1, height_ratios=(2, 1) if any_slow else None)
    over_time = figure.add_subplot(times[0])
    spread, narrowing = figure.add_subplot(grid[1]), figure.add_subplot(grid[2])
    rounds = np.arange(1, len(found.runtime_ms) + 1)
    over_time.plot(
        rounds,
        found.runtime_ms / np.median(found.runtime_ms),
        "o-",
        color=_OWN,
        label=record.submission.label,
        ms=3,
    )
    if found.baseline_ms is not None and record.baseline is not None:
        base = found.baseline_ms / np.median(found.baseline_ms)
        over_time.plot(
            rounds, base, "o-", color=_BASE, label=record.baseline.submission.label, ms=3, alpha=0.7
        )
        ratio = found.ratio / np.median(found.ratio)
        over_time.plot(rounds, ratio, "-", color="black", label="ratio", lw=1)
    for begin in np.cumsum(found.launches)[:-1]:
        over_time.axvline(begin + 0.5, color="0.8", lw=1, zorder=0)
    over_time.set(xlabel="round (lines part the launches)", ylabel="over its median", title="Rounds")
    over_time.legend(frameon=False, fontsize="small")
    if any_slow:
        over_time.set_xlabel("")
        slow = figure.add_subplot(times[1], sharex=over_time)
        _draw_slow(record, found, slow)
        handles, labels = slow.get_legend_handles_labels()
        labels = [f"slow: {label}" for label in labels]
        figure.legend(handles, labels, frameon=False, fontsize="x-small", ncols=4, loc="outside lower left")
    limit = histogram_limit(found)
    bins = np.linspace(max(-limit, -1.0), limit, 32)  # no call takes less than no time
    spread.hist(100 * np.clip(found.deviations, -limit, limit), bins=(100 * bins).tolist(), color=_OWN)
    spread.set(xlabel="off its image's median [%]", ylabel="calls", title="Calls")
    if found.half_widths:
        counts, widths = zip(*found.half_widths, strict=True)
        narrowing.plot(counts, [100 * width for width in widths], "o-", color=_OWN, ms=3)
        if record.timing is not None:
            narrowing.axhline(
                100 * record.timing.precision, color="0.5", ls="--", lw=1, label="precision to reach"
            )
            narrowing.legend(frameon=False, fontsize="small")
        narrowing.set_ylim(bottom=0)
    narrowing.set(xlabel="rounds", ylabel="half of the 95 % interval [%]", title="Precision")
    for axes in (over_time, narrowing):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (over_time, spread, narrowing):
        axes.spines[["top", "right"]].set_visible(False)
    timing = record.timing
    reached = "" if timing is None or timing.half_width is None else f" ±{timing.half_width:.2%}"
    device = "" if record.environment is None else f" · {record.environment.device_name}"
    what = "ratio to the baseline" if found.baseline_ms is not None else "the baseline, runtime"
    figure_of = f" {timing.ratio:.4f}" if timing is not None and found.baseline_ms is not None else ""
    ratio_text = "" if timing is None else f" · {what}{figure_of}{reached}"
    figure.suptitle(f"{record.submission.label}{ratio_text}{device}", fontsize="medium")
    save(figure, path)


def _draw_slow(record: Record, found: Stability, axes: Axes) -> None:
    """Draw how many calls of each round were slow, by cause: the submission's up, the baseline's down."""
    import numpy as np
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    rounds = np.arange(1, len(found.runtime_ms) + 1)
    own, base = np.zeros(len(rounds)), np.zeros(len(rounds))
    known = [cause for cause in _CAUSES if cause in found.slow or cause in found.baseline_slow]
    for cause in [*known, *sorted({*found.slow, *found.baseline_slow} - _CAUSES.keys())]:
        color, label = _CAUSES.get(cause, "0.6"), cause_in_words(cause)
        for counts, sign, below in (
            (found.slow.get(cause), 1, own),
            (found.baseline_slow.get(cause), -1, base),
        ):
            if counts is not None:
                heights = sign * np.array(counts)
                axes.bar(rounds, heights, bottom=below, width=0.8, color=color, label=label)
                below += heights
                label = "_"  # one entry of the legend for both sides
    axes.axhline(0, color="black", lw=0.8)
    for begin in np.cumsum(found.launches)[:-1]:
        axes.axvline(begin + 0.5, color="0.8", lw=1, zorder=0)
    both = found.baseline_ms is not None and record.baseline is not None
    axes.set(xlabel="round (lines part the launches)", ylabel="slow calls")
    if both and record.baseline is not None:
        for at, side, name in (
            (0.97, "top", record.submission.label),
            (0.03, "bottom", record.baseline.submission.label),
        ):
            axes.text(0.01, at, name, transform=axes.transAxes, va=side, fontsize="x-small", color="0.4")
    most = 1.6 * max(1.0, own.max(), -base.min())  # room for the names above and below
    axes.set_ylim(-most if both else 0, most)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):g}"))
    axes.spines[["top", "right"]].set_visible(False)
