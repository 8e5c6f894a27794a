"""Ranks within noise: which teams cannot be told apart, and how often a team takes each rank."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ntire_bench.entries import Entry
from ntire_bench.protocol import Weights

__all__ = ["shares", "ties"]


def ties(ranked: Sequence[Entry]) -> dict[int, tuple[str, ...]]:
    """Return, by the id() of an entry, the labels of those whose intervals of the final score overlap its.

    Args:
        ranked: Entries that are ranked together; those without an interval tie with nobody.
    """
    limits = sorted(
        ((entry.score_ci95, entry) for entry in ranked if entry.score_ci95 is not None),
        key=lambda item: item[0],
    )
    found: dict[int, list[str]] = {}
    for place, ((_, high), entry) in enumerate(limits):
        for (low, _), other in limits[place + 1 :]:
            if low > high:
                break
            found.setdefault(id(entry), []).append(other.label)
            found.setdefault(id(other), []).append(entry.label)
    return {key: tuple(labels) for key, labels in found.items()}


def shares(ranked: Sequence[Entry], weights: Weights) -> list[Mapping[int, float]]:
    """Return the share of resamples in which each entry takes each rank.

    Sessions are independent, so resample k of one team meets resample k of every other.

    Args:
        ranked: Entries that are ranked together.
        weights: Of the final score.

    Returns:
        One mapping per entry; all empty where one of them has no resamples.
    """
    # Where no runtime has an interval, a leaderboard needs no numpy.
    known = [len(entry.ratio_resamples) for entry in ranked if not entry.is_baseline]
    if not known or min(known) == 0:
        return [{} for _ in ranked]
    import numpy as np

    from ntire_bench.estimate import rank_shares

    count = min(known)
    finals = []
    for entry in ranked:
        if entry.costs is None or entry.baseline is None:
            raise ValueError(f"{entry.label} is ranked without costs")
        fixed = weights.flops * _exp(entry.costs.flops / entry.baseline.flops)
        fixed += weights.params * _exp(entry.costs.params / entry.baseline.params)
        ratios = np.ones(count) if entry.is_baseline else np.array(entry.ratio_resamples[:count])
        with np.errstate(over="ignore"):
            finals.append(weights.runtime * np.exp(2 * ratios) + fixed)
    return list(rank_shares(finals))


def _exp(ratio: float) -> float:
    try:
        return math.exp(2 * ratio)
    except OverflowError:
        return math.inf
