"""Control groups per worker, where this user may make them: limits, CPU time, and standing still.

Version 2 limits processes and memory; of version 1 only the group for processes is used. Where there is
neither, resource limits and `watch` do the work. Any group of version 2 counts the CPU time of all that was
ever in it, whether or not it may limit something, and can be frozen. Version 1 counts the time in a group for
that alone: one that also shares out the CPU would change what is timed. It is not frozen there, as the kernel
cannot end a process of a frozen group of version 1.
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
# Kinds of groups, as /proc/PID/cgroup names those of version 1; this is their order too.
_VERSION_2, _TIMES_1, _PIDS_1 = "2", "cpuacct", "pids"
_PROCESSES, _FREEZE, _TIME_1 = "cgroup.procs", "cgroup.freeze", "cpuacct.usage"
_CLOCKS = {_VERSION_2: "cpu.stat", _TIMES_1: _TIME_1}
_FREEZE_TIMEOUT_S, _FREEZE_LOOK_S = 0.05, 0.00005


@dataclass(frozen=True)
class Group:
    """The control groups of one worker.

    Attributes:
        folders: Those that its first process gets into; none where none could be made.
        inside: One inside of them for what may be frozen; None where there is none.
        times: The file with the CPU time of all its processes; None where there is none.
    """

    folders: tuple[Path, ...] = ()
    inside: Path | None = None
    times: Path | None = None

    @property
    def entrances(self) -> list[str]:
        """The files that a process writes its id to, to get in."""
        return [str(folder / _PROCESSES) for folder in self.folders]

    @property
    def inner_entrance(self) -> str | None:
        """The same of the group that may be frozen."""
        return None if self.inside is None else str(self.inside / _PROCESSES)

    def counts(self, pid: int) -> bool:
        """Say whether the CPU time of a process is counted: who may make a group may not always get in."""
        if self.times is None:
            return False
        folders = [self.times.parent] if self.inside is None else [self.times.parent, self.inside]
        return any(pid in _members(folder) for folder in folders)

    def cpu_seconds(self) -> float:
        """Return the CPU time of all processes that were ever in the group [s].

        Raises:
            OSError: There is no such group.
        """
        if self.times is None:
            raise FileNotFoundError("no control group counts CPU time")
        text = self.times.read_text()
        if self.times.name == _TIME_1:
            return int(text) / 1e9
        return int(text.split("usage_usec", 1)[1].split(maxsplit=1)[0]) / 1e6

    def freeze(self, pid: int) -> bool:
        """Have all processes stand still, however they were started, as long as a process is one of them.

        Returns:
            Whether they do; False too where one of them is long in leaving the kernel, as all others stand.
        """
        if self.inside is None or pid not in _members(self.inside):
            return False
        with contextlib.suppress(OSError):  # else they have just ended
            (self.inside / _FREEZE).write_text("1")
        deadline = time.monotonic() + _FREEZE_TIMEOUT_S
        while not _counter(self.inside / "cgroup.events", "frozen"):
            if time.monotonic() > deadline:
                return False
            time.sleep(_FREEZE_LOOK_S)
        return True

    def thaw(self) -> None:
        """Have them go on; nothing where they do, or are gone."""
        if self.inside is not None:
            with contextlib.suppress(OSError), (self.inside / _FREEZE).open("r+") as file:
                file.write("0")

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
        for folder in ([] if self.inside is None else [self.inside]) + list(self.folders):
            for _ in range(50):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)
                else:
                    break


def _members(folder: Path) -> set[int]:
    try:
        return set(map(int, (folder / _PROCESSES).read_text().split()))
    except OSError:
        return set()


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
    places = [(kind, parent / name) for kind, parent in _parents(proc)]
    of_limits = next(
        (
            place
            for place in places
            if place[0] in (_VERSION_2, _PIDS_1) and _prepare(place[1], limits, memory=place[0] == _VERSION_2)
        ),
        None,
    )
    found = [] if of_limits is None else [of_limits]
    if of_limits is None or of_limits[0] != _VERSION_2:
        of_time = next((place for place in places if place[0] != _PIDS_1 and _prepare_clock(*place)), None)
        found += [] if of_time is None else [of_time]
    folders = tuple(folder for _, folder in found)
    for kind, folder in found:
        if kind != _PIDS_1 and (folder / _CLOCKS[kind]).exists():
            return Group(folders, _prepare_inside(folder), folder / _CLOCKS[kind])
    return Group(folders)


def _parents(proc: Path) -> list[tuple[str, Path]]:
    """Return the groups that a worker's may be made in: (kind, folder), the most useful first.

    Beside this process's group, if not inside it: in version 2 a group with processes has no children with
    limits.
    """
    found = []
    for kind, here in sorted(_own_groups(proc)):
        found += [(kind, here), (kind, here.parent)] if kind == _VERSION_2 else [(kind, here)]
    return found


def _own_groups(proc: Path) -> list[tuple[str, Path]]:
    """Return the groups that this process is in and that are of use: (kind, folder)."""
    found: list[tuple[str, Path]] = []
    try:
        groups = [line.split(":", 2) for line in (proc / "cgroup").read_text().splitlines()]
        mounts = [line.split() for line in (proc / "mountinfo").read_text().splitlines()]
    except OSError:
        return []
    for _, controllers, path in groups:
        kind = controllers or _VERSION_2
        if kind not in (_VERSION_2, _PIDS_1, _TIMES_1):
            continue
        for fields in mounts:
            mounted, options = fields[fields.index("-") + 1], fields[-1].split(",")
            if mounted == "cgroup2" if kind == _VERSION_2 else (mounted == "cgroup" and kind in options):
                inside = path.removeprefix(fields[3]) if fields[3] != "/" else path
                found.append((kind, Path(fields[4]) / inside.lstrip("/")))
    return found


def _prepare_clock(kind: str, folder: Path) -> bool:
    """Make a group that counts CPU time; leave nothing behind where that cannot be done."""
    _remove_stale(folder.parent)
    try:
        folder.mkdir()
    except OSError:
        return False
    if (folder / _CLOCKS[kind]).exists() and (folder / _PROCESSES).exists():
        return True
    with contextlib.suppress(OSError):
        folder.rmdir()
    return False


def _prepare_inside(folder: Path) -> Path | None:
    """Make a group within one for what may be frozen: whoever ends the others must never be."""
    inside = folder / "inside"
    try:
        inside.mkdir()
    except OSError:
        return None
    if (inside / _FREEZE).exists():
        return inside
    with contextlib.suppress(OSError):
        inside.rmdir()
    return None


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
                for each in (folder / "inside", folder):
                    with contextlib.suppress(OSError):
                        each.rmdir()
