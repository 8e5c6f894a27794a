"""Records whose timed calls could not be compared with those of another process."""

from __future__ import annotations

from ntire_bench.records.record import Record

__all__ = ["NOT_COMPARED", "why_unproven"]

NOT_COMPARED = "not-compared"
"""The finding's code."""


def why_unproven(record: Record) -> str:
    """Return why nobody knows whether the timed calls did their work; empty where it was looked for.

    Its rows are not judged: the comparison finds submissions that compute less when they are timed, and one
    that ends each process that it is compared with must gain nothing by that.
    """
    return next((finding.message for finding in record.findings if finding.code == NOT_COMPARED), "")
