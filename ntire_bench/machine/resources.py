"""Memory, load and disk of this computer, as they are now."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Memory", "free_bytes", "memory"]

_MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Main memory [bytes].

    Attributes:
        total: All there is.
        available: What programs can have without swapping.
    """

    total: int
    available: int


def memory() -> Memory | None:
    """Return the main memory; None where the system has no /proc/meminfo."""
    try:
        text = _MEMINFO.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    try:
        total, available = (int(fields[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    except (KeyError, ValueError, IndexError):
        return None
    return Memory(total=total, available=available)


def free_bytes(folder: str | os.PathLike[str]) -> int | None:
    """Return the free space [bytes] on the disk of a folder, or of the folder that it will be made in.

    None where the system does not say.

    >>> free_bytes("no/such/folder") == free_bytes(".")
    True
    """
    here = Path(folder).absolute()
    for place in (here, *here.parents):
        if os.path.isdir(place):
            try:
                return shutil.disk_usage(place).free
            except OSError:
                return None
    return None
