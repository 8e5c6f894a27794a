"""Keeps a process from changing a folder, as far as Python's own functions go.

Where the worker is isolated the folder is read-only to begin with. Elsewhere this makes an honest submission
meet the same error, so that it behaves alike at every level; it is no protection from one that is not honest.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

__all__ = ["protect"]

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Audit events of functions that change what their first, or their first two, arguments name.
_CHANGES = {
    "os.remove": 1,
    "os.rmdir": 1,
    "os.rename": 2,
    "os.truncate": 1,
    "os.symlink": 2,
    "os.link": 2,
    "os.chmod": 1,
}


def protect(folder: str) -> None:
    """Refuse from now on to write to a folder; cannot be undone."""
    root = os.path.realpath(folder)

    def inside(path: Any) -> bool:  # noqa: ANN401 - whatever a caller hands over
        if not isinstance(path, (str, bytes, os.PathLike)):
            return False  # a descriptor that is open already
        real = os.path.realpath(os.fsdecode(path))
        return real == root or real.startswith(root + os.sep)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = args
            paths = [path] if isinstance(flags, int) and flags & _WRITES else []
        elif event == "os.mkdir":
            paths = [args[0]] if not os.path.exists(args[0]) else []  # else it is there, whoever may write
        elif event in _CHANGES:
            paths = list(args[: _CHANGES[event]])
        else:
            return
        for path in paths:
            if inside(path):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), os.fsdecode(path))

    sys.addaudithook(hook)
