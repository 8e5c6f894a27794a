"""The end of a session: results and findings of both sides, and how well the runtime is known."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from ntire_bench.estimating import steadiness
from ntire_bench.estimating.bootstrap import bootstrap, interval
from ntire_bench.measuring import pace, quality
from ntire_bench.measuring.results import exact_over_composed, host_share, samples_of, split_results
from ntire_bench.measuring.rounds import Rounds
from ntire_bench.measuring.slow_calls import counted, slow_calls
from ntire_bench.measuring.surroundings import BUSY_SHARE
from ntire_bench.measuring.timings import Timings
from ntire_bench.records.record import Finding, Launch, Timing

__all__ = ["conclude"]

# By how much longer exact images may take than composed ones: in the median of many calls, and in most of a
# few. A busy machine slows single calls of an honest network by as much, one in ten, say: so of four calls
# all must be longer, of six five, of eight seven (chances of 1e-4, 5e-5, 7e-7). It slows single calls
# of the baseline too, so that of many calls some may be of another opinion.
_CONTENT_SHARE, _CONTENT_LARGE, _CONTENT_ALL = 0.05, 0.10, 0.50
_CONTENT_MOST, _CONTENT_MORE = 0.75, 0.5
_FEWEST_EXACT, _MANY_EXACT = 4, 20
_LAUNCH_BOUND = 0.90  # of the runtime
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
    for each, metrics in zip(rounds.timings, rounds.outputs.quality, strict=True):
        for split in rounds.splits:
            each.side.splits[split.name] = split_results(each, split, metrics, found, rounds.outputs.scale)
    others = _others(rounds)
    doubted = [each for each in rounds.timings if not each.attested(device)]
    unstable = [
        *_doubts(doubted),
        *steadiness.reasons(samples, found, precision, device),
        *_disturbances(others, device, monitor),
    ]
    baseline = None if rounds.timings[0] is rounds.own else rounds.timings[0]
    exact = exact_over_composed(rounds.own, baseline)
    of_work = None if baseline is None else pace.pace(rounds.own, baseline)
    for finding in (
        *_of_images(rounds),
        *_of_clocks(doubted),
        *_of_stability(unstable),
        *_of_turns(rounds),
        *_of_work_left(baseline),
        # Without another side nothing tells an image's content from what else slowed the machine for a while.
        *(_of_content(exact, busy=_is_busy(others, device)) if baseline is not None else ()),
        *_of_host(rounds.own),
        *pace.findings(rounds.own, of_work),
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
            **rounds.outputs.summary(),
            **_how(rounds),
        },
        split_ratios={split: round(ratio, 6) for split, ratio in found.split_ratios.items()},
        turn_calls=rounds.turn_calls,
        slow_calls=_slow(rounds, rounds.own),
        baseline_slow_calls={} if baseline is None else _slow(rounds, baseline),
        repeated=dict(rounds.repeated),
        exact_over_composed=round(statistics.median(exact), 4) if exact else None,
        runtime_per_work=None if of_work is None else round(of_work, 4),
    )


def _of_images(rounds: Rounds) -> list[Finding]:
    """Return the findings on SR images."""
    own, baseline = rounds.own.side, rounds.timings[0].side
    found = rounds.outputs.findings()
    for name, result in own.splits.items():
        found += quality.exact_images(name, result.per_image)
        if baseline is not own:
            found += quality.gains(name, result.per_image, baseline.splits[name].per_image)
    return found


def _whose(doubted: Sequence[Timings]) -> str:
    return "the baseline's" if all(each.side.is_baseline for each in doubted) else "the"


def _doubts(doubted: Sequence[Timings]) -> list[str]:
    """Return why a runtime is not believed, in words."""
    if not doubted:
        return []
    return [
        f"{_whose(doubted)} worker's clock does not fit this program's, most likely as the machine was busy"
    ]


def _of_clocks(doubted: Sequence[Timings]) -> list[Finding]:
    """Return the finding on workers whose runtimes do not agree with the parent's clock."""
    if not doubted:
        return []
    message = (
        f"{_whose(doubted)} worker's runtimes do not fit the time between sending an LR image and having the "
        "SR image, less what moving the pixels takes. A busy machine is the likely cause: run again when it "
        "is idle; until then the row is listed after those whose runtimes are believed"
    )
    return [Finding(code="timing-unattested", severity="warning", message=message)]


def _slow(rounds: Rounds, timings: Timings) -> dict[str, int]:
    """Return how many of a side's calls were slow, by cause."""
    return dict(sum((counted(slow_calls(timings, split)) for split in rounds.splits), Counter()))


def _of_content(quotients: Sequence[float], *, busy: bool = False) -> list[Finding]:
    """Return the finding on a runtime that depends on what is in an image.

    Args:
        quotients: Of each exact call, its runtime over that of composed ones.
        busy: Whether other programs used the machine: exact calls may have met them by chance, so nobody is
            rejected for it. The row has no rank among steady ones then anyway.

    >>> [finding.severity for finding in _of_content([7.8, 7.5, 8.1, 1.2])]
    []
    >>> [finding.severity for finding in _of_content([7.8, 7.5, 8.1, 1.2, 7.9, 7.7, 8.0, 7.6])]
    ['reject']
    >>> [finding.severity for finding in _of_content([7.8, 7.5, 8.1, 7.9], busy=True)]
    ['warning']
    """
    if len(quotients) < _FEWEST_EXACT:
        return []
    typical = statistics.median(quotients)
    longer = sum(quotient > 1 + _CONTENT_ALL for quotient in quotients)
    if longer >= math.ceil(_CONTENT_MOST * len(quotients) + _CONTENT_MORE):
        severity: Literal["info", "warning", "reject"] = "warning" if busy else "reject"
    elif len(quotients) >= _MANY_EXACT and typical > 1 + _CONTENT_SHARE:
        severity = "info" if typical <= 1 + _CONTENT_LARGE else "warning"
    else:
        return []
    message = (
        f"calls on the LR images of the data set took {typical:.2f} times as long as calls on LR images that "
        f"are composed of crops of them ({len(quotients)} calls): its runtime depends on what is in an image"
        f"{', if that was not the other programs that used the machine: run again when it is idle' * busy}"
    )
    return [Finding(code="content-dependent", severity=severity, message=message)]


def _of_host(own: Timings) -> list[Finding]:
    """Return the note on a network whose kernels take less time than queueing them."""
    share = host_share(own)
    if share is None or share <= _LAUNCH_BOUND:
        return []
    message = (
        f"its last kernel was queued after {share:.0%} of the runtime: the CPU that queues kernels limits "
        "it, so that a faster CPU would make it faster, and a faster GPU would not"
    )
    return [Finding(code="launch-bound", severity="info", message=message)]


def _disturbances(others: float | None, device: str, monitor: dict[str, object]) -> list[str]:
    """Return in words what else the machine did while rounds ran."""
    told = []
    if others is not None and _is_busy(others, device):
        told.append(f"other programs used {others:.0%} of the machine")
    if monitor.get("other_processes"):
        told.append("another process computed on the GPU")
    if throttles := monitor.get("throttles"):
        told.append(f"the GPU lowered its clocks: {throttles}")
    return told


def _is_busy(others: float | None, device: str) -> bool:
    """Say whether other programs used so much of the machine that calls on a CPU are disturbed."""
    return device == "cpu" and others is not None and others > BUSY_SHARE


def _of_stability(unstable: Sequence[str]) -> list[Finding]:
    if not unstable:
        return []
    message = f"the runtime is unstable: {'; '.join(unstable)}. Run again when the machine is idle"
    return [Finding(code="runtime-unstable", severity="warning", message=message)]


def _of_turns(rounds: Rounds) -> list[Finding]:
    """Return findings on each side that computed while the other was timed, or beside its own threads."""
    found = []
    for each in rounds.timings:
        share = each.turns.busy_share
        if share is not None:
            message = (
                f"{each.side.submission.label} used {share:.0%} of a core while the other side was timed, "
                f"and {each.turns.usual_share:.0%} before its code was there: a network must not compute "
                "between its calls"
            )
            # What the baseline does is no fault of the submission.
            severity: Literal["warning", "reject"] = "reject" if each is rounds.own else "warning"
            found.append(Finding(code="busy-out-of-turn", severity=severity, message=message))
        threads = each.side.worker.threads
        beyond = each.turns.beyond_threads(threads)
        if beyond is not None:
            message = (
                f"{each.side.submission.label} used {each.turns.cores:.1f} cores in its own turns, where "
                f"a side computes with {threads} {'thread' if threads == 1 else 'threads'}: its runtime is "
                "no fair one. Start no threads or processes, and leave torch's number of threads alone"
            )
            severity = beyond if each is rounds.own else "warning"
            found.append(Finding(code="busy-beyond-threads", severity=severity, message=message))
    return found


def _how(rounds: Rounds) -> dict[str, object]:
    """Return by what CPU time was counted, and what of it, and how often the other side stood still."""
    exact = rounds.own.side.worker.cpu_time_is_exact
    found: dict[str, object] = {"cpu_time_by": "control group" if exact else "processes"}
    if rounds.own.turns.cores is not None:
        found["cores_in_turn"] = round(rounds.own.turns.cores, 3)
    if rounds.idle_turns:
        found["idle_side_frozen"] = round(rounds.idle_turns[True] / rounds.idle_turns.total(), 3)
    return found


def _of_work_left(baseline: Timings | None) -> list[Finding]:
    """Return a finding where the baseline's turns waited for the device, as its worker tells the truth."""
    waited_ms = None if baseline is None else baseline.work_left_ms
    if waited_ms is None:
        return []
    message = (
        f"the device took {waited_ms:.2f} ms to answer at the begin of the baseline's turns, far longer than "
        "before the submission's code was there: work is left on the device when a call has returned"
    )
    return [Finding(code="work-left-on-device", severity="warning", message=message)]


def _others(rounds: Rounds) -> float | None:
    """Return the share of the machine that other programs used, over all rounds."""
    wall = math.fsum(seconds for seconds, _ in rounds.others)
    return math.fsum(seconds * share for seconds, share in rounds.others) / wall if wall else None
