"""The command status: how far a campaign is."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ntire_bench.cli.many import no_collection
from ntire_bench.cli.options import json_flag, protocol_option, results_folder
from ntire_bench.cli.output import print_json
from ntire_bench.text import relative

if TYPE_CHECKING:
    from ntire_bench.claims.desk import Desk
    from ntire_bench.fleet.progress import TeamState
    from ntire_bench.records.store import Stored

__all__ = ["status"]

_LOOK_S = 2.0
_ROWS = 500  # more are written as plain text, which takes a hundredth of the time


@click.command()
@results_folder
@protocol_option
@click.option("--watch", is_flag=True, help="Show it until no team runs or waits, or Ctrl-C.")
@json_flag
def status(results: Path, protocol_name: str | None, watch: bool, as_json: bool) -> None:
    """Say how far a campaign is: each team waiting, running, done, failed or left out.

    It can be asked from any machine that sees the folder of the records.

    Exit status: 0, or 1 where nothing is known of any team.
    """
    from ntire_bench.claims.desk import Desk
    from ntire_bench.cli import terminal
    from ntire_bench.cli.status_table import Live, document, summary, table, text

    desk = Desk(results)
    found = _states(desk, protocol_name)
    if watch and not as_json:
        with Live() as live:
            told = ""
            while any(one.state in ("running", "waiting", "left out") for one in found):
                live.show(found)
                if not terminal.is_redrawn() and summary(found) != told:
                    told = summary(found)
                    terminal.tell(told)
                time.sleep(_LOOK_S)
                found = _states(desk, protocol_name)
    if as_json:
        print_json(document(results, found))
    elif found:
        terminal.show(table(found) if len(found) <= _ROWS and sys.stdout.isatty() else text(found))
    if not found:
        terminal.tell(f"Nothing is known of any team in {relative(results)} (--results).")
        sys.exit(1)


@no_collection()
def _states(desk: Desk, protocol_name: str | None) -> list[TeamState]:
    """Return the state of every team that has claims or records, or that was asked for last."""
    from ntire_bench.fleet import progress
    from ntire_bench.ranking.stored import protocols_with_records, read_records

    campaign = progress.announced(desk.results)
    newest: dict[str, Stored] = {}
    names = protocols_with_records(desk.results) if protocol_name is None else [protocol_name]
    for item in (item for name in names for item in read_records(desk.results, name)[0]):
        if item.record.imported is None:
            label = item.record.submission.label
            if label not in newest or item.order > newest[label].order:
                newest[label] = item
    recorded = {label: (item.record.status, item.path) for label, item in newest.items()}
    return progress.states(desk, campaign.teams if campaign is not None else (), recorded)
