"""Rows of figures, as one Markdown table and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

__all__ = ["COLUMNS", "Row", "as_json", "markdown"]

COLUMNS = {
    "slow_calls": "slow calls",
    "baseline_slow_calls": "the baseline's",
    "runtime_ms": "median [ms]",
    "baseline_runtime_ms": "the baseline's [ms]",
    "ratio": "ratio",
    "cv": "CV",
    "bias": "bias",
    "seconds": "took [s]",
    "goal_s": "at most [s]",
}
_SHARES = {"slow_calls", "baseline_slow_calls"}
_FINE_SHARES = {"cv", "bias"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One row: what was measured and what came out; a figure that does not apply is None.

    Attributes:
        part: One of gpu.py's parts.
        what: Which of its measurements, in words.
        name: The measurement's name, as `--only` takes it.
        slow_calls: Share of the submission's calls over 1.2 times the median of their image or size.
        baseline_slow_calls: The same of the baseline.
        runtime_ms: Mean over the images of the median of the submission's calls.
        baseline_runtime_ms: The same of the baseline.
        ratio: Runtime over the baseline's, as the record has it, or as the estimator gives it.
        cv: Coefficient of variation of the ratio over the invocations.
        bias: Of the estimator, against the same on all invocations' calls together.
        seconds: From start to end.
        goal_s: What it should take at most, on one H100-like GPU with 16 cores; None where there is no goal.
        left_out: Why it was not measured; None where it was.
        said: What else there is to say.
    """

    part: str
    what: str
    name: str = ""
    slow_calls: float | None = None
    baseline_slow_calls: float | None = None
    runtime_ms: float | None = None
    baseline_runtime_ms: float | None = None
    ratio: float | None = None
    cv: float | None = None
    bias: float | None = None
    seconds: float | None = None
    goal_s: float | None = None
    left_out: str | None = None
    said: str = ""


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows as they are stored."""
    return [dataclasses.asdict(row) for row in rows]


def markdown(rows: Sequence[Row]) -> str:
    """Return one table of all rows.

    >>> print(markdown([Row(part="times", what="prepare", seconds=4.25, goal_s=6.0)]).splitlines()[2])
    | times | prepare |  |  |  |  |  |  |  | 4.2 | 6 |  |
    """
    titles = ["part", "what", *COLUMNS.values(), ""]
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    for row in rows:
        cells = [row.part, row.what, *(_cell(row, key) for key in COLUMNS)]
        cells.append("; ".join(filter(None, (row.left_out and f"left out: {row.left_out}", row.said))))
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return "\n".join(lines)


def _cell(row: Row, key: str) -> str:
    value = getattr(row, key)
    if value is None:
        return ""
    if key in _SHARES:
        return f"{value:.1%}"
    if key in _FINE_SHARES:
        return f"{value:.2%}"
    if key == "ratio":
        return f"{value:.4f}"
    if key == "goal_s":
        return f"{value:g}"
    return f"{value:.1f}" if key == "seconds" else f"{value:.3f}"
