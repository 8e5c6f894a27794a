"""What noise does to ranks: which teams are tied within it, and how often a team takes each rank."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ntire_bench.protocols.protocol import Weights
from ntire_bench.ranking.entry import Entry
from ntire_bench.ranking.scoring import metric_score

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["rank_shares", "shares", "ties"]


def ties(ranked: Sequence[Entry]) -> list[tuple[str, ...]]:
    """Return, for each entry, the labels of those whose 95 % intervals of the final score overlap its own.

    Args:
        ranked: Entries that are ranked together; those without an interval tie with nobody.
    """
    found: list[list[str]] = [[] for _ in ranked]
    intervals = sorted(
        (entry.score_ci95, place) for place, entry in enumerate(ranked) if entry.score_ci95 is not None
    )
    for number, ((_, high), one) in enumerate(intervals):
        for (low, _), other in intervals[number + 1 :]:
            if low > high:
                break
            found[one].append(ranked[other].label)
            found[other].append(ranked[one].label)
    return [tuple(labels) for labels in found]


def shares(ranked: Sequence[Entry], weights: Weights) -> list[Mapping[int, float]]:
    """Return the share of resamples in which each entry takes each rank.

    Sessions are independent of each other, but their resamples were drawn with the same random numbers.
    Each team's are therefore shuffled, so that resample k of one team can be compared with resample k of
    every other.

    Args:
        ranked: Entries that are ranked together.
        weights: Of the final score.

    Returns:
        One mapping per entry; all empty where one of them has no resamples.
    """
    # This comes first: numpy is imported only where there is something to compute.
    known = [len(entry.ratio_resamples) for entry in ranked if not entry.is_baseline]
    if not known or min(known) == 0:
        return [{} for _ in ranked]
    import numpy as np

    count = min(known)
    finals = []
    for entry in ranked:
        if entry.costs is None or entry.baseline is None:
            raise ValueError(f"{entry.label} is ranked without costs")
        fixed = weights.flops * metric_score(entry.costs.flops, entry.baseline.flops)
        fixed += weights.params * metric_score(entry.costs.params, entry.baseline.params)
        ratios = np.ones(count) if entry.is_baseline else _shuffled(entry)[:count]
        with np.errstate(over="ignore"):
            finals.append(weights.runtime * np.exp(2 * ratios) + fixed)
    return list(rank_shares(finals))


def rank_shares(finals: Sequence[npt.NDArray[np.float64]]) -> list[dict[int, float]]:
    """Return, for each team, the share of resamples in which it takes each rank.

    Args:
        finals: Resampled final scores per team, each of the same length; lower is better.

    Returns:
        Per team the ranks it takes at all, with their shares; teams that tie share the smaller rank.

    >>> import numpy as np
    >>> rank_shares([np.array([1.0, 1.0, 3.0, 3.0]), np.array([2.0, 2.0, 2.0, 2.0])])
    [{1: 0.5, 2: 0.5}, {1: 0.5, 2: 0.5}]
    """
    import numpy as np

    table = np.stack(finals)
    ordered = np.sort(table, axis=0)
    ranks = np.empty(table.shape, dtype=np.int64)
    for number in range(table.shape[1]):
        ranks[:, number] = 1 + np.searchsorted(ordered[:, number], table[:, number])
    shares = []
    for row in ranks:
        taken, counts = np.unique(row, return_counts=True)
        shares.append({int(rank): float(count) / len(row) for rank, count in zip(taken, counts, strict=True)})
    return shares


def _shuffled(entry: Entry) -> npt.NDArray[np.float64]:
    """Return a team's resamples shuffled: for one team always in the same order, for others in another."""
    import numpy as np

    seed = zlib.crc32(entry.label.encode(errors="replace"))
    return np.random.default_rng(seed).permutation(np.array(entry.ratio_resamples))
