"""The end of a session: results and findings of both sides, and how well the runtime is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from ntire_bench.estimating import steadiness
from ntire_bench.estimating.bootstrap import bootstrap, interval
from ntire_bench.measuring import quality
from ntire_bench.measuring.results import attested, samples_of, split_results
from ntire_bench.measuring.rounds import Rounds
from ntire_bench.measuring.timings import Timings
from ntire_bench.records.record import Finding, Launch, Timing

__all__ = ["conclude"]

_OTHERS_SHARE = 0.10  # of all cores; a desktop at rest has 0.01 to 0.03
_RESAMPLES_KEPT = 500


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
    """Complete the results of both sides and the submission's findings, and return what the timing was like.

    Args:
        rounds: All that was collected; its jobs are finished.
        launches: In order.
        stopped: Why no more rounds were made.
        precision: The half width of the ratio's interval that rounds were to reach.
        max_time_s: How long rounds were to go on at most [s]; None where their number was given.
        device: "cuda" or "cpu".
        monitor: What was sampled of the GPU.
    """
    samples = samples_of(rounds.timings, [launch.rounds for launch in launches])
    found = bootstrap(samples)
    for each in rounds.timings:
        for split in rounds.splits:
            each.side.splits[split.name] = split_results(each, split, samples, found)
    others = _others(rounds)
    unstable = steadiness.reasons(samples, found, precision, device) + _disturbances(others, device, monitor)
    doubted = [each for each in rounds.timings if not attested(each)]
    for finding in (
        *_of_images(rounds),
        *_of_clocks(doubted),
        *_of_stability(unstable),
        *_of_turns(rounds),
    ):
        rounds.own.side.note(finding)
    return Timing(
        launches=tuple(launches),
        stopped=stopped,
        precision=precision,
        max_time_s=max_time_s,
        half_width=found.half_width,
        ratio=found.ratio,
        ratio_ci95=interval(found.ratios, found.ratio),
        score_ci95=None,
        ratio_resamples=tuple(round(float(value), 6) for value in found.ratios[:_RESAMPLES_KEPT]),
        unstable=tuple(unstable),
        attested=not doubted,
        monitor={
            **monitor,
            **({} if others is None else {"others_cpu": round(others, 4)}),
            "verified_windows": rounds.verifier.compared,
        },
    )


def _of_images(rounds: Rounds) -> list[Finding]:
    """Return the findings on SR images."""
    own, baseline = rounds.own.side, rounds.timings[0].side
    found = rounds.verifier.findings()
    for name, result in own.splits.items():
        found += quality.exact_images(name, result.per_image)
        if baseline is not own:
            found += quality.gains(name, result.per_image, baseline.splits[name].per_image)
    return found


def _of_clocks(doubted: Sequence[Timings]) -> list[Finding]:
    """Return the finding on workers whose runtimes do not agree with the parent's clock."""
    if not doubted:
        return []
    whose = "the baseline's" if all(each.side.is_baseline for each in doubted) else "the"
    message = (
        f"{whose} worker's runtimes do not fit the time between sending an LR image and having the SR "
        "image: the latter counts, less what moving the pixels takes, or the former where it is larger"
    )
    return [Finding(code="timing-unattested", severity="warning", message=message)]


def _disturbances(others: float | None, device: str, monitor: dict[str, object]) -> list[str]:
    """Return in words what else the machine did while rounds ran."""
    told = []
    if device == "cpu" and others is not None and others > _OTHERS_SHARE:
        told.append(f"other programs used {others:.0%} of the machine")
    if monitor.get("other_processes"):
        told.append("another process computed on the GPU")
    if throttles := monitor.get("throttles"):
        told.append(f"the GPU lowered its clocks: {throttles}")
    return told


def _of_stability(unstable: Sequence[str]) -> list[Finding]:
    if not unstable:
        return []
    message = f"the runtime is unstable: {'; '.join(unstable)}. Run again when the machine is idle"
    return [Finding(code="runtime-unstable", severity="warning", message=message)]


def _of_turns(rounds: Rounds) -> list[Finding]:
    """Return a finding for each side that computed while the other was timed."""
    found = []
    for each in rounds.timings:
        share = each.turns.busy_share
        if share is not None:
            message = (
                f"{each.side.submission.label} used {share:.0%} of a core while the other side was "
                "timed: a network must not compute between its calls"
            )
            # What the baseline does is no fault of the submission.
            severity: Literal["warning", "reject"] = "reject" if each is rounds.own else "warning"
            found.append(Finding(code="busy-out-of-turn", severity=severity, message=message))
    return found


def _others(rounds: Rounds) -> float | None:
    """Return the share of the machine that other programs used, over all rounds."""
    wall = math.fsum(seconds for seconds, _ in rounds.others)
    return math.fsum(seconds * share for seconds, share in rounds.others) / wall if wall else None
