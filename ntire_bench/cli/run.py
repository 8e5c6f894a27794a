"""The command run."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ntire_bench.cli.evaluation import (
    Request,
    images_and_options,
    refuse_unknown,
    taken_as_request,
)
from ntire_bench.cli.given import asked_for
from ntire_bench.cli.interrupted import interruptible, same_with
from ntire_bench.cli.options import (
    PATH,
    DefaultId,
    Effort,
    channel_option,
    effort_options,
    image_options,
    json_flag,
    machine_options,
    options,
    protocol_option,
    results_folder,
    see_that_it_can_measure,
)
from ntire_bench.cli.output import print_json, show_board, stored_board
from ntire_bench.cli.sources import open_catalogue, sources_and_baseline, tell_baseline
from ntire_bench.cli.spread import Spread, run_spread, spread_options
from ntire_bench.errors import MeasurementError, SubmissionError, UsageError
from ntire_bench.text import relative

if TYPE_CHECKING:
    from ntire_bench.claims.turn import Turn
    from ntire_bench.ranking.board import Board
    from ntire_bench.records.record import Record
    from ntire_bench.records.store import Stored
    from ntire_bench.submissions.catalogue import Catalogue
    from ntire_bench.workflows.campaign import Evaluated
    from ntire_bench.workflows.estimate import Estimate

__all__ = ["run", "run_options", "wanted_ids"]

_SAVE_DIR = "results"  # as in the challenge's scripts


# What an evaluation is; `jobs` has them too.
run_options = options(
    click.argument("teams", nargs=-1, metavar="[ID]..."),
    click.option("--model-id", "model_ids", metavar="ID", multiple=True, help="Same as ID."),
    click.option("--all", "everything", is_flag=True, help="Evaluate every submission there is."),
    image_options,
    click.option("--save-dir", type=PATH, help="Keep SR images, in this folder."),
    click.option(
        "--save-images", is_flag=True, help=f"Keep SR images, in {_SAVE_DIR}/ unless --save-dir is given."
    ),
    click.option("--ssim", is_flag=True, help="Compute SSIM too."),
    click.option(
        "--sign", "key", type=PATH, metavar="KEY", help="Sign each record with this key; see keygen."
    ),
    effort_options,
    protocol_option,
    channel_option,
    machine_options,
    sources_and_baseline,
    results_folder,
)


@click.command()
@run_options
@click.option(
    "--resume",
    is_flag=True,
    help="Leave out what an earlier run has done and is believed, and what somebody else does now.",
)
@spread_options
@json_flag
@taken_as_request
def run(
    teams: tuple[str, ...],
    model_ids: tuple[str, ...],
    everything: bool,
    resume: bool,
    save_dir: Path | None,
    save_images: bool,
    ssim: bool,
    key: Path | None,
    effort: Effort,
    request: Request,
    results: Path,
    spread: Spread,
    as_json: bool,
) -> None:
    """Evaluate submissions, store a record of each, and print the leaderboard.

    With --engine, each is evaluated by a job of its own; what is done is left out, as by --resume.

    Exit status: 0 all succeeded, 1 one failed or is rejected, one that --resume leaves out too, 2 wrong use
    or unfit images; 130, 143, 129 ended by Ctrl-C, SIGTERM, SIGHUP.
    """
    see_that_it_can_measure()
    from ntire_bench.claims.desk import Desk
    from ntire_bench.cli import terminal, wording
    from ntire_bench.ranking.device_class import class_of
    from ntire_bench.records import store
    from ntire_bench.records.signing import PrivateKey
    from ntire_bench.reporting.export import document
    from ntire_bench.workflows import campaign
    from ntire_bench.workflows.claimed import Claims
    from ntire_bench.workflows.foresee import foresee

    if save_images and save_dir is None:
        save_dir = Path(_SAVE_DIR)
    settings = spread.settings()
    catalogue = open_catalogue(request.sources)
    wanted = wanted_ids(catalogue, [*teams, *model_ids], everything)
    refuse_unknown(catalogue, wanted)
    for folder in (results, save_dir):  # before anything is measured that could not be kept
        if folder is not None:
            store.check_writable(folder)
    sign = PrivateKey(key).sign if key is not None else None
    if settings.engine is not None:
        good = run_spread(
            catalogue,
            wanted,
            request,
            results,
            settings,
            cancel=spread.cancel,
            as_json=as_json,
            board=functools.partial(_board_like, results, request),
        )
        sys.exit(0 if good else 1)
    data, how = images_and_options(request, effort, ssim=ssim, save_dir=save_dir)
    if everything:
        foreseen = functools.partial(foresee, catalogue, wanted, data, how, results, resume=resume)
        _tell_estimate(foreseen, results, save_dir)

    evaluated: list[campaign.Evaluated] = []
    passed_over: list[Stored] = []
    elsewhere: list[dict[str, str]] = []

    def skipped(label: str, done: Stored) -> None:
        passed_over.append(done)
        terminal.tell(wording.done_line(label, done))

    def busy(label: str, turn: Turn) -> None:
        claim = turn.claim
        elsewhere.append({"team": label, "node": claim.node, "since": claim.start_utc})
        terminal.tell(f"{label}  is being evaluated on {claim.node} since {claim.start_utc}: left out")

    def lost(label: str) -> None:
        elsewhere.append({"team": label, "node": "", "since": ""})
        terminal.tell(f"{label}  was taken over by another machine, as nothing was heard: nothing is stored")

    def board() -> Board:
        known = [item.record.environment for item in evaluated if not item.record.error]
        measured_on = next((str(class_of(one)) for one in known if one is not None), None)
        rules = request.protocol_name or data.protocol.name
        return stored_board(results, rules, request.channel, measured_on)

    def what_there_is() -> dict[str, Any]:
        return {
            "records": [{"path": relative(item.path), "record": item.record} for item in evaluated],
            "already_done": [relative(item.path) for item in passed_over],
            "elsewhere": elsewhere,
            "leaderboard": document(board()),
        }

    def told() -> str:
        counted = f"{len(evaluated) + len(passed_over)} of {len(wanted)} evaluations made and kept"
        return f"{counted}. Go on with: {same_with('--resume')}"

    claims = Claims(Desk(results), asked_for(click.get_current_context()), busy, lost) if resume else None
    with interruptible(told, as_json=as_json, document=what_there_is):
        with terminal.progress_bars() as progress:
            for item in campaign.run(
                catalogue,
                wanted,
                data,
                how,
                results,
                resume=resume,
                progress=progress,
                skipped=skipped,
                inferred=tell_baseline,
                kept=evaluated.append,
                sign=sign,
                claims=claims,
            ):
                style = "red" if item.record.error else None
                terminal.tell(wording.record_line(item.record), style=style)
        if as_json:
            print_json(what_there_is())
        else:
            show_board(board())
            for item in evaluated:
                terminal.tell(f"record: {relative(item.path)}")
    failed = any(item.record.error for item in evaluated)
    looked_at: list[Evaluated | Stored] = [*evaluated, *passed_over]
    rejected = any(map(_is_rejected, looked_at))
    sys.exit(1 if failed or rejected else 0)


def _board_like(results: Path, request: Request, record: Record | None) -> Board:
    """Return the leaderboard of records like one: of its rules, and measured as it was."""
    from ntire_bench.ranking.device_class import class_of

    rules = request.protocol_name or (None if record is None else record.protocol.name)
    environment = None if record is None else record.environment
    measured_on = None if environment is None else str(class_of(environment))
    return stored_board(results, rules, request.channel, measured_on)


def _is_rejected(item: Evaluated | Stored) -> bool:
    """Say whether an evaluation has a finding for which it has no rank, and that nobody has accepted."""
    from ntire_bench.records.accepted import load_accepted, rejections

    return bool(rejections(item.record, load_accepted(item.path.parent)[0]))


def _tell_estimate(foreseen: Callable[[], Estimate | None], results: Path, save_dir: Path | None) -> None:
    """Say what a run of all submissions will take, before it begins.

    Args:
        foreseen: Returns the estimate.
        results: Folder of the records.
        save_dir: Folder of the SR images; None where none are kept.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.workflows.estimate import told

    try:
        found = foreseen()
    except (MeasurementError, SubmissionError) as error:  # of the baseline; what runs next says so too
        terminal.tell(f"How long this will take cannot be told: {error}")
        return
    for line in told(found, results, save_dir) if found is not None else ():
        terminal.tell(line)


def wanted_ids(catalogue: Catalogue, named: Sequence[str], everything: bool) -> list[int]:
    """Return the ids that are to be evaluated, each once.

    Args:
        catalogue: What there is.
        named: What the user names, each by its id, its name or its file.
        everything: Whether the user asks for all there are.

    Raises:
        UsageError: None is, both ways are taken to name them, or there is none of a name.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.submissions.zoo import unfetched

    if everything and named:
        raise UsageError("both IDs and --all are given", remedy="give one of them")
    if everything:
        # The examples of models/ whose published checkpoints nobody has fetched are no failures.
        left = unfetched(catalogue)
        if left:
            names = ", ".join(item.label for item in left)
            pull = " ".join(str(item.id) for item in left)
            terminal.tell(f"Left out, not fetched: {names} (ntire-bench zoo pull {pull})")
        wanted = [id_ for id_ in catalogue.entries if id_ not in {item.id for item in left}]
    else:
        default = click.get_current_context().find_object(DefaultId)
        wanted = list(dict.fromkeys(map(catalogue.id_of, named))) or ([default.id] if default else [])
    if not wanted:
        what = "there is no submission to evaluate" if everything else "no submission is named"
        remedy = "give an ID (--model_id 0), or --all; `ntire-bench list` shows what there is"
        raise UsageError(what, remedy=remedy)
    return wanted
