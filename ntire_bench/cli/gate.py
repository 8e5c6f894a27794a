"""The command gate."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ntire_bench import interruption
from ntire_bench.cli.anew import threshold_option
from ntire_bench.cli.evaluation import Request, taken_as_request
from ntire_bench.cli.gate_runs import Wanted, changed_ids, judge_fresh, judge_record
from ntire_bench.cli.interrupted import interruptible
from ntire_bench.cli.options import (
    PATH,
    RESULTS,
    channel_option,
    image_options,
    json_flag,
    machine_options,
    options,
    protocol_option,
    see_that_it_can_measure,
    taken_as,
)
from ntire_bench.cli.output import print_json, write
from ntire_bench.cli.share import SHARE
from ntire_bench.cli.sources import open_catalogue, sources_and_baseline
from ntire_bench.errors import UsageError
from ntire_bench.ranking.limits import Limits
from ntire_bench.text import relative

if TYPE_CHECKING:
    from ntire_bench.reporting.gate_reports import Judged

__all__ = ["gate"]

_LEAST_ROUNDS = 2  # that have an interval
_limits = options(
    click.option(
        "--max-params-growth", "params", type=SHARE, help="Most growth of the parameters, such as 2%."
    ),
    click.option("--max-flops-growth", "flops", type=SHARE, help="Most growth of the FLOPs."),
    click.option("--max-runtime-growth", "runtime", type=SHARE, help="Most growth of the runtime."),
    click.option(
        "--max-psnr-drop",
        "psnr_db",
        type=click.FloatRange(0),
        metavar="DB",
        help="Most loss of mean PSNR [dB].",
    ),
    taken_as("limits", Limits),
)


@click.command()
@click.argument("teams", nargs=-1, metavar="[ID]...")
@click.option("--record", "record_file", type=PATH, help="Judge this record instead of evaluating.")
@click.option(
    "--changed",
    metavar="BASE",
    help="Judge what changed in git since BASE in the model and checkpoint folders, and compare it with "
    "its version there.",
)
@click.option("--against", metavar="BASE", help="Compare IDs with their versions in this branch or commit.")
@_limits
@threshold_option("Judge by another threshold, such as valid=26.9.")
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Rounds of the comparison with BASE; PSNR takes one.",
)
@click.option("--junit", type=PATH, help="Write the answers as JUnit XML too.")
@click.option("--results", type=PATH, help="Store records, in this folder.  [default: none]")
@click.option(
    "--accepted",
    "accepted_in",
    type=PATH,
    help="Folder of records beside which an organizer's words lie (see `accept`).  "
    "[default: leaderboard/results; with --changed none, as a change may bring such words]",
)
@click.option("--save-dir", type=PATH, help="Keep SR images, in this folder.  [default: none]")
@image_options
@protocol_option
@channel_option
@machine_options
@sources_and_baseline
@json_flag
@taken_as_request
def gate(
    teams: tuple[str, ...],
    record_file: Path | None,
    changed: str | None,
    against: str | None,
    limits: Limits,
    thresholds: dict[str, float],
    rounds: int,
    junit: Path | None,
    results: Path | None,
    accepted_in: Path | None,
    save_dir: Path | None,
    request: Request,
    as_json: bool,
) -> None:
    """Say whether submissions keep the PSNR thresholds, from a fresh one-round run or a stored record.

    With --changed or --against, each is run beside its version in BASE too: how parameters, FLOPs, runtime
    and PSNR changed is shown, and may be limited. What an organizer has accepted with `accept` counts: beside
    the record, or in --accepted. On GitHub, problems are annotated at their files, and a summary
    is added to the page of the run.

    Exit status: 0 pass, 1 below a threshold, rejected or over a limit, 2 could not be judged; of several, the
    worst. 130, 143, 129 ended by Ctrl-C, SIGTERM, SIGHUP.
    """
    from ntire_bench.cli import terminal, wording

    if [bool(teams), record_file is not None, changed is not None].count(True) != 1:
        remedy = "give one of: IDs, --record FILE, --changed BASE"
        raise UsageError("what is to be judged is not clear", remedy=remedy)
    _refuse_contradictions(record_file, changed, against, limits, request, results, save_dir)
    if limits.runtime is not None and rounds < _LEAST_ROUNDS:
        raise UsageError(
            "one round gives no interval of the runtime, and its limit could not be decided",
            found=f"--rounds {rounds} and --max-runtime-growth",
            remedy=f"give --rounds {_LEAST_ROUNDS} or more, or leave --max-runtime-growth out",
        )
    strays: list[str] = []
    judged: list[Judged] = []

    def documents() -> dict[str, Any]:
        return {"gates": [item.document() for item in judged], "strays": strays}

    if record_file is not None:
        judged.append(judge_record(record_file, request, thresholds))
    else:
        see_that_it_can_measure()
        from ntire_bench.submissions.changed import base_commit

        # What changed in a checkout is asked of that checkout: no examples stand in for its folders.
        catalogue = open_catalogue(request.sources, examples=changed is None)
        wanted = list(dict.fromkeys(map(catalogue.id_of, teams)))
        if changed is not None:
            wanted, strays = changed_ids(changed, catalogue, request.sources)
            if not wanted:
                terminal.tell("No submission changed.")
        base = changed if changed is not None else against
        task = Wanted(
            catalogue=catalogue,
            ids=wanted,
            base=None if base is None else base_commit(base, request.sources.models),
            limits=limits,
            thresholds=thresholds,
            rounds=rounds,
            baseline_too=changed is None,
            results=results,
            accepted_in=accepted_in or (RESULTS if changed is None else None),
            save_dir=save_dir,
        )
        with interruptible(
            lambda: f"{len(judged)} of {len(wanted)} judged{'' if results else ', nothing stored'}.",
            as_json=as_json,
            document=documents,
        ):
            for item in judge_fresh(task, request.sources, request) if wanted else ():
                judged.append(item)
    with interruption.held():
        _report(judged, strays, junit)
    if as_json:
        alone = len(judged) == 1 and changed is None
        print_json(judged[0].document() if alone else documents())
    else:
        for item in judged:
            for line in wording.gate_lines(item):
                terminal.show(line)
            if item.record is not None and record_file is None:
                terminal.tell(f"record: {item.record}")
    if junit is not None:
        terminal.tell(f"written: {relative(junit)}")
    sys.exit(max([*(item.exit_code for item in judged), 2 if strays else 0]))


def _refuse_contradictions(
    record_file: Path | None,
    changed: str | None,
    against: str | None,
    limits: Limits,
    request: Request,
    results: Path | None,
    save_dir: Path | None,
) -> None:
    """Refuse options that do not go together.

    Raises:
        UsageError: Some do not.
    """
    if changed is not None and against is not None:
        raise UsageError("--changed and --against are both given", remedy="give one of them")
    if limits.any and changed is None and against is None:
        raise UsageError(
            "a limit on growth needs a version to compare with",
            remedy="add --changed BASE, or --against BASE",
        )
    if record_file is not None and (against is not None or results is not None or save_dir is not None):
        raise UsageError(
            "--record judges what was measured before",
            found="--against, --results or --save-dir",
            remedy="leave these out, or name IDs instead of a record",
        )
    if against is not None and request.sources.challenge_root is not None:
        remedy = "compare records of two checkouts with `ntire-bench compare`"
        raise UsageError("--against does not go with --challenge-root", remedy=remedy)


def _report(judged: list[Judged], strays: list[str], junit: Path | None) -> None:
    """Write what other programs read: JUnit XML, and what GitHub shows where it runs this."""
    from ntire_bench.cli import terminal
    from ntire_bench.reporting import gate_reports

    if junit is not None:
        write(junit, gate_reports.junit(judged, strays))
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    for command in gate_reports.github_commands(judged, strays):
        # Standard output may be a JSON document; both are read. A line of its own, however wide a console is.
        click.echo(command, err=True)
    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if page:
        try:
            with open(page, "a", encoding="utf-8") as file:
                file.write(gate_reports.summary(judged, strays) + "\n")
        except OSError as error:
            terminal.tell(f"The step summary cannot be written: {error.strerror or error}.")
