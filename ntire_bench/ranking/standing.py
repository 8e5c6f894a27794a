"""Where a network would stand in a published table, by its costs and its runtime over the baseline's."""

from __future__ import annotations

from dataclasses import dataclass

from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking import ranks, reference, scoring
from ntire_bench.ranking.entry import Costs

__all__ = ["Standing", "standing"]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A place in a published table, if PSNR on the challenge's images kept its thresholds.

    Attributes:
        reference: Name of the table.
        baseline: Name of the network that its costs are divided by.
        score: The final score by that table's rules; infinite where it is too large for a number.
        score_ci95: 95 % interval of the score, which follows from the ratio's; None where that has none.
        place: The rank, 1 for the best.
        place_ci95: The rank at either end of the interval of the score; None where there is none.
        of: How many would be ranked, this network among them.
        above: Name of the team one place above; None at the first place.
        below: Name of the team one place below; None at the last place.
    """

    reference: str
    baseline: str
    score: float
    score_ci95: tuple[float, float] | None
    place: int
    place_ci95: tuple[int, int] | None
    of: int
    above: str | None
    below: str | None


def standing(
    name: str, *, flops: float, params: float, ratio: float, ratio_ci95: tuple[float, float] | None = None
) -> Standing:
    """Return where a network would stand in a published table.

    Its FLOPs and parameters are divided by the published baseline's. Its runtime must have been measured
    beside that baseline's network: only the ratio of both means anything on another machine.

    Args:
        name: Of the table, one of `reference.available()`.
        flops: At the protocol's cost input.
        params: Parameters.
        ratio: Runtime over the baseline's.
        ratio_ci95: 95 % interval of that ratio.

    Returns:
        The place among the teams that the table ranks, by unrounded scores; teams of the same score share it.

    Raises:
        UsageError: There is no such table.

    >>> found = standing("ntire2024", flops=19.67e9, params=0.317e6, ratio=1.0)
    >>> round(found.score, 2), found.baseline
    (7.39, 'RLFN')
    """
    rules = protocols.load(reference.load(name).protocol)
    rows = [row for row in ranks.rank(reference.reference_entries(name), rules) if row.rank is not None]
    entries = [(row.score.final, row.entry) for row in rows if row.score is not None]
    baseline = next(entry.baseline for _, entry in entries if entry.baseline is not None)
    costs = Costs(runtime_ms=ratio * baseline.runtime_ms, flops=flops, params=params)

    def final(of_ratio: float) -> float:
        found = scoring.score(costs, baseline, rules.weights, max(0.0, of_ratio)).final
        return float("inf") if found is None else found

    def place(score: float) -> int:
        return 1 + sum(1 for other, _ in entries if other is not None and other < score)

    own = final(ratio)
    limits = None if ratio_ci95 is None else (final(ratio_ci95[0]), final(ratio_ci95[1]))
    better = [entry.name for other, entry in entries if other is not None and other < own]
    worse = [entry.name for other, entry in entries if other is None or other >= own]
    return Standing(
        reference=name,
        baseline=rules.baseline.name,
        score=own,
        score_ci95=limits,
        place=place(own),
        place_ci95=None if limits is None else (place(limits[0]), place(limits[1])),
        of=len(entries) + 1,
        above=better[-1] if better else None,
        below=worse[0] if worse else None,
    )
