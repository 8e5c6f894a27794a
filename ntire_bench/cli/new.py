"""The command new."""

from __future__ import annotations

from pathlib import Path

import click

from ntire_bench.cli.interrupted import interruptible
from ntire_bench.cli.options import json_flag, places, protocol_option, see_that_it_can_measure
from ntire_bench.cli.output import print_json
from ntire_bench.cli.sources import is_given
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.text import relative

__all__ = ["new"]


@click.command()
@click.argument("team", metavar="ID")
@click.argument("name", metavar="[NAME]", required=False)
@click.option(
    "--reparam", is_flag=True, help="With branches for training that `fuse` merges into one convolution."
)
@places
@protocol_option
@json_flag
def new(
    team: str,
    name: str | None,
    reparam: bool,
    models: Path,
    model_zoo: Path,
    protocol_name: str | None,
    as_json: bool,
) -> None:
    """Begin a submission: a commented model file that works, and a first checkpoint.

    ID is the team's number (5, 05, team05); or ID and NAME in one (05_MyNet, models/team05_MyNet.py).
    The first checkpoint gives the LR image enlarged bicubically; with --protocol dn50, for denoising, the
    noisy image. Nothing is overwritten. Where there is no models/ and no model_zoo/ yet, the protocol's
    baseline is put beside it.
    """
    see_that_it_can_measure()
    from ntire_bench.cli import terminal
    from ntire_bench.data import sample
    from ntire_bench.isolation.choose import isolation_for
    from ntire_bench.protocols import protocol
    from ntire_bench.workflows.begin import begin, wanted

    rules = protocol.load(protocol_name or protocol.DEFAULT_PROTOCOL)
    id_, called = wanted(team, name)
    with interruptible(lambda: "nothing was written.", as_json=as_json, document=dict):
        begun = begin(
            id_,
            called,
            models,
            model_zoo,
            sample.probe_lr(rules.scale, rules.noise),
            rules,
            isolation=isolation_for("auto"),
            reparam=reparam,
            with_baseline=not is_given("models") and not is_given("model_zoo"),
        )
    item = begun.submission
    by = "" if protocol_name is None else f" --protocol {protocol_name}"
    beside = "" if _has_baseline(models, model_zoo, rules.baseline.name) else f" --baseline {id_}"
    following = [
        f"ntire-bench {words}{by}"
        for words in (f"check {id_}", f"check {id_} --strict{beside}", f"run {id_}{beside}")
    ]
    if reparam:
        following.insert(1, f"ntire-bench fuse {id_}")
    if as_json:
        print_json(
            {
                "id": item.id,
                "name": item.name,
                "model": relative(item.file),
                "checkpoint": None if item.checkpoint is None else relative(item.checkpoint),
                "baseline": [relative(path) for path in begun.baseline],
                "next": following,
            }
        )
        return
    terminal.show(f"{item.label}  {relative(item.file)}  the network: change what you like")
    if item.checkpoint is not None:
        terminal.show(
            f"{item.label}  {relative(item.checkpoint)}  its first weights: replace them by trained ones"
        )
    for path in begun.baseline:
        terminal.show(f"{rules.baseline.name}  {relative(path)}  the baseline that costs are divided by")
    terminal.show(f"Next: {', '.join(following)}")


def _has_baseline(models: Path, model_zoo: Path, name: str) -> bool:
    """Say whether the baseline of the rules is there; without it a run must be told of another."""
    from ntire_bench.submissions import baseline_choice, models_folder

    try:
        baseline_choice.choose(models_folder.find(models, model_zoo), name)
    except (UsageError, SubmissionError):
        return False
    return True
