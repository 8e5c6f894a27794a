"""Removes the scratch folder that a worker had on disk, in the parent or in the worker's keeper."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat

__all__ = ["remove"]


def remove(folder: str) -> None:
    """Remove a folder, also if its worker has closed it, or folders in it, to everybody.

    Links in it are removed and not followed. No process that could make others meanwhile is left.

    Args:
        folder: It need not exist.
    """
    _open(folder)
    for top, names, _ in os.walk(folder):  # it looks into a folder after the folder's name was given here
        for name in names:
            _open(os.path.join(top, name))
    shutil.rmtree(folder, ignore_errors=True)


def _open(folder: str) -> None:
    with contextlib.suppress(OSError):  # gone, or of another user: then it is root that removes it
        if not os.path.islink(folder):
            os.chmod(folder, stat.S_IRWXU)
