"""Which submission a user means: ids as people write them, names, and paths of model files.

5, 05, team05, 05_MyNet, team05_MyNet, MyNet and models/team05_MyNet.py are all the same submission.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ntire_bench.errors import UsageError
from ntire_bench.submissions.baseline_rule import Named
from ntire_bench.submissions.submission import CHECKPOINT_SUFFIXES
from ntire_bench.text import few, one_line, relative

__all__ = ["FILE_SUFFIXES", "Spelled", "is_called", "resolve", "spelled"]

_STEM = re.compile(r"(?:team[ _-]?)?(?P<id>[0-9]{1,9})(?:[_-](?P<name>.+))?", re.IGNORECASE)
FILE_SUFFIXES = (".py", ".toml", *CHECKPOINT_SUFFIXES)  # of the files that make a submission
_SHOWN = 12

_Item = TypeVar("_Item", bound=Named)


@dataclass(frozen=True)
class Spelled:
    """What a user wrote for a submission.

    Attributes:
        id: The team's number; None where only a name was written.
        name: NAME in the file's name; None where only a number was written.
        folder: The folder of a path that was written; None where it was none.
    """

    id: int | None
    name: str | None
    folder: Path | None = None


def spelled(text: str) -> Spelled:
    """Return what a user's word for a submission says.

    >>> spelled("05"), spelled("team05")
    (Spelled(id=5, name=None, folder=None), Spelled(id=5, name=None, folder=None))
    >>> spelled("MyNet"), spelled("05_MyNet")
    (Spelled(id=None, name='MyNet', folder=None), Spelled(id=5, name='MyNet', folder=None))
    >>> found = spelled("models/team05_MyNet.py")
    >>> found.id, found.name, str(found.folder)
    (5, 'MyNet', 'models')
    """
    path = _path(text)
    folder = path.parent if os.sep in text.strip().rstrip(os.sep) else None
    stem = _stem(path)
    match = _STEM.fullmatch(stem)
    if match is None:
        return Spelled(None, stem, folder)
    return Spelled(int(match["id"]), match["name"], folder)


def is_called(text: str, item: Named) -> bool:
    """Return whether a user's word may mean one submission."""
    wanted = spelled(text)
    whole = _named(_stem(_path(text)), [item])
    return bool(whole) or (wanted.id == item.id and (wanted.name is None or _is(wanted.name, item)))


def resolve(
    text: str,
    items: Sequence[_Item],
    place: Path | None,
    *,
    models: Path | None = None,
    remedy: str = "",
) -> int:
    """Return the id of the submission that a user means.

    Args:
        text: What the user wrote.
        items: All there are, also those that cannot be tried. Of records, several may have one id: a team may
            have had another name before.
        place: The folder or file they lie in, for messages; None for none.
        models: The folder of their model files: the path of a file elsewhere is refused; None for none.
        remedy: What helps beside choosing one of these, such as adding a file.

    Returns:
        The id. A number alone is returned as it is, whether or not there is such a submission.

    Raises:
        UsageError: None has that name, or several have; the message names near matches and all there are.
    """
    wanted = spelled(text)
    if wanted.folder is not None and models is not None and models.is_dir():
        _refuse_elsewhere(text, wanted.folder, models)
    if wanted.id is not None:
        there = [item for item in items if item.id == wanted.id]
        name = wanted.name
        if name is None or not there or any(_is(name, item) for item in there):
            return wanted.id
        whole = _named(_stem(_path(text)), items)  # NAME itself may begin with a number
        if len({item.id for item in whole}) == 1:
            return whole[0].id
        raise UsageError(
            f"the submission {wanted.id:02d} has another name",
            file=place,
            expected=one_line(text),
            found=few([item.label for item in there], _SHOWN),
            remedy=f"write {wanted.id}, or {there[0].label}",
        )
    named = _named(wanted.name or "", items)
    if len({item.id for item in named}) == 1:
        return named[0].id
    if named:
        raise UsageError(
            f"several submissions have the name {one_line(wanted.name or '')}",
            file=place,
            found=few([item.label for item in named], _SHOWN),
            remedy="choose one by its id",
        )
    names = {item.name.casefold(): item.label for item in items}
    close = difflib.get_close_matches((wanted.name or "").casefold(), names, n=3, cutoff=0.6)
    labels = [item.label for item in items]
    found = few(labels, _SHOWN) or "nothing"
    found += f"; near: {', '.join(names[name] for name in close)}" if close else ""
    raise UsageError(
        f"there is no submission {one_line(text) or 'without a name'}",
        file=place,
        found=found,
        remedy="choose one of these by its id, its name or its file" + (f", or {remedy}" if remedy else ""),
    )


def _path(text: str) -> Path:
    path = Path(text.strip())
    return path.parent if path.name == "__init__.py" else path  # of a package


def _stem(path: Path) -> str:
    return path.stem if path.suffix.lower() in FILE_SUFFIXES else path.name


def _named(name: str, items: Sequence[_Item]) -> list[_Item]:
    return [item for item in items if _is(name, item) or name.casefold() == item.label.casefold()]


def _is(name: str, item: Named) -> bool:
    return name.casefold() == item.name.casefold()


def _refuse_elsewhere(text: str, folder: Path, models: Path) -> None:
    """Refuse the path of a model file in another folder than the one that they are looked for in."""
    if Path(text.strip()).suffix.lower() in CHECKPOINT_SUFFIXES or folder.resolve() == models.resolve():
        return
    raise UsageError(
        "lies in another folder than the submissions",
        file=one_line(text),
        expected=f"a file in {relative(models)}",
        remedy="name its folder with --models, and that of its checkpoint with --model-zoo",
    )
