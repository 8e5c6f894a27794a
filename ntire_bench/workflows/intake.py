"""Takes in what teams sent: unpacks it, finds the submission in it, tries it, and puts it into models/."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ntire_bench import interruption
from ntire_bench.errors import NtireBenchError, SubmissionError, UsageError
from ntire_bench.measuring.resolve import describe
from ntire_bench.submissions import package_files
from ntire_bench.submissions.models_folder import find
from ntire_bench.submissions.sent import Sent, as_sent, recognized
from ntire_bench.submissions.submission import Submission
from ntire_bench.submissions.unpack import Bounds, unpack
from ntire_bench.text import relative
from ntire_bench.workflows.check import Check

__all__ = ["FEEDBACK", "Outcome", "Taken", "intake", "items_of"]

FEEDBACK = "feedback"  # a folder in the inbox that is no item
Outcome = Literal["taken in", "there already", "does not run", "refused"]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What became of one item of an inbox.

    Attributes:
        item: The archive, folder or file.
        outcome: "taken in": it lies in models/ and model_zoo/; "there already": the same files did before;
            "does not run": it was recognized, tried, and is not taken in; "refused".
        label: The submission; None where none was recognized.
        reason: Why it is refused or does not run; else None.
        check: What trying it gave; None where it was not tried.
        left: Names of files that are no part of it.
        files: Where its files lie now.
    """

    item: Path
    outcome: Outcome
    label: str | None = None
    reason: NtireBenchError | None = None
    check: Check | None = None
    left: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


def items_of(inbox: Path) -> list[Path]:
    """Return what lies in an inbox: each archive, folder or file is an item; feedback is none.

    A model file and a checkpoint of the same stem that lie in it are one item, the model file.

    Raises:
        UsageError: It is no folder.
    """
    if not inbox.is_dir():
        raise UsageError(
            "is not a folder",
            file=inbox,
            expected="a folder with what teams sent",
            remedy="put archives or folders of teams into one, and name it",
        )
    there = [
        path for path in sorted(inbox.iterdir()) if not path.name.startswith(".") and path.name != FEEDBACK
    ]
    models = {path.stem for path in there if path.suffix == ".py"}
    return [path for path in there if path.suffix in (".py", ".zip") or path.stem not in models]


def intake(
    items: list[Path],
    models: Path,
    model_zoo: Path,
    *,
    trial: Callable[[Submission], Check] | None,
    replace: bool = False,
    bounds: Bounds | None = None,
) -> Iterator[Taken]:
    """Take in items one by one.

    Args:
        items: As `items_of` returns them.
        models: Folder of the model files; made where it is missing.
        model_zoo: Folder of the checkpoints, alike.
        trial: Loads and runs a submission in a worker; None takes in what was not tried.
        replace: Whether a submission of the same id is replaced.
        bounds: How much an item may hold.

    Yields:
        What became of each.
    """
    for item in items:
        with tempfile.TemporaryDirectory(prefix="ntire_bench_intake_") as folder:
            unpacked, place = Path(folder, "sent"), Path(folder, "place")
            unpacked.mkdir()
            place.mkdir()
            try:
                found = recognized(item, unpacked, _unpacked(item, unpacked, bounds), place)
            except SubmissionError as error:
                yield Taken(item=item, outcome="refused", reason=error)
                continue
            yield _settled(item, found, place, models, model_zoo, trial, replace)


def _unpacked(item: Path, target: Path, bounds: Bounds | None) -> list[str]:
    """Unpack an item; beside a single model file the files of its stem belong to it."""
    names = unpack(item, target, bounds)
    if item.suffix == ".py" and not item.is_dir():
        for path in sorted(item.parent.iterdir()):
            if path.stem == item.stem and path != item and path.suffix != ".zip" and not path.is_dir():
                names += unpack(path, target, bounds)
    return names


def _settled(
    item: Path,
    found: Sent,
    place: Path,
    models: Path,
    model_zoo: Path,
    trial: Callable[[Submission], Check] | None,
    replace: bool,
) -> Taken:
    """Try a submission and put it where it belongs, unless there is another one of its id."""
    submission = found.submission
    known = {"item": item, "label": submission.label, "left": found.left}
    before = _with_id(models, model_zoo, submission.id)
    if before is not None and not replace:
        if isinstance(before, Submission) and describe(before).files == describe(submission).files:
            known["label"] = before.label  # the same files may have been sent under another name
            return Taken(outcome="there already", files=_files(before), **known)  # type: ignore[arg-type]
        reason = SubmissionError(
            f"the id {submission.id:02d} is taken",
            file=item,
            found=before.label if isinstance(before, Submission) else "files that cannot be used",
            remedy="if it is the team's new version, take it in with --replace; else give it another id",
        )
        return Taken(outcome="refused", reason=reason, **known)  # type: ignore[arg-type]
    checked: Check | None = None
    if trial is not None:
        try:
            checked = trial(submission)
        except SubmissionError as error:
            reason = as_sent(error, item, place)
            return Taken(outcome="does not run", reason=reason, **known)  # type: ignore[arg-type]
    with interruption.held():
        if before is not None:
            _take_out(models, model_zoo, submission.id)
        files = _put(submission, models, model_zoo)
    return Taken(outcome="taken in", check=checked, files=files, **known)  # type: ignore[arg-type]


def _with_id(models: Path, model_zoo: Path, id_: int) -> Submission | SubmissionError | None:
    """Return the submission of an id that is there already; an error where its files cannot be used."""
    if not models.is_dir():
        return None
    catalogue = find(models, model_zoo)
    if id_ in catalogue.problems:
        return catalogue.problems[id_].error
    return catalogue.submissions.get(id_)


def _files(submission: Submission) -> tuple[Path, ...]:
    own = [submission.package or submission.file, submission.checkpoint]
    return tuple(path for path in own if path is not None)


def _put(submission: Submission, models: Path, model_zoo: Path) -> tuple[Path, ...]:
    """Copy a submission's files into models/ and model_zoo/, the model last, and return where they are.

    Raises:
        UsageError: They cannot be written.
    """
    stem = f"team{submission.id:02d}_{submission.name}"
    pairs: list[tuple[Path, Path]] = []
    if submission.checkpoint is not None:
        declared = submission.declaration.checkpoint is not None
        name = submission.checkpoint.name if declared else f"{stem}{submission.checkpoint.suffix}"
        pairs.append((submission.checkpoint, model_zoo / name))
    if submission.package is not None:
        package = package_files.files_of(submission.package)
        pairs += [(path, models / stem / name) for name, path in package.items()]
    else:
        toml = submission.file.with_suffix(".toml")
        pairs += [(toml, models / f"{stem}.toml")] if toml.is_file() else []
        pairs.append((submission.file, models / f"{stem}.py"))
    try:
        for source, target in pairs:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{target.name}.part")
            shutil.copyfile(source, temporary)
            os.replace(temporary, target)
    except OSError as error:
        remedy = "name folders that this user may write to with --models and --model-zoo"
        raise UsageError(
            f"{submission.label} cannot be taken in",
            file=error.filename,
            found=error.strerror or str(error),
            remedy=remedy,
        ) from None
    top = [models / stem] if submission.package is not None else [models / f"{stem}.py"]
    return tuple([*top, *(target for _, target in pairs if target.parent == model_zoo)])


def _take_out(models: Path, model_zoo: Path, id_: int) -> None:
    """Remove the files of the version that is replaced.

    Raises:
        UsageError: They cannot be removed.
    """
    catalogue = find(models, model_zoo)
    item = catalogue.submissions.get(id_)
    if item is None:
        raise UsageError(
            f"the files of the id {id_:02d} cannot be replaced: which they are is not clear",
            file=models,
            found=str(catalogue.problems[id_].error),
            remedy="take them out by hand",
        )
    try:
        if item.package is not None:
            shutil.rmtree(item.package)
        else:
            item.file.unlink()
            item.file.with_suffix(".toml").unlink(missing_ok=True)
        if item.checkpoint is not None:
            item.checkpoint.unlink()
    except OSError as error:
        raise UsageError(
            f"{relative(item.file)} cannot be replaced", found=error.strerror, remedy="make it writable"
        ) from None
