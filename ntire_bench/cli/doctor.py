"""The command doctor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ntire_bench.cli.evaluation import Request, taken_as_request
from ntire_bench.cli.interrupted import interruptible
from ntire_bench.cli.options import (
    Effort,
    channel_option,
    effort_options,
    image_options,
    json_flag,
    machine_options,
    protocol_option,
    results_folder,
    see_that_it_can_measure,
)
from ntire_bench.cli.output import print_json
from ntire_bench.cli.sources import open_catalogue, sources_and_baseline
from ntire_bench.errors import NtireBenchError
from ntire_bench.text import one_line

if TYPE_CHECKING:
    from ntire_bench.workflows.doctor import Part
    from ntire_bench.workflows.estimate import Estimate

__all__ = ["doctor"]

_WIDTH = 10  # of the names
_STYLES = {"ok": None, "note": "yellow", "problem": "red"}


@click.command()
@click.option("--no-run", is_flag=True, help="Start no worker, and time nothing.")
@image_options
@effort_options
@protocol_option
@channel_option
@machine_options
@sources_and_baseline
@results_folder
@json_flag
@taken_as_request
def doctor(
    no_run: bool,
    effort: Effort,
    request: Request,
    results: Path,
    as_json: bool,
) -> None:
    """Say what this machine gives before anything is run, and what `run --all` would take.

    Options are those of `run`. Exit status: 0, 1 something is in the way of running submissions, 2 wrong use.
    """
    see_that_it_can_measure()
    from ntire_bench.cli import terminal

    parts: list[Part] = []
    found: list[Estimate] = []

    def document() -> dict[str, Any]:
        return {
            "ok": all(part.state != "problem" for part in parts),
            "parts": [vars(part) for part in parts],
            "estimate": found[0] if found else None,
        }

    with interruptible(lambda: "not all was looked at.", as_json=as_json, document=document):
        for part in _examined(no_run, effort, request, results, found):
            parts.append(part)
            if not as_json:
                _show(part)
    if as_json:
        print_json(document())
    elif all(part.state == "ok" for part in parts):
        terminal.show("Nothing is in the way.")
    sys.exit(0 if document()["ok"] else 1)


def _examined(no_run: bool, effort: Effort, request: Request, results: Path, found: list[Estimate]) -> Any:  # noqa: ANN401
    """Yield all parts, as soon as each is known; put the estimate into `found`."""
    from ntire_bench.isolation.choose import isolation_for
    from ntire_bench.workflows import doctor as examine

    machine = request.machine
    yield from examine.computer(machine.device)
    try:
        isolation = isolation_for(machine.isolation, allow_pickle=machine.allow_pickle)
    except NtireBenchError as error:
        yield _problem("isolation", error)
        isolation = isolation_for("auto")
    yield examine.isolation_part(isolation)
    yield from examine.places(request.images.data_dir, results)
    if not no_run:
        yield from _run(effort, request, results, found)


def _run(effort: Effort, request: Request, results: Path, found: list[Estimate]) -> Any:  # noqa: ANN401
    """Yield how a worker runs here, and what all submissions would take."""
    from ntire_bench.cli import terminal
    from ntire_bench.submissions.submission import Submission
    from ntire_bench.workflows import doctor as examine
    from ntire_bench.workflows.data import choose_data
    from ntire_bench.workflows.estimate import told
    from ntire_bench.workflows.foresee import foresee
    from ntire_bench.workflows.options import options_for

    try:
        catalogue = open_catalogue(request.sources)
        with terminal.progress_bar() as progress:
            data = choose_data(
                request.images.split_names,
                request.images.data_dir,
                request.protocol_name,
                lambda done, total: progress("checking images", done, total),
            )
        options = options_for(data.protocol, channel=request.channel, **vars(effort), **vars(request.machine))
        ids = [id_ for id_, item in catalogue.entries.items() if isinstance(item, Submission)]
        estimate = foresee(catalogue, ids, data, options, results)
    except NtireBenchError as error:
        yield _problem("worker", error)
        return
    yield examine.speed_part(None if estimate is None else estimate.speed)
    if estimate is not None:
        found.append(estimate)
        first, *others = told(estimate, results, None)
        yield examine.Part(name="run --all", state="note" if others else "ok", found=(first, *others))


def _problem(name: str, error: NtireBenchError) -> Part:
    from ntire_bench.workflows.doctor import Part

    # Not of the error's own class: that of many problems with images takes other arguments.
    what = NtireBenchError(error.what, file=error.file, expected=error.expected, found=error.found)
    return Part(name=name, state="problem", found=(str(what).rstrip("."),), remedy=error.remedy or "")


def _show(part: Part) -> None:
    """Print a part: a mark for what needs attention, its name, and a line for each sentence."""
    from ntire_bench.cli import terminal

    mark = {"ok": " ", "note": "!", "problem": "x"}[part.state]
    begin = f"{mark} {part.name:<{_WIDTH}} "
    for line in part.found:
        terminal.show(begin + one_line(line), style=_STYLES[part.state] if begin.strip() else None)
        begin = " " * (_WIDTH + 3)
    if part.remedy:
        terminal.show(f"{' ' * (_WIDTH + 3)}-> {one_line(part.remedy)}")
