"""The command run."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ntire_bench.cli.evaluation import _choose_data, _evaluation_options, _interruptible, _refuse_unknown
from ntire_bench.cli.options import (
    PATH,
    Effort,
    IsolationWanted,
    channel_option,
    data_options,
    json_flag,
    machine,
    protocol_option,
    results_folder,
    see_that_it_can_measure,
)
from ntire_bench.cli.options import effort as effort_options
from ntire_bench.cli.output import print_json, show_board, stored_board
from ntire_bench.cli.sources import baseline_options, open_catalogue, sources, tell_baseline
from ntire_bench.errors import UsageError
from ntire_bench.text import relative

if TYPE_CHECKING:
    pass

__all__ = ["DefaultId", "run"]

_SAVE_DIR = "results"  # as in the challenge's scripts


@dataclass(frozen=True)
class DefaultId:
    """The id that `run` takes where none is named: test_demo.py has one, as the challenge's has."""

    id: int


@click.command()
@click.argument("ids", nargs=-1, type=click.IntRange(0), metavar="[ID]...")
@click.option("--model-id", "model_ids", type=click.IntRange(0), multiple=True, help="Same as ID.")
@click.option("--all", "everything", is_flag=True, help="Evaluate every submission there is.")
@click.option("--resume", is_flag=True, help="Leave out what an earlier run has done.")
@data_options
@click.option("--save-dir", type=PATH, help="Keep SR images, in this folder.")
@click.option(
    "--save-images", is_flag=True, help=f"Keep SR images, in {_SAVE_DIR}/ unless --save-dir is given."
)
@click.option("--ssim", is_flag=True, help="Compute SSIM too.")
@effort_options
@protocol_option
@channel_option
@machine
@sources
@baseline_options
@results_folder
@json_flag
def run(
    ids: tuple[int, ...],
    model_ids: tuple[int, ...],
    everything: bool,
    resume: bool,
    data_dir: Path | None,
    splits: str | None,
    include_test: bool,
    save_dir: Path | None,
    save_images: bool,
    ssim: bool,
    effort: Effort,
    protocol_name: str | None,
    channel: str | None,
    device: str,
    isolation: IsolationWanted,
    models: Path,
    model_zoo: Path,
    challenge_root: Path | None,
    baseline_choice: str | None,
    baseline_dir: Path | None,
    results: Path,
    as_json: bool,
) -> None:
    """Evaluate submissions, store a record of each, and print the leaderboard.

    Exit status: 0 all succeeded, 1 one failed, 2 wrong use or unfit images, 130 interrupted.
    """
    see_that_it_can_measure()
    from ntire_bench.cli import terminal, wording
    from ntire_bench.ranking import selection
    from ntire_bench.records import store
    from ntire_bench.reporting.export import document
    from ntire_bench.submissions.zoo import unfetched
    from ntire_bench.workflows import campaign

    if save_images and save_dir is None:
        save_dir = Path(_SAVE_DIR)
    catalogue = open_catalogue(models, model_zoo, challenge_root, baseline_choice, baseline_dir)
    default = click.get_current_context().find_object(DefaultId)
    wanted = list(dict.fromkeys([*ids, *model_ids])) or ([default.id] if default else [])
    if everything:
        if ids or model_ids:
            raise UsageError("both IDs and --all are given", remedy="give one of them")
        # The examples of models/ whose published checkpoints nobody has fetched are no failures.
        left = unfetched(catalogue)
        if left:
            names = ", ".join(f"{item.id:02d}_{item.name}" for item in left)
            pull = " ".join(str(item.id) for item in left)
            terminal.show(f"Left out, not fetched: {names} (ntire-bench zoo pull {pull})", stderr=True)
        everyone = {*catalogue.submissions, *catalogue.problems}
        wanted = sorted(everyone - {item.id for item in left})
    if not wanted:
        what = "there is no submission to evaluate" if everything else "no submission is named"
        remedy = "give an ID (--model_id 0), or --all; `ntire-bench list` shows what there is"
        raise UsageError(what, remedy=remedy)
    _refuse_unknown(catalogue, wanted)
    outcomes: list[campaign.Outcome] = []
    passed_over: list[Path] = []

    def skipped(label: str, path: Path) -> None:
        passed_over.append(path)
        terminal.show(f"{label}  done already: {relative(path)}", stderr=True)

    for folder in (results, save_dir):  # before anything is measured that could not be kept
        if folder is not None:
            store.check_writable(folder)
    data = _choose_data(splits, include_test, data_dir, protocol_name)
    options = _evaluation_options(data, effort, channel, device, ssim, save_dir, isolation)
    if data.sample:
        terminal.show(wording.SAMPLE, stderr=True)
    with _interruptible(
        lambda: f"{len(outcomes)} of {len(wanted)} evaluations made and kept", resumable=True
    ):
        with terminal.progress_bar() as progress:
            for outcome in campaign.run(
                catalogue,
                wanted,
                data,
                options,
                results,
                resume=resume,
                progress=progress,
                skipped=skipped,
                inferred=tell_baseline,
            ):
                outcomes.append(outcome)
                style = "red" if outcome.record.error else None
                terminal.show(wording.record_line(outcome.record), stderr=True, style=style)
    known = [o.record.environment for o in outcomes if not o.record.error and o.record.environment]
    measured_on = str(selection.device_of(known[0])) if known else None
    board = stored_board(results, data.protocol.name, channel, measured_on)
    if as_json:
        print_json(
            {
                "records": [{"path": relative(item.path), "record": item.record} for item in outcomes],
                "already_done": [relative(path) for path in passed_over],
                "leaderboard": document(board),
            }
        )
    else:
        show_board(board)
        for item in outcomes:
            terminal.show(f"record: {relative(item.path)}", stderr=True)
    sys.exit(1 if any(item.record.error for item in outcomes) else 0)
