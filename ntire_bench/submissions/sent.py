"""Which submission lies among the files that a team sent, however they laid them out."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ntire_bench.errors import SubmissionError
from ntire_bench.submissions.models_folder import find, id_of
from ntire_bench.submissions.submission import CHECKPOINT_SUFFIXES, PACKAGE_FILE, Submission
from ntire_bench.text import few, one_line, relative

__all__ = ["Sent", "as_sent", "recognized"]

_STEM = re.compile(r"(?:team)?(?P<id>\d{1,6})_(?P<name>[^/]+?)", re.IGNORECASE)
_ENDINGS = (".zip", ".py", *CHECKPOINT_SUFFIXES)
_MODELS, _ZOO = "models", "model_zoo"


@dataclass(frozen=True)
class Sent:
    """A submission among what a team sent, laid out as in this program's own folders.

    Attributes:
        submission: Its files lie in models/ and model_zoo/ of a folder.
        left: Names of files that are no part of it.
    """

    submission: Submission
    left: tuple[str, ...]


def recognized(sent: Path, unpacked: Path, names: Sequence[str], place: Path) -> Sent:
    """Find the submission among unpacked files, and lay it out in models/ and model_zoo/ of another folder.

    A model file is named by the team's id, or what was sent is: team05_Net.zip with one model.py in it is
    team05_Net.

    Args:
        sent: What the team sent, for its name.
        unpacked: Folder of the files.
        names: Of the files, with slashes.
        place: An empty folder to lay them out in; files are moved there.

    Raises:
        SubmissionError: There is none, or more than one, or it cannot be used.
    """
    models = _models(names)
    own = _identity(sent)
    if own is not None and own[0] in models:
        id_ = own[0]
    elif len(models) == 1:
        (id_,) = models
    elif not models:
        return _named_by_archive(sent, unpacked, names, place)
    else:
        raise SubmissionError(
            f"holds {len(models)} submissions",
            file=sent,
            expected="one, or a name that says whose it is, such as team05_Net.zip",
            found=few([f"{one:02d}" for one in sorted(models)], 8),
            remedy="send only your own model file and checkpoint",
        )
    if len(models[id_]) > 1:
        raise SubmissionError(
            f"holds {len(models[id_])} model files of the id {id_:02d}",
            file=sent,
            expected="one",
            found=few(sorted(models[id_]), 4),
            remedy="keep one, or send a package: a folder with an __init__.py",
        )
    (model,) = models[id_]
    chosen = _move_model(model, PurePosixPath(model).name, names, unpacked, place)
    zoo = [name for name in names if _is_checkpoint(name) and id_of(Path(name)) == id_]
    if not zoo:  # the only one there is
        every = [name for name in names if _is_checkpoint(name)]
        stem = PurePosixPath(model).name.removesuffix(".py")
        if len(every) == 1:
            chosen += _move(every[0], f"{_ZOO}/{stem}{PurePosixPath(every[0]).suffix}", unpacked, place)
    for name in zoo:
        chosen += _move(name, f"{_ZOO}/{PurePosixPath(name).name}", unpacked, place)
    return _sent(sent, id_, names, chosen, place)


def _models(names: Sequence[str]) -> dict[int, list[str]]:
    """Return the model files and packages by id: names of files, and of folders with an __init__.py."""
    found: dict[int, list[str]] = {}
    packages = []
    for name in names:
        path = PurePosixPath(name)
        if path.name == PACKAGE_FILE and (match := _STEM.fullmatch(path.parent.name)):
            packages.append(str(path.parent))
            found.setdefault(int(match["id"]), []).append(str(path.parent))
    for name in names:
        path = PurePosixPath(name)
        inside = any(name.startswith(f"{package}/") for package in packages)
        if path.suffix == ".py" and not inside and (match := _STEM.fullmatch(path.stem)):
            found.setdefault(int(match["id"]), []).append(name)
    return found


def _identity(sent: Path) -> tuple[int, str] | None:
    """Return (id, name) that the name of what was sent says; None where it says none."""
    stem = sent.name
    ending = next((one for one in _ENDINGS if stem.lower().endswith(one)), "")
    match = _STEM.fullmatch(stem[: len(stem) - len(ending)])
    return None if match is None else (int(match["id"]), match["name"])


def _named_by_archive(sent: Path, unpacked: Path, names: Sequence[str], place: Path) -> Sent:
    """Take the one model file there is for the submission that the name of what was sent says."""
    own = _identity(sent)
    models = [name for name in names if name.endswith(".py") and PurePosixPath(name).name != PACKAGE_FILE]
    zoo = [name for name in names if _is_checkpoint(name)]
    if own is None or len(models) != 1 or len(zoo) > 1:
        others = f"no Python file among {few(sorted(names), 4)}"
        raise SubmissionError(
            "holds no model file that is named as a submission",
            file=sent,
            expected="team{ID}_{Name}.py, or a folder of that name with an __init__.py",
            found=one_line(few(sorted(models), 4) or others),
            remedy="name the model file and its checkpoint so",
        )
    stem = f"team{own[0]:02d}_{own[1]}"
    chosen = _move(models[0], f"{_MODELS}/{stem}.py", unpacked, place)
    for name in zoo:
        chosen += _move(name, f"{_ZOO}/{stem}{PurePosixPath(name).suffix}", unpacked, place)
    return _sent(sent, own[0], names, chosen, place)


def _is_checkpoint(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in CHECKPOINT_SUFFIXES


def _move_model(model: str, base: str, names: Sequence[str], unpacked: Path, place: Path) -> list[str]:
    """Move a model file with the TOML file beside it, or all files of a package."""
    if not model.endswith(".py"):
        inside = [name for name in names if name.startswith(f"{model}/")]
        return [
            done
            for name in inside
            if not _is_checkpoint(name)
            for done in _move(name, f"{_MODELS}/{base}{name[len(model) :]}", unpacked, place)
        ]
    chosen = _move(model, f"{_MODELS}/{base}", unpacked, place)
    toml = f"{model.removesuffix('.py')}.toml"
    if toml in names:
        chosen += _move(toml, f"{_MODELS}/{PurePosixPath(toml).name}", unpacked, place)
    return chosen


def _move(name: str, to: str, unpacked: Path, place: Path) -> list[str]:
    target = place / to
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(unpacked / name, target)
    return [name]


def _sent(sent: Path, id_: int, names: Sequence[str], chosen: Sequence[str], place: Path) -> Sent:
    """Return the submission that was laid out.

    Raises:
        SubmissionError: It cannot be used; the message names the files as they were sent.
    """
    (place / _ZOO).mkdir(exist_ok=True)
    try:
        submission = find(place / _MODELS, place / _ZOO).get(id_)
    except SubmissionError as error:
        raise as_sent(error, sent, place) from None
    return Sent(submission, tuple(sorted(set(names) - set(chosen))))


def as_sent(error: SubmissionError, sent: Path, place: Path) -> SubmissionError:
    """Return an error of a file that was laid out as one of what was sent, which alone its team knows.

    Args:
        error: Of a file in `place`.
        sent: What the team sent.
        place: The temporary folder that it was laid out in.
    """

    def short(text: str) -> str:
        for path in (str(place), relative(place), str(place.resolve())):
            text = text.replace(f"{path}/", "")
        return text

    told = {"expected": error.expected, "found": error.found, "remedy": error.remedy}
    file = None if error.file is None else Path(error.file).name
    name = "" if file in (None, sent.name) else f"{file}: "
    return SubmissionError(
        name + short(error.what), file=sent, **{key: text and short(text) for key, text in told.items()}
    )
