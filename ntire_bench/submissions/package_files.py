"""The files of a submission that is a package: a folder of bounded size, without links."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ntire_bench.errors import SubmissionError
from ntire_bench.source import files

__all__ = ["COMPILED", "MOST_BYTES", "MOST_FILES", "files_of", "sha256"]

MOST_FILES = 200
MOST_BYTES = 8 * 2**20  # of all files together: it is a program's text, its weights are the checkpoint
_MOST_DEPTH = 8
COMPILED = "__pycache__"  # it changes whenever somebody runs the files


def files_of(folder: Path) -> dict[str, Path]:
    """Return the files of a package, by their names in it with slashes, in the order of these.

    What Python compiled is left out; a worker behind namespaces does not see it (`Submission.unhashed`).

    Args:
        folder: The package.

    Raises:
        SubmissionError: There is a link or something else that is no file, or too much of all.
    """
    found: dict[str, Path] = {}
    todo = [(folder, 0)]
    total = 0
    while todo:
        place, depth = todo.pop()
        for entry in _entries(place):
            path = Path(entry.path)
            if entry.name == COMPILED:
                continue
            if entry.is_symlink() or not (entry.is_dir() or entry.is_file()):
                raise _refused(path, "is a link, or no ordinary file", "put the file itself there")
            if entry.is_dir():
                if depth >= _MOST_DEPTH:
                    raise _refused(path, "lies too deep", "use fewer folders in each other")
                todo.append((path, depth + 1))
                continue
            found[path.relative_to(folder).as_posix()] = path
            total += entry.stat(follow_symlinks=False).st_size
            if len(found) > MOST_FILES or total > MOST_BYTES:
                raise SubmissionError(
                    "is too large for a package",
                    file=folder,
                    expected=f"at most {MOST_FILES} files and {MOST_BYTES // 2**20} MiB",
                    remedy="take out what the network does not need; its weights belong into model_zoo/",
                )
    return dict(sorted(found.items()))


def sha256(folder: Path) -> str:
    """Return a hash that changes with the name or content of any file of a package.

    Raises:
        SubmissionError: As `files_of`, or a file cannot be read.
    """
    digest = hashlib.sha256()
    for name, path in files_of(folder).items():
        digest.update(f"{name}\0{files.sha256(path)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _entries(place: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(place) as listing:
            return sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        raise SubmissionError(
            "cannot be listed", file=place, found=error.strerror, remedy="make it readable"
        ) from None


def _refused(path: Path, what: str, remedy: str) -> SubmissionError:
    return SubmissionError(what, file=path, expected="files and folders in a package", remedy=remedy)
