"""What the session of a record says of its runtime: the ratio that is scored, and how well it is known."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from ntire_bench.records.record import Record
from ntire_bench.text import one_line

__all__ = ["age_note", "ratio_of", "spread_of"]

_OTHER_CLOCK = "two clocks did not agree, and version 1 took the larger of both"


def ratio_of(record: Record, counted: Collection[str]) -> float | None:
    """Return the session's ratio to the baseline's runtime on the splits that count; None without one.

    The record's ratio is of all its splits together. Where some do not count, it is made of the ratios r of
    those that do. A team's runtime is the mean of its splits', so the ratio is that of the sums: with b for
    the baseline's runtime on a split, sum(r * b) / sum(b).
    """
    timing, baseline = record.timing, record.baseline
    if timing is None or baseline is None:
        return None
    if set(counted) == set(record.splits):
        return timing.ratio
    if any(split not in timing.split_ratios for split in counted):
        return None
    weights = {split: baseline.splits[split].runtime_ms for split in counted}
    total = math.fsum(weights.values())
    if total <= 0:
        return None
    return math.fsum(timing.split_ratios[split] * weight for split, weight in weights.items()) / total


def spread_of(record: Record, counted: Collection[str]) -> dict[str, Any]:
    """Return how well the runtime is known.

    The record's figures are of all its splits together. Where some of them do not count, only whether the
    runtime was stable is taken over.
    """
    timing = record.timing
    if timing is None:
        return {}
    unstable = timing.unstable
    if record.schema_version == 1 and timing.attested is False:
        unstable = (*unstable, _OTHER_CLOCK)
    known: dict[str, Any] = {"unstable": unstable, "attested": timing.attested}
    if set(counted) == set(record.splits):
        known |= {
            "launches": len(timing.launches),
            "half_width": timing.half_width,
            "score_ci95": timing.score_ci95,
            "ratio_ci95": timing.ratio_ci95,
            "ratio_resamples": timing.ratio_resamples,
        }
    return known


def age_note(record: Record) -> list[str]:
    """Say where runtimes are of version 1, which did not store them as plain medians."""
    if record.schema_version != 1 or record.imported is not None:
        return []
    calls = "timed calls"
    if record.timing is not None and record.timing.attested is False:
        calls += ", which may hold the larger of two clocks that did not agree"
    notes = [
        f"measured by version 1: the runtime shown is the median of the {calls}; the score takes the ratio "
        "that was stored then"
    ]
    codes = list(dict.fromkeys(finding.code for finding in record.findings if finding.severity == "reject"))
    if codes:
        notes.append(
            f"measured by version 1, when {', '.join(map(one_line, codes))} took no rank: run it again: "
            f"ntire-bench run {record.submission.id}"
        )
    return notes
