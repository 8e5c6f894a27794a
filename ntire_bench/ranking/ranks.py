"""Ranks: the order of a leaderboard's rows, who takes a rank, and which."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ntire_bench.protocols.protocol import Protocol, Weights
from ntire_bench.ranking import noise
from ntire_bench.ranking.entry import Entry
from ntire_bench.ranking.scoring import Verdict, judge, log_score, score
from ntire_bench.records.record import Score

__all__ = ["Row", "Status", "rank"]

Status = Literal["ranked", "unstable", "below threshold", "not judged", "baseline"]
_STATUS_ORDER: tuple[Status, ...] = ("ranked", "unstable", "below threshold", "not judged", "baseline")


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
