"""The folder of a site on the disk: what may be replaced in it, and what is left alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from ntire_bench.errors import UsageError

__all__ = ["check_folder", "slugs_of", "write_files"]

_LIST = "site.json"


def check_folder(folder: Path) -> None:
    """Check that a site can be written there, before anything is computed for it.

    Raises:
        UsageError: It is a file, or a folder that holds something other than a site.
    """
    if not folder.exists():
        return
    remedy = "name a new or empty folder, or that of an earlier site, with --output"
    if not folder.is_dir():
        raise UsageError("a file, where a site needs a folder", file=folder, remedy=remedy)
    others = [path for path in folder.iterdir() if not path.name.startswith(".")]
    if others and not (folder / _LIST).is_file():
        found = f"{len(others)} other files or folders, such as {min(path.name for path in others)}"
        raise UsageError(
            "the folder holds something other than a site", file=folder, found=found, remedy=remedy
        )


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a site, and take away what only an earlier one had there; other files stay.

    Args:
        folder: As `check_folder` lets it be.
        files: Content by path within the folder, with slashes.

    Raises:
        UsageError: It cannot be written to.
    """
    try:
        for name in _listed(folder):
            if name not in files:
                (folder / name).unlink(missing_ok=True)
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        text = json.dumps({"files": sorted(files)}, indent=1) + "\n"
        (folder / _LIST).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            "the site cannot be written",
            file=error.filename or folder,
            found=error.strerror or str(error),
            remedy="name a folder that this user may write to with --output",
        ) from None


def _listed(folder: Path) -> list[str]:
    """Return what an earlier site wrote into a folder; only names that stay within it."""
    try:
        names = json.loads((folder / _LIST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # no list: then nothing is taken away
    return [name for name in names if isinstance(name, str) and _is_within(name)]


def _is_within(name: str) -> bool:
    """Return whether a path stays within the folder that it is put after.

    >>> _is_within("teams/05_A.html"), _is_within("../a"), _is_within("/a")
    (True, False, False)
    """
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name


def slugs_of(labels: list[str]) -> dict[str, str]:
    """Return a file name for each label, in letters that every system and address takes; no two are alike.

    >>> slugs_of(["05_Net", "06_a/b", "06_a b", "<é>"])
    {'05_Net': '05_Net', '06_a/b': '06_a-b', '06_a b': '06_a-b-2', '<é>': 'team'}
    """
    slugs: dict[str, str] = {}
    taken: set[str] = set()
    for label in labels:
        letters = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "-" for c in label)
        begin = letters.strip(".-")[:80] or "team"
        slug, number = begin, 1
        while slug.casefold() in taken:
            number += 1
            slug = f"{begin}-{number}"
        taken.add(slug.casefold())
        slugs[label] = slug
    return slugs
