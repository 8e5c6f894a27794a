"""Finds the submissions in models/ and model_zoo/ and reads what they declare, without executing any.

A model file is parsed to a syntax tree, a checkpoint is only named: both belong to strangers.
"""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.source.files import is_file, parse
from ntire_bench.submissions import declaration as declarations
from ntire_bench.submissions import left_over, package_files
from ntire_bench.submissions.borrowed import with_owners
from ntire_bench.submissions.catalogue import Catalogue
from ntire_bench.submissions.submission import (
    CHECKPOINT_SUFFIXES,
    PACKAGE_FILE,
    CheckpointMissing,
    Submission,
    Unusable,
)
from ntire_bench.text import few, relative
from ntire_bench.wire.declaration import Declaration

__all__ = ["DEPLOY_SUFFIX", "find", "id_of"]

DEPLOY_SUFFIX = "_deploy"  # of a checkpoint that `fuse` wrote beside the one in training form
_STEM = re.compile(r"(?:team)?(?P<id>\d+)_(?P<name>.+)", re.IGNORECASE)
_ID_PREFIX = re.compile(r"(?:team)?(?P<id>\d+)(?![0-9])", re.IGNORECASE)


def find(models: Path, model_zoo: Path, *, prefer_training: bool = False) -> Catalogue:
    """List the submissions of a models folder.

    Args:
        models: Folder of team{ID}_{Name}.py or {ID}_{Name}.py files.
        model_zoo: Folder of checkpoints whose names begin with the same id.
        prefer_training: Of NAME.pth and the NAME_deploy.pth that `fuse` made of it, take the first.

    Returns:
        The submissions and, for each id that cannot be used, why.

    Raises:
        UsageError: `models` is not a folder.
    """
    if not models.is_dir():
        raise UsageError(
            "is not a folder",
            file=models,
            expected="the folder with the model files",
            remedy="run in the folder that holds models/ and model_zoo/, or name it with --models",
        )
    by_id: dict[int, list[tuple[str, Path]]] = {}
    ignored: list[str] = []
    for file in sorted([*models.glob("*.py"), *models.glob(f"*/{PACKAGE_FILE}")]):
        stem = _stem(file, models)
        match = _STEM.fullmatch(stem)
        if match is None or len(match["id"]) < 2 or not _unicode(stem):
            if file.parent != models or file.name != PACKAGE_FILE:
                ignored.append(_why_ignored(file, match, models))
            continue
        by_id.setdefault(int(match["id"]), []).append((match["name"], file))
    checkpoints = _checkpoints_by_id(model_zoo)
    submissions: dict[int, Submission] = {}
    problems: dict[int, Unusable] = {}
    for id_, files in sorted(by_id.items()):
        try:
            if len(files) > 1:
                raise SubmissionError(
                    f"{'two' if len(files) == 2 else len(files)} files have the id {id_:02d}",
                    file=models,
                    expected="one model file per id",
                    found=", ".join(
                        (file if file.parent == models else file.parent).name for _, file in files
                    ),
                    remedy="rename all but one",
                )
            name, file = files[0]
            submissions[id_] = _read(id_, name, file, model_zoo, checkpoints.get(id_, []), prefer_training)
        except SubmissionError as error:
            problems[id_] = Unusable(id_, *files[0], error)
    labels = {id_: f"{id_:02d}_{files[0][0]}" for id_, files in by_id.items()}
    ignored += left_over.told(models, model_zoo, submissions, problems)
    return Catalogue(with_owners(submissions, labels), problems, tuple(ignored), models)


def id_of(path: Path) -> int | None:
    """Return the team's number that a file's name begins with; None where it begins with none.

    >>> id_of(Path("team05_Net.pth")), id_of(Path("7-net.pth")), id_of(Path("net.pth"))
    (5, 7, None)
    """
    match = _ID_PREFIX.match(path.stem)
    return None if match is None else int(match["id"])


def _stem(file: Path, models: Path) -> str:
    """Return what a submission is named by: a file's stem, or the name of a package's folder."""
    return file.stem if file.parent == models else file.parent.name


def _why_ignored(file: Path, match: re.Match[str] | None, models: Path) -> str:
    is_file = file.parent == models
    place, ending = (file, ".py") if is_file else (file.parent, "")
    if not _unicode(place.name):
        remedy = f"rename {place.name!a}: its name is not Unicode"
    elif match is not None:
        digits = "the id has two digits or more"
        remedy = f"rename it to team{int(match['id']):02d}_{match['name']}{ending} ({digits})"
    else:
        remedy = f"name it team{{ID}}_{{Name}}{ending} to make it a submission"
    return f"{relative(place)}: not a submission by its name; {remedy}."


def _unicode(name: str) -> bool:
    """Whether a file's name can be written into a record: on Linux it may be any bytes."""
    return name == name.encode(errors="replace").decode()


def _checkpoints_by_id(model_zoo: Path) -> dict[int, list[Path]]:
    found: dict[int, list[Path]] = {}
    for path in sorted(model_zoo.iterdir()) if model_zoo.is_dir() else []:
        id_ = id_of(path)
        usable = path.suffix.lower() in CHECKPOINT_SUFFIXES and _unicode(path.name)
        if id_ is not None and usable and (is_file(path) or _leads_nowhere(path)):
            found.setdefault(id_, []).append(path)
    return found


def _read(
    id_: int, name: str, file: Path, model_zoo: Path, checkpoints: list[Path], prefer_training: bool
) -> Submission:
    tree = parse(file)
    package = file.name == PACKAGE_FILE
    if package:
        package_files.files_of(file.parent)  # refuses what is too large, or has links
    declaration = declarations.read(file, tree)
    stem = file.parent.name if package else file.stem
    checkpoint = _checkpoint(file, stem, declaration, model_zoo, checkpoints, prefer_training)
    for path, suffixes in ((file, (".py",)), (checkpoint, CHECKPOINT_SUFFIXES)):
        if path is not None:
            _refuse_link_to_nothing(path)
            _refuse_link_to_other(path, suffixes)
    return Submission(
        id=id_,
        name=name,
        file=file,
        checkpoint=checkpoint,
        declaration=declaration,
        has_build_model=any(isinstance(n, ast.FunctionDef) and n.name == "build_model" for n in tree.body),
    )


def _leads_nowhere(path: Path) -> bool:
    """Return whether a path is a link to what is not there."""
    # Not the methods of Path: those raise where a name is too long.
    return os.path.islink(path) and not os.path.exists(path)


def _refuse_link_to_nothing(path: Path) -> None:
    if _leads_nowhere(path):
        target = os.readlink(path)
        raise SubmissionError(
            f"is a link to {target}, which is not there",
            file=path,
            expected="a file, or a link to one",
            remedy=f"put {Path(target).name} where the link leads, or copy the file itself here",
        )


def _refuse_link_to_other(path: Path, suffixes: tuple[str, ...]) -> None:
    """Refuse a link to a file of another kind: a worker could read whatever it points to."""
    real = path.resolve()
    if path.is_symlink() and real.suffix.lower() not in suffixes:
        raise SubmissionError(
            "is a link to a file of another kind",
            file=path,
            expected=f"a file, or a link to one that ends in {' or '.join(suffixes)}",
            found=str(real),
            remedy="copy the file there",
        )


def _checkpoint(
    file: Path,
    name: str,
    declared: Declaration,
    model_zoo: Path,
    candidates: list[Path],
    prefer_training: bool,
) -> Path | None:
    if declared.checkpoint == "":
        return None
    if declared.checkpoint is not None:
        path = model_zoo / declared.checkpoint
        there = is_file(path)
        if path.resolve().parent != model_zoo.resolve() and model_zoo.resolve() not in path.resolve().parents:
            raise SubmissionError(
                f"{declared.source} declares a checkpoint outside {relative(model_zoo)}",
                file=file,
                found=declared.checkpoint,
                remedy=f"put the file into {relative(model_zoo)} and declare its name alone",
            )
        _refuse_link_to_nothing(path)
        if not there:
            raise SubmissionError(
                "the declared checkpoint is not there",
                file=path,
                found=_contents(model_zoo),
                remedy=f"put it there, or correct {declared.source}",
            )
        return path
    stem = name.lower()
    for preferred in (stem,) if prefer_training else (stem + DEPLOY_SUFFIX, stem):
        exact = [path for path in candidates if path.stem.lower() == preferred]
        if len(exact) == 1:
            return exact[0]
    complete = [path for path in candidates if not _leads_nowhere(path)] or candidates
    if len(complete) == 1:
        return complete[0]
    if not candidates:
        prefix = name.split("_", 1)[0]
        raise CheckpointMissing(
            "has no checkpoint",
            file=file,
            expected=f"{relative(model_zoo)}/{name}.pth (any of {' '.join(CHECKPOINT_SUFFIXES)}, "
            f"any name that begins with {prefix})",
            found=_contents(model_zoo),
            remedy="put it there (`ntire-bench zoo list` names the published ones that can be fetched), "
            'or declare "checkpoint": None if the network needs none',
        )
    raise SubmissionError(
        "has several checkpoints",
        file=file,
        found=", ".join(path.name for path in candidates),
        remedy=f'keep one, name one {name}{candidates[0].suffix}, or declare "checkpoint"',
    )


def _contents(model_zoo: Path) -> str:
    if not model_zoo.is_dir():
        return f"no folder {relative(model_zoo)}"
    names = sorted(p.name for p in model_zoo.iterdir() if p.suffix.lower() in CHECKPOINT_SUFFIXES)
    return few(names, 6) or "no checkpoint at all"
