"""What stands below a board: what its signs mean, who has no rank and why, and what else is to be known."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator

from ntire_bench.ranking.board import Board
from ntire_bench.ranking.board_notes import display_name
from ntire_bench.ranking.entry import Counts, Entry
from ntire_bench.ranking.left_out import LeftOut
from ntire_bench.ranking.ranks import Row
from ntire_bench.records.record import LAUNCHES
from ntire_bench.reporting import layout
from ntire_bench.reporting.layout import Style
from ntire_bench.text import few, giga, one_line, relative

__all__ = ["captions", "counted", "for_paper", "left_unsaid"]

_BUSY = "Most likely other programs kept the machine busy"


def captions(board: Board, style: Style = layout.PLAIN, *, brief: bool = False) -> list[str]:
    """Return all that stands below the table, one text per paragraph or item.

    Args:
        board: What is shown.
        style: How its cells are written: the signs that occur are explained.
        brief: Whether what an organizer can do about it is left out, as readers cannot.
    """
    return [*_facts(board, style, brief=brief), *_notes(board)]


def for_paper(board: Board, style: Style) -> list[str]:
    """Return what a reader of a paper needs: signs, what is scored, who has no rank; not what to do."""
    return _facts(board, style, brief=True)


def counted(board: Board) -> list[str]:
    """Return which FLOPs and parameters a board shows, in a sentence; nothing where no count is known."""
    return [one_line(text) for text in _counted(board, brief=True)]


def left_unsaid(board: Board) -> int:
    """Return how many notes `captions` has and `for_paper` has not."""
    return len(_notes(board))


def _facts(board: Board, style: Style, *, brief: bool) -> list[str]:
    texts: list[str] = []
    if not board.rows:
        texts.append(f"No record of {board.protocol.name} can be ranked.")
    else:
        texts.append(
            "Lower scores are better; the baseline's costs score 7.39. Sub-track ranks are in parentheses."
        )
    texts += _signs(board, style, brief=brief)
    texts += _ranked_anew(board)
    texts += _measured_with(board, brief=brief)
    texts += _counted(board, brief=brief)
    texts += _noise(board, brief=brief)
    texts += _below_threshold(board)
    texts += _rejected(board, brief=brief)
    texts += _not_countable(board, brief=brief)
    if board.source is not None:
        texts.append(f"Source: {board.source}.")
    return [one_line(text) for text in texts]


def _notes(board: Board) -> list[str]:
    """Return what is to be known of single records, and of those that are not in the table."""
    texts = list(board.notes)
    texts += [f"Failed: {_left_out(item)}" for item in board.left_out if item.kind == "failed"]
    texts += _imported_elsewhere(board)
    texts += _of_other_classes(board)
    told = ("failed", "imported", "other device")
    texts += [f"Left out: {_left_out(item)}" for item in board.left_out if item.kind not in told]
    if board.superseded:
        texts.append(f"Other records of the same teams, not shown: {board.superseded}.")
    return [one_line(text) for text in texts]


def _signs(board: Board, style: Style, *, brief: bool) -> Iterator[str]:
    """Say what the signs mean that occur; those of intervals and ties have texts of their own."""
    keys = layout.columns_of(board)
    cells = [layout.cells(board, row, keys, style) for row in board.rows]
    told = []
    if style.note and any(row[0].endswith(style.note) for row in cells):
        told.append(f"{style.note_sign}: see the notes below")
    if any(layout.below_threshold(row) for row in board.rows):
        told.append(f"{style.below_sign}: PSNR below its threshold")
    if any(cell == style.missing for row in cells for cell in row):
        told.append(f"{style.missing_sign}: not known, or no rank")
    if style.best is not None and any(row.rank is not None for row in board.rows):
        told.append("bold: the best of those with a rank")
    if told:
        yield "; ".join(told) + "."


def _ranked_anew(board: Board) -> Iterator[str]:
    """Say by what other rules than their own the records are ranked, and who moved."""
    anew = board.anew
    if anew is None or not (anew.changed or anew.moves):
        return
    name = board.protocol.name
    how = "otherwise than the rules of" if anew.rules == name else f"by the rules of {name}, not those of"
    yield f"Ranked anew, {how} {anew.rules} under which the records were made: {'; '.join(anew.changed)}."
    yield f"Moved: {few([str(move) for move in anew.moves], 40)}." if anew.moves else "No team moved."


def _counted(board: Board, *, brief: bool) -> Iterator[str]:
    """Say which FLOPs and parameters are shown, and for whom the other count is another."""
    known = [
        (display_name(row.entry), row.entry.counts) for row in board.rows if row.entry.counts is not None
    ]
    if not known:
        return
    official = board.which == "official"
    others = [f"{name} ({_more(counts)})" for name, counts in known if _more(counts)]
    shown = (
        "FLOPs are fvcore's and parameters those of parameters(), as the challenge counts"
        if official
        else "FLOPs and parameters are fvcore's and parameters()', or what the audit found where that is more"
    )
    if not others:
        yield f"{shown}: here both are the same."
        return
    told = "the audit found more" if official else "the audit's are shown"
    option = (
        "" if brief else f" The other count is ranked with --costs {'audited' if official else 'official'}."
    )
    yield f"{shown}; {told} for {few(others, 8)}.{option}"


def _more(counts: Counts) -> str:
    """Return what the audit found more, in words.

    >>> _more(Counts(flops=1e10, params=1e6, audited_flops=1.2e10, audited_params=1e6))
    'FLOPs 12.0000 G, by fvcore 10.0000 G'
    """
    told = []
    if counts.audited_flops != counts.flops:
        told.append(f"FLOPs {giga(counts.audited_flops)}, by fvcore {giga(counts.flops)}")
    if counts.audited_params != counts.params:
        told.append(f"parameters {counts.audited_params:,.0f}, by parameters() {counts.params:,.0f}")
    return ", ".join(told)


def _noise(board: Board, *, brief: bool) -> Iterator[str]:
    """Say what is scored, what the intervals are, who is tied, and whose runtime is too unsteady to rank."""
    rows = board.rows
    if "ratio" in layout.columns_of(board):
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
            again = "" if brief else f" {_BUSY}: run these again when it is idle."
            yield f"No rank, {why}: {', '.join(names)}.{again}"
    teams = [row.entry for row in rows if row.rank and not row.entry.is_baseline]
    shaky = [display_name(entry) for entry in teams if entry.unstable]
    if shaky and not taken:
        begin = "No runtime here is known" if len(teams) == len(shaky) else f"{', '.join(shaky)}: not known"
        again = "" if brief else f" {_BUSY}: run again when it is idle."
        yield f"{begin} to be stable: the ranks are not to be relied on.{again}"
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


def _rejected(board: Board, *, brief: bool) -> Iterator[str]:
    """Say which teams have no rank for a finding, and how an organizer overrules one."""
    rejected = [row.entry for row in board.rows if row.status == "rejected"]
    if not rejected:
        return

    def codes(entry: Entry) -> str:
        return ", ".join(dict.fromkeys(finding.code for finding in entry.rejections))

    names = [f"{display_name(entry)} ({codes(entry)})" for entry in rejected]
    how = (
        " What was found is told below; an organizer accepts a finding of a team with ntire-bench accept ID "
        "CODE --because TEXT."
    )
    yield f"No rank, rejected: {', '.join(names)}.{'' if brief else how}"


def _not_countable(board: Board, *, brief: bool) -> Iterator[str]:
    """Say which teams have no rank because their FLOPs are not known."""
    teams = [row.entry for row in board.rows if row.status == "not countable"]
    if teams:
        names = [f"{display_name(entry)} ({few(entry.uncountable)})" for entry in teams]
        lacking = [entry for entry in teams if entry.lacks_twin]
        how = " No cost is stated for these operators; state one, and run the team again." * (
            lacking != teams
        )
        how += " A kernel of a team's own is counted on its twin, which it must declare." * bool(lacking)
        yield f"No rank, FLOPs not known: {', '.join(names)}.{'' if brief else how}"


def _below_threshold(board: Board) -> Iterator[str]:
    """Say which teams have no rank for their PSNR; the thresholds once where all have the same."""
    groups: dict[str, list[str]] = {}
    digits = board.protocol.thresholds.decimals
    for row in board.rows:
        if row.status != "below threshold":
            continue
        known = [v for v in row.verdicts if v.threshold_db is not None]
        thresholds = " and ".join(f"{v.threshold_db:.{digits}f} dB on {v.split}" for v in known)
        fails = ", ".join(f"{v.split} {v.psnr_db:.{digits}f}" for v in row.verdicts if v.passed is False)
        groups.setdefault(thresholds, []).append(f"{display_name(row.entry)} ({fails})")
    for thresholds, names in groups.items():
        yield f"No rank, PSNR below the threshold of {thresholds}: {', '.join(names)}."


def _imported_elsewhere(board: Board) -> Iterator[str]:
    """Say once per file which imported results are not in the table, and how to see them."""
    counts = Counter((item.reason, item.device) for item in board.left_out if item.kind == "imported")
    for (reason, session), count in sorted(counts.items()):
        yield f"Left out: {count} team{'s' if count != 1 else ''} {reason} (--device {session} ranks them)."


def _measured_with(board: Board, *, brief: bool) -> Iterator[str]:
    """Say what the rows have in common beside the device in the title."""
    conditions = {} if board.device_class is None else board.device_class.conditions
    if conditions:
        told = ", ".join(conditions.values())
        only = "" if brief else " Only records of the same device and all of these are ranked together."
        yield f"Measured with {told}.{only}"


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
