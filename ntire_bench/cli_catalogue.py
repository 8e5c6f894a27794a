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
    from ntire_bench.submission import Catalogue, Submission

__all__ = ["baseline_options", "open_catalogue", "sources", "tell_baseline"]

sources = options(
    places,
    click.option(
        "--challenge-root",
        type=PATH,
        help="A challenge's own checkout, unmodified: the branches of select_model in its test_demo.py "
        "are the submissions, in place of --models.",
    ),
)
baseline_options = options(
    click.option(
        "--baseline",
        "baseline_choice",
        metavar="ID|NAME",
        help="The submission to divide costs by; default: the one named like the protocol's baseline, in a "
        "checkout the one with the id 0 of those.",
    ),
    click.option(
        "--baseline-dir",
        type=PATH,
        help="A folder that holds the baseline, beside the submissions: model file and checkpoint, or "
        "models/ and model_zoo/.",
    ),
)


def open_catalogue(
    models: Path,
    model_zoo: Path,
    challenge_root: Path | None,
    baseline: str | None = None,
    baseline_dir: Path | None = None,
) -> Catalogue:
    """Return the submissions that a command was pointed at.

    Args:
        models: Folder of the model files.
        model_zoo: Folder of the checkpoints.
        challenge_root: A challenge's checkout; None to look in the two folders.
        baseline: Id or name of the submission to take for the baseline; None: as the protocol says.
        baseline_dir: Folder that holds it; None to look among the submissions.

    Raises:
        UsageError: A folder is not there, or --challenge-root goes with --models or --model-zoo.
    """
    from ntire_bench import baseline_choice, submission
    from ntire_bench import challenge_root as checkouts

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
    folder = None if baseline_dir is None else baseline_choice.find_folder(baseline_dir)
    return dataclasses.replace(catalogue, baseline_choice=baseline, baseline_folder=folder)


def tell_baseline(baseline: Submission) -> None:
    """Say which submission is the baseline, where that was inferred."""
    from ntire_bench import console
    from ntire_bench.baseline_choice import told

    if text := told(baseline):
        console.show(text, stderr=True)
