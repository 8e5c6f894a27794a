"""What /proc says of processes: children, memory, state. Linux only; elsewhere there are none to be seen."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = [
    "children",
    "descendants",
    "memory_bytes",
    "private_memory_bytes",
    "shared_memory_bytes",
    "start_time",
    "state",
]

_PROC = Path("/proc")
_CONTAINER = Path("/sys/fs/cgroup")
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on, or none where the process is gone."""
    try:
        return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def state(pid: int) -> str:
    """Return a process's state: "R", "S", "T" (stopped), "Z" (ended) and so on; "" where it is gone."""
    fields = _stat(pid)
    return fields[0] if fields else ""


def start_time(pid: int) -> int | None:
    """Return when a process was started [clock ticks since boot], or None where it is gone."""
    fields = _stat(pid)
    return int(fields[19]) if len(fields) > 19 else None


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that have not been waited for."""
    found: list[int] = []
    try:
        for task in (_PROC / str(pid) / "task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    except FileNotFoundError:
        if not (_PROC / "self/task" / str(os.getpid()) / "children").exists():
            return _children_by_search(pid)  # a kernel without that list
    except OSError:
        return found
    return found


def _children_by_search(pid: int) -> list[int]:
    if not _PROC.is_dir():
        return []
    everyone = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    return [other for other in everyone if (fields := _stat(other)) and int(fields[1]) == pid]


def descendants(pid: int, most: int = 100_000) -> list[int]:
    """Return a process's children, their children and so on, up to `most`."""
    found: list[int] = []
    todo = [pid]
    while todo and len(found) <= most:
        new = children(todo.pop())
        found += new
        todo += new
    return found


def memory_bytes(pid: int, *, shared_once: bool = False) -> int:
    """Return the memory that a process has in use [bytes]; 0 where it is gone.

    Args:
        pid: The process.
        shared_once: Whether what several processes share counts only in part for each (slower).
    """
    try:
        if shared_once:
            for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def private_memory_bytes(pid: int, *, shared_once: bool = False) -> int:
    """Return the memory that a process has in use beside files and shared memory [bytes]; 0 where it is gone.

    Args:
        pid: The process.
        shared_once: Whether what a forked family still shares counts only in part for each (slower).
    """
    try:
        if shared_once:
            for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss_Anon:"):
                    return int(line.split()[1]) * 1024
        resident, shared = (_PROC / str(pid) / "statm").read_text().split()[1:3]
        return max(0, int(resident) - int(shared)) * _PAGE
    except (OSError, ValueError):
        return 0


def shared_memory_bytes() -> int:
    """Return the shared memory in use in this container, or on this machine [bytes].

    That is where a process can keep what is in none of its own figures: nameless files (memfd), segments that
    it is not attached to, shared pages that it has let go of.
    """
    path, key, unit = _PROC / "meminfo", "Shmem:", 1024
    with contextlib.suppress(OSError):
        if (_CONTAINER / "memory.max").read_text().strip().isdigit():
            path, key, unit = _CONTAINER / "memory.stat", "shmem", 1
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            if line.split(maxsplit=1)[0] == key:
                return int(line.split()[1]) * unit
    return 0
