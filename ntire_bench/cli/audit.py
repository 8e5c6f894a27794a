"""The command audit: the whole report of one team."""

from __future__ import annotations

from pathlib import Path

import click

from ntire_bench.cli.options import PATH, json_flag, protocol_option, results_folder
from ntire_bench.cli.output import print_json, write
from ntire_bench.cli.which_record import record_path
from ntire_bench.errors import UsageError
from ntire_bench.text import relative

__all__ = ["audit"]


@click.command()
@click.argument("team", metavar="[ID|FILE]", required=False)
@click.option("--record", "record_file", type=PATH, help="Report on this record: same as FILE.")
@click.option("--output", "-o", type=PATH, help="Markdown file to write instead of standard output.")
@protocol_option
@results_folder
@json_flag
def audit(
    team: str | None,
    record_file: Path | None,
    output: Path | None,
    protocol_name: str | None,
    results: Path,
    as_json: bool,
) -> None:
    """Write the whole report of one team: what was checked, on what, what was found, and the evidence.

    For an organizer to send. Nothing is run for it: all of it is in the record. ID is a team (5, 05_Net,
    Net), an earlier version of one (5~1), or the file of a record.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.ranking.rules import rules_for
    from ntire_bench.ranking.trust import word_on
    from ntire_bench.records import store
    from ntire_bench.records.accepted import load_accepted
    from ntire_bench.reporting.audit_report import audit_report, markdown

    if (team is None) == (record_file is None):
        raise UsageError("what is to be reported is not clear", remedy="give one of: an ID, --record FILE")
    path = record_file if team is None else record_path(team, results, protocol_name)
    assert path is not None
    record = store.load(path)
    rules = rules_for(record, path, protocol_name)
    accepted, problems = load_accepted(path.parent)
    for problem in problems:
        terminal.tell(str(problem))
    report = audit_report(record, rules, accepted, word_on(record, rules))
    if as_json:
        print_json({"record": relative(path), "report": report})
    elif output is None:
        click.echo(markdown(report).rstrip("\n"))
    if output is not None:
        write(output, markdown(report))
        terminal.tell(f"written: {relative(output)}")
