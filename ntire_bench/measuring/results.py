"""From timed calls to results: which of the two clocks counts, and what a side gave on a split."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ntire_bench.data.dataset import Split
from ntire_bench.estimating.bootstrap import Estimate, Samples, interval, runtime_ms
from ntire_bench.measuring.clock import agrees
from ntire_bench.measuring.timings import Timings
from ntire_bench.records.record import ImageResult, SplitResult

__all__ = ["attested", "samples_of", "split_results"]

_FEWEST_CALLS = 5  # on one image, for that image to be judged alone


def samples_of(timings: Sequence[Timings], launches: Sequence[int]) -> Samples:
    """Return all runtimes of a session that count, as arrays.

    Args:
        timings: Of both sides, or of a submission that is its own baseline.
        launches: Rounds of each launch.
    """
    sides = [_runtimes(each) for each in timings]
    return Samples(launches=tuple(launches), own=sides[-1], baseline=sides[0] if len(sides) > 1 else None)


def _runtimes(timings: Timings) -> dict[str, npt.NDArray[np.float64]]:
    """Return the runtimes that count: the worker's own where they agree with the parent's clock.

    Elsewhere each is the larger of the two clocks' figures. The parent's alone will not do: the overhead that
    is taken off it may have been measured in a disturbed moment, and what is left can be next to nothing.
    """
    claimed = {split: np.array(rounds, dtype=np.float64).T for split, rounds in timings.claimed.items()}
    if attested(timings):
        return claimed
    return {split: np.maximum(claimed[split], np.array(rounds).T) for split, rounds in timings.seen.items()}


def attested(timings: Timings) -> bool:
    """Say whether a worker's runtimes agree with the parent's clock, over all calls and on each image."""
    claimed = {split: np.array(rounds) for split, rounds in timings.claimed.items()}
    seen = {split: np.array(rounds) for split, rounds in timings.seen.items()}
    all_claimed = np.concatenate([values.ravel() for values in claimed.values()])
    all_seen = np.concatenate([values.ravel() for values in seen.values()])
    groups = [(all_claimed, all_seen)]
    for split, values in claimed.items():
        for index in range(values.shape[1]):
            if values.shape[0] >= _FEWEST_CALLS:
                groups.append((values[:, index], seen[split][:, index]))
    overhead = timings.overhead.fixed_ms  # what depends on the image's size is taken off `seen` exactly
    return all(
        agrees(float(np.median(mine)), float(np.median(theirs)) + overhead, overhead)
        for mine, theirs in groups
    )


def split_results(timings: Timings, split: Split, samples: Samples, found: Estimate) -> SplitResult:
    """Return what one side gave on a split.

    Args:
        timings: Of that side.
        split: Of those that were run.
        samples: Of the session.
        found: The estimate from these samples.
    """
    calls, counted = (
        (known.own if known.baseline is None or not timings.side.is_baseline else known.baseline)[split.name]
        for known in (samples, samples.steadied())
    )
    results = []
    for pair, row, raw in zip(split.pairs, counted, calls, strict=True):
        given = timings.quality[split.name, pair.name]
        results.append(
            ImageResult(
                name=pair.name,
                height=pair.height,
                width=pair.width,
                psnr_y_db=given.psnr_y_db if math.isfinite(given.psnr_y_db) else None,
                psnr_rgb_db=given.psnr_rgb_db if math.isfinite(given.psnr_rgb_db) else None,
                ssim_y=given.ssim_y,
                runtime_ms=float(np.median(row)),
                runtime_samples_ms=tuple(map(float, row)),
                calls_ms=() if np.array_equal(row, raw) else tuple(map(float, raw)),
            )
        )
    own = found.baseline_ms if timings.side.is_baseline else found.own_ms
    mean = runtime_ms(counted)
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


def _mean(values: list[float | None]) -> float | None:
    """Return the mean, or None if any value is missing: an infinite PSNR must not enter a mean."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None
