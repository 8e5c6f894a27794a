"""What a board takes from records of version 1, whose runtimes are not the calls as they were.

There `runtime_ms` is the median of calls that were corrected for drifts shared with the baseline's, or that
hold the parent's clock. The calls as they were are `ImageResult.calls_ms`, or the samples where that is
empty.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Mapping, Sequence

from ntire_bench.records.record import Record, SplitResult

__all__ = ["Calls", "with_plain_runtimes"]

Calls = Callable[[SplitResult], Sequence[Sequence[float]]]


def with_plain_runtimes(record: Record, calls_of: Calls | None = None) -> Record:
    """Return a record of version 1 with plain medians as its runtimes, and the ratios that it was scored by.

    `runtime_ms` of each split becomes the mean over images of the median of the image's calls. The quotients
    of the runtimes that were stored become `Timing.split_ratios`, so that the score stays what it was. A
    record that has been through this comes out as it went in.

    Args:
        record: Of any version; one of a later version, or an imported one, is returned as it is.
        calls_of: Returns the calls of each image of a split; None takes `per_image`. A split without any
            keeps its runtime: then its samples are the calls, and it is their median already.
    """
    if record.schema_version != 1 or record.imported is not None:
        return record
    calls_of = calls_of or _calls_of
    timing, baseline = record.timing, record.baseline
    if timing is not None and baseline is not None and not timing.split_ratios:
        ratios = {
            split: result.runtime_ms / baseline.splits[split].runtime_ms
            for split, result in record.splits.items()
            if split in baseline.splits and baseline.splits[split].runtime_ms > 0
        }
        timing = dataclasses.replace(timing, split_ratios=ratios)
    if baseline is not None:
        baseline = dataclasses.replace(baseline, splits=_plain(baseline.splits, calls_of))
    return dataclasses.replace(
        record, splits=_plain(record.splits, calls_of), baseline=baseline, timing=timing
    )


def _calls_of(result: SplitResult) -> list[tuple[float, ...]]:
    return [image.calls_ms for image in result.per_image]


def _plain(splits: Mapping[str, SplitResult], calls_of: Calls) -> dict[str, SplitResult]:
    plain = {}
    for split, result in splits.items():
        calls = calls_of(result)
        if calls and all(calls):
            runtime_ms = math.fsum(map(statistics.median, calls)) / len(calls)
            result = dataclasses.replace(result, runtime_ms=runtime_ms)
        plain[split] = result
    return plain
