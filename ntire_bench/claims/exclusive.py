"""Files that appear whole, and of which only one of several machines can be the creator."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from ntire_bench.errors import RecordError

__all__ = ["create", "file_time", "replace", "writing"]

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL


@contextlib.contextmanager
def writing(what: str, path: Path) -> Iterator[None]:
    """Have a user told what could not be written.

    Args:
        what: That which could not, as "the end of a claim".
        path: The file or folder.

    Raises:
        RecordError: In the place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise RecordError(
            f"{what} cannot be written",
            file=path,
            found=error.strerror or str(error),
            remedy="free space there, or name another folder with --results",
        ) from error


def create(path: Path, data: bytes) -> bool:
    """Create a file that is complete when it is seen, unless it is there.

    Args:
        path: Of the new file; its folder is there.
        data: All that it holds.

    Returns:
        Whether this call created it: of several at the same time, one does.

    Raises:
        OSError: The folder cannot be written to.
    """
    temporary = _temporary(path)
    _write(temporary, data)
    try:
        try:
            os.link(temporary, path)
            return True
        except FileExistsError:
            # NFS may have done it, lost the answer and asked again: the second name then is our own.
            return os.stat(temporary).st_nlink > 1
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        try:
            descriptor = os.open(path, _CREATE, 0o666)
        except FileExistsError:
            return False
        os.close(descriptor)  # the name is ours; a reader takes an empty file for one that is being written
        os.replace(temporary, path)
        return True
    finally:
        temporary.unlink(missing_ok=True)


def replace(path: Path, data: bytes) -> None:
    """Write a file over what may be there: a reader sees the old one or the new one, whole.

    Raises:
        OSError: The folder cannot be written to.
    """
    temporary = _temporary(path)
    try:
        _write(temporary, data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def file_time(folder: Path) -> float | None:
    """Return what time it is by the clock that stamps files in a folder [s since 1970].

    Of a folder that machines share, that is the file server's: their own clocks need not agree.

    Returns:
        The time; None where the folder cannot be written to.
    """
    probe = _temporary(folder / "time")
    try:
        _write(probe, b".")
        return probe.stat().st_mtime
    except OSError:
        return None
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, _CREATE, 0o666), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
