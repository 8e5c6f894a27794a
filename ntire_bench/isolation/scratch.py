"""Scratch folders on the machine's disk, for workers without a file system of their own (L0 and L1)."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from ntire_bench.isolation.inside.clear import remove

__all__ = ["clear_stale", "make", "private_user"]

_PREFIX = "ntire_bench_scratch_"
_STALE_AFTER_S = 60.0  # younger ones may be about to be locked
_PRIVATE_USERS = range(61184, 65520)  # as systemd gives out for services; nobody's files belong to them


def make() -> Path:
    """Make a scratch folder, and remove those that earlier runs have left. The caller must lock it."""
    clear_stale()
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


def private_user(readable: Iterable[Path], scratch: Path) -> int | None:
    """Return the id of a user for this worker alone, where this is root and that user can reach it all.

    Args:
        readable: The files and folders that the worker needs.
        scratch: Its scratch folder, which is given to that user.
    """
    if os.geteuid() != 0 or not all(_anyone_reads(path) for path in readable):
        return None
    if not _anyone_passes(scratch):  # a TMPDIR inside a folder that is root's alone
        return None
    uid = _PRIVATE_USERS[int.from_bytes(os.urandom(4), "little") % len(_PRIVATE_USERS)]
    try:
        os.chown(scratch, uid, uid)
    except OSError:  # a container with fewer users
        return None
    return uid


def _anyone_reads(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH) and _anyone_passes(path)
    except OSError:
        return False


def _anyone_passes(path: Path) -> bool:
    """Say whether every user may come as far as a file or folder."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in Path(os.path.realpath(path)).parents)


def clear_stale() -> None:
    """Remove scratch folders of earlier runs: those that no living process holds a lock on."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            found = path.lstat()
            if not stat.S_ISDIR(found.st_mode) or time.time() - found.st_ctime < _STALE_AFTER_S:
                continue
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(str(path))
        except OSError:
            continue
        finally:
            os.close(fd)
