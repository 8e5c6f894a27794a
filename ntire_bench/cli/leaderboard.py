"""The command leaderboard: the ranking of stored records in every format."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ntire_bench.cli.among import among_of, show_among
from ntire_bench.cli.anew import Otherwise, otherwise_options
from ntire_bench.cli.many import no_collection
from ntire_bench.cli.options import (
    PATH,
    channel_option,
    json_flag,
    protocol_option,
    references_folder,
    results_folder,
)
from ntire_bench.cli.output import print_json, put, show_board, stored_board, write
from ntire_bench.cli.site import Comparison, comparison_options, refuse_comparison, write_site
from ntire_bench.cli.which_record import team_of_records
from ntire_bench.errors import UsageError
from ntire_bench.text import few, one_line, relative

if TYPE_CHECKING:
    from ntire_bench.protocols.protocol import Channel
    from ntire_bench.ranking.board import Board
    from ntire_bench.reporting.among import Among
    from ntire_bench.reporting.render import Format

__all__ = ["leaderboard"]


@click.command()
@results_folder
@protocol_option
@channel_option
@click.option(
    "--format",
    "fmt",
    type=click.Choice(["table", "md", "csv", "json", "latex", "html", "site", "challenge", "codabench"]),
    default="table",
    show_default=True,
    help="What to write; site: a folder of pages with plots, named with --output; challenge: its "
    "results.txt, with RGB PSNR; codabench: scores.json and detailed_results.html of one team, into the "
    "folder --output.",
)
@click.option(
    "--reference", metavar="NAME", help="Show a reference instead: ntire2024, or one that was kept."
)
@click.option(
    "--among",
    metavar="NAME",
    help="Show own rows among those of a reference, each machine's scores in columns of their own.",
)
@references_folder
@click.option(
    "--device",
    "device",
    help="Rank the records of this class: a part of the device's name, or of what else they were measured "
    'with, such as "torch 2.11".',
)
@otherwise_options
@click.option(
    "--verify",
    "key",
    type=PATH,
    metavar="KEY",
    help="Rank only records that are signed with this public key.",
)
@click.option("--team", metavar="ID", help="With codabench: whose scores.")
@click.option("--notes", is_flag=True, help="With md and latex: all notes too, not only what a paper needs.")
@click.option(
    "--output",
    "-o",
    type=PATH,
    help="File to write instead of standard output; of site and codabench, the folder.",
)
@comparison_options
@json_flag
@no_collection()
def leaderboard(
    results: Path,
    protocol_name: str | None,
    channel: Channel | None,
    fmt: Format | Literal["site", "codabench"],
    reference: str | None,
    among: str | None,
    references: Path,
    device: str | None,
    otherwise: Otherwise,
    key: Path | None,
    team: str | None,
    notes: bool,
    output: Path | None,
    comparison: Comparison,
    as_json: bool,
) -> None:
    """Rank the stored records, or show a published table.

    With --protocol, --weights, --threshold or --costs, records are ranked anew, and it is said who moved.

    Exit status: 0, or 1 where there is nothing to rank.
    """
    if team is not None and (fmt != "codabench" or reference or among):
        raise UsageError("--team goes with records and --format codabench", remedy="leave one of them out")
    if reference and among:
        remedy = "leave one of them out: --reference shows it alone, --among with own rows"
        raise UsageError("--reference and --among both name a reference", remedy=remedy)
    if notes and among:
        remedy = "leave one of them out: notes on own records stand below `leaderboard` alone"
        raise UsageError("--notes does not go with --among", remedy=remedy)
    if fmt != "site":
        refuse_comparison(comparison)
    both: Among | None = None
    given = {
        "--protocol": protocol_name,
        "--from": otherwise.records_of,
        "--psnr-channel": channel,
        "--device": device,
        "--verify": key,
    }
    if among:
        # A site has its own ranking by its own rules, and own rows among a reference's on one page.
        asked = None if fmt == "site" else channel
        both = among_of(among, references, results, protocol_name, asked, device, key, otherwise)
    if reference:
        board = _of_reference(references, reference, otherwise, [name for name in given if given[name]])
    elif both is not None and fmt != "site":
        board = both.own
    else:
        board = stored_board(
            results,
            protocol_name,
            channel,
            device,
            key,
            records_of=otherwise.records_of,
            changes=otherwise.changes,
            team=None if team is None else team_of_records(team, results),
        )
    if both is not None and fmt != "site":
        show_among(both, "json" if as_json else fmt, output)
    elif fmt == "codabench":
        _write_codabench(board, output, as_json)
    elif fmt == "site":
        write_site(board, output, comparison, both, as_json=as_json)
    else:
        _show(board, "json" if as_json else fmt, output, notes=notes)
    if not board.rows:
        _tell_what_to_do(board, results, team)
        sys.exit(1)


def _of_reference(references: Path, name: str, otherwise: Otherwise, given: Sequence[str]) -> Board:
    """Return a reference's board.

    Raises:
        UsageError: An option was given that a reference cannot follow.
    """
    from ntire_bench.ranking.named import board_named

    if given:
        raise UsageError(
            f"{', '.join(given)} does not go with --reference, whose rules, channel and device are given",
            remedy="leave one of them out; --weights and --threshold go with it",
        )
    return board_named(references, name, otherwise.changes)


def _write_codabench(board: Board, folder: Path | None, as_json: bool) -> None:
    """Write what a scoring program of Codabench returns.

    Raises:
        UsageError: No folder is named, or the board is of several teams.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.reporting import codabench
    from ntire_bench.reporting.render import render

    if folder is None:
        remedy = "name their folder: -o /app/output in a scoring program"
        raise UsageError("codabench's files need a folder", expected="--output DIR", remedy=remedy)
    numbers = codabench.scores(board)
    texts = {
        codabench.SCORES_FILE: codabench.to_json(numbers),
        codabench.DETAILS_FILE: render(board, "html"),
    }
    for name, text in texts.items():
        write(folder / name, text)
        terminal.tell(f"written: {relative(folder / name)}")
    if as_json:
        print_json({"files": [relative(folder / name) for name in texts], "scores": numbers})


def _show(board: Board, fmt: Format, output: Path | None, *, notes: bool) -> None:
    from ntire_bench.challenge_results import table
    from ntire_bench.cli import terminal
    from ntire_bench.reporting import captions
    from ntire_bench.reporting.render import render

    if fmt == "table" and output is None:
        show_board(board)
        return
    text = render(board, fmt, notes=notes)
    if fmt == "challenge":
        for remark in table.remarks(board):
            terminal.tell(remark)
    unsaid = captions.left_unsaid(board)
    if fmt in ("md", "latex") and not notes and unsaid:
        are = "note for the organizer is" if unsaid == 1 else "notes for the organizer are"
        terminal.tell(f"{unsaid} {are} left out; --notes writes all.")
    put(text, output)


def _tell_what_to_do(board: Board, results: Path, team: str | None) -> None:
    """Say why there is nothing to rank, and what makes it rank something."""
    from ntire_bench.cli import terminal
    from ntire_bench.ranking.stored import protocols_with_records

    others = [name for name in protocols_with_records(results) if name != board.protocol.name]
    if not results.is_dir():
        terminal.tell(f"There is no folder {relative(results)}: nothing has been evaluated yet.")
    elif board.left_out:
        are = "records are" if len(board.left_out) > 1 else "record is"
        why = [f"{item.team or relative(item.path)}: {item.reason.rstrip('.')}" for item in board.left_out]
        terminal.tell(one_line(f"{len(why)} {are} left out: {few(why, 3, between='; ')}."))
    elif team is not None:
        terminal.tell(
            f"There are no records of team {team} and {board.protocol.name} in {relative(results)}."
        )
    else:
        terminal.tell(f"There are no records of {board.protocol.name} in {relative(results)}.")
    if others:
        terminal.tell(f"There are records of {', '.join(others)}: name one with --protocol.")
    terminal.tell("To evaluate submissions: ntire-bench run --all. Another folder: --results.")
