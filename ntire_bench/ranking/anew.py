"""Stored records ranked by other rules than they were made under: what changed, and who moved."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ntire_bench.errors import UsageError
from ntire_bench.protocols.protocol import Protocol, Weights
from ntire_bench.ranking import scoring
from ntire_bench.ranking.entry import Entry, WhichCosts
from ntire_bench.ranking.ranks import Row
from ntire_bench.text import one_line

__all__ = ["Anew", "Changes", "Move", "changes_of", "compared", "with_baseline", "with_intervals"]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a user wants to be ranked otherwise than the rules say.

    Attributes:
        weights: In place of the rules' own; None keeps those.
        thresholds: By split [dB], in place of the rules' own.
        which: Which FLOPs and parameters are ranked.
    """

    weights: Weights | None = None
    thresholds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    which: WhichCosts = "audited"

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return self.weights is not None or bool(self.thresholds) or self.which != "audited"

    def applied_to(self, protocol: Protocol) -> Protocol:
        """Return rules with these weights and thresholds.

        Raises:
            UsageError: These rules do not judge a split, or their thresholds lie under the baseline's PSNR.
        """
        thresholds = protocol.thresholds
        if self.thresholds and thresholds.kind == "none":  # those that are given are all there are
            thresholds = dataclasses.replace(thresholds, kind="absolute")
        elif self.thresholds and thresholds.kind != "absolute":
            raise UsageError(
                f"the thresholds of {protocol.name} lie below the baseline's PSNR",
                expected="rules with thresholds in dB for --threshold",
                remedy="write the rules you mean to a TOML file and name it with --protocol",
            )
        if unknown := [split for split in self.thresholds if split not in protocol.splits]:
            raise UsageError(
                f"{protocol.name} judges no split {', '.join(unknown)}",
                found=", ".join(protocol.splits),
                remedy="name one of these with --threshold, or write a TOML file for --protocol",
            )
        both = {**thresholds.by_split, **self.thresholds}
        valid, test = both.pop("valid", None), both.pop("test", None)
        return dataclasses.replace(
            protocol,
            weights=self.weights or protocol.weights,
            thresholds=dataclasses.replace(thresholds, valid=valid, test=test, splits=both),
        )


def changes_of(
    weights: Mapping[str, float] | None,
    thresholds: Mapping[str, float] | None = None,
    which: WhichCosts = "audited",
) -> Changes:
    """Return changes of plain values.

    Args:
        weights: By "runtime", "flops" and "params"; None or empty for the rules' own.
        thresholds: By split [dB].
        which: Which FLOPs and parameters are ranked.

    Raises:
        UsageError: The weights are not these three, one is below 0, or they do not add up to 1.
    """
    given = dict(weights or {})
    made: Weights | None = None
    if given:
        if set(given) != {"runtime", "flops", "params"}:
            raise UsageError(
                "the weights are not complete",
                expected="runtime, flops and params",
                found=", ".join(given),
                remedy="give all three, such as runtime=0.8,flops=0.1,params=0.1",
            )
        made = Weights(**given)
        wrong = f"one is below 0: {min(given.values()):g}" if min(given.values()) < 0 else made.mistake()
        if wrong:
            raise UsageError("these are no weights", found=wrong, remedy="give three that add up to 1")
    return Changes(weights=made, thresholds=dict(thresholds or {}), which=which)


@dataclass(frozen=True, kw_only=True)
class Move:
    """A team whose rank is another one by the new rules; None stands for no rank."""

    team: str
    before: int | None
    after: int | None

    def __str__(self) -> str:
        """Return it in words, on one line: the name is a stranger's.

        >>> str(Move(team="05_A", before=3, after=1)), str(Move(team="07_B", before=2, after=None))
        ('05_A 3 to 1', '07_B 2 to no rank')
        """
        before, after = ("no rank" if rank is None else str(rank) for rank in (self.before, self.after))
        return f"{one_line(self.team)} {before} to {after}"


@dataclass(frozen=True, kw_only=True)
class Anew:
    """How a ranking differs from the one by the rules that its records were made under.

    Attributes:
        rules: Name of the rules that the records were made under.
        changed: What is otherwise now, in words.
        moves: The teams that moved, in the new order.
    """

    rules: str
    changed: tuple[str, ...]
    moves: tuple[Move, ...]


def compared(
    before: Sequence[Row],
    after: Sequence[Row],
    made_by: Protocol,
    ranked_by: Protocol,
    which: WhichCosts,
    divided: bool,
) -> Anew:
    """Return what changed between two rankings of the same records.

    Args:
        before: Rows by the rules that the records were made under.
        after: Rows by the new rules.
        made_by: The former.
        ranked_by: The latter.
        which: Which FLOPs and parameters are ranked now; before, those that the audit found.
        divided: Whether costs are divided by those of the baseline that the new rules name.
    """
    old = {row.entry.label: row.rank for row in before if row.entry.competes}
    new = {row.entry.label: row.rank for row in after if row.entry.competes}
    moves = [
        Move(team=team, before=old.get(team), after=new.get(team))
        for team in (*new, *(team for team in old if team not in new))
        if old.get(team) != new.get(team)
    ]
    return Anew(
        rules=made_by.name, changed=tuple(_changed(made_by, ranked_by, which, divided)), moves=tuple(moves)
    )


def _changed(made_by: Protocol, ranked_by: Protocol, which: WhichCosts, divided: bool) -> Iterator[str]:
    old, new = made_by.weights, ranked_by.weights
    if old != new:
        yield f"weights {_weights(new)}, not {_weights(old)}"
    before, after = (_thresholds(rules) for rules in (made_by, ranked_by))
    for split in dict.fromkeys((*before, *after)):
        if before.get(split) != after.get(split):
            told = f"threshold on {split} {after.get(split, 'none')}"
            yield f"{told}, not {before[split]}" if split in before else told
    own, wanted = made_by.baseline.name, ranked_by.baseline.name
    if own != wanted and divided:
        yield f"costs divided by those of {wanted}, not {own}"
    elif own != wanted:
        yield f"costs divided by those of {own} still, as {wanted} was not evaluated as a submission here"
    if made_by.psnr_channel != ranked_by.psnr_channel:
        yield f"PSNR on {ranked_by.psnr_channel.upper()}, not {made_by.psnr_channel.upper()}"
    if made_by.ranks_unstable != ranked_by.ranks_unstable:
        yield f"unstable runtimes {'keep' if ranked_by.ranks_unstable else 'lose'} their ranks"
    if which == "official":
        yield "FLOPs as fvcore and parameters as parameters() count them, not what the audit found"


def _weights(weights: Weights) -> str:
    return f"{weights.runtime:g} runtime, {weights.flops:g} FLOPs, {weights.params:g} parameters"


def _thresholds(rules: Protocol) -> dict[str, str]:
    below = " below the baseline" if rules.thresholds.kind == "below_baseline" else ""
    digits = rules.thresholds.decimals
    return {split: f"{value:.{digits}f} dB{below}" for split, value in rules.thresholds.by_split.items()}


def with_baseline(entries: Sequence[Entry], protocol: Protocol, imported: bool) -> list[Entry] | None:
    """Return entries whose costs are divided by another baseline's, the one that the rules name.

    Each ratio of runtimes is that to the old baseline, over the new baseline's to the same: two sessions
    bear on it, so the squares of both half intervals add up. How often a team takes each rank is not known.

    Args:
        entries: Of one class and one old baseline.
        protocol: The rules that name the new one.
        imported: Whether the rows are of a results file, where a baseline takes no rank.

    Returns:
        The entries; None where the new baseline is not among them.
    """
    name = protocol.baseline.name.casefold()
    new = next((entry for entry in entries if entry.name.casefold() == name and entry.ratio), None)
    if new is None:
        return None
    return [_over(entry, new, is_baseline=entry is new, imported=imported) for entry in entries]


def _over(entry: Entry, new: Entry, *, is_baseline: bool, imported: bool) -> Entry:
    ratio = None if entry.ratio is None or not new.ratio else entry.ratio / new.ratio
    known = entry.half_width is not None and (new.half_width is not None or new.is_baseline)
    half = math.hypot(entry.half_width or 0.0, new.half_width or 0.0) if known else None
    limits: tuple[float, float] | None = None
    if is_baseline:
        half, limits = entry.half_width, (1.0, 1.0)
    elif ratio is not None and half is not None:
        limits = (max(0.0, ratio * (1 - half)), ratio * (1 + half))
    return dataclasses.replace(
        entry,
        baseline=new.costs,
        runtime_ratio=1.0 if is_baseline else ratio,
        ratio_ci95=limits,
        half_width=half,
        launches=None if half is None else entry.launches,
        ratio_resamples=(),
        baseline_psnr_db=new.psnr_db,
        other_baseline_psnr_db=new.other_psnr_db,
        is_baseline=is_baseline,
        competes=not (imported and is_baseline),
    )


def with_intervals(entries: Sequence[Entry], weights: Weights) -> list[Entry]:
    """Return entries whose intervals of the final score follow from those of their ratios by new weights."""
    return [dataclasses.replace(entry, score_ci95=_interval(entry, weights)) for entry in entries]


def _interval(entry: Entry, weights: Weights) -> tuple[float, float] | None:
    if entry.ratio_ci95 is None or entry.half_width is None or entry.costs is None or entry.baseline is None:
        return None
    low, high = (
        scoring.score(entry.costs, entry.baseline, weights, max(0.0, ratio)).final
        for ratio in entry.ratio_ci95
    )
    if low is None or high is None or not math.isfinite(high):
        return None
    return low, high
