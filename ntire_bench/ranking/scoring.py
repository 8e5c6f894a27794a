"""Thresholds, sub-scores, final score and ranks: pure functions of records and of a protocol."""

from __future__ import annotations

import dataclasses
import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ntire_bench.protocols.protocol import Channel, Protocol, Weights
from ntire_bench.ranking import noise
from ntire_bench.ranking.entry import (
    JUDGED_SPLITS,
    Costs,
    Entry,
    entry_from_baseline,
    entry_from_record,
    swap_channel,
)
from ntire_bench.records.record import Score

__all__ = [
    "JUDGED_SPLITS",
    "Costs",
    "Entry",
    "Row",
    "Status",
    "Verdict",
    "entry_from_baseline",
    "entry_from_record",
    "judge",
    "log_score",
    "metric_score",
    "rank",
    "score",
    "storable",
    "swap_channel",
]

Status = Literal["ranked", "unstable", "below threshold", "not judged", "baseline"]
_STATUS_ORDER: tuple[Status, ...] = ("ranked", "unstable", "below threshold", "not judged", "baseline")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether an entry keeps the PSNR of one split.

    Attributes:
        split: "valid" or "test".
        channel: Channel that was compared.
        psnr_db: Mean PSNR, not rounded; None where it is infinite for an image.
        threshold_db: Rounded as the protocol says; None where it cannot be told.
        passed: None where it could not be judged.
        reason: The comparison in words.
    """

    split: str
    channel: Channel
    psnr_db: float | None
    threshold_db: float | None
    passed: bool | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a leaderboard; the ranks are None unless `status` is "ranked".

    Attributes:
        entry: The team.
        status: Why it has a rank or has none.
        score: None where the team's or the baseline's costs are unknown; a value may be infinite.
        verdicts: One per judged split.
        rank: Place by final score.
        rank_runtime: Place by runtime over the baseline's.
        rank_flops: Place by FLOPs over the baseline's.
        rank_params: Place by parameters over the baseline's.
        tied: Labels of the ranked teams whose final scores are the same within noise: the 95 % intervals
            overlap.
        rank_shares: Share of bootstrap resamples in which the team takes each rank; empty where a ranked
            team's runtime has no interval.
    """

    entry: Entry
    status: Status
    score: Score | None
    verdicts: tuple[Verdict, ...]
    rank: int | None = None
    rank_runtime: int | None = None
    rank_flops: int | None = None
    rank_params: int | None = None
    tied: tuple[str, ...] = ()
    rank_shares: Mapping[int, float] = field(default_factory=dict)


def metric_score(value: float, baseline: float) -> float:
    """Return the score of one metric, exp(2 * value / baseline); lower is better.

    The NTIRE 2024 ESR report prints its equation 1 as exp(2 * value) / baseline; its Table 1 was computed
    with the division inside the exponent, in which form the baseline scores e^2.

    Args:
        value: The team's cost, at least 0.
        baseline: The baseline's cost in the same unit, above 0.

    Returns:
        A score of at least 1; infinite where it exceeds the range of a float.

    Raises:
        ValueError: A cost is negative or not finite, or the baseline's is 0.

    >>> round(metric_score(11.77, 11.77), 2)
    7.39
    >>> metric_score(1e6, 1.0)
    inf
    """
    if not (math.isfinite(value) and math.isfinite(baseline) and value >= 0 and baseline > 0):
        raise ValueError(f"costs must be finite, value >= 0 and baseline > 0; got {value} and {baseline}")
    try:
        return math.exp(2 * value / baseline)
    except OverflowError:
        return math.inf


def score(costs: Costs, baseline: Costs, weights: Weights) -> Score:
    """Return the three sub-scores and their weighted sum (equation 2 of the report).

    Args:
        costs: The team's.
        baseline: The baseline's, of the same session.
        weights: Of the protocol.

    Returns:
        The scores, not rounded; infinite where they exceed the range of a float (see `storable`).

    >>> cost = Costs(runtime_ms=11.77, flops=19.67e9, params=317e3)
    >>> round(score(cost, cost, Weights(runtime=0.7, flops=0.15, params=0.15)).final, 2)
    7.39
    """
    runtime = metric_score(costs.runtime_ms, baseline.runtime_ms)
    flops = metric_score(costs.flops, baseline.flops)
    params = metric_score(costs.params, baseline.params)
    parts = ((weights.runtime, runtime), (weights.flops, flops), (weights.params, params))
    # A weight of 0 must not meet an infinite score: 0 * inf is not a number.
    final = sum(weight * part for weight, part in parts if weight > 0)
    return Score(runtime=runtime, flops=flops, params=params, final=final)


def log_score(costs: Costs, baseline: Costs, weights: Weights) -> float:
    """Return the natural logarithm of the final score, finite also where the score itself overflows.

    >>> cost = Costs(runtime_ms=1000.0, flops=1.0, params=1.0)
    >>> unit = Costs(runtime_ms=1.0, flops=1.0, params=1.0)
    >>> log_score(cost, unit, Weights(runtime=1.0, flops=0.0, params=0.0))
    2000.0
    """
    parts = (
        (weights.runtime, costs.runtime_ms / baseline.runtime_ms),
        (weights.flops, costs.flops / baseline.flops),
        (weights.params, costs.params / baseline.params),
    )
    exponents = [math.log(weight) + 2 * ratio for weight, ratio in parts if weight > 0]
    largest = max(exponents)
    return largest + math.log(math.fsum(math.exp(exponent - largest) for exponent in exponents))


def storable(computed: Score) -> Score:
    """Return `computed` as a record holds it: None in place of every value that overflowed.

    >>> storable(Score(runtime=float("inf"), flops=7.0, params=1.0, final=float("inf")))
    Score(runtime=None, flops=7.0, params=1.0, final=None)
    """
    values = dataclasses.asdict(computed)
    return Score(**{key: None if value == math.inf else value for key, value in values.items()})


def judge(entry: Entry, protocol: Protocol) -> tuple[Verdict, ...]:
    """Compare the PSNR of valid and test with their thresholds, after rounding as the protocol says.

    Args:
        entry: Of a record or of a published table.
        protocol: Whose thresholds apply.

    Returns:
        One verdict per judged split that the entry has; empty where it has neither.
    """
    return tuple(_judge_split(entry, protocol, split) for split in JUDGED_SPLITS if split in entry.psnr_db)


def rank(entries: Sequence[Entry], protocol: Protocol) -> list[Row]:
    """Rank entries: the ranked first, then those below a threshold, not judged, and baselines out of rank.

    Ranks come from unrounded numbers, among the ranked entries only; entries that tie share the smaller rank
    (1, 2, 2, 4). Final scores that overflow are ordered by their logarithms. Sub-ranks order the sub-scores,
    that is the ratios to each session's baseline, so that they cannot contradict them.

    Args:
        entries: Of one device and one set of images; the caller sees to that.
        protocol: Thresholds and weights.

    Returns:
        One row per entry, in the order a leaderboard shows them.
    """
    keyed = []
    for entry in entries:
        verdicts = judge(entry, protocol)
        keyed.append((_final_key(entry, protocol.weights), entry, verdicts, _status(entry, verdicts)))
    keyed = _without_unstable(keyed)
    keyed.sort(key=lambda k: (_STATUS_ORDER.index(k[3]), k[0], -1 if k[1].id is None else k[1].id, k[1].name))
    ranked = [(key, entry.costs, entry.baseline) for key, entry, _, status in keyed if status == "ranked"]
    pairs = [(costs, base) for _, costs, base in ranked if costs is not None and base is not None]
    places = zip(
        _places([key for key, _, _ in ranked]),
        _places([costs.runtime_ms / base.runtime_ms for costs, base in pairs]),
        _places([costs.flops / base.flops for costs, base in pairs]),
        _places([costs.params / base.params for costs, base in pairs]),
        strict=True,
    )
    within_noise = noise.ties([entry for _, entry, _, status in keyed if status == "ranked"])
    shares = iter(noise.shares([e for _, e, _, s in keyed if s == "ranked"], protocol.weights))
    rows = []
    for _, entry, verdicts, status in keyed:
        final, runtime, flops, params = next(places) if status == "ranked" else (None, None, None, None)
        rows.append(
            Row(
                entry=entry,
                status=status,
                score=_score_of(entry, protocol.weights),
                verdicts=verdicts,
                rank=final,
                rank_runtime=runtime,
                rank_flops=flops,
                rank_params=params,
                tied=within_noise.get(id(entry), ()),
                rank_shares=next(shares) if status == "ranked" else {},
            )
        )
    return rows


def _without_unstable(
    keyed: list[tuple[tuple[float, float], Entry, tuple[Verdict, ...], Status]],
) -> list[tuple[tuple[float, float], Entry, tuple[Verdict, ...], Status]]:
    """Take the rank from unstable runtimes where some are known to be stable to rank them against.

    One round tells nothing of that. The baseline's ratio to itself is exact however its runtime was measured.
    """
    stable = any(
        s == "ranked" and not e.unstable and e.half_width is not None and not e.is_baseline
        for _, e, _, s in keyed
    )
    if not stable:
        return keyed
    return [
        (key, entry, verdicts, "unstable")
        if status == "ranked" and entry.unstable and not entry.is_baseline
        else (key, entry, verdicts, status)
        for key, entry, verdicts, status in keyed
    ]


def _judge_split(entry: Entry, protocol: Protocol, split: str) -> Verdict:
    psnr = entry.psnr_db[split]
    threshold = protocol.thresholds.of(split, entry.baseline_psnr_db.get(split))
    digits = protocol.thresholds.decimals
    passed: bool | None = None
    if psnr is None and split in entry.no_psnr:
        reason = entry.no_psnr[split]
    elif psnr is None:
        reason = "the PSNR of an image is infinite (SR equals HR), so the split has no mean"
    elif threshold is None:
        reason = "there is no threshold: the baseline's PSNR on this split is unknown"
    else:
        passed = round(psnr, digits) >= threshold
        reason = f"{psnr:.{digits}f} dB is {'not ' if passed else ''}below {threshold:.{digits}f} dB"
    return Verdict(
        split=split, channel=entry.channel, psnr_db=psnr, threshold_db=threshold, passed=passed, reason=reason
    )


def _status(entry: Entry, verdicts: Sequence[Verdict]) -> Status:
    if not entry.competes:
        return "baseline"
    if any(verdict.passed is False for verdict in verdicts):
        return "below threshold"
    complete = entry.costs is not None and entry.baseline is not None and verdicts
    return "ranked" if complete and all(verdict.passed for verdict in verdicts) else "not judged"


def _score_of(entry: Entry, weights: Weights) -> Score | None:
    if entry.costs is None or entry.baseline is None:
        return None
    return score(entry.costs, entry.baseline, weights)


def _final_key(entry: Entry, weights: Weights) -> tuple[float, float]:
    """Order by the score itself, which is exact about ties; by its logarithm where it is infinite."""
    if entry.costs is None or entry.baseline is None:
        return (math.inf, math.inf)
    final = score(entry.costs, entry.baseline, weights).final
    if final is None or final == math.inf:
        return (math.inf, log_score(entry.costs, entry.baseline, weights))
    return (final, 0.0)


def _places(values: Sequence[float] | Sequence[tuple[float, float]]) -> list[int]:
    """Return 1 + how many are smaller, for each.

    >>> _places([3.0, 1.0, 2.0, 2.0, 9.0])
    [4, 1, 2, 2, 5]
    """
    ordered = sorted(values)
    return [1 + bisect_left(ordered, value) for value in values]
