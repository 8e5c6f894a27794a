"""Finds the submissions in models/ and model_zoo/ and reads what they declare, without executing any.

A model file is parsed to a syntax tree, a checkpoint is only named: both belong to strangers.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.source.files import is_file, parse
from ntire_bench.submissions import declaration as declarations
from ntire_bench.submissions.branch import Branch
from ntire_bench.text import few, relative
from ntire_bench.wire.declaration import Declaration

__all__ = [
    "CHECKPOINT_SUFFIXES",
    "DEPLOY_SUFFIX",
    "Catalogue",
    "CheckpointMissing",
    "Submission",
    "Unusable",
    "find",
]

DEPLOY_SUFFIX = "_deploy"  # of a checkpoint that `fuse` wrote beside the one in training form
CHECKPOINT_SUFFIXES = (".pth", ".pt", ".ckpt", ".pkl", ".safetensors")
_STEM = re.compile(r"(?:team)?(?P<id>\d+)_(?P<name>.+)", re.IGNORECASE)
_ID_PREFIX = re.compile(r"(?:team)?(?P<id>\d+)(?![0-9])", re.IGNORECASE)


class CheckpointMissing(SubmissionError):
    """A model file without its checkpoint: perhaps one that can be fetched."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One model file and its checkpoint.

    Attributes:
        id: The team's number.
        name: NAME in the file's name.
        file: The model file.
        checkpoint: The checkpoint; None where the submission declares that it has none.
        declaration: What the submission says of itself.
        has_build_model: Whether the file defines a function build_model().
        branch: Where it lies in a challenge's checkout; None for a file of models/. With it, `file` and
            `checkpoint` are the first of those that the branch names, and test_demo.py builds the network.
        baseline_because: Why it is the baseline, where that was inferred; empty for all else.
    """

    id: int
    name: str
    file: Path
    checkpoint: Path | None
    declaration: Declaration
    has_build_model: bool
    branch: Branch | None = None
    baseline_because: str = ""

    @property
    def label(self) -> str:
        """The submission as tables and folders call it, such as "00_RLFN"."""
        return f"{self.id:02d}_{self.name}"

    def is_same_as(self, other: Submission) -> bool:
        """Return whether both are one: of one id and made of the same files, by whatever path."""
        return self._place() == other._place()

    def _place(self) -> tuple[int, Path, Path | None, Path | None]:
        checkpoint = None if self.checkpoint is None else self.checkpoint.resolve()
        return self.id, self.file.resolve(), checkpoint, self.workdir

    @property
    def readable(self) -> tuple[Path, ...]:
        """All that its process must be able to read."""
        own = [self.file, self.checkpoint]
        if self.branch is not None:  # a checkpoint may be a link to somewhere else
            named = (*self.branch.checkpoints, *_behind_linked_zoo(self.branch.root))
            there = [path for path in named if is_file(path) and path.resolve().suffix == path.suffix]
            hops = [hop for path in there for hop in _hops(Path(os.path.abspath(path)))]
            return tuple(dict.fromkeys([self.branch.root.resolve(), *hops]))
        return tuple(dict.fromkeys(path.resolve() for path in own if path is not None))

    @property
    def outside(self) -> tuple[Path, ...]:
        """Files beside a checkout that its process can read, as links in the checkout lead to them."""
        root = None if self.branch is None else self.branch.root.resolve()
        real = dict.fromkeys(path.resolve() for path in self.readable)
        return () if root is None else tuple(path for path in real if not path.is_relative_to(root))

    @property
    def workdir(self) -> Path | None:
        """The working directory that its code counts on; None where it may be any."""
        return None if self.branch is None else self.branch.root.resolve()


def _behind_linked_zoo(root: Path) -> Iterator[Path]:
    """Yield the checkpoints in a checkout's model_zoo/ where that is a link, as to a larger disk.

    Not the folder itself, nor links inside it: those are strangers' as well, and may lead to anything.
    """
    folder = root / "model_zoo"
    if folder.is_symlink():
        with contextlib.suppress(OSError):
            yield from (file for file in sorted(folder.iterdir()) if file.suffix in CHECKPOINT_SUFFIXES)


def _hops(path: Path) -> Iterator[Path]:
    """Yield where a path leads, link by link, of folders too: each must be there for the next to be found.

    The last may come twice.
    """
    for _ in range(40):  # as many as Linux follows
        steps = [*reversed(path.parents), path]
        link = next((step for step in steps if step.is_symlink()), None)
        if link is None:
            break
        onward = os.path.normpath(link.parent / os.readlink(link))
        path = Path(onward) / path.relative_to(link)
        yield path
    yield path.resolve()


@dataclass(frozen=True)
class Unusable:
    """A submission that cannot be tried.

    Attributes:
        id: The team's number.
        name: NAME in the file's name; of the first file where there are several.
        file: The model file, alike.
        error: Why.
    """

    id: int
    name: str
    file: Path
    error: SubmissionError

    @property
    def label(self) -> str:
        """The submission as tables and folders call it, such as "00_RLFN"."""
        return f"{self.id:02d}_{self.name}"


@dataclass(frozen=True)
class Catalogue:
    """All that lies in models/, or in a challenge's checkout.

    Attributes:
        submissions: Those that can be tried, by id.
        problems: Those that cannot, by id.
        ignored: What looks like a submission and is none, with the remedy.
        models: The folder or file searched.
        baseline_choice: Id or name of the submission to take for the baseline; None: as the protocol says.
        baseline_folder: Where the baseline is to be looked for, if not among these; see `baseline_choice`.
    """

    submissions: dict[int, Submission]
    problems: dict[int, Unusable]
    ignored: tuple[str, ...]
    models: Path
    baseline_choice: str | None = None
    baseline_folder: Catalogue | None = None

    @property
    def is_checkout(self) -> bool:
        """Whether the submissions are branches of a checkout's select_model."""
        return any(item.branch is not None for item in self.submissions.values())

    def get(self, id_: int) -> Submission:
        """Return one submission.

        Raises:
            SubmissionError: The id is there, but cannot be tried.
            UsageError: The id is not there; the message names near matches and all that are.
        """
        if id_ in self.submissions:
            return self.submissions[id_]
        if id_ in self.problems:
            raise self.problems[id_].error
        known = {f"{i:02d}": s.label for i, s in self.submissions.items()}
        known.update({f"{i:02d}": f"{p.label} (cannot be used)" for i, p in self.problems.items()})
        near = difflib.get_close_matches(f"{id_:02d}", known, n=3, cutoff=0.5)
        there = ", ".join(known[i] for i in sorted(known)) or "nothing"
        hint = f"; near: {', '.join(known[i] for i in near)}" if near else ""
        missing = f"team{id_:02d}_NAME.py and its checkpoint in model_zoo/"
        raise UsageError(
            f"there is no submission {id_:02d}",
            file=self.models,
            found=there + hint,
            remedy="choose one of these" + ("" if self.is_checkout else f", or add {missing}"),
        )


def find(models: Path, model_zoo: Path, *, prefer_training: bool = False) -> Catalogue:
    """List the submissions of a models folder.

    Args:
        models: Folder of team{ID}_{Name}.py or {ID}_{Name}.py files.
        model_zoo: Folder of checkpoints whose names begin with the same id.
        prefer_training: Of NAME.pth and NAME_deploy.pth take the first, which `fuse` made the second of.

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
    for file in sorted(models.glob("*.py")):
        match = _STEM.fullmatch(file.stem)
        if match is None or len(match["id"]) < 2 or not _unicode(file.name):
            if file.name != "__init__.py":
                ignored.append(_why_ignored(file, match))
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
                    found=", ".join(file.name for _, file in files),
                    remedy="rename all but one",
                )
            name, file = files[0]
            submissions[id_] = _read(id_, name, file, model_zoo, checkpoints.get(id_, []), prefer_training)
        except SubmissionError as error:
            problems[id_] = Unusable(id_, *files[0], error)
    return Catalogue(submissions, problems, tuple(ignored), models)


def _why_ignored(file: Path, match: re.Match[str] | None) -> str:
    if not _unicode(file.name):
        remedy = f"rename {file.name!a}: its name is not Unicode"
    elif match is not None:
        remedy = f"rename it to team{int(match['id']):02d}_{match['name']}.py (the id has two digits or more)"
    else:
        remedy = "name it team{ID}_{Name}.py to make it a submission"
    return f"{relative(file)}: not a submission by its name; {remedy}."


def _unicode(name: str) -> bool:
    """Whether a file's name can be written into a record: on Linux it may be any bytes."""
    return name == name.encode(errors="replace").decode()


def _checkpoints_by_id(model_zoo: Path) -> dict[int, list[Path]]:
    found: dict[int, list[Path]] = {}
    for path in sorted(model_zoo.iterdir()) if model_zoo.is_dir() else []:
        match = _ID_PREFIX.match(path.stem)
        usable = path.suffix.lower() in CHECKPOINT_SUFFIXES and _unicode(path.name)
        if match and usable and (is_file(path) or _leads_nowhere(path)):
            found.setdefault(int(match["id"]), []).append(path)
    return found


def _read(
    id_: int, name: str, file: Path, model_zoo: Path, checkpoints: list[Path], prefer_training: bool
) -> Submission:
    tree = parse(file)
    declaration = declarations.read(file, tree)
    checkpoint = _checkpoint(file, declaration, model_zoo, checkpoints, prefer_training)
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
    return os.path.islink(path) and not os.path.exists(path)  # which raise for no name, however long


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
    """Refuse a link to what is no file of this kind: a worker may read what it points to."""
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
    file: Path, declared: Declaration, model_zoo: Path, candidates: list[Path], prefer_training: bool
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
    stem = file.stem.lower()
    for preferred in (stem,) if prefer_training else (stem + DEPLOY_SUFFIX, stem):
        exact = [path for path in candidates if path.stem.lower() == preferred]
        if len(exact) == 1:
            return exact[0]
    complete = [path for path in candidates if not _leads_nowhere(path)] or candidates
    if len(complete) == 1:
        return complete[0]
    if not candidates:
        prefix = file.stem.split("_", 1)[0]
        raise CheckpointMissing(
            "has no checkpoint",
            file=file,
            expected=f"{relative(model_zoo)}/{file.stem}.pth (any of {' '.join(CHECKPOINT_SUFFIXES)}, "
            f"any name that begins with {prefix})",
            found=_contents(model_zoo),
            remedy="put it there (`ntire-bench zoo list` names the published ones that can be fetched), "
            'or declare "checkpoint": None if the network needs none',
        )
    raise SubmissionError(
        "has several checkpoints",
        file=file,
        found=", ".join(path.name for path in candidates),
        remedy=f'keep one, name one {file.stem}{candidates[0].suffix}, or declare "checkpoint"',
    )


def _contents(model_zoo: Path) -> str:
    if not model_zoo.is_dir():
        return f"no folder {relative(model_zoo)}"
    names = sorted(p.name for p in model_zoo.iterdir() if p.suffix.lower() in CHECKPOINT_SUFFIXES)
    return few(names, 6) or "no checkpoint at all"
