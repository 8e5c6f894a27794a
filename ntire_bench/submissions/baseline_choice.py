"""The submission that costs are divided by: the one that an option names, or the one that the rule finds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.submissions import baseline_rule
from ntire_bench.submissions.baseline_rule import Ruling
from ntire_bench.submissions.catalogue import Catalogue
from ntire_bench.submissions.models_folder import find
from ntire_bench.submissions.spelling import spelled
from ntire_bench.submissions.submission import Submission, Unusable
from ntire_bench.text import one_line

__all__ = ["choose", "find_folder", "told", "without_namesakes"]


def find_folder(folder: Path) -> Catalogue:
    """List the submissions in a folder of the organizer's: in its models/ and model_zoo/, or in itself.

    Args:
        folder: What --baseline-dir names.

    Raises:
        UsageError: It is not a folder.
    """
    if not folder.is_dir():
        raise UsageError(
            "is not a folder",
            file=folder,
            expected="the folder that holds the baseline's model file and its checkpoint",
            remedy="correct --baseline-dir",
        )
    models = folder / "models"
    return find(models, folder / "model_zoo") if models.is_dir() else find(folder, folder)


def without_namesakes(catalogue: Catalogue, name: str) -> Catalogue:
    """Return the same submissions; those that take the name of the baseline can no longer be tried.

    Args:
        catalogue: What there is.
        name: Of the protocol's baseline. Where an option names the baseline, any may have its name.
    """
    if catalogue.baseline_choice is not None or catalogue.baseline_folder is not None:
        return catalogue
    ruling = _ruling(catalogue, name)
    taken = [catalogue.submissions[id_] for id_ in ruling.namesakes if id_ in catalogue.submissions]
    if ruling.id is None or not taken:
        return catalogue
    whose = _labels(catalogue, [ruling.id])
    problems = {item.id: Unusable(item.id, item.name, item.file, _namesake(item, whose)) for item in taken}
    return dataclasses.replace(
        catalogue,
        submissions={id_: item for id_, item in catalogue.submissions.items() if id_ not in problems},
        problems=dict(sorted({**catalogue.problems, **problems}.items())),
    )


def choose(catalogue: Catalogue, name: str) -> Submission:
    """Return the baseline. Where it was inferred, its attribute `baseline_because` says why it is that one.

    Args:
        catalogue: What there is, and what options say of the baseline.
        name: Of the protocol's baseline.

    Raises:
        SubmissionError: It is there, but cannot be tried.
        UsageError: It is not there, or several submissions may be it.
    """
    folder = catalogue.baseline_folder
    if folder is None:
        return _among(catalogue, name, catalogue.baseline_choice)
    found = _alone(folder, name, catalogue.baseline_choice)
    _refuse_in_reach(found, catalogue)
    return found


def told(baseline: Submission) -> str:
    """Return a sentence on a baseline that was inferred; empty where its name alone says that it is one."""
    if not baseline.baseline_because:
        return ""
    return one_line(
        f"The baseline is {baseline.label}: {baseline.baseline_because} (--baseline names another)."
    )


def _among(catalogue: Catalogue, name: str, chosen: str | None) -> Submission:
    if chosen is not None:
        return catalogue.get(_called(catalogue, chosen))
    ruling = _ruling(catalogue, name)
    if ruling.id is not None:
        return dataclasses.replace(catalogue.get(ruling.id), baseline_because=ruling.how)
    if not ruling.candidates:
        raise _absent(catalogue, f"the protocol's baseline {name}", name)
    raise UsageError(
        f"nothing says which submission is the protocol's baseline {name}",
        file=catalogue.models,
        expected=f"one with the id 00 and {name} in its name",
        found=_labels(catalogue, ruling.candidates),
        remedy="choose it with --baseline ID, or name a folder of its own with --baseline-dir",
    )


def _alone(folder: Catalogue, name: str, chosen: str | None) -> Submission:
    """Return the baseline in the folder of --baseline-dir; other submissions may lie there too."""
    there = list(folder.entries)
    if not there:
        raise UsageError(
            "holds no submission that could be the baseline",
            file=folder.models,
            found=" ".join(folder.ignored) or "no model file",
            remedy=f"put team00_{name}.py and its checkpoint there",
        )
    if chosen is None and len(there) == 1 and _ruling(folder, name).id is None:
        because = f"it is the only one in --baseline-dir, and not named {name}"
        return dataclasses.replace(folder.get(there[0]), baseline_because=because)
    return _among(folder, name, chosen)


def _called(catalogue: Catalogue, text: str) -> int:
    wanted = spelled(text)
    if wanted.id is not None and wanted.name is None:
        return wanted.id
    named = baseline_rule.called(text, list(catalogue.entries.values()))
    if not named and wanted.id is not None:  # the path of its file, say
        return catalogue.id_of(text)
    if len(named) == 1:
        return named[0]
    if not named:
        raise _absent(catalogue, f"the baseline {text}", text)
    raise UsageError(
        f"several submissions have the name of the baseline {text}",
        file=catalogue.models,
        found=_labels(catalogue, named),
        remedy="choose one with --baseline ID",
    )


def _absent(catalogue: Catalogue, whose: str, name: str) -> UsageError:
    add = "" if catalogue.is_checkout else f"add team00_{name}.py and its checkpoint, "
    return UsageError(
        f"{whose} is not among the submissions",
        file=catalogue.models,
        found=_labels(catalogue, catalogue.entries) or "nothing",
        remedy=f"{add}choose another with --baseline ID, name a folder of its own with --baseline-dir, or "
        "choose another --protocol",
    )


def _refuse_in_reach(baseline: Submission, catalogue: Catalogue) -> None:
    """Refuse a baseline of --baseline-dir in a place that submissions of a checkout can read."""
    files = baseline.readable
    for item in catalogue.submissions.values():
        seen = () if item.branch is None else item.readable
        for file in files:
            if any(file.is_relative_to(place) for place in seen):
                raise UsageError(
                    "the baseline lies where the submissions of the checkout can read it",
                    file=file,
                    expected="a folder of your own outside the checkout",
                    remedy="copy it there and name that with --baseline-dir, or choose a branch with "
                    "--baseline ID",
                )


def _namesake(item: Submission, whose: str) -> SubmissionError:
    return SubmissionError(
        "takes the name of the baseline",
        file=item.file,
        expected=f"a name of its own, as {whose} is the baseline",
        found=item.label,
        remedy="rename it and its checkpoint, or name the baseline with --baseline ID",
    )


def _ruling(catalogue: Catalogue, name: str) -> Ruling:
    return baseline_rule.rule(name, list(catalogue.entries.values()), checkout=catalogue.is_checkout)


def _labels(catalogue: Catalogue, ids: Iterable[int]) -> str:
    return ", ".join(catalogue.entries[id_].label for id_ in ids)
