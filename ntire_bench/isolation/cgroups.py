"""A control group per worker, where this user may make one: the kernel's own limits on processes and memory.

Version 2 limits both; of version 1 only the group for processes is used. Where there is neither, resource
limits and `watch` do the work.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from ntire_bench.isolation.limits import Limits

__all__ = ["Group", "make"]

_NAME = re.compile(r"ntire_bench_(\d+)_[0-9a-f]+")


@dataclass(frozen=True)
class Group:
    """The control groups of one worker; `folders` is empty where none could be made."""

    folders: tuple[Path, ...] = ()

    @property
    def entrances(self) -> list[str]:
        """The files that a process writes its id to, to get in."""
        return [str(folder / "cgroup.procs") for folder in self.folders]

    def broken(self) -> str | None:
        """Return which limit the worker has reached, as a clause; None for no limit."""
        for folder in self.folders:
            if _counter(folder / "memory.events", "oom_kill"):
                limit = int((folder / "memory.max").read_text())
                return f"it took more memory than {limit / 1024**3:.1f} GiB"
            if _counter(folder / "pids.events", "max"):
                limit = int((folder / "pids.max").read_text())
                return f"it started more than {limit} processes and threads"
        return None

    def remove(self) -> None:
        """Remove the groups; their processes have ended, which the kernel may take a moment to notice."""
        for folder in self.folders:
            for _ in range(50):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)
                else:
                    break


def _counter(path: Path, name: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0


def make(limits: Limits, proc: Path = Path("/proc/self")) -> Group:
    """Make the groups for one worker, as far as this user may.

    Args:
        limits: How much it may use.
        proc: Folder of this process in /proc, for tests.
    """
    name = f"ntire_bench_{os.getpid()}_{secrets.token_hex(4)}"
    for version, here in _own_groups(proc):
        # Beside this process's group, if not inside it: in version 2 a group with processes has no children.
        for parent in (here, here.parent) if version == 2 else (here,):
            folder = parent / name
            if _prepare(folder, limits, memory=version == 2):
                return Group((folder,))
    return Group()


def _own_groups(proc: Path) -> list[tuple[int, Path]]:
    """Return the groups that this process is in and whose limits are of use: (version, folder)."""
    found: list[tuple[int, Path]] = []
    try:
        groups = [line.split(":", 2) for line in (proc / "cgroup").read_text().splitlines()]
        mounts = [line.split() for line in (proc / "mountinfo").read_text().splitlines()]
    except OSError:
        return []
    for _, controllers, path in groups:
        for fields in mounts:
            kind, options = fields[fields.index("-") + 1], fields[-1].split(",")
            if (kind == "cgroup2" and not controllers) or (
                kind == "cgroup" and controllers == "pids" and "pids" in options
            ):
                inside = path.removeprefix(fields[3]) if fields[3] != "/" else path
                found.append((2 if kind == "cgroup2" else 1, Path(fields[4]) / inside.lstrip("/")))
    return sorted(found, key=lambda item: -item[0])


def _prepare(folder: Path, limits: Limits, *, memory: bool) -> bool:
    """Make a group with the limits set; leave nothing behind where that cannot be done."""
    _remove_stale(folder.parent)
    try:
        folder.mkdir()
    except OSError:
        return False
    try:
        # With r+, a file that is not there is not made: then the group does not have that limit.
        with (folder / "pids.max").open("r+") as file:
            file.write(str(limits.processes))
        if memory:
            with (folder / "memory.max").open("r+") as file:
                file.write(str(limits.memory))
            with contextlib.suppress(OSError), (folder / "memory.swap.max").open("r+") as file:
                file.write("0")
    except OSError:
        with contextlib.suppress(OSError):
            folder.rmdir()
        return False
    return True


def _remove_stale(parent: Path) -> None:
    """Remove the groups of earlier runs that were killed; one that is in use cannot be removed."""
    with contextlib.suppress(OSError):
        for folder in parent.glob("ntire_bench_*"):
            match = _NAME.fullmatch(folder.name)
            if match and not Path("/proc", match[1]).exists():
                with contextlib.suppress(OSError):
                    folder.rmdir()
