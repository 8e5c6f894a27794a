"""The command jobs: one command for each evaluation, for any scheduler."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from ntire_bench.cli.evaluation import Request, taken_as_request
from ntire_bench.cli.options import json_flag
from ntire_bench.cli.output import print_json
from ntire_bench.cli.run import run_options, wanted_ids
from ntire_bench.cli.sources import open_catalogue
from ntire_bench.cli.spread import fleet_option, job_words, refuse_for_jobs

__all__ = ["jobs"]


@click.command()
@run_options
@fleet_option
@json_flag
@taken_as_request
def jobs(
    teams: tuple[str, ...],
    model_ids: tuple[str, ...],
    everything: bool,
    request: Request,
    results: Path,
    fleet: Path | None,
    as_json: bool,
    **_: object,
) -> None:
    """Print the command that evaluates each submission, one JSON line each, and run nothing.

    Each can be run anywhere, again and at the same time: what is done or being done is left out. Options are
    those of `run`; isolation is `required` unless a level is named.
    """
    from ntire_bench.fleet.job import PROGRAM
    from ntire_bench.fleet.settings import read

    refuse_for_jobs(request)
    program = read(fleet, None, (), None).program or PROGRAM
    catalogue = open_catalogue(request.sources)
    found = []
    for id_ in wanted_ids(catalogue, [*teams, *model_ids], everything):
        words = job_words(program, id_, results)
        found.append(
            {
                "id": id_,
                "team": catalogue.entry(id_).label,
                "command": list(words),
                "shell": shlex.join(words),
                "cwd": os.getcwd(),
            }
        )
    if as_json:
        print_json({"jobs": found})
        return
    import msgspec

    for one in found:
        click.echo(msgspec.json.encode(one).decode())
