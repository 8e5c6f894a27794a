"""The command import: a challenge's own results file into records."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ntire_bench.cli.options import PATH, json_flag, results_folder
from ntire_bench.cli.output import print_json, show_board, stored_board
from ntire_bench.errors import UsageError
from ntire_bench.text import one_line, relative

__all__ = ["import_"]


@click.command("import")
@click.argument("file", type=PATH)
@click.option(
    "--protocol",
    "protocol_name",
    help="Rules to rank by, which the file does not name: ntire2024, ntire2025, ntire2026, or a TOML file.  "
    "[required]",
)
@click.option(
    "--baseline",
    "baseline_name",
    metavar="NAME",
    help="The row that is the baseline; default: the one named like the protocol's.",
)
@results_folder
@json_flag
def import_(
    file: Path, protocol_name: str | None, baseline_name: str | None, results: Path, as_json: bool
) -> None:
    """Store the rows of a challenge's results.json or results.txt as records, and rank them.

    Nothing is run. The rows are ranked by themselves: on which device they were measured is not in the file.

    Exit status: 0 all rows can be ranked, 1 one holds no result, 2 wrong use or a malformed file.
    """
    from ntire_bench.challenge_results import file as results_file
    from ntire_bench.challenge_results import to_records
    from ntire_bench.cli import terminal, wording
    from ntire_bench.protocols import protocol
    from ntire_bench.records import store
    from ntire_bench.reporting.export import document

    read = results_file.read(file)
    if protocol_name is None:
        raise UsageError(
            "a results file does not say by which rules it is to be ranked",
            file=file,
            remedy=f"add --protocol {', '.join(protocol.available())} or a TOML file",
        )
    rules = protocol.load(protocol_name)
    baseline = to_records.find_baseline(read, rules, baseline_name)
    records = to_records.to_records(read, rules, baseline)
    store.check_writable(results)
    outcomes = to_records.keep(records, results)
    failed = [item.record for item in outcomes if item.record.error is not None]
    others = to_records.left_over(records, results)
    imported = outcomes[0].record.imported
    board = stored_board(results, protocol_name, None, imported.device_name if imported is not None else None)
    if as_json:
        print_json(
            {
                "file": relative(file),
                "format": read.format,
                "protocol": rules.name,
                "baseline": baseline.model,
                "ignored": list(read.ignored),
                "records": [
                    {"path": relative(item.path), "new": item.new, "record": item.record} for item in outcomes
                ],
                "left_over": [relative(item.path) for item in others],
                "leaderboard": document(board),
            }
        )
    else:
        show_board(board)
        new = sum(item.new for item in outcomes)
        known = len(outcomes) - new
        rows = f"{len(outcomes)} rows, baseline {baseline.model}"
        terminal.tell(f"{relative(file)}: {rows}; {_told(new, known, relative(results))}")
        if read.ignored:
            terminal.tell(f"Not read: {', '.join(read.ignored)}")
        if others:
            named = ", ".join(f"{item.record.submission.label} ({relative(item.path)})" for item in others)
            text = (
                f"Not in the file any more, and still ranked: {named}. Remove their records to take them out."
            )
            terminal.tell(one_line(text))
        for record in failed:
            terminal.tell(wording.record_line(record), style="red")
    sys.exit(1 if failed else 0)


def _told(new: int, known: int, results: str) -> str:
    """Say what was stored.

    >>> _told(3, 0, "results"), _told(0, 3, "results")
    ('3 records written to results', 'all were imported before and are the same: nothing written')
    >>> _told(1, 2, "results")
    '1 record written to results, 2 were imported before and are the same'
    """
    if not new:
        return "all were imported before and are the same: nothing written"
    written = f"{new} record{'s' if new != 1 else ''} written to {results}"
    same = "1 was" if known == 1 else f"{known} were"
    same += f" imported before and {'is' if known == 1 else 'are'} the same"
    return f"{written}, {same}" if known else written
