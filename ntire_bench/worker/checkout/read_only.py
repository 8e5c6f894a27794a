"""Keeps Python's own functions from changing a folder.

Where the worker is isolated, the folder is read-only anyway. Where it is not, this gives an honest submission
the same error, so that it behaves alike at every level. It is no protection from a dishonest one.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

__all__ = ["protect"]

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Audit events of functions that change files: how many of their first arguments name such a file, and which
# arguments are the open folders that these names are relative to.
_CHANGES: dict[str, tuple[int, tuple[int, ...]]] = {
    "os.mkdir": (1, (2,)),
    "os.remove": (1, (1,)),
    "os.rmdir": (1, (1,)),
    "os.rename": (2, (2, 3)),
    "os.truncate": (1, ()),
    "os.symlink": (2, (2, 2)),
    "os.link": (2, (2, 3)),
    "os.chmod": (1, (2,)),
}


def protect(folder: str) -> None:
    """Refuse to write to a folder from now on; this cannot be undone."""
    root = os.path.realpath(folder)

    def placed(path: Any, folder: Any) -> str | None:  # noqa: ANN401 - whatever a caller hands over
        """Return the path, absolute if its folder is known; None for an open descriptor."""
        if not isinstance(path, (str, bytes, os.PathLike)):
            return None
        name = os.fsdecode(path)
        if isinstance(folder, int) and folder >= 0 and not os.path.isabs(name):
            try:  # as shutil.rmtree removes what is in a folder that it has open
                name = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name)
            except OSError:
                return None
        return name

    def inside(name: str) -> bool:
        real = os.path.realpath(name)
        return real == root or real.startswith(root + os.sep)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = args
            # os.open() has no mode. A relative name may start from an open folder; the event has none.
            elsewhere = mode is None and not os.path.isabs(os.fsdecode(path)) if _named(path) else False
            writes = isinstance(flags, int) and flags & _WRITES and not elsewhere
            names = [placed(path, None)] if writes else []
        elif event in _CHANGES:
            count, folders = _CHANGES[event]
            starts = [args[at] if at < len(args) else None for at in folders] or [None] * count
            names = [placed(path, start) for path, start in zip(args[:count], starts, strict=False)]
            if event == "os.symlink":
                names = names[1:]  # the first is what the link points to, which stays as it is
            if event == "os.mkdir":
                names = [name for name in names if name and not os.path.exists(name)]  # else mkdir fails
        else:
            return
        for name in names:
            if name is not None and inside(name):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), name)

    sys.addaudithook(hook)


def _named(path: object) -> bool:
    return isinstance(path, (str, bytes, os.PathLike))
