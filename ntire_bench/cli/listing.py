"""The commands list and prepare, which run no submission."""

from __future__ import annotations

from pathlib import Path

import click

from ntire_bench.cli.interrupted import interruptible
from ntire_bench.cli.options import PATH, json_flag
from ntire_bench.cli.output import print_json
from ntire_bench.cli.sources import Sources, is_given, open_catalogue, source_options
from ntire_bench.errors import UsageError
from ntire_bench.text import relative

__all__ = ["list_", "prepare"]


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
@click.argument("hr_dir", type=PATH)
@click.option(
    "--output", "-o", "lr_dir", type=PATH, help="Folder for the LR images.  [default: beside HR_DIR]"
)
@click.option(
    "--scale", type=click.IntRange(2, 4), default=4, show_default=True, help="HR size over LR size."
)
@click.option(
    "--noise",
    type=click.FloatRange(0, 255, min_open=True),
    metavar="SIGMA",
    help="For denoising: add white Gaussian noise of so many 8-bit levels, and keep the size.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the noise.")
@click.option("--force", is_flag=True, help="Replace LR images that are there already.")
@json_flag
def prepare(
    hr_dir: Path,
    lr_dir: Path | None,
    scale: int,
    noise: float | None,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Make LR images from HR images as MATLAB's imresize does, bit for bit.

    With --noise 50, make the noisy images of a denoising challenge instead: noise is added, clipped and
    rounded to 8 bits. The same seed and file name give the same image on every machine. They go to
    NAME_noise50.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.data.prepare import folder_beside
    from ntire_bench.data.prepare import prepare as make

    if noise is not None and is_given("scale"):
        raise UsageError(
            "--noise and --scale are both given", remedy="leave --scale out: noisy images keep the size"
        )
    if noise is None and is_given("seed"):
        raise UsageError("--seed is of the noise", remedy="add --noise 50, or leave --seed out")
    target = lr_dir or folder_beside(hr_dir, noise)
    kind = "LR" if noise is None else "noisy"
    kept: list[Path] = []
    with (
        interruptible(
            lambda: (
                f"{len(kept)} {kind} images are in {relative(target)}. The same command makes the others."
            ),
            as_json=as_json,
            document=lambda: {"lr_dir": relative(target), "written": [relative(path) for path in kept]},
        ),
        terminal.progress_bar() as progress,
    ):
        written = make(
            hr_dir,
            target,
            scale if noise is None else 1,
            lambda done, total: progress(f"{kind} images", done, total),
            replace=force,
            kept=kept.append,
            noise=noise,
            seed=seed,
        )
    if as_json:
        print_json({"lr_dir": relative(target), "written": [relative(path) for path in written]})
    else:
        terminal.show(f"{len(written)} {kind} images in {relative(target)}")
