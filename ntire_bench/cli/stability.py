"""The command stability."""

from __future__ import annotations

from pathlib import Path

import click

from ntire_bench.cli.options import PATH, json_flag, protocol_option, results_folder
from ntire_bench.cli.output import print_json
from ntire_bench.cli.which_record import record_path
from ntire_bench.errors import UsageError
from ntire_bench.text import relative

__all__ = ["stability"]


@click.command()
@click.argument("team", metavar="[ID|FILE]", required=False)
@click.option("--record", "record_file", type=PATH, help="Show this record: same as FILE.")
@click.option("--plot", type=PATH, help="Draw a picture too: a .png, .svg or .pdf file.")
@protocol_option
@results_folder
@json_flag
def stability(
    team: str | None,
    record_file: Path | None,
    plot: Path | None,
    protocol_name: str | None,
    results: Path,
    as_json: bool,
) -> None:
    """Show how steady the runtime of a stored evaluation is.

    Samples over time, their distribution, and the interval against the number of rounds. ID is a team (5,
    05_Net, Net), an earlier version of one (5~1), or the file of a record.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.estimating.stability import stability as examine
    from ntire_bench.records import store
    from ntire_bench.reporting.stability_text import draw

    if team is not None and record_file is None:
        path = record_path(team, results, protocol_name)
    elif record_file is not None and team is None:
        path = record_file
    else:
        raise UsageError("what is to be shown is not clear", remedy="give one of: an ID, --record FILE")
    record = store.load(path)
    found = examine(record)
    if plot is not None:
        from ntire_bench.reporting.stability_plot import plot as draw_picture

        draw_picture(record, found, plot)
    if as_json:
        print_json({"record": relative(path), "timing": record.timing, **found.document()})
        return
    for line in draw(record, found, min(100, terminal.out().width)):
        terminal.show(line)
    terminal.tell(f"record: {relative(path)}")
    if plot is not None:
        terminal.tell(f"written: {relative(plot)}")
