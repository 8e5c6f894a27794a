"""Folders of PNG images: what lies in them, and whether every file is what it should be."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ntire_bench.data.images import read_bytes
from ntire_bench.data.png import verify_png
from ntire_bench.errors import DatasetError
from ntire_bench.text import relative

__all__ = ["CheckedImage", "DatasetProblems", "Problems", "check_images", "cores", "list_images"]

# Images that are not PNG are named as a problem; anything else in a folder (Thumbs.db, notes) is left alone.
_MADE = re.compile(r"(?P<name>.+)_(LR|noise(?P<noise>[0-9.]+))")  # what `prepare` calls its folders
_OTHER_IMAGES = frozenset(".avif .bmp .gif .jpeg .jpg .jp2 .ppm .tif .tiff .webp".split())


class DatasetProblems(DatasetError):
    """All that is wrong with the images asked for, in one message with one line per problem.

    Attributes:
        problems: The single messages; each names its file.

    >>> print(DatasetProblems(["a.png: empty file.", "b.png: not a PNG."]))
    2 problems with the images:
      a.png: empty file.
      b.png: not a PNG.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))

    def __str__(self) -> str:
        """Return the one message a user reads."""
        if len(self.problems) == 1:
            return self.problems[0]
        return "\n  ".join([f"{len(self.problems)} problems with the images:", *self.problems])


class Problems:
    """Collects what is wrong, so that a user sees all of it at once.

    >>> problems = Problems()
    >>> problems.raise_if_any()
    >>> problems.add("empty file", "a.png")
    >>> problems.messages
    ['a.png: empty file.']
    """

    def __init__(self) -> None:
        self.messages: list[str] = []

    def add(
        self,
        what: str,
        file: str | os.PathLike[str],
        *,
        expected: str | None = None,
        found: str | None = None,
        remedy: str | None = None,
    ) -> None:
        """Note one problem; the arguments are those of `errors.NtireBenchError`."""
        self.messages.append(
            str(DatasetError(what, file=file, expected=expected, found=found, remedy=remedy))
        )

    def raise_if_any(self) -> None:
        """Raise all that was noted as one DatasetProblems."""
        if self.messages:
            raise DatasetProblems(self.messages)


@dataclass(frozen=True)
class CheckedImage:
    """A file that holds a sound 8-bit RGB PNG."""

    path: Path
    height: int
    width: int
    sha256: str


def list_images(folder: Path, problems: Problems) -> dict[str, Path]:
    """List the PNG files of a folder, sub-folders and hidden files left out.

    Args:
        folder: To list; the suffix .png may be in any case.
        problems: Told of a missing, unreadable or empty folder, of images of another kind, and of names that
            two files share.

    Returns:
        Files by stem, in Unicode's composed form (NFC): archives made on macOS hold the decomposed one.
    """
    try:
        entries = sorted(folder.iterdir())
    except FileNotFoundError:
        remedy = "add it, or name another folder"
        made = _MADE.fullmatch(folder.name)
        hr = folder.with_name(f"{made['name']}_HR") if made is not None else folder
        if made is not None and hr.is_dir():
            noise = f" --noise {made['noise']}" if made["noise"] else ""
            remedy = f"make it with ntire-bench prepare {shlex.quote(relative(hr))}{noise}"
        problems.add("missing folder", folder, expected="a folder of PNG images", remedy=remedy)
        return {}
    except OSError as error:
        found, remedy = error.strerror, "name a folder that this user may read"
        problems.add(
            "cannot be listed", folder, expected="a folder of PNG images", found=found, remedy=remedy
        )
        return {}
    # macOS puts ._0801.png beside 0801.png; a killed writer may leave a hidden temporary file.
    shown = [path for path in entries if not path.name.startswith(".")]
    files: dict[str, Path] = {}
    images = 0
    for path in shown:
        suffix = path.suffix.lower()
        if suffix not in _OTHER_IMAGES | {".png"} or os.path.isdir(path):
            continue
        images += 1
        stem = unicodedata.normalize("NFC", path.stem)
        if suffix != ".png":
            problems.add("not a PNG", path, found=suffix, remedy="PNG is needed: convert it, or remove it")
        elif not _is_unicode(path.name):
            problems.add(f"file name {path.name!a} is not valid UTF-8", folder, remedy="rename it")
        elif stem in files:
            problems.add(f"same name as {files[stem].name}", path, remedy="remove one of the two")
        else:
            files[stem] = path
    if not images:
        found = "sub-folders, which are not searched" if any(map(os.path.isdir, shown)) else None
        remedy = "put the images there, or name another folder"
        problems.add("no image in this folder", folder, expected="PNG images", found=found, remedy=remedy)
    return files


def check_images(
    files: dict[str, Path], problems: Problems, advance: Callable[[], None] | None = None
) -> dict[str, CheckedImage]:
    """Read each file once: check it as a PNG and take its SHA-256.

    Threads share the work, as both checksums let others run meanwhile; each holds one file at a time.

    Args:
        files: By stem.
        problems: Told of each file that is not a sound 8-bit RGB PNG.
        advance: Called after each file, from the calling thread.

    Returns:
        The sound ones, by stem.
    """
    images = {}
    pool = ThreadPoolExecutor(check_threads(), "check_images")
    try:
        for stem, found in zip(files, pool.map(_check_image, files.values()), strict=True):
            if isinstance(found, CheckedImage):
                images[stem] = found
            else:
                problems.messages.append(found)
            if advance is not None:
                advance()
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C too
    return images


def check_threads() -> int:
    """Return how many threads `check_images` uses, and so how many files it holds in memory at most."""
    return min(8, cores())


def cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_image(path: Path) -> CheckedImage | str:
    """Return what is there, or the message about what is wrong: an exception would keep the content alive."""
    try:
        data = read_bytes(path)
        height, width = verify_png(data, path)
    except DatasetError as error:
        return str(error)
    return CheckedImage(path, height, width, hashlib.sha256(data).hexdigest())


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
