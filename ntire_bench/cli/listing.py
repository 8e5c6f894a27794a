"""The commands that run no submission: list, leaderboard, prepare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ntire_bench.cli.interrupted import interruptible
from ntire_bench.cli.options import PATH, channel_option, json_flag, protocol_option, results_folder
from ntire_bench.cli.output import print_json, show_board, stored_board, write
from ntire_bench.cli.sources import Sources, open_catalogue, source_options
from ntire_bench.text import relative

if TYPE_CHECKING:
    from ntire_bench.protocols.protocol import Channel
    from ntire_bench.reporting.render import Format

__all__ = ["leaderboard", "list_", "prepare"]


@click.command("list")
@source_options
@json_flag
def list_(sources: Sources, as_json: bool) -> None:
    """List the submissions found, without executing any."""
    from ntire_bench.cli import terminal, wording

    catalogue = open_catalogue(sources)
    if as_json:
        print_json(
            {
                "models": relative(catalogue.models),
                "submissions": [
                    {
                        "id": item.id,
                        "name": item.name,
                        "file": relative(item.file),
                        "checkpoint": None if item.checkpoint is None else relative(item.checkpoint),
                        "declaration": vars(item.declaration),
                        "build_model": item.has_build_model,
                        "branch": wording.branch_document(item.branch),
                    }
                    for item in catalogue.submissions.values()
                ],
                "problems": [
                    {"id": item.id, "name": item.name, "message": str(item.error)}
                    for item in catalogue.problems.values()
                ],
                "ignored": list(catalogue.ignored),
            }
        )
        return
    for line in wording.catalogue_lines(catalogue):
        terminal.show(line)


@click.command()
@results_folder
@protocol_option
@channel_option
@click.option(
    "--format",
    "fmt",
    type=click.Choice(["table", "md", "csv", "json", "latex", "html", "challenge"]),
    default="table",
    show_default=True,
    help="What to write; challenge: its results.txt, with RGB PSNR.",
)
@click.option("--reference", help="Show a published table instead: ntire2024.")
@click.option(
    "--device",
    "device",
    help="Rank the records of this class: a part of the device's name, or of what else they were measured "
    'with, such as "torch 2.11".',
)
@click.option(
    "--verify",
    "key",
    type=PATH,
    metavar="KEY",
    help="Rank only records that are signed with this public key.",
)
@click.option("--output", "-o", type=PATH, help="File to write instead of standard output.")
@json_flag
def leaderboard(
    results: Path,
    protocol_name: str | None,
    channel: Channel | None,
    fmt: Format,
    reference: str | None,
    device: str | None,
    key: Path | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Rank the stored records, or show a published table."""
    from ntire_bench.challenge_results import table
    from ntire_bench.cli import terminal
    from ntire_bench.ranking.board import board_from_reference
    from ntire_bench.reporting.render import render

    board = (
        board_from_reference(reference)
        if reference
        else stored_board(results, protocol_name, channel, device, key)
    )
    if not reference and not results.is_dir():
        terminal.tell(f"There is no folder {relative(results)}: nothing has been evaluated yet.")
    chosen: Format = "json" if as_json else fmt
    if chosen == "table" and output is None:
        show_board(board)
        return
    text = render(board, chosen)
    if chosen == "challenge":
        for remark in table.remarks(board):
            terminal.tell(remark)
    if output is None:
        click.echo(text.rstrip("\n"))
    else:
        write(output, text)
        terminal.tell(f"written: {relative(output)}")


@click.command()
@click.argument("hr_dir", type=PATH)
@click.option(
    "--output", "-o", "lr_dir", type=PATH, help="Folder for the LR images.  [default: beside HR_DIR]"
)
@click.option("--scale", type=click.IntRange(2, 4), default=4, show_default=True)
@click.option("--force", is_flag=True, help="Replace LR images that are there already.")
@json_flag
def prepare(hr_dir: Path, lr_dir: Path | None, scale: int, force: bool, as_json: bool) -> None:
    """Make LR images from HR images as MATLAB's imresize does, bit for bit."""
    from ntire_bench.cli import terminal
    from ntire_bench.data.prepare import folder_beside
    from ntire_bench.data.prepare import prepare as make

    target = lr_dir or folder_beside(hr_dir)
    kept: list[Path] = []
    with (
        interruptible(
            lambda: f"{len(kept)} LR images are in {relative(target)}. The same command makes the others.",
            as_json=as_json,
            document=lambda: {"lr_dir": relative(target), "written": [relative(path) for path in kept]},
        ),
        terminal.progress_bar() as progress,
    ):
        written = make(
            hr_dir,
            target,
            scale,
            lambda done, total: progress("LR images", done, total),
            replace=force,
            kept=kept.append,
        )
    if as_json:
        print_json({"lr_dir": relative(target), "written": [relative(path) for path in written]})
    else:
        terminal.show(f"{len(written)} LR images in {relative(target)}")
