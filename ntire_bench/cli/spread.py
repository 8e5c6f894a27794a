"""`run` with an engine: the campaign on several GPUs or nodes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ntire_bench import interruption
from ntire_bench.cli.evaluation import Request
from ntire_bench.cli.given import asked_for, job_options
from ntire_bench.cli.interrupted import interruptible, same_with
from ntire_bench.cli.options import PATH, options, taken_as
from ntire_bench.cli.output import print_json, show_board
from ntire_bench.cli.sources import is_given
from ntire_bench.errors import UsageError
from ntire_bench.text import relative, utc

if TYPE_CHECKING:
    from ntire_bench.fleet.driver import Driver, Team
    from ntire_bench.fleet.settings import FleetSettings
    from ntire_bench.ranking.board import Board
    from ntire_bench.records.record import Record
    from ntire_bench.submissions.catalogue import Catalogue

__all__ = ["Spread", "fleet_option", "job_words", "refuse_for_jobs", "run_spread", "spread_options"]

_REDRAW_S = 2.0
_ISOLATION = {"isolation": "required"}  # a job's, unless the user names another level


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How a campaign is spread; see `fleet.settings.read`."""

    engine: str | None
    engine_options: tuple[str, ...]
    jobs: int | None
    fleet: Path | None
    cancel: bool

    def settings(self) -> FleetSettings:
        """Return the settings.

        Raises:
            UsageError: A key is not there, or a value does not fit it, or options go with no engine.
        """
        from ntire_bench.fleet import settings

        found = settings.read(self.fleet, self.engine, self.engine_options, self.jobs)
        if found.engine is None and (self.jobs is not None or self.cancel):
            which = "--jobs" if self.jobs is not None else "--cancel"
            raise UsageError(f"{which} goes with an engine", remedy="name one: --engine local or slurm")
        return found


fleet_option = click.option(
    "--fleet", type=PATH, metavar="FILE", help="TOML file that says how a campaign is spread."
)
spread_options = options(
    click.option(
        "--engine",
        type=click.Choice(["local", "slurm"]),
        help="Spread the evaluations over this machine's GPUs or sets of cores, or a Slurm cluster.",
    ),
    click.option(
        "--engine-option",
        "engine_options",
        metavar="KEY=VALUE",
        multiple=True,
        help="A setting of the engine, such as gres=gpu:a100:1; above the file's.",
    ),
    click.option("--jobs", type=click.IntRange(1), metavar="N", help="At most so many evaluations at once."),
    fleet_option,
    click.option("--cancel", is_flag=True, help="On Ctrl-C end the jobs too; without it they go on."),
    taken_as("spread", Spread),
)


def refuse_for_jobs(request: Request) -> None:
    """Refuse what cannot hold for a job on a node that is not known yet.

    Raises:
        UsageError: A GPU is named by its number, or the isolation is left to the node.
    """
    if ":" in request.machine.device:
        raise UsageError(
            f"--device {request.machine.device} does not go with jobs",
            expected="auto, cpu or cuda",
            remedy="the engine says which GPU each job has",
        )
    if is_given("isolation") and request.machine.isolation == "auto":
        raise UsageError(
            "--isolation auto does not go with jobs: nobody looks at what a node gives",
            remedy="leave it out for `required`, or name the level that is enough: L0, L1, L2 or L3",
        )


def job_words(program: Sequence[str], id_: int, results: Path) -> tuple[str, ...]:
    """Return the command that evaluates a team as the user asked for.

    Args:
        program: What stands for `ntire-bench`.
        id_: The team's.
        results: Folder of the records.
    """
    from ntire_bench.fleet.job import command

    context = click.get_current_context()
    return command(program, id_, job_options(context, results=str(results), **_ISOLATION))


def run_spread(
    catalogue: Catalogue,
    wanted: Sequence[int],
    request: Request,
    results: Path,
    settings: FleetSettings,
    *,
    cancel: bool,
    as_json: bool,
    board: Callable[[Record | None], Board],
) -> bool:
    """Have every submission evaluated somewhere, and print what came of it.

    Args:
        catalogue: What there is.
        wanted: What is to be evaluated.
        request: What the user asks for.
        results: Folder of the records, which all nodes share.
        settings: With an engine.
        cancel: Whether Ctrl-C ends the jobs.
        as_json: Whether the command has --json.
        board: Returns the leaderboard; is given a record of this campaign.

    Returns:
        Whether all succeeded and none was rejected.
    """
    from ntire_bench.claims.desk import Desk
    from ntire_bench.cli import terminal, wording
    from ntire_bench.cli.status_table import Live, document, summary
    from ntire_bench.fleet import progress
    from ntire_bench.records import store
    from ntire_bench.records.accepted import load_accepted, rejections
    from ntire_bench.reporting.export import document as board_document

    refuse_for_jobs(request)
    desk = Desk(results)
    driver = _driver(catalogue, wanted, request, desk, settings, terminal.tell)
    labels = [team.label for team in driver.teams]
    progress.announce(
        results,
        progress.Campaign(teams=tuple(labels), engine=driver.engine.name, started_utc=utc()),
    )

    def records() -> list[tuple[Path, Record]]:
        paths = [results / driver.finished[label] for label in labels if label in driver.finished]
        return [(path, store.load_head(path)) for path in paths]

    def whole() -> dict[str, Any]:
        made = records()
        good = next((record for _, record in made if not record.error), None)
        return {
            **document(results, progress.states(desk, labels)),
            "records": [{"path": relative(path), "record": store.load(path)} for path, _ in made],
            "leaderboard": board_document(board(good)),
        }

    def told() -> str:
        handles = driver.active_handles()
        text = f"{len(driver.finished)} of {len(labels)} evaluations made and kept. "
        if handles and cancel:
            text += f"{len(handles)} jobs are cancelled. "
        elif handles:
            text += f"{len(handles)} jobs go on; to end them: {driver.engine.how_to_cancel(handles)}. "
        return text + f"Go on with: {same_with('--resume')}"

    with interruptible(told, as_json=as_json, document=whole):
        driver.begin()
        shown = set(driver.finished)
        if shown:
            terminal.tell(f"{len(shown)} of {len(labels)} are done already.")
        with Live() as live:
            try:
                _drive(driver, shown, live, lambda: progress.states(desk, labels), wording.record_line)
            except BaseException as error:
                if cancel and interruption.number_of(error) is not None:
                    driver.engine.cancel(driver.active_handles())
                raise
        made = records()
        if as_json:
            print_json(whole())
        else:
            show_board(board(next((record for _, record in made if not record.error), None)))
            terminal.tell(summary(progress.states(desk, labels)))
    return not any(record.error or rejections(record, load_accepted(path.parent)[0]) for path, record in made)


def _drive(
    driver: Driver,
    shown: set[str],
    live: Any,  # noqa: ANN401 - of status_table, which is imported late
    states: Callable[[], Any],
    line: Callable[[Record], str],
) -> None:
    """Look at the jobs until all are done, and show how far they are."""
    from ntire_bench.records import store

    drawn = 0.0
    while True:
        over = driver.step()
        for label in [label for label in driver.finished if label not in shown]:
            shown.add(label)
            record = store.load_head(driver.desk.results / driver.finished[label])
            live.tell(line(record), style="red" if record.error else None)
        shown &= set(driver.finished)  # one that is run again elsewhere is told again
        if over:
            return
        if live.is_shown and time.monotonic() - drawn > _REDRAW_S:
            live.show(states())
            drawn = time.monotonic()
        time.sleep(driver.engine.look_s)


def _driver(
    catalogue: Catalogue,
    wanted: Sequence[int],
    request: Request,
    desk: Any,  # noqa: ANN401 - of claims, which is imported late
    settings: FleetSettings,
    tell: Callable[[str], None],
) -> Driver:
    """Return what asks for the jobs."""
    import sys

    from ntire_bench.fleet.anchor import Anchors
    from ntire_bench.fleet.driver import Driver, Team
    from ntire_bench.fleet.engines import engine_for
    from ntire_bench.workflows.claimed import digest_of
    from ntire_bench.workflows.lost_job import same_baseline, store_lost

    context = click.get_current_context()
    asked = asked_for(context, **_ISOLATION)
    program = settings.program or (sys.executable, "-m", "ntire_bench")
    items = {id_: catalogue.entry(id_) for id_ in wanted}
    teams = [
        Team(
            id=id_,
            label=item.label,
            digest=digest_of(item, asked),
            words=job_words(program, id_, desk.results),
        )
        for id_, item in items.items()
    ]
    anchors = Anchors(desk, settings.anchor)
    counts = same_baseline(catalogue, desk.results)

    def lost(team: Team, ends: Sequence[str]) -> None:
        like = next((desk.results / record for record in driver.finished.values()), None)
        store_lost(items[team.id], ends, desk, team.digest, request.protocol_name, request.channel, like)

    driver = Driver(
        teams=teams,
        desk=desk,
        engine=engine_for(settings, desk.results, request.machine.device, tell),
        counts=lambda team, path: counts(path),
        lost=lost,
        odd_nodes=lambda records, all_done: anchors.leave_out(records, all_done=all_done),
        again=settings.again,
        tell=tell,
    )
    return driver
