"""The commands about checkpoints: fuse, and the zoo of published ones."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from ntire_bench.cli.interrupted import interruptible
from ntire_bench.cli.options import (
    PATH,
    Machine,
    json_flag,
    machine_options,
    places,
    protocol_option,
    see_that_it_can_measure,
)
from ntire_bench.cli.output import print_json, tell_error
from ntire_bench.text import giga, relative

__all__ = ["fuse", "zoo"]


@click.command()
@click.argument("team", metavar="ID")
@click.option("--output", "-o", type=PATH, help="File to write.  [default: model_zoo/NAME_deploy.pth]")
@places
@machine_options
@protocol_option
@json_flag
def fuse(
    team: str,
    output: Path | None,
    models: Path,
    model_zoo: Path,
    machine: Machine,
    protocol_name: str | None,
    as_json: bool,
) -> None:
    """Merge a submission's training branches and write its inference checkpoint.

    Exit status: 0 written, 1 nothing to fuse or it failed, 2 wrong use.
    """
    see_that_it_can_measure()
    from ntire_bench.cli import terminal
    from ntire_bench.data import sample
    from ntire_bench.errors import MeasurementError, SubmissionError
    from ntire_bench.isolation.choose import isolation_for
    from ntire_bench.protocols import protocol
    from ntire_bench.submissions import models_folder
    from ntire_bench.submissions.baseline_choice import without_namesakes
    from ntire_bench.workflows.fuse import default_output, write_fused

    rules = protocol.load(protocol_name or protocol.DEFAULT_PROTOCOL)
    try:
        there = models_folder.find(models, model_zoo, prefer_training=True)
        item = without_namesakes(there, rules.baseline.name).get(there.id_of(team))
        target = output or default_output(item, model_zoo)
        isolation = isolation_for(machine.isolation, allow_pickle=machine.allow_pickle)
        terminal.tell_isolation(isolation, machine.isolation)
        reply = write_fused(
            item,
            target,
            sample.probe_lr(rules.scale, rules.noise),
            rules,
            device=machine.device,
            isolation=isolation,
        )
    except (SubmissionError, MeasurementError) as error:
        tell_error(error, as_json)
        sys.exit(1)
    if as_json:
        print_json({"written": relative(target), **vars(reply)})
        return
    for form, cost in (("training form ", reply.before), ("inference form", reply.after)):
        terminal.show(f"{item.label}  {form}  {cost.params:,} parameters, {giga(cost.flops)} FLOPs")
    terminal.show(
        f"largest difference on a photograph: {reply.difference_levels:.2g} of 255 grey levels "
        f"(relative {reply.relative:.1e})"
    )
    terminal.show(f"written: {relative(target)}")
    if item.declaration.checkpoint is not None:
        declared = item.declaration.checkpoint or "no checkpoint"
        terminal.show(f"{item.declaration.source} declares {declared}: name the new file there")


@click.group()
def zoo() -> None:
    """List and fetch the published checkpoints of the networks in models/."""


@zoo.command("list")
@json_flag
def zoo_list(as_json: bool) -> None:
    """List the published checkpoints."""
    from ntire_bench.cli import terminal
    from ntire_bench.submissions.zoo import catalogue

    if as_json:
        print_json([vars(item) for item in catalogue()])
        return
    for item in catalogue():
        size = f"{item.bytes / 1024:.0f} KiB"
        terminal.show(f"{item.label:<11}  {item.title:<17} {size:>9}  {item.repositories[0]}")


@zoo.command("pull")
@click.argument("teams", nargs=-1, required=True, metavar="ID...")
@click.option(
    "--model-zoo", type=PATH, default=Path("model_zoo"), show_default=True, help="Folder to put them in."
)
@json_flag
def zoo_pull(teams: tuple[str, ...], model_zoo: Path, as_json: bool) -> None:
    """Fetch published checkpoints from their authors' repositories, verified by SHA-256.

    Replaces the demonstration weights of the same id. Exit status: 0, or 1 where one cannot be fetched.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.errors import MeasurementError
    from ntire_bench.submissions.fetching import pull
    from ntire_bench.submissions.shipped_examples import folders_without_own
    from ntire_bench.submissions.zoo import find

    wanted = list({item.id: item for item in map(find, teams)}.values())
    fetched: list[str] = []
    failed: list[dict[str, object]] = []
    with interruptible(
        lambda: f"{len(fetched)} of {len(wanted)} fetched. The same command goes on from there.",
        as_json=as_json,
        document=lambda: {"fetched": fetched, "failed": failed},
    ):
        for item in wanted:
            try:
                with terminal.progress_bar() as progress:
                    path = pull(item, model_zoo, progress=partial(progress, item.title))
            except MeasurementError as error:
                failed.append({"id": item.id, "message": str(error)})
                terminal.show_error(error)
                continue
            fetched.append(relative(path))
            (terminal.tell if as_json else terminal.show)(f"{item.title}: {relative(path)}")
    examples = folders_without_own(Path("models")) if fetched and model_zoo == Path("model_zoo") else None
    if examples is not None:
        place = relative(examples.models)
        terminal.tell(f"No models/ here that they belong to: copy {place} to this folder.")
    if as_json:
        print_json({"fetched": fetched, "failed": failed})
    sys.exit(1 if failed else 0)
