"""Reads a stranger's file: only an ordinary file of bounded size, and no more bytes than its size says."""

from __future__ import annotations

import ast
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ntire_bench.errors import SubmissionError

__all__ = [
    "CHECKPOINT_SUFFIXES",
    "MOST_CHECKPOINT_BYTES",
    "MOST_TEXT_BYTES",
    "MOST_TOML_BYTES",
    "is_file",
    "parse",
    "read",
    "sha256",
]

CHECKPOINT_SUFFIXES = (".pth", ".pt", ".ckpt", ".pkl", ".safetensors")
MOST_TEXT_BYTES = 512 * 1024  # of Python; a syntax tree takes 500 times as much memory as its text
MOST_TOML_BYTES = 16 * 1024  # the time for keys with many dots grows with the square of their number
MOST_CHECKPOINT_BYTES = 4 * 2**30
_PART = 1 << 20
# Windows lacks the first two; the last one keeps it from changing line ends.
_FLAGS = sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NONBLOCK", "O_BINARY"))


def is_file(path: Path) -> bool:
    """Return whether there is such a file; False also where the system refuses to say."""
    try:
        return path.is_file()
    except OSError:  # a name that is too long, or behind a folder that may not be entered
        return False


def read(path: Path, most: int = MOST_TEXT_BYTES) -> bytes:
    """Return a file's content.

    Args:
        path: The file. It may be a link to anything, such as a device that never ends.
        most: The largest size that is read [bytes].

    Raises:
        SubmissionError: It cannot be read, is no ordinary file, or is larger.
    """
    return b"".join(_parts(path, most))


def parse(file: Path) -> ast.Module:
    """Return the syntax tree of a Python file.

    Raises:
        SubmissionError: The file is not Python, is too large, or cannot be read.
    """
    content = read(file)
    try:
        return ast.parse(content, filename=file.name)
    except SyntaxError as error:
        where = f"line {error.lineno}" if error.lineno else "the file"
        found = f"{error.msg} at {where}"
    except (ValueError, RecursionError, MemoryError) as error:
        found = f"{type(error).__name__}: {error}"
    raise SubmissionError("is not Python", file=file, found=found, remedy="mend the file") from None


def sha256(path: Path, most: int = MOST_CHECKPOINT_BYTES) -> str:
    """Return the SHA-256 of a file of at most `most` bytes.

    Raises:
        SubmissionError: It cannot be read, is no ordinary file, or is larger.
    """
    digest = hashlib.sha256()
    for part in _parts(path, most):
        digest.update(part)
    return digest.hexdigest()


def _parts(path: Path, most: int) -> Iterator[bytes]:
    try:
        fd = os.open(path, os.O_RDONLY | _FLAGS)
        with os.fdopen(fd, "rb") as file:
            status = os.fstat(fd)
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError("is a directory")
            if not stat.S_ISREG(status.st_mode) or status.st_size > most:
                found, remedy = "a device or a pipe", "put an ordinary file in its place"
                if stat.S_ISREG(status.st_mode):
                    found = f"{status.st_size:,} bytes"
                    remedy = "put weights into the checkpoint, and nothing into it that is not needed"
                raise SubmissionError(
                    "is not read",
                    file=path,
                    expected=f"an ordinary file of at most {most:,} bytes",
                    found=found,
                    remedy=remedy,
                )
            left = status.st_size
            while left > 0 and (part := file.read(min(left, _PART))):
                left -= len(part)
                yield part
    except (OSError, ValueError) as error:
        remedy = "put a file there that this user may read"
        found = getattr(error, "strerror", None) or str(error)
        raise SubmissionError("cannot be read", file=path, found=found, remedy=remedy) from None
