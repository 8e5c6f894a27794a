"""Ranks: the order of a leaderboard's rows, who takes a rank, and which."""

from __future__ import annotations

import dataclasses
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

Status = Literal[
    "ranked", "unstable", "below threshold", "rejected", "not countable", "not judged", "baseline"
]
_STATUS_ORDER: tuple[Status, ...] = (
    "ranked",
    "unstable",
    "below threshold",
    "rejected",
    "not countable",
    "not judged",
    "baseline",
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a leaderboard; the ranks are None unless `status` is "ranked".

    Attributes:
        entry: The team.
        status: Why it has a rank or has none.
        score: None where the team's or the baseline's costs are unknown; a value may be infinite.
        verdicts: One per judged split.
        rank: Place by final score.
        rank_runtime: Place by runtime over the baseline's, `Entry.ratio`.
        rank_flops: Place by FLOPs over the baseline's.
        rank_params: Place by parameters over the baseline's.
        tied: Labels of the ranked teams whose final scores cannot be told from this one's: their 95 %
            intervals overlap.
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
    """Rank entries: the ranked first, then those without a rank, by the reason, and baselines out of rank.

    Ranks come from unrounded numbers, among the ranked entries only; entries that tie share the smaller rank
    (1, 2, 2, 4). Final scores that overflow are ordered by their logarithms. Sub-ranks order the ratios to
    each session's baseline, as the sub-scores do, so that the two cannot contradict each other.

    Args:
        entries: Of one device and one set of images; the caller sees to that.
        protocol: Thresholds and weights.

    Returns:
        One row per entry, in the order a leaderboard shows them.
    """
    rows = [_row_without_rank(entry, protocol) for entry in entries]
    if not protocol.ranks_unstable:
        rows = _without_unstable(rows)
    rows.sort(key=lambda row: _order(row, protocol.weights))
    ranked = [row for row in rows if row.status == "ranked"]
    others = [row for row in rows if row.status != "ranked"]
    return [*_with_ranks(ranked, protocol.weights), *others]


def _row_without_rank(entry: Entry, protocol: Protocol) -> Row:
    verdicts = judge(entry, protocol)
    return Row(
        entry=entry,
        status=_status(entry, verdicts, protocol),
        score=_score_of(entry, protocol.weights),
        verdicts=verdicts,
    )


def _without_unstable(rows: Sequence[Row]) -> list[Row]:
    """Take the rank from unstable runtimes where at least one team's runtime is known to be stable.

    A runtime of one round is not known to be stable. The baseline does not count: its ratio to itself is 1
    however its runtime was measured. A runtime that is not believed goes behind any that is.
    """
    teams = [row.entry for row in rows if row.status == "ranked" and not row.entry.is_baseline]
    stable = any(not entry.unstable and entry.half_width is not None for entry in teams)
    believed = any(entry.attested is not False for entry in teams)

    def goes(row: Row) -> bool:
        if row.status != "ranked" or row.entry.is_baseline:
            return False
        return (stable and bool(row.entry.unstable)) or (believed and row.entry.attested is False)

    return [dataclasses.replace(row, status="unstable") if goes(row) else row for row in rows]


def _with_ranks(rows: Sequence[Row], weights: Weights) -> list[Row]:
    """Return rows that are all ranked, with their ranks and what noise makes of them."""
    entries = [row.entry for row in rows]
    pairs = [(e.costs, e.baseline) for e in entries if e.costs is not None and e.baseline is not None]
    columns = zip(
        rows,
        _places([_final_key(entry, weights) for entry in entries]),
        _places([entry.ratio for entry in entries if entry.ratio is not None]),
        _places([costs.flops / base.flops for costs, base in pairs]),
        _places([costs.params / base.params for costs, base in pairs]),
        noise.ties(entries),
        noise.shares(entries, weights),
        strict=True,
    )
    return [
        dataclasses.replace(
            row,
            rank=final,
            rank_runtime=runtime,
            rank_flops=flops,
            rank_params=params,
            tied=tied,
            rank_shares=shares,
        )
        for row, final, runtime, flops, params, tied, shares in columns
    ]


def _order(row: Row, weights: Weights) -> tuple[int, tuple[float, float], int, str]:
    """Sort by status, then by final score, then by the team's number and name."""
    entry = row.entry
    number = -1 if entry.id is None else entry.id
    return _STATUS_ORDER.index(row.status), _final_key(entry, weights), number, entry.name


def _status(entry: Entry, verdicts: Sequence[Verdict], protocol: Protocol) -> Status:
    if not entry.competes:
        return "baseline"
    if entry.rejections:
        return "rejected"
    if any(verdict.passed is False for verdict in verdicts):
        return "below threshold"
    if (entry.uncountable and protocol.weights.flops > 0) or (
        entry.lacks_twin and protocol.weights.params > 0
    ):
        return "not countable"
    if entry.unproven:
        return "not judged"
    # Rules that ask for no PSNR still rank on their own splits alone.
    judged = verdicts or (
        not protocol.asks_for_psnr and any(split in entry.psnr_db for split in protocol.splits)
    )
    complete = entry.costs is not None and entry.baseline is not None and judged
    return "ranked" if complete and all(verdict.passed for verdict in verdicts) else "not judged"


def _score_of(entry: Entry, weights: Weights) -> Score | None:
    if entry.costs is None or entry.baseline is None:
        return None
    return score(entry.costs, entry.baseline, weights, entry.runtime_ratio)


def _final_key(entry: Entry, weights: Weights) -> tuple[float, float]:
    """Return what sorts final scores: the score itself, and where it is infinite its logarithm.

    The logarithm alone would not do: rounding could make two different scores of it equal, or equal ones
    different.
    """
    if entry.costs is None or entry.baseline is None:
        return (math.inf, math.inf)
    final = score(entry.costs, entry.baseline, weights, entry.runtime_ratio).final
    if final is None or final == math.inf:
        return (math.inf, log_score(entry.costs, entry.baseline, weights, entry.runtime_ratio))
    return (final, 0.0)


def _places(values: Sequence[float] | Sequence[tuple[float, float]]) -> list[int]:
    """Return 1 + how many are smaller, for each.

    >>> _places([3.0, 1.0, 2.0, 2.0, 9.0])
    [4, 1, 2, 2, 5]
    """
    ordered = sorted(values)
    return [1 + bisect_left(ordered, value) for value in values]
