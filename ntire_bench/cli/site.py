"""What `leaderboard --format site` takes beside a folder, and what it says when the folder is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ntire_bench.cli.interrupted import interruptible
from ntire_bench.cli.options import PATH, options, taken_as
from ntire_bench.cli.output import print_json
from ntire_bench.errors import UsageError
from ntire_bench.text import few, relative

if TYPE_CHECKING:
    from ntire_bench.ranking.board import Board
    from ntire_bench.reporting.among import Among

__all__ = ["Comparison", "comparison_options", "refuse_comparison", "write_site"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Which SR images a site compares.

    Attributes:
        sr_dir: Folder that `run --save-dir` filled; None for no comparison.
        hr_dir: Folder of the data sets, for their HR images.
        compared: How many images are compared.
    """

    sr_dir: Path | None
    hr_dir: Path | None
    compared: int


comparison_options = options(
    click.option(
        "--sr-dir",
        type=PATH,
        help="With --format site: the folder that run --save-dir filled; images are compared side by side.",
    ),
    click.option(
        "--data-dir",
        "hr_dir",
        type=PATH,
        help="With --sr-dir: the folder of DIV2K_LSDIR_valid_HR and the like.",
    ),
    click.option(
        "--compared",
        type=click.IntRange(1, 100),
        default=8,
        show_default=True,
        help="With --sr-dir: how many images are compared.",
    ),
    taken_as("comparison", Comparison),
)


def refuse_comparison(comparison: Comparison) -> None:
    """Refuse images where no site is written: a user who names them waits for a comparison.

    Raises:
        UsageError: A folder of images is named.
    """
    for name, given in (("--sr-dir", comparison.sr_dir), ("--data-dir", comparison.hr_dir)):
        if given is not None:
            raise UsageError(
                f"{name} is for the pages of a site", remedy="add --format site, or leave it out"
            )


def write_site(
    board: Board, folder: Path | None, comparison: Comparison, among: Among | None, *, as_json: bool
) -> None:
    """Write a board as a folder of pages, and say where it is; nothing where there is nothing to rank.

    Args:
        board: The ranking.
        folder: What --output names.
        comparison: SR images to compare.
        among: The board's rows among those of a reference, for a page of their own.
        as_json: Whether a document is printed.

    Raises:
        UsageError: There is no folder, or options do not fit together; and see `site.write_site`.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.reporting.site import site

    if folder is None:
        raise UsageError("a site is a folder, and none is named", remedy="name one with --output FOLDER")
    if not board.rows:  # what to do about it is told by the command
        if as_json:
            print_json({"site": None, "complete": False, "index": None, "team_pages": 0})
        return
    images = None
    if comparison.sr_dir is not None:
        if comparison.hr_dir is None and not board.sample:
            raise UsageError(
                "SR images are compared with their HR images, and no folder of these is named",
                remedy="name it with --data-dir, as for run",
            )
        images = site.SrImages(sr_dir=comparison.sr_dir, data_dir=comparison.hr_dir, most=comparison.compared)
    elif comparison.hr_dir is not None:
        raise UsageError(
            "--data-dir serves the comparison of SR images, and none are named",
            remedy="name the folder that run --save-dir filled with --sr-dir",
        )
    with (
        interruptible(
            lambda: f"the site in {relative(folder)} is not complete. The same command writes it anew.",
            as_json=as_json,
            document=lambda: {"site": relative(folder), "complete": False},
        ),
        terminal.progress_bar() as progress,
    ):
        written = site.write_site(
            board, folder, made=datetime.now(timezone.utc), images=images, among=among, progress=progress
        )
    if as_json:
        print_json(
            {
                "site": relative(folder),
                "complete": True,
                "index": relative(written.index),
                "team_pages": written.teams,
                "among": None if among is None else relative(folder / "among.html"),
                "compared_images": written.images,
                "not_shown": list(written.problems),
            }
        )
    if written.problems:
        told = few([text.rstrip(".") for text in written.problems], 3, between="; ")
        terminal.tell(f"SR images that are not shown: {told}.")
    terminal.tell(f"written: {relative(written.index)}")
