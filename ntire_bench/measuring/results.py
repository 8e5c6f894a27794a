"""From timed calls to results: warm-up, the runtimes that count, their intervals, what is doubtful."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from ntire_bench.data.dataset import Split
from ntire_bench.estimating import steadiness
from ntire_bench.estimating.bootstrap import Estimate, Samples, bootstrap, interval, runtime_ms
from ntire_bench.measuring import quality
from ntire_bench.measuring.clock import agrees
from ntire_bench.measuring.rounds import Rounds, Side
from ntire_bench.measuring.side import Contender, Timeline, note_padding
from ntire_bench.records.record import Finding, ImageResult, Launch, SplitResult, Timing

__all__ = ["conclude", "samples_of", "split_results", "warm_up"]

Uint8 = npt.NDArray[np.uint8]

WARM_UP_CALLS = {"cuda": 3, "cpu": 1}
_FEWEST_CALLS = 5  # on one image size for that size to be judged alone
_OTHERS_SHARE = 0.10  # of all cores; a desktop at rest has 0.01 to 0.03
_RESAMPLES_KEPT = 500


def warm_up(contender: Contender, images: Sequence[Uint8], device: str, timeline: Timeline) -> float:
    """Run one image of every size, untimed, so that no first call is ever averaged in.

    The multiple that an image of each size must be padded to comes to light here.

    Args:
        contender: Whose turn it is; its info learns the padding.
        images: One LR image per size, uint8 HWC.
        device: "cuda" or "cpu".
        timeline: Told of every image.

    Returns:
        The very first call [ms].
    """
    first_ms = 0.0
    pads: dict[tuple[int, int], int] = {}
    for number, image in enumerate(images):
        found = contender.worker.warm_up(image, WARM_UP_CALLS[device])
        pads[image.shape[0], image.shape[1]] = found.pad_to
        first_ms = found.first_ms if number == 0 else first_ms
        timeline.step("warm-up")
    note_padding(contender, pads)
    return first_ms


def samples_of(rounds: Rounds, launches: Sequence[int]) -> Samples:
    """Return all runtimes of a session that count, as arrays.

    Args:
        rounds: What was collected.
        launches: Rounds of each launch.
    """
    sides = [_runtimes(side) for side in rounds.sides]
    return Samples(launches=tuple(launches), own=sides[-1], baseline=sides[0] if len(sides) > 1 else None)


def _runtimes(side: Side) -> dict[str, npt.NDArray[np.float64]]:
    """Return what counts: the worker's own figures where they agree with the parent's clock, else the larger.

    The larger, because the overhead that is taken off a bracket may have been measured in a disturbed moment:
    what is left can be next to nothing, and must not be scored.
    """
    claimed = {split: np.array(rounds, dtype=np.float64).T for split, rounds in side.claimed.items()}
    if attested(side):
        return claimed
    return {split: np.maximum(claimed[split], np.array(rounds).T) for split, rounds in side.seen.items()}


def attested(side: Side) -> bool:
    """Say whether a worker's runtimes agree with the parent's clock: over all calls, and on each image."""
    claimed = {split: np.array(rounds) for split, rounds in side.claimed.items()}
    seen = {split: np.array(rounds) for split, rounds in side.seen.items()}
    all_claimed = np.concatenate([values.ravel() for values in claimed.values()])
    all_seen = np.concatenate([values.ravel() for values in seen.values()])
    groups = [(all_claimed, all_seen)]
    for split, values in claimed.items():
        for index in range(values.shape[1]):
            if values.shape[0] >= _FEWEST_CALLS:
                groups.append((values[:, index], seen[split][:, index]))
    overhead = side.overhead.fixed_ms  # the part that a size has is taken off `seen` exactly
    return all(
        agrees(float(np.median(mine)), float(np.median(theirs)) + overhead, overhead)
        for mine, theirs in groups
    )


def split_results(side: Side, split: Split, samples: Samples, found: Estimate) -> SplitResult:
    """Return what one side gave on a split.

    Args:
        side: Whose.
        split: Which.
        samples: Of the session.
        found: Their estimate.
    """
    calls, counted = (
        (known.own if known.baseline is None or not side.contender.is_baseline else known.baseline)[
            split.name
        ]
        for known in (samples, samples.steadied())
    )
    results = []
    for pair, row, raw in zip(split.pairs, counted, calls, strict=True):
        given = side.quality[split.name, pair.name]
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
    own = found.baseline_ms if side.contender.is_baseline else found.own_ms
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
        memory_mib=side.memory_mib[split.name],
        per_image=tuple(results),
    )


def _mean(values: list[float | None]) -> float | None:
    """Return the mean, or None if any value is missing: an infinite PSNR never enters one."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def conclude(
    rounds: Rounds,
    launches: Sequence[Launch],
    *,
    stopped: Literal["precision", "max-rounds", "max-time", "rounds"],
    precision: float,
    max_time_s: float | None = None,
    device: str,
    monitor: dict[str, object],
) -> Timing:
    """Complete the contenders' results and findings, and say how well the runtime is known.

    Args:
        rounds: All that was collected; its jobs are finished.
        launches: In order.
        stopped: Why no more rounds were made.
        precision: That was to be reached.
        max_time_s: How long rounds were to go on at most [s]; None where their number was given.
        device: "cuda" or "cpu".
        monitor: What was sampled beside.
    """
    counts = [launch.rounds for launch in launches]
    samples = samples_of(rounds, counts)
    found = bootstrap(samples)
    for side in rounds.sides:
        for split in rounds.splits:
            side.contender.splits[split.name] = split_results(side, split, samples, found)
    own = rounds.own
    _note_quality(rounds)
    doubted = [side.contender for side in rounds.sides if not attested(side)]
    if doubted:
        whose = "the baseline's" if all(one.is_baseline for one in doubted) else "the"
        message = (
            f"{whose} worker's runtimes do not fit the time between sending an LR image and having the SR "
            "image: the latter counts, less what moving the pixels takes, or the former where it is larger"
        )
        own.contender.note(Finding(code="timing-unattested", severity="warning", message=message))
    told = steadiness.reasons(samples, found, precision, device)
    others = _others(rounds)
    if device == "cpu" and others is not None and others > _OTHERS_SHARE:
        told.append(f"other programs used {others:.0%} of the machine")
    if monitor.get("other_processes"):
        told.append("another process computed on the GPU")
    if throttles := monitor.get("throttles"):
        told.append(f"the GPU lowered its clocks: {throttles}")
    if told:
        message = f"the runtime is unstable: {'; '.join(told)}. Run again when the machine is idle"
        own.contender.note(Finding(code="runtime-unstable", severity="warning", message=message))
    for side in rounds.sides:
        if side.out_of_turn():
            share = side.idle_cpu_s / side.idle_wall_s
            message = (
                f"{side.contender.submission.label} used {share:.0%} of a core while the other side was "
                "timed: a network must not compute between its calls"
            )
            # What the baseline does is no fault of the submission.
            severity: Literal["warning", "reject"] = "reject" if side is own else "warning"
            own.contender.note(Finding(code="busy-out-of-turn", severity=severity, message=message))
    limits = interval(found.ratios, found.ratio)
    return Timing(
        launches=tuple(launches),
        stopped=stopped,
        precision=precision,
        max_time_s=max_time_s,
        half_width=found.half_width,
        ratio=found.ratio,
        ratio_ci95=limits,
        score_ci95=None,
        ratio_resamples=tuple(round(float(value), 6) for value in found.ratios[:_RESAMPLES_KEPT]),
        unstable=tuple(told),
        attested=not doubted,
        monitor={
            **monitor,
            **({} if others is None else {"others_cpu": round(others, 4)}),
            "verified_windows": rounds.verifier.compared,
        },
    )


def _note_quality(rounds: Rounds) -> None:
    own, baseline = rounds.own.contender, rounds.sides[0].contender
    for finding in rounds.verifier.findings():
        own.note(finding)
    for name, result in own.splits.items():
        for finding in quality.exact_images(name, result.per_image):
            own.note(finding)
        if baseline is not own:
            for finding in quality.gains(name, result.per_image, baseline.splits[name].per_image):
                own.note(finding)


def _others(rounds: Rounds) -> float | None:
    """Return the share of the machine that others used, over all rounds."""
    wall = math.fsum(seconds for seconds, _ in rounds.others)
    return math.fsum(seconds * share for seconds, share in rounds.others) / wall if wall else None
