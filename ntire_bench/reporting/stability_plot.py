"""How steady a record's runtime was, as a picture: PNG, SVG or PDF."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ntire_bench.errors import RecordError, UsageError
from ntire_bench.records.record import Record
from ntire_bench.reporting.stability_text import histogram_limit

if TYPE_CHECKING:
    from ntire_bench.estimating.stability import Stability

__all__ = ["SUFFIXES", "plot"]

SUFFIXES = (".png", ".svg", ".pdf")
_OWN, _BASE = "#c8553d", "#3d6b8c"


def plot(record: Record, found: Stability, path: Path) -> None:
    """Draw rounds over time, the distribution of the calls, and the interval against the number of rounds.

    Args:
        record: The record, for its name and its timing.
        found: How steady its runtime was.
        path: File to write; its suffix decides the format.

    Raises:
        UsageError: The suffix is none of `SUFFIXES`.
        RecordError: The file cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            "the suffix names no format that pictures can be drawn in",
            file=path,
            expected=" or ".join(SUFFIXES),
            remedy="change its suffix",
        )
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    over_time, spread, narrowing = figure.subplots(1, 3, width_ratios=(1.6, 1, 1))
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
    limit = histogram_limit(found)
    spread.hist(100 * np.clip(found.deviations, -limit, limit), bins=31, color=_OWN)
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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
    except OSError as error:
        raise RecordError(
            "the picture cannot be written",
            file=path,
            found=error.strerror or str(error),
            remedy="choose another --plot",
        ) from None
