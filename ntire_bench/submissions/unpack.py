"""Copies what a stranger sent, an archive or a folder, into an empty folder: bounded, and without links.

Nothing of it is run or unpickled, archives in it are not opened, and what headers say of sizes is not
believed.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn

from ntire_bench.errors import SubmissionError
from ntire_bench.text import one_line

__all__ = ["ARCHIVE", "Bounds", "unpack"]

ARCHIVE = ".zip"
_OTHER_ARCHIVES = (".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
# Methods that need little memory to unpack, whatever the archive says.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MOST_DIRECTORY = 4 * 2**20  # bytes of the list of members, which is read as a whole
_END = struct.Struct("<4s4H2LH")  # the end record of a zip file
_END_MARK, _ZIP64_MARK, _ZIP64_BYTES = b"PK\x05\x06", b"PK\x06\x07", 20
_PART = 1 << 20
_MOST_NAME = 200  # characters of a path
_MOST_DEPTH = 12
# What file managers and version control leave in archives; nobody means to send it.
_CLUTTER = {"__MACOSX", "__pycache__", ".git", ".DS_Store", "Thumbs.db", ".idea", ".vscode"}


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much one team may send.

    Attributes:
        files: Files and folders of an archive.
        total_bytes: Of all files, unpacked.
    """

    files: int = 2000
    total_bytes: int = 2 * 2**30


@dataclass(frozen=True)
class _Member:
    """One file that is sent: its name as the archive has it, and how it is read."""

    name: str
    kind: str  # "file", "folder", or what else it is
    source: object


def unpack(sent: Path, target: Path, bounds: Bounds | None = None) -> list[str]:
    """Copy the files of an archive or a folder into an empty folder.

    Args:
        sent: A zip file, a folder, or a single file.
        target: The folder, which is there and empty.
        bounds: How much there may be.

    Returns:
        The names of the files, relative to `target`, with slashes.

    Raises:
        SubmissionError: There is a path that leads out, a link, too much, or it cannot be read. Files may lie
            in `target` by then.
    """
    bounds = bounds or Bounds()
    names: dict[str, str] = {}
    left = bounds.total_bytes
    try:
        with _opened(sent) as members:
            for count, (member, content) in enumerate(members, 1):
                if count > bounds.files:
                    _refuse(sent, "holds too many files", f"at most {bounds.files}", "more")
                name = _safe_name(sent, member.name)
                if name is None or member.kind == "folder":
                    continue
                if member.kind != "file":
                    _refuse(sent, f"holds {member.kind}", "ordinary files", one_line(member.name, 80))
                known = names.setdefault(name.casefold(), name)
                if known != name or os.path.lexists(target / name):
                    _refuse(sent, "holds a name twice", "each name once", one_line(name, 80))
                left -= _copy(sent, content, target / name, left)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        found = one_line(str(error), 200) or type(error).__name__
        _refuse(sent, "cannot be unpacked", "a sound zip file", found)
    except RuntimeError as error:  # zipfile's word for a password
        _refuse(sent, "cannot be unpacked", "an archive without a password", one_line(str(error), 200))
    except OSError as error:
        _refuse(sent, "cannot be read", "files that this user may read", error.strerror or str(error))
    return sorted(names.values())


def _safe_name(sent: Path, name: str) -> str | None:
    """Return the name of a file in the target; None for what nobody means to send.

    Raises:
        SubmissionError: It would lie elsewhere, or no system takes it.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    parts = [part for part in path.parts if part not in (".", "/")]
    leads_out = path.is_absolute() or ".." in parts or (parts and ":" in parts[0])
    if leads_out:
        _refuse(sent, "holds a path that leads out of it", "paths inside of it", one_line(name, 80))
    if _CLUTTER & set(parts) or not parts:
        return None
    text = "/".join(parts)
    printable = all(c.isprintable() for c in text) and text == text.encode(errors="replace").decode()
    if not printable or len(text) > _MOST_NAME or len(parts) > _MOST_DEPTH:
        _refuse(
            sent,
            "holds a name that cannot be kept",
            f"printable names of at most {_MOST_NAME} characters and {_MOST_DEPTH} folders",
            one_line(name, 80),
        )
    return text


@contextmanager
def _opened(sent: Path) -> Iterator[Iterator[tuple[_Member, IO[bytes] | None]]]:
    if sent.is_symlink():
        _refuse(sent, "is a link", "an archive, a folder or a file", "a link")
    if sent.is_dir():
        yield _of_folder(sent)
    elif not sent.is_file():
        _refuse(sent, "is no ordinary file", "an archive, a folder or a file", "something else")
    elif sent.suffix.lower() == ARCHIVE:
        _refuse_large_directory(sent)
        with zipfile.ZipFile(sent) as archive:
            yield _of_zip(sent, archive)
    elif sent.suffix.lower() in _OTHER_ARCHIVES:
        _refuse(sent, "is an archive of another kind", "a zip file", sent.suffix)
    else:
        yield _of_file(sent)


def _of_zip(sent: Path, archive: zipfile.ZipFile) -> Iterator[tuple[_Member, IO[bytes] | None]]:
    for info in archive.infolist():
        mode = info.external_attr >> 16
        kind = "folder" if info.is_dir() else "file"
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            kind = "a link" if stat.S_ISLNK(mode) else "a device or the like"
        if kind != "file":
            yield _Member(info.filename, kind, info), None
            continue
        if info.compress_type not in _METHODS:
            _refuse(
                sent,
                "is compressed in an unusual way",
                "stored or deflated files",
                f"method {info.compress_type}",
            )
        with archive.open(info) as content:
            yield _Member(info.filename, kind, info), content


def _refuse_large_directory(sent: Path) -> None:
    """Refuse a zip file whose list of members would fill the memory: Python reads it as a whole."""
    size = sent.stat().st_size
    with sent.open("rb") as file:
        file.seek(max(0, size - _END.size - _ZIP64_BYTES - 0xFFFF))
        tail = file.read()
    at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) - at < _END.size:
        _refuse(sent, "cannot be unpacked", "a sound zip file", "no list of members at its end")
    directory = _END.unpack_from(tail, at)[5]
    if directory > _MOST_DIRECTORY or tail[max(0, at - _ZIP64_BYTES) :].startswith(_ZIP64_MARK):
        _refuse(sent, "holds too many files, or is too large", "an ordinary zip file", "one of many members")


def _of_folder(folder: Path) -> Iterator[tuple[_Member, IO[bytes] | None]]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _CLUTTER)
        for name in sorted([*folders, *names]):
            path = Path(place, name)
            member = path.relative_to(folder).as_posix()
            if path.is_symlink():
                yield _Member(member, "a link", path), None
            elif path.is_dir():
                yield _Member(member, "folder", path), None
            else:
                yield from _of_file(path, member)


def _of_file(path: Path, name: str | None = None) -> Iterator[tuple[_Member, IO[bytes] | None]]:
    if not path.is_file():  # opening a pipe would wait for ever
        yield _Member(name or path.name, "a device or the like", path), None
        return
    with path.open("rb") as content:
        yield _Member(name or path.name, "file", path), content


def _copy(sent: Path, content: IO[bytes] | None, target: Path, most: int) -> int:
    """Copy a file of at most `most` bytes, and return how many it has."""
    assert content is not None, "a file has a content"
    target.parent.mkdir(parents=True, exist_ok=True)
    done = 0
    with target.open("xb") as out:
        while part := content.read(_PART):
            done += len(part)
            if done > most:
                _refuse(sent, "holds too much", "at most 2 GiB in all, unpacked", "more")
            out.write(part)
    return done


def _refuse(sent: Path, what: str, expected: str, found: str) -> NoReturn:
    raise SubmissionError(
        what,
        file=sent,
        expected=expected,
        found=found,
        remedy="send a model file, its checkpoint and no more, as `ntire-bench pack` does",
    )
