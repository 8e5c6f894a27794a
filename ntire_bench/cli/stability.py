"""The command stability."""

from __future__ import annotations

from pathlib import Path

import click

from ntire_bench.cli.options import PATH, json_flag, protocol_option, results_folder
from ntire_bench.cli.output import print_json
from ntire_bench.errors import UsageError
from ntire_bench.text import relative

__all__ = ["stability"]


@click.command()
@click.argument("id_", metavar="[ID]", required=False, type=click.IntRange(0))
@click.option("--record", "record_file", type=PATH, help="Show this record instead of an ID's newest.")
@click.option("--plot", type=PATH, help="Draw a picture too: a .png, .svg or .pdf file.")
@protocol_option
@results_folder
@json_flag
def stability(
    id_: int | None,
    record_file: Path | None,
    plot: Path | None,
    protocol_name: str | None,
    results: Path,
    as_json: bool,
) -> None:
    """Show how steady the runtime of a stored evaluation is.

    Samples over time, their distribution, and the interval against the number of rounds.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.estimating.stability import stability as examine
    from ntire_bench.records import store
    from ntire_bench.reporting.stability_text import draw

    if (id_ is None) == (record_file is None):
        raise UsageError("what is to be shown is not clear", remedy="give one of: an ID, --record FILE")
    path = record_file or _newest(results, protocol_name, id_)
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


def _newest(results: Path, protocol_name: str | None, id_: int | None) -> Path:
    from ntire_bench.protocols.protocol import available
    from ntire_bench.records import store

    stored = [
        item
        for name in ([protocol_name] if protocol_name else available())
        for item in store.load_all(results, name)[0]
        if item.record.submission.id == id_ and item.record.status == "ok" and item.record.imported is None
    ]
    if not stored:
        raise UsageError(
            f"there is no successful record of {id_:02d}",
            file=results,
            remedy=f"evaluate it: ntire-bench run {id_}; or name the folder with --results",
        )
    return Path(max(stored, key=lambda item: item.created).path)
