"""What the commands print: JSON documents and leaderboards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ntire_bench import interruption
from ntire_bench.errors import NtireBenchError, UsageError
from ntire_bench.text import json_text, relative

if TYPE_CHECKING:
    from ntire_bench.protocols.protocol import Channel
    from ntire_bench.ranking.anew import Changes
    from ntire_bench.ranking.board import Board

__all__ = ["json_is_printed", "print_json", "put", "show_board", "stored_board", "tell_error", "write"]

_PRINTED = "ntire_bench.json_is_printed"  # in a context's meta


def stored_board(
    results: Path,
    protocol_name: str | None,
    channel: Channel | None,
    device: str | None,
    key: Path | None = None,
    *,
    records_of: str | None = None,
    changes: Changes | None = None,
    team: int | None = None,
) -> Board:
    """Rank the records of a results folder.

    Args:
        results: The folder.
        protocol_name: Rules; None takes the default's records, or the only ones there are.
        channel: "y" or "rgb"; None takes the protocol's.
        device: Name of the device whose records are ranked; None takes the one with the most teams.
        key: Of a public key, to rank only what is signed with it.
        records_of: Name of the rules that the records were made under, where they are to be ranked by others.
        changes: What is to be ranked otherwise than the rules say.
        team: A team's number, where its records alone are wanted.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.ranking.stored import board_of_records, protocols_with_records

    if protocol_name is None and records_of is None:
        having = protocols_with_records(results)
        if len(having) > 1:
            text = f"Showing {having[0]}; there are records of {', '.join(having[1:])} too (--protocol)."
            terminal.tell(text)
    return board_of_records(
        results, protocol_name, channel, device, key, records_of=records_of, changes=changes, team=team
    )


def show_board(board: Board) -> None:
    """Print a leaderboard as a table."""
    from ntire_bench.cli import terminal
    from ntire_bench.reporting.render import TerminalBoard

    terminal.show(TerminalBoard(board))


def print_json(document: Any) -> None:  # noqa: ANN401 - any document
    """Print one JSON document on standard output, whole even where a signal comes meanwhile."""
    text = json_text(document)
    with interruption.held():
        context = click.get_current_context(silent=True)
        if context is not None:
            context.meta[_PRINTED] = True
        click.echo(text)


def json_is_printed() -> bool:
    """Say whether this command has printed its document: there is one, whatever comes after it."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_PRINTED))


def tell_error(error: NtireBenchError, as_json: bool, **also: Any) -> None:  # noqa: ANN401
    """Print the one message of an error, and a JSON document of it where that was asked for.

    Args:
        error: What a user reads.
        as_json: Whether the command has --json.
        also: Further keys of the document.
    """
    from ntire_bench.cli.terminal import show_error

    if as_json:
        print_json({**also, "error": {"type": type(error).__name__, "message": str(error)}})
    show_error(error)


def write(path: Path, text: str) -> None:
    """Write a text file the user asked for.

    Raises:
        UsageError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        remedy = "name a file in a folder that this user may write to"
        raise UsageError(
            "cannot be written", file=path, found=error.strerror or str(error), remedy=remedy
        ) from None


def put(text: str, output: Path | None) -> None:
    """Print a text, or write it to the file that the user named and say so."""
    from ntire_bench.cli import terminal

    if output is None:
        click.echo(text.rstrip("\n"))
    else:
        write(output, text)
        terminal.tell(f"written: {relative(output)}")
