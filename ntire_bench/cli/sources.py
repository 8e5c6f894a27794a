"""Which submissions a command works on: those of models/, or those of a challenge's checkout."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from ntire_bench.cli.options import PATH, options, places, taken_as
from ntire_bench.errors import UsageError
from ntire_bench.text import relative

if TYPE_CHECKING:
    from ntire_bench.submissions.catalogue import Catalogue
    from ntire_bench.submissions.submission import Submission

__all__ = ["Sources", "is_given", "open_catalogue", "source_options", "sources_and_baseline", "tell_baseline"]

_EXAMPLES_TOLD = "ntire_bench.examples_told"  # in a context's meta


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where submissions come from, and which one is the baseline.

    Attributes:
        models: Folder of the model files.
        model_zoo: Folder of the checkpoints.
        challenge_root: A challenge's checkout; None to look in the two folders.
        baseline_choice: Id or name of the submission to take for the baseline; None: as the protocol says.
        baseline_dir: Folder that holds the baseline; None to look for it among the submissions.
    """

    models: Path
    model_zoo: Path
    challenge_root: Path | None
    baseline_choice: str | None = None
    baseline_dir: Path | None = None


_places = options(
    places,
    click.option(
        "--challenge-root",
        type=PATH,
        help="A challenge's own checkout, unmodified: the branches of select_model in its test_demo.py "
        "are the submissions, in place of --models.",
    ),
)
_baseline = options(
    click.option(
        "--baseline",
        "baseline_choice",
        metavar="ID|NAME",
        help="The submission to divide costs by; default: the one named like the protocol's baseline, which "
        "in a checkout must have the id 0.",
    ),
    click.option(
        "--baseline-dir",
        type=PATH,
        help="A folder that holds the baseline, apart from the submissions: model file and checkpoint, or "
        "models/ and model_zoo/.",
    ),
)
source_options = options(_places, taken_as("sources", Sources))
sources_and_baseline = options(_places, _baseline, taken_as("sources", Sources))


def open_catalogue(sources: Sources, *, examples: bool = True) -> Catalogue:
    """Return the submissions that a command was pointed at.

    Args:
        sources: Where they lie.
        examples: Whether the examples that ship with the program stand in for models/ and model_zoo/, where
            the user named neither and neither is there.

    Raises:
        UsageError: A folder is not there, or --challenge-root goes with --models or --model-zoo.
    """
    from ntire_bench.submissions import models_folder

    if sources.challenge_root is None:
        places = sources.models, sources.model_zoo
        catalogue = models_folder.find(*(_or_examples(*places) if examples else places))
    else:
        from ntire_bench.submissions.checkout import find as checkouts

        for name in ("models", "model_zoo"):
            if is_given(name):
                raise UsageError(
                    f"--challenge-root and --{name.replace('_', '-')} are both given",
                    remedy="give one of them: a checkout has its own models and checkpoints",
                )
        catalogue = checkouts.find(sources.challenge_root)
    if sources.baseline_choice is None and sources.baseline_dir is None:
        return catalogue
    from ntire_bench.submissions import baseline_choice

    folder = None if sources.baseline_dir is None else baseline_choice.find_folder(sources.baseline_dir)
    return dataclasses.replace(catalogue, baseline_choice=sources.baseline_choice, baseline_folder=folder)


def tell_baseline(baseline: Submission) -> None:
    """Say which submission is the baseline, where that was inferred."""
    from ntire_bench.cli import terminal
    from ntire_bench.submissions.baseline_choice import told

    if text := told(baseline):
        terminal.tell(text)


def is_given(name: str) -> bool:
    """Return whether the user gave an option, rather than left it to its default."""
    source = click.get_current_context().get_parameter_source(name)
    return source not in (None, ParameterSource.DEFAULT)


def _or_examples(models: Path, model_zoo: Path) -> tuple[Path, Path]:
    """Return the two folders, or those of the examples; a command says so once."""
    from ntire_bench.cli import terminal
    from ntire_bench.submissions.shipped_examples import folders_without_own

    named = is_given("models") or is_given("model_zoo")
    found = None if named else folders_without_own(models, model_zoo)
    if found is None:
        return models, model_zoo
    told = click.get_current_context().meta
    if not told.get(_EXAMPLES_TOLD):
        told[_EXAMPLES_TOLD] = True
        text = f"No {models}/ and no {model_zoo}/ here: the examples that ship with ntire_bench are used"
        terminal.tell(f"{text} ({relative(found.models)}).")
    return found.models, found.model_zoo
