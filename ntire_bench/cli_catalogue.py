"""Which submissions a command works on: those of models/, or those of a challenge's checkout."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from ntire_bench.cli_options import PATH, options, places
from ntire_bench.errors import UsageError

if TYPE_CHECKING:
    from ntire_bench.submission import Catalogue

__all__ = ["baseline_option", "open_catalogue", "sources"]

sources = options(
    places,
    click.option(
        "--challenge-root",
        type=PATH,
        help="A challenge's own checkout, unmodified: the branches of select_model in its test_demo.py "
        "are the submissions, in place of --models.",
    ),
)
baseline_option = click.option(
    "--baseline",
    "baseline_choice",
    metavar="ID|NAME",
    help="The submission to divide costs by; default: the one named like the protocol's baseline.",
)


def open_catalogue(
    models: Path, model_zoo: Path, challenge_root: Path | None, baseline: str | None = None
) -> Catalogue:
    """Return the submissions that a command was pointed at.

    Args:
        models: Folder of the model files.
        model_zoo: Folder of the checkpoints.
        challenge_root: A challenge's checkout; None to look in the two folders.
        baseline: Id or name of the submission to take for the baseline; None: as the protocol says.

    Raises:
        UsageError: A folder is not there, or --challenge-root goes with --models or --model-zoo.
    """
    from ntire_bench import challenge_root as checkouts
    from ntire_bench import submission

    if challenge_root is None:
        catalogue = submission.find(models, model_zoo)
    else:
        context = click.get_current_context()
        for name in ("models", "model_zoo"):
            if context.get_parameter_source(name) not in (None, ParameterSource.DEFAULT):
                raise UsageError(
                    f"--challenge-root and --{name.replace('_', '-')} are both given",
                    remedy="give one of them: a checkout has its own models and checkpoints",
                )
        catalogue = checkouts.find(challenge_root)
    return dataclasses.replace(catalogue, baseline_choice=baseline)
