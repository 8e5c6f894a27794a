"""The commands compare and show: two evaluations beside each other, and the images of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ntire_bench.cli.evaluation import Request, taken_as_request
from ntire_bench.cli.options import (
    PATH,
    Effort,
    Images,
    channel_option,
    effort_options,
    image_options,
    json_flag,
    machine_options,
    protocol_option,
    results_folder,
)
from ntire_bench.cli.output import print_json
from ntire_bench.cli.side_by_side import side_by_side
from ntire_bench.cli.sources import source_options
from ntire_bench.cli.which_record import record_path
from ntire_bench.errors import RecordError, UsageError
from ntire_bench.text import relative

if TYPE_CHECKING:
    from ntire_bench.protocols.protocol import Channel
    from ntire_bench.ranking.comparing import Comparison
    from ntire_bench.records.record import Record

__all__ = ["compare", "show", "successful"]


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--plot", type=PATH, help="Draw the crops that differ most: a .png, .svg or .pdf file.")
@click.option(
    "--save-dir",
    "save_dirs",
    type=PATH,
    multiple=True,
    help="Where run --save-images put the SR images, for --plot; given twice: those of A, then of B.  "
    "[default: results]",
)
@click.option(
    "--run",
    "now",
    is_flag=True,
    help="Run both side by side now, and compare that: A and B are submissions, and nothing is stored.",
)
@click.option("--worst", type=click.IntRange(0), default=5, show_default=True, help="Images that are listed.")
@click.option("--all", "everything", is_flag=True, help="List all images.")
@image_options
@effort_options
@protocol_option
@channel_option
@machine_options
@source_options
@results_folder
@json_flag
@taken_as_request
def compare(
    a: str,
    b: str,
    plot: Path | None,
    save_dirs: tuple[Path, ...],
    now: bool,
    worst: int,
    everything: bool,
    effort: Effort,
    request: Request,
    results: Path,
    as_json: bool,
) -> None:
    """Compare two evaluations: costs, PSNR image by image, and which one is faster.

    A and B are teams (5, 05_Net, Net), earlier versions of one (5~1 is the version before the newest), or
    files of records. Runtimes are compared where both were measured on the same machine, images and baseline;
    with --run both are measured now, in turns, which tells the closest differences.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.ranking.comparing import compare as beside
    from ntire_bench.reporting.comparison_text import costs_table, images_table, names, summary_lines

    if len(save_dirs) > 2:
        raise UsageError("--save-dir is given more than twice", remedy="name the folder of A, then that of B")
    paths: list[Path] = []
    if now:
        if plot is not None or save_dirs:
            remedy = "leave them out, or compare records of runs with --save-images"
            raise UsageError("--run keeps no SR images that --plot could draw", remedy=remedy)
        found = side_by_side(a, b, effort, request)
    else:
        (one, other), paths = _two(a, b, results, request.protocol_name)
        found = beside(one, other, request.channel or one.psnr_channel)
        if plot is not None:
            _draw(found, one, plot, save_dirs, request.images)
    if as_json:
        document = found.document()
        print_json(
            {"records": [relative(path) for path in paths], **document, "plot": plot and relative(plot)}
        )
        return
    terminal.show(costs_table(found))
    terminal.show("")
    listed = sorted(found.images, key=lambda image: -abs(image.difference_db or 0.0))
    if not everything:
        listed = listed[:worst]
    if listed:
        terminal.show(images_table(found, listed))
        left = len(found.images) - len(listed)
        terminal.show(f"{left} more, which differ less: --all" if left else "")
    for line in summary_lines(found):
        terminal.show(line)
    for name, path in zip(names(found), paths, strict=False):
        terminal.tell(f"{name}: {relative(path)}")
    if plot is not None:
        terminal.tell(f"written: {relative(plot)}")


def _two(
    a: str, b: str, results: Path, protocol_name: str | None
) -> tuple[tuple[Record, Record], list[Path]]:
    """Return both evaluations, and where they are stored.

    Of a baseline that has no record of its own, that is what was measured beside the other one.

    Raises:
        UsageError: One of them is not there.
    """
    from ntire_bench.ranking.comparing import baseline_as_record
    from ntire_bench.submissions.spelling import is_called

    found: list[Path | UsageError] = []
    for text in (a, b):
        try:
            found.append(record_path(text, results, protocol_name))
        except UsageError as error:
            found.append(error)
    first, second = found
    if isinstance(first, UsageError) and isinstance(second, UsageError):
        raise first
    if isinstance(first, Path) and isinstance(second, Path):
        return (successful(first), successful(second)), [first, second]
    path, missing, text = (first, second, b) if isinstance(first, Path) else (second, first, a)
    assert isinstance(path, Path) and isinstance(missing, UsageError)
    own = successful(path)
    base = baseline_as_record(own)
    if base is None or not is_called(text, base.submission):
        raise missing
    return ((own, base) if path is first else (base, own)), [path, path]


def _draw(found: Comparison, record: Record, plot: Path, save_dirs: tuple[Path, ...], images: Images) -> None:
    """Draw the crops that differ most, from SR images that were saved."""
    from ntire_bench.cli import terminal
    from ntire_bench.ranking.rules import rules_for
    from ntire_bench.reporting.comparison_text import names
    from ntire_bench.reporting.crops_plot import plot_crops
    from ntire_bench.reporting.picture import refuse_other_suffix
    from ntire_bench.workflows.crops import most_different, widest_images
    from ntire_bench.workflows.data import choose_data

    refuse_other_suffix(plot)
    wanted = widest_images(found, _MOST_CROPS)
    if not wanted:
        raise UsageError(
            "there is no image to draw",
            found="no image that both were run on and that has a PSNR",
            remedy="leave --plot out",
        )
    rules = rules_for(record, Path(record.submission.file), None)
    first, last = (save_dirs or (Path("results"),))[0], (save_dirs or (Path("results"),))[-1]
    splits = images.split_names if images.splits else list(dict.fromkeys(one.split for one in wanted))
    with terminal.progress_bar() as progress:
        data = choose_data(
            splits,
            images.data_dir,
            rules,
            lambda done, total: progress("checking images", done, total),
        )
    crops = most_different(
        found, data.splits, (first, last), most=_MOST_CROPS, scale=rules.scale, border=rules.border
    )
    plot_crops(crops, names(found), found.channel, plot)


_MOST_CROPS = 4


def successful(path: Path) -> Record:
    """Read a record that holds a result.

    Raises:
        RecordError: It cannot be read, or is of a failed evaluation.
    """
    from ntire_bench.records import store

    record = store.load(path)
    if record.status != "ok" or record.complexity is None:
        raise RecordError(
            "the record holds no result",
            file=path,
            found="the evaluation failed" if record.error is None else f"it failed: {record.error.message}",
            remedy="name a record of a successful evaluation",
        )
    return record


@click.command()
@click.argument("which", metavar="ID|FILE")
@click.option(
    "--sort",
    type=click.Choice(["name", "psnr", "runtime"]),
    default="name",
    show_default=True,
    help="Order: by name, the lowest PSNR first, or the longest runtime first.",
)
@click.option("--most", type=click.IntRange(1), help="Show so many images.")
@protocol_option
@channel_option
@results_folder
@json_flag
def show(
    which: str,
    sort: str,
    most: int | None,
    protocol_name: str | None,
    channel: Channel | None,
    results: Path,
    as_json: bool,
) -> None:
    """Show the images of a stored evaluation one by one: PSNR, SSIM, runtime, and the baseline's beside them.

    ID is a team (5, 05_Net, Net), an earlier version of one (5~1), or the file of a record.
    """
    from ntire_bench.cli import terminal, wording
    from ntire_bench.records import operational
    from ntire_bench.records.version_1 import with_plain_runtimes
    from ntire_bench.reporting.images_text import ordered, rows_of, table_of

    path = record_path(which, results, protocol_name)
    record = with_plain_runtimes(successful(path))
    rows = ordered(rows_of(record, channel or record.psnr_channel), sort)[:most]
    if as_json:
        print_json(
            {
                "record": relative(path),
                "submission": record.submission.label,
                "channel": channel or record.psnr_channel,
                "images": [vars(row) for row in rows],
            }
        )
        return
    terminal.show(table_of(record, rows, terminal.out().width))
    for line in (
        wording.record_line(record),
        *map(operational.told, record.findings),
    ):
        terminal.show(line)
    terminal.tell(f"record: {relative(path)}")
