"""The commands reference add and reference list: results files that are kept by a name."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ntire_bench.cli.options import PATH, json_flag, references_folder
from ntire_bench.cli.output import print_json, show_board
from ntire_bench.errors import UsageError
from ntire_bench.text import one_line, relative

__all__ = ["reference"]


@click.group()
def reference() -> None:
    """Keep results files by a name, for `leaderboard --reference NAME` and `--among NAME`."""


@reference.command("list")
@references_folder
@json_flag
def list_(references: Path, as_json: bool) -> None:
    """List the references there are: those that come with this program, and those that were kept."""
    from ntire_bench.cli import terminal
    from ntire_bench.ranking.named import available, board_named

    boards = {name: board_named(references, name) for name in available(references)}
    if as_json:
        print_json(
            [
                {
                    "name": name,
                    "protocol": board.protocol.name,
                    "rows": len(board.rows),
                    "device": board.device_name,
                    "source": board.source,
                }
                for name, board in boards.items()
            ]
        )
        return
    for name, board in boards.items():
        device = one_line(board.device_name or "no row that can be ranked")
        terminal.show(f"{name}  {len(board.rows)} rows  {board.protocol.title}, {device}")


@reference.command("add")
@click.argument("file", type=PATH)
@click.option(
    "--protocol",
    "protocol_name",
    required=True,
    help="Rules to rank by, which the file does not name: ntire2024, ntire2025, ntire2026, or a TOML file.",
)
@click.option("--name", required=True, help="What the reference is called from now on.")
@click.option(
    "--baseline",
    "baseline_name",
    metavar="NAME",
    help="The row that is the baseline; default: the one named like the protocol's.",
)
@references_folder
@json_flag
def add(
    file: Path, protocol_name: str, name: str, baseline_name: str | None, references: Path, as_json: bool
) -> None:
    """Keep a challenge's results.json or results.txt as a reference.

    Exit status: 0 all rows can be ranked, 1 one holds no result, 2 wrong use or a malformed file.
    """
    from ntire_bench.challenge_results import file as results_file
    from ntire_bench.challenge_results import to_records
    from ntire_bench.cli import terminal, wording
    from ntire_bench.protocols import protocol
    from ntire_bench.ranking.named import board_named, folder_for, kept
    from ntire_bench.records import store
    from ntire_bench.reporting.export import document

    rules = protocol.load(protocol_name)
    folder = folder_for(references, name)
    read = results_file.read(file)
    records = to_records.to_records(read, rules, to_records.find_baseline(read, rules, baseline_name))
    if name in kept(references) and not to_records.all_kept(records, folder):
        raise UsageError(
            f"there is a reference {name} already, of other rows or other rules",
            file=folder,
            remedy="choose another --name, or remove that folder",
        )
    store.check_writable(references)
    outcomes = to_records.keep(records, folder)
    failed = [item.record for item in outcomes if item.record.error is not None]
    board = board_named(references, name)
    if as_json:
        paths = [relative(item.path) for item in outcomes]
        print_json({"name": name, "protocol": rules.name, "records": paths, "leaderboard": document(board)})
    else:
        show_board(board)
        told = f"{len(outcomes)} rows of {relative(file)} kept in {relative(folder)}"
        terminal.tell(f"{told}: ntire-bench leaderboard --reference {name}")
        for record in failed:
            terminal.tell(wording.record_line(record), style="red")
    sys.exit(1 if failed else 0)
