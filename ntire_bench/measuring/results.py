"""From timed calls to results: what a side gave on a split."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from ntire_bench.data.dataset import Split
from ntire_bench.estimating.bootstrap import Estimate, Samples, interval, runtime_ms
from ntire_bench.measuring.slow_calls import slow_calls
from ntire_bench.measuring.timings import Quality, Timings
from ntire_bench.records.record import ImageResult, SplitResult

__all__ = ["exact_over_composed", "host_share", "samples_of", "split_results"]

Qualities = Mapping[tuple[str, str], Quality]


def samples_of(timings: Sequence[Timings], launches: Sequence[int]) -> Samples:
    """Return all runtimes of a session that count, as arrays: the calls by the workers' clocks.

    Args:
        timings: Of both sides, or of a submission that is its own baseline.
        launches: Rounds of each launch.
    """
    sides = [{split: each.claimed(split) for split in each.calls} for each in timings]
    return Samples(launches=tuple(launches), own=sides[-1], baseline=sides[0] if len(sides) > 1 else None)


def split_results(
    timings: Timings, split: Split, quality: Qualities, found: Estimate, scale: int
) -> SplitResult:
    """Return what one side gave on a split.

    Args:
        timings: Of that side.
        split: Of those that were run.
        quality: Metrics of that side, by split and image.
        found: The estimate from the samples of the session.
        scale: HR size over LR size.
    """
    calls = timings.claimed(split.name)
    slow = slow_calls(timings, split)
    results = []
    for index, pair in enumerate(split.pairs):
        given = quality[split.name, pair.name]
        of_image = timings.of_image(split.name, index)
        pixels = pair.height * pair.width // scale**2
        host = [call.host_ms for call in of_image if call.host_ms is not None]
        results.append(
            ImageResult(
                name=pair.name,
                height=pair.height,
                width=pair.width,
                psnr_y_db=given.psnr_y_db if math.isfinite(given.psnr_y_db) else None,
                psnr_rgb_db=given.psnr_rgb_db if math.isfinite(given.psnr_rgb_db) else None,
                ssim_y=given.ssim_y,
                runtime_ms=float(np.median(calls[index])),
                runtime_samples_ms=tuple(call.claimed_ms for call in of_image),
                brackets_ms=tuple(_micro(call.bracket_ms) for call in of_image),
                overhead_ms=tuple(_micro(overhead.of(pixels)) for overhead in timings.overheads),
                overhead_spread_ms=tuple(_micro(overhead.spread(pixels)) for overhead in timings.overheads),
                host_ms=_micro(statistics.median(host)) if host else None,
                slow_calls=slow[index],
            )
        )
    own = found.baseline_ms if timings.side.is_baseline else found.own_ms
    mean = runtime_ms(calls)
    return SplitResult(
        dataset=split.dataset,
        dataset_sha256=split.sha256,
        images=len(results),
        psnr_y_db=_mean([result.psnr_y_db for result in results]),
        psnr_rgb_db=_mean([result.psnr_rgb_db for result in results]),
        ssim_y=_mean([result.ssim_y for result in results]),
        runtime_ms=mean,
        runtime_ci95_ms=None if own is None else interval(own[split.name], mean),
        memory_mib=timings.memory_mib[split.name],
        per_image=tuple(results),
    )


def exact_over_composed(own: Timings, baseline: Timings | None) -> list[float]:
    """Return the runtime of each exact call over that of composed calls for the same image.

    Args:
        own: Of the submission.
        baseline: Of the baseline, by whose quotient in the same pair of calls each is divided: what slowed
            both is not the network's; None where there is no other side.
    """
    quotients = []
    for split, rounds in own.calls.items():
        for index in range(len(rounds[0])):
            mine = own.of_image(split, index)
            theirs = mine if baseline is None else baseline.of_image(split, index)
            composed = [place for place, call in enumerate(mine) if not call.exact]
            if not composed:
                continue
            usual = statistics.median(mine[place].claimed_ms for place in composed)
            other = statistics.median(theirs[place].claimed_ms for place in composed)
            for call, pair in zip(mine, theirs, strict=True):
                if call.exact:
                    shared = 1.0 if baseline is None else pair.claimed_ms / other
                    quotients.append(call.claimed_ms / usual / shared)
    return quotients


def host_share(timings: Timings) -> float | None:
    """Return the share of a runtime after which its last kernel was queued, over all calls; None on a CPU."""
    shares = [call.host_ms / call.claimed_ms for call in timings.all_calls() if call.host_ms is not None]
    return statistics.median(shares) if shares else None


def _micro(value_ms: float) -> float:
    """Round to the microsecond: a record of many rounds would be twice as large with all digits."""
    return round(value_ms, 3)


def _mean(values: list[float | None]) -> float | None:
    """Return the mean, or None if any value is missing: an infinite PSNR must not enter a mean."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None
