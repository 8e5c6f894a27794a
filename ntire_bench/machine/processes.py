"""What /proc tells of processes: who started whom, CPU time, memory, state. Linux only.

A worker's first process imports this, so it uses the standard library alone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path

__all__ = [
    "TICKS_PER_S",
    "CpuTicks",
    "children",
    "cpu_seconds",
    "cpu_ticks",
    "descendants",
    "family",
    "memory_bytes",
    "private_memory_bytes",
    "shared_memory_bytes",
    "shared_memory_shown",
    "start_time",
    "state",
]

_PROC = Path("/proc")
_CONTAINER = Path("/sys/fs/cgroup")
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
TICKS_PER_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
# Places in what `_stat` returns; proc(5) counts them from 3.
_STATE, _PARENT, _CPU_TIMES, _START_TIME = 0, 1, slice(11, 15), 19

CpuTicks = tuple[int, int]
"""CPU time of a process itself, and of children that it has waited for."""


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on, or none where the process is gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()  # the name before may hold spaces and brackets


def state(pid: int) -> str:
    """Return a process's state: "R", "S", "T" (stopped), "Z" (ended) and so on; "" where it is gone."""
    fields = _stat(pid)
    return fields[_STATE] if fields else ""


def start_time(pid: int) -> int | None:
    """Return when a process was started [clock ticks since boot], or None where it is gone."""
    fields = _stat(pid)
    return int(fields[_START_TIME]) if len(fields) > _START_TIME else None


def cpu_seconds(pids: Collection[int]) -> float:
    """Return the CPU time [s] that these processes, and children they have waited for, have used so far."""
    return sum(sum(map(int, _stat(pid)[_CPU_TIMES])) for pid in pids) / TICKS_PER_S


def cpu_ticks(pid: int) -> tuple[int, CpuTicks] | None:
    """Return when a process was started, and its CPU time [clock ticks]; None where it is gone."""
    fields = _stat(pid)
    if len(fields) <= _START_TIME:
        return None
    user, system, user_ended, system_ended = map(int, fields[_CPU_TIMES])
    return int(fields[_START_TIME]), (user + system, user_ended + system_ended)


def _everyone() -> list[int]:
    return [int(name) for name in os.listdir(_PROC) if name.isdigit()] if _PROC.is_dir() else []


def _children_by_parent() -> dict[int, list[int]]:
    """Return the children of every process, from one look at all of them."""
    found: dict[int, list[int]] = {}
    for pid in _everyone():
        if fields := _stat(pid):
            found.setdefault(int(fields[_PARENT]), []).append(pid)
    return found


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that have not been waited for."""
    found: list[int] = []
    try:
        for task in (_PROC / str(pid) / "task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    except FileNotFoundError:
        if not (_PROC / "self/task" / str(os.getpid()) / "children").exists():
            return _children_by_parent().get(pid, [])  # a kernel without that list
    except OSError:
        return found
    return found


def descendants(pid: int, most: int = 100_000) -> list[int]:
    """Return a process's children, their children and so on, up to `most`."""
    found: list[int] = []
    todo = [pid]
    while todo and len(found) <= most:
        new = children(todo.pop())
        found += new
        todo += new
    return found


def family(pids: Collection[int]) -> set[int]:
    """Return these processes and all their descendants that run now.

    Unlike `descendants` it looks at every process once: the kernel's own lists of children may miss some
    while others end.
    """
    below = _children_by_parent()
    known: set[int] = set()
    todo = list(pids)
    while todo:
        pid = todo.pop()
        if pid not in known:
            known.add(pid)
            todo += below.get(pid, [])
    return known


def memory_bytes(pid: int, *, shared_once: bool = False) -> int:
    """Return the memory that a process has in use [bytes]; 0 where it is gone.

    Args:
        pid: The process.
        shared_once: Whether what several processes share counts only in part for each (slower).
    """
    if shared_once:
        return _kib(pid, "smaps_rollup", "Pss:")
    resident, _ = _pages(pid)
    return resident * _PAGE


def private_memory_bytes(pid: int, *, shared_once: bool = False) -> int:
    """Return the memory that a process has in use beside files and shared memory [bytes]; 0 where it is gone.

    Args:
        pid: The process.
        shared_once: Whether what a forked family still shares counts only in part for each (slower).
    """
    if shared_once:
        return _kib(pid, "smaps_rollup", "Pss_Anon:")
    resident, shared = _pages(pid)
    return max(0, resident - shared) * _PAGE


def _pages(pid: int) -> tuple[int, int]:
    """Return how many pages a process has in memory, and how many of them are of files or shared memory."""
    try:
        resident, shared = (_PROC / str(pid) / "statm").read_text().split()[1:3]
    except (OSError, ValueError):
        return 0, 0
    return int(resident), int(shared)


def _kib(pid: int, file: str, key: str) -> int:
    """Return a figure that a file of /proc/PID gives in KiB [bytes]; 0 where it is not there."""
    with contextlib.suppress(OSError):
        for line in (_PROC / str(pid) / file).read_text(errors="replace").splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * 1024
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


def shared_memory_shown() -> dict[tuple[int, int], int]:
    """Return the shared memory that each process's own figures show [bytes], by its id and start time."""
    found: dict[tuple[int, int], int] = {}
    for pid in _everyone():
        started = start_time(pid)
        if started is not None:
            found[pid, started] = _kib(pid, "status", "RssShmem:")
    return found
