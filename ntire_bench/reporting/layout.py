"""The words and numbers of a board: columns, cells and captions, before any format is put on them."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ntire_bench.ranking.board import Board
from ntire_bench.ranking.board_notes import display_name, remarks
from ntire_bench.ranking.entry import Entry
from ntire_bench.ranking.left_out import LeftOut
from ntire_bench.ranking.ranks import Row
from ntire_bench.records.record import LAUNCHES
from ntire_bench.text import few, one_line, relative

__all__ = [
    "COLUMNS",
    "FULL",
    "Column",
    "Style",
    "below_threshold",
    "captions",
    "cells",
    "columns_of",
    "left_out_columns",
    "score_text",
    "title",
    "widths_of",
]


@dataclass(frozen=True)
class Column:
    """The heading of one column: its group, what is in it, and the unit."""

    group: str
    name: str
    unit: str = ""

    @property
    def lines(self) -> list[str]:
        """The heading, one part a line."""
        return [part for part in (self.group, self.name, self.unit) if part]


# In the order of Table 1 of the NTIRE 2024 report, which has no ratio.
COLUMNS = {
    "team": Column("", "Team"),
    "psnr_valid": Column("PSNR", "valid", "[dB]"),
    "psnr_test": Column("PSNR", "test", "[dB]"),
    "runtime_valid": Column("Runtime", "valid", "[ms]"),
    "runtime_test": Column("Runtime", "test", "[ms]"),
    "runtime": Column("Runtime", "average", "[ms]"),
    "ratio": Column("Runtime", "ratio"),
    "params": Column("Params", "", "[M]"),
    "flops": Column("FLOPs", "", "[G]"),
    "score_runtime": Column("Runtime", "score"),
    "score_params": Column("Params", "score"),
    "score_flops": Column("FLOPs", "score"),
    "final": Column("Final", "score"),
    "rank": Column("", "Rank"),
}
FULL = tuple(COLUMNS)
_BUSY = "Most likely other programs kept the machine busy"
# What is left out where there is no room, step by step, and how it is called.
_LESS = (
    (("runtime_valid", "runtime_test"), "the runtime of each split"),
    (("score_runtime", "score_params", "score_flops"), "the sub-scores"),
    (("ratio",), "the runtime's ratio"),
)


@dataclass(frozen=True)
class Style:
    """How a format writes what is more than plain text.

    Attributes:
        place: Returns a sub-track's rank as it is written after the score.
        below: Returns a PSNR below its threshold with a mark.
        missing: Written for a value that is not known.
        note: Written after the name of a team that has remarks in the captions.
        escape: Returns a name in which no character has a special meaning to the format.
        interval: Returns half the width of an interval as it is written after the value.
        tied: Written after the rank of a team that is tied with others.
    """

    place: Callable[[int], str]
    below: Callable[[str], str]
    missing: str
    note: str
    escape: Callable[[str], str]
    interval: Callable[[str], str] = "±{}".format
    tied: str = "≈"


def columns_of(board: Board) -> tuple[str, ...]:
    """Return the columns of a board; the ratio has one where sessions stored it, not in a published table."""
    measured = any(row.entry.runtime_ratio is not None for row in board.rows)
    return tuple(key for key in FULL if measured or key != "ratio")


def widths_of(board: Board) -> list[tuple[str, ...]]:
    """Return the columns of a board, and what stays of them where there is less and less room."""
    steps = [columns_of(board)]
    for less, _ in _LESS:
        steps.append(tuple(key for key in steps[-1] if key not in less))
    return list(dict.fromkeys(steps))


def left_out_columns(board: Board, keys: Sequence[str]) -> str:
    """Return in words which columns of a board are not among `keys`; empty where all are.

    >>> from ntire_bench.ranking.board import board_from_reference
    >>> published = board_from_reference("ntire2024")
    >>> left_out_columns(published, widths_of(published)[-1])
    'the runtime of each split and the sub-scores'
    """
    told = [name for less, name in _LESS if set(less) & (set(columns_of(board)) - set(keys))]
    return " and ".join(part for part in (", ".join(told[:-1]), *told[-1:]) if part)


def score_text(score: float | None) -> str:
    """Return a score as the report prints it: if it is large, with three digits and a power of ten.

    >>> [score_text(value) for value in (2.594, 604.7249, 3834.6, 999.996, 1.1459e51, math.inf, None)]
    ['2.59', '604.72', '383.46e1', '100.00e1', '114.59e49', '>1e308', '']
    """
    if score is None:
        return ""
    if math.isinf(score):
        return ">1e308"
    plain = f"{score:.2f}"
    if float(plain) < 1000:
        return plain
    mantissa, _, exponent = f"{score:.4e}".partition("e")
    return f"{float(mantissa) * 100:.2f}e{int(exponent) - 2}"


def title(board: Board) -> str:
    """Return what was ranked, where, and in which PSNR channel, in one line."""
    device = board.device_name or "no device"
    if board.imported:  # the name then begins with "unknown"
        device = f"device {device}"
    if board.threads is not None:
        device += f", {board.threads} thread{'s' if board.threads != 1 else ''}"
    parts = [board.protocol.title, device, "PSNR on Y" if board.channel == "y" else "PSNR on RGB"]
    if board.sample and "not comparable" not in board.protocol.title:
        parts.insert(0, "SAMPLE: not comparable with the challenge")
    elif board.sample:
        parts[0] = f"SAMPLE: {parts[0]}"
    if board.source is not None:
        parts.append("published table")
    return " · ".join(parts)


def below_threshold(row: Row) -> set[str]:
    """Return the columns in which a row's PSNR is below its threshold; none for a row out of rank."""
    if not row.entry.competes:
        return set()
    return {f"psnr_{verdict.split}" for verdict in row.verdicts if verdict.passed is False}


def cells(board: Board, row: Row, keys: Sequence[str], style: Style) -> list[str]:
    """Return the text of one row's cells under the columns `keys`.

    Where the sub-scores have no columns of their own, their ranks stand beside the costs they follow from.
    The interval is of the ratio and stands beside it, or beside the runtime where the ratio has no column.
    That of the baseline, whose ratio is 1, is of its runtime.
    """
    entry, costs, score = row.entry, row.entry.costs, row.score
    below = below_threshold(row)
    decimals = board.protocol.thresholds.decimals

    def psnr(split: str) -> str:
        value = entry.psnr_db.get(split)
        if value is None:
            return style.missing
        text = f"{value:.{decimals}f}"
        return style.below(text) if f"psnr_{split}" in below else text

    def runtime(split: str) -> str:
        value = entry.runtime_by_split_ms.get(split)
        return style.missing if value is None else f"{value:.2f}"

    def with_place(text: str, place: int | None, shown: bool = True) -> str:
        return (text or style.missing) + (style.place(place) if shown and place is not None else "")

    def half(column: str) -> str:
        with_ratio = "ratio" in keys and not entry.is_baseline
        if entry.half_width is None or column != ("ratio" if with_ratio else "runtime"):
            return ""
        return style.interval(f"{entry.half_width * 100:.1f}%")

    def half_score() -> str:
        limits = entry.score_ci95
        if limits is None or score is None or score.final is None or score.final >= 1000:
            return ""
        return "" if limits[0] == limits[1] else style.interval(f"{(limits[1] - limits[0]) / 2:.2f}")

    beside_costs = "score_runtime" not in keys
    texts = {
        "team": style.escape(display_name(entry)) + (style.note if remarks(row) else ""),
        "psnr_valid": psnr("valid"),
        "psnr_test": psnr("test"),
        "runtime_valid": runtime("valid"),
        "runtime_test": runtime("test"),
        "runtime": with_place(
            f"{costs.runtime_ms:.2f}{half('runtime')}" if costs else "",
            row.rank_runtime,
            beside_costs and "ratio" not in keys,
        ),
        "ratio": with_place(
            "" if entry.ratio is None else f"{entry.ratio:.3f}{half('ratio')}", row.rank_runtime, beside_costs
        ),
        "params": with_place(f"{costs.params / 1e6:.3f}" if costs else "", row.rank_params, beside_costs),
        "flops": with_place(f"{costs.flops / 1e9:.2f}" if costs else "", row.rank_flops, beside_costs),
        "score_runtime": with_place(score_text(score.runtime) if score else "", row.rank_runtime),
        "score_params": with_place(score_text(score.params) if score else "", row.rank_params),
        "score_flops": with_place(score_text(score.flops) if score else "", row.rank_flops),
        "final": with_place(score_text(score.final) + half_score() if score else "", None),
        "rank": style.missing if row.rank is None else str(row.rank) + (style.tied if row.tied else ""),
    }
    return [texts[key] for key in keys]


def captions(board: Board) -> list[str]:
    """Return what stands below the table, one text per paragraph or item."""
    if not board.rows:
        texts = [f"No record of {board.protocol.name} can be ranked."]
    else:
        texts = [
            "Lower scores are better; the baseline's costs score 7.39. Sub-track ranks are in parentheses."
        ]
    texts += _measured_with(board)
    texts += _noise(board)
    texts += _below_threshold(board)
    texts += _rejected(board)
    texts += _not_countable(board)
    if board.source is not None:
        texts.append(f"Source: {board.source}.")
    texts += board.notes
    texts += [f"Failed: {_left_out(item)}" for item in board.left_out if item.kind == "failed"]
    texts += _imported_elsewhere(board)
    texts += _of_other_classes(board)
    told = ("failed", "imported", "other device")
    texts += [f"Left out: {_left_out(item)}" for item in board.left_out if item.kind not in told]
    if board.superseded:
        texts.append(f"Other records of the same teams, not shown: {board.superseded}.")
    return texts


def _noise(board: Board) -> Iterator[str]:
    """Say what is scored, what the intervals are, who is tied, and whose runtime is too unsteady to rank."""
    rows = board.rows
    if "ratio" in columns_of(board):
        yield (
            "The runtime's score takes its ratio to the baseline's, measured beside it in one session; "
            "runtimes in ms are medians of the calls, so their quotient may differ from it."
        )
    if any(row.entry.half_width is not None for row in rows):
        yield (
            "± is half of a 95 % interval (bootstrap over launches and rounds): of the runtime's ratio to "
            "the baseline's (of the baseline, its runtime's), in percent, and of the final score."
        )
    # The baseline out of rank may have the label of a submission that is ranked.
    places = {row.entry.label: number for number, row in enumerate(rows) if row.rank is not None}
    pairs = [
        f"{display_name(row.entry)} and {display_name(rows[places[label]].entry)}"
        for number, row in enumerate(rows)
        for label in row.tied
        if places[label] > number
    ]
    if pairs:
        told = few(pairs, 8, between="; ", kind="pairs")
        yield f"≈ Tied within noise, the intervals of the final scores overlap: {told}."
    taken = [row.entry for row in rows if row.status == "unstable"]
    doubted = [display_name(entry) for entry in taken if entry.attested is False]
    unstable = [display_name(entry) for entry in taken if entry.attested is not False]
    for why, names in (
        ("a runtime that is not believed is not ranked against those that are", doubted),
        ("an unstable runtime is not ranked against stable ones", unstable),
    ):
        if names:
            yield f"No rank, {why}: {', '.join(names)}. {_BUSY}: run these again when it is idle."
    teams = [row.entry for row in rows if row.rank and not row.entry.is_baseline]
    shaky = [display_name(entry) for entry in teams if entry.unstable]
    if shaky and not taken:
        begin = "No runtime here is known" if len(teams) == len(shaky) else f"{', '.join(shaky)}: not known"
        yield f"{begin} to be stable: the ranks are not to be relied on. {_BUSY}: run again when it is idle."
    for what, which in (
        ("one round, which tells nothing of noise", [r for r in rows if _rounds_known(r) == "one"]),
        (
            "fewer than 3 launches, which differ by more than the intervals say",
            [r for r in rows if _rounds_known(r) == "few"],
        ),
    ):
        if which:
            yield f"Measured in {what}: {', '.join(display_name(row.entry) for row in which)}."


def _rounds_known(row: Row) -> str:
    """Return "one" for a runtime measured in one round, "few" for too few launches, else ""."""
    entry = row.entry
    if entry.launches is None or row.rank is None or entry.is_baseline:
        return ""
    return "one" if entry.half_width is None else "few" if entry.launches < LAUNCHES else ""


def _rejected(board: Board) -> Iterator[str]:
    """Say which teams have no rank for a finding, and how an organizer overrules one."""
    rejected = [row.entry for row in board.rows if row.status == "rejected"]
    if not rejected:
        return

    def codes(entry: Entry) -> str:
        return ", ".join(dict.fromkeys(finding.code for finding in entry.rejections))

    names = [f"{display_name(entry)} ({codes(entry)})" for entry in rejected]
    yield (
        f"No rank, rejected: {', '.join(names)}. What was found is told below; an organizer accepts a "
        "finding of a team with ntire-bench accept ID CODE --because TEXT."
    )


def _not_countable(board: Board) -> Iterator[str]:
    """Say which teams have no rank because their FLOPs are not known."""
    teams = [row.entry for row in board.rows if row.status == "not countable"]
    if teams:
        names = [f"{display_name(entry)} ({few(entry.uncountable)})" for entry in teams]
        yield (
            f"No rank, FLOPs not known: {', '.join(names)}. No cost is stated for these operators; state "
            "one, and run the team again."
        )


def _below_threshold(board: Board) -> Iterator[str]:
    """Say which teams have no rank for their PSNR; the thresholds once where all have the same."""
    groups: dict[str, list[str]] = {}
    for row in board.rows:
        if row.status != "below threshold":
            continue
        known = [v for v in row.verdicts if v.threshold_db is not None]
        thresholds = " and ".join(f"{v.threshold_db:.2f} dB on {v.split}" for v in known)
        fails = ", ".join(f"{v.split} {v.psnr_db:.2f}" for v in row.verdicts if v.passed is False)
        groups.setdefault(thresholds, []).append(f"{display_name(row.entry)} ({fails})")
    for thresholds, names in groups.items():
        yield f"No rank, PSNR below the threshold of {thresholds}: {', '.join(names)}."


def _imported_elsewhere(board: Board) -> Iterator[str]:
    """Say once per file which imported results are not in the table, and how to see them."""
    counts = Counter((item.reason, item.device) for item in board.left_out if item.kind == "imported")
    for (reason, session), count in sorted(counts.items()):
        yield f"Left out: {count} team{'s' if count != 1 else ''} {reason} (--device {session} ranks them)."


def _measured_with(board: Board) -> Iterator[str]:
    """Say what the rows have in common beside the device in the title."""
    conditions = {} if board.device_class is None else board.device_class.conditions
    if conditions:
        told = ", ".join(conditions.values())
        yield f"Measured with {told}. Only records of the same device and all of these are ranked together."


def _of_other_classes(board: Board) -> Iterator[str]:
    """Say once per class whose records are not in the table, why, and what ranks them."""
    shown = {one_line(row.entry.label) for row in board.rows if row.entry.competes}
    classes: dict[tuple[str, str], list[str]] = {}
    for item in board.left_out:
        if item.kind == "other device":
            classes.setdefault((item.reason, item.device), []).append(item.team)
    for (reason, device), teams in classes.items():
        absent = [team for team in teams if team not in shown]
        others = [team for team in teams if team in shown]
        told = [few(absent, 8)] if absent else []
        told += [f"other records of {few(others, 8)}"] if others else []
        command = f"ntire-bench leaderboard --device {shlex.quote(device)}"
        yield f"Left out: {', and '.join(told)}: {reason}. To rank these: {command}"


def _left_out(item: LeftOut) -> str:
    if item.kind == "unreadable":
        return item.reason
    return f"{item.team}: {item.reason.rstrip('.')}. [{relative(item.path)}]"
