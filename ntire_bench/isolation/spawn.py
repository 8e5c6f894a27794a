"""Starts a process at a level of isolation, and ends it with all that it has started. Runs in the parent."""

from __future__ import annotations

import atexit
import compileall
import contextlib
import fcntl
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ntire_bench import PACKAGE, interruption
from ntire_bench.isolation import cgroups
from ntire_bench.isolation import scratch as scratch_folders
from ntire_bench.isolation.inside.clear import remove
from ntire_bench.isolation.levels import bubblewrap, seccomp, syscalls
from ntire_bench.isolation.levels import view as views
from ntire_bench.isolation.limits import Limits, rlimits
from ntire_bench.machine import processes
from ntire_bench.machine.cpu_time import FamilyTime

__all__ = ["LEVELS", "Spawned", "spawn"]

LEVELS = ("L3", "L2", "L1", "L0")
_SCRATCH = "/scratch"  # at L2 and L3, where the worker's file system is its own
# By default the C library gives every large buffer back to the kernel, and each call faults all its pages in
# anew: a fifth of RLFN's time on a CPU, and most of its scatter (docs/PERFORMANCE.md). Kept, and in huge
# pages where the kernel has them, memory is the same for every submission and every call.
MALLOC = ":".join(
    f"glibc.malloc.{name}={value}"
    for name, value in (
        ("hugetlb", 1),
        ("mmap_threshold", 2**30),
        ("trim_threshold", 2**32),
        ("top_pad", 2**26),
    )
)
# Beside a GPU, threads of OpenMP that have nothing to do sleep at once. By default each spins for
# milliseconds, which takes a core from the thread that launches kernels. On a CPU they spin: a network of
# short operators would wait for its threads to wake up (benchmarks/waiting.py, docs/PERFORMANCE.md).
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
# What a worker may know of the environment: enough to find libraries and devices, no secrets of the user.
_ENVIRONMENT = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "CUDA_DEVICE_ORDER",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "CUDA_HOME",
)
_PACKAGE_BY_PATH = """\
import importlib.util, sys
spec = importlib.util.spec_from_file_location(
    "ntire_bench", {init!r}, submodule_search_locations=[{package!r}])
module = sys.modules["ntire_bench"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
"""
# -I keeps the user's settings out; where the packages lie is handed over, as they may lie in PYTHONPATH. This
# package is found by its own path: the folder around it may be a checkout, which a worker does not see.
_BEGIN = (
    _PACKAGE_BY_PATH
    + """\
sys.path += [path for path in {paths!r} if path not in sys.path]
from ntire_bench.isolation.limits import apply
apply({rlimits!r})
"""
)
_LAUNCH = _PACKAGE_BY_PATH + "from ntire_bench.isolation.inside.launch import main\nmain(sys.argv[1:])\n"
_END_TIMEOUT_S = 15.0
_alive: set[Spawned] = set()  # ended at the latest with this program
_EXAMPLES = re.compile(r"[/\\]examples[/\\]")  # submissions, in an installation from a wheel


class Spawned:
    """A process that was started at a level of isolation.

    Attributes:
        process: The first process: bubblewrap, or the launcher, or where there is none the worker.
        level: "L0" to "L3".
        group: Its control groups.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], level: str, group: cgroups.Group, scratch: Path | None
    ) -> None:
        self.process = process
        self.level = level
        self.group = group
        self._scratch = scratch
        self._family = FamilyTime(process.pid)
        self._lock: int | None = None
        if scratch is not None:
            self._lock = os.open(scratch, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_SH)  # as long as it is held, nobody clears the folder away

    @property
    def pid(self) -> int:
        """The id of the worker itself, as seen from here."""
        pid = self.process.pid
        for _ in range(0 if sys.platform != "linux" else 2 if self.level in ("L2", "L3") else 1):
            below = processes.children(pid)
            pid = below[0] if below else pid
        return pid

    @functools.cached_property
    def is_counted(self) -> bool:
        """Whether a control group counts its CPU time; to be asked once it has started."""
        return self.group.counts(self.process.pid)

    def cpu_seconds(self) -> float:
        """Return the CPU time [s] that its processes have used, those of them too that have ended.

        Where no control group counts it, in steps of 10 ms, and without processes that are never waited for
        and live shorter than from one call of this to the next.
        """
        return self.group.cpu_seconds() if self.is_counted else self._family.seconds()

    @contextlib.contextmanager
    def paused(self) -> Iterator[bool]:
        """Have all its processes stand still in the body, if its control group can do that.

        The kernel holds them where none of them can go on by itself, unlike after a signal. None of them
        shows as stopped, so `watch` does not take it for a worker that has stopped itself.

        Yields:
            Whether they do.
        """
        try:
            yield self.group.freeze(self.pid)
        finally:
            self.group.thaw()

    @property
    def ended_by(self) -> int | None:
        """The number of the signal that has ended the worker, or None."""
        code = self.process.poll()
        if code is None or 0 <= code <= 128:
            return None
        return -code if code < 0 else code - 128

    def kill(self) -> None:
        """End every process of the worker, without waiting for it."""
        if self.level == "L3" or sys.platform != "linux":
            # The first process of the namespace: with it the kernel ends all others, before it is gone.
            first = processes.children(self.process.pid) or [self.process.pid]
            for pid in first:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        elif self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.group.thaw()  # who waits for another's end could not see it

    def end(self) -> None:
        """End every process of the worker and remove what it leaves on disk; may be called twice."""
        self.kill()
        try:
            self.process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:  # nobody cleans up any more: do what can be done from here
            for pid in [*processes.descendants(self.process.pid), self.process.pid]:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.group.remove()
        if self._scratch is not None:
            remove(str(self._scratch))
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        _alive.discard(self)


def spawn(
    code: str,
    arguments: Sequence[str],
    *,
    level: str,
    descriptors: Sequence[int],
    limits: Limits,
    files: Sequence[Path] = (),
    hidden: Sequence[Path] = (),
    folder: Path | None = None,
    gpu: bool = False,
    sleeping: bool = False,
) -> Spawned:
    """Start an interpreter at a level of isolation; what it prints can be read from its process's stdout.

    The kernel ends it when the thread that calls this ends: call it from one that lives as long as the
    program.

    Args:
        code: What it runs, with this package importable and its resource limits set.
        arguments: It finds them in sys.argv.
        level: One of `LEVELS`; `choose` says whether this machine has it.
        descriptors: It inherits these, and no others.
        limits: How much it may use.
        files: Files and folders it may read, beside the interpreter and its packages.
        hidden: Folders it must not see, even inside those.
        folder: Its working directory; None for its scratch folder.
        gpu: Whether it computes on a GPU, if there is one.
        sleeping: Whether OpenMP's idle threads sleep; with a GPU they do anyhow.

    Raises:
        FileNotFoundError: There is no bubblewrap for L3.
    """
    _compile_package()
    with interruption.held():  # whatever is made here is known to somebody who ends it
        spawned = _spawn(code, arguments, level, descriptors, limits, files, hidden, folder, gpu, sleeping)
        _alive.add(spawned)
    return spawned


def _spawn(
    code: str,
    arguments: Sequence[str],
    level: str,
    descriptors: Sequence[int],
    limits: Limits,
    files: Sequence[Path],
    hidden: Sequence[Path],
    folder: Path | None,
    gpu: bool,
    sleeping: bool,
) -> Spawned:
    with contextlib.ExitStack() as undo:  # on failure
        own_files = level in ("L2", "L3")
        scratch = None if own_files else scratch_folders.make()
        if scratch is not None:
            undo.callback(remove, str(scratch))
        place = _SCRATCH if scratch is None else str(scratch)
        if sys.platform != "linux":
            command = _interpreter(code, arguments, _absolute(sys.path), [])
            process = _start(command, descriptors, place, folder=place, more={})
            undo.pop_all()
            return Spawned(process, level, cgroups.Group(), scratch)
        syscalls.set_dumpable(False)  # this process's memory is not for others of the same user
        seen = views.view(files, hidden)
        uid = scratch_folders.private_user(seen.readable, scratch) if level == "L1" and scratch else None
        paths = _absolute(sys.path) if level == "L0" else views.search_paths(seen)
        lowered = rlimits(limits, own_count=own_files or uid is not None, gpu=seen.gpu)
        group = cgroups.make(limits)
        undo.callback(group.remove)
        plan = {
            "level": level,
            "parent": os.getpid(),
            "cgroups": group.entrances,
            "inner_cgroup": group.inner_entrance,
            "command": _interpreter(code, arguments, paths, lowered),
            "keep": list(descriptors),
            "scratch": place,
            "scratch_bytes": limits.scratch_bytes,
            "folder": place if folder is None else str(folder.resolve()),
            "uid": uid,
            **seen.as_json(),
        }
        process = _launch(plan, seen, PASSIVE if sleeping or (gpu and seen.gpu) else {})
        undo.pop_all()
        return Spawned(process, level, group, scratch)


@atexit.register
def _end_all() -> None:
    """End what a signal has kept its owner from ending."""
    for spawned in list(_alive):
        spawned.end()


def _absolute(paths: Sequence[str]) -> list[str]:
    return [path for path in paths if os.path.isabs(path)]


def _interpreter(
    code: str, arguments: Sequence[str], paths: Sequence[str], lowered: Sequence[tuple[str, int]]
) -> list[str]:
    """Return the command line of the worker itself, which lowers its limits before it runs the code."""
    begin = _BEGIN.format(**_package(), paths=list(paths), rlimits=list(lowered))
    return [sys.executable, "-I", "-c", begin + code, *arguments]


def _launch(plan: dict[str, Any], seen: views.View, more: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the launcher, which carries out a plan (see `inside.launch`), with more in its environment."""
    with contextlib.ExitStack() as stack:
        handed = list(plan["keep"])
        if plan["level"] == "L3":
            filter_ = seccomp.program(sockets=True)
            filter_fd = None if filter_ is None else _file_of(filter_, stack)
            if filter_fd is not None:
                handed.append(filter_fd)
            plan["bubblewrap"] = bubblewrap.arguments(
                _bubblewrap(),
                seen,
                plan["command"],
                scratch=plan["scratch"],
                scratch_bytes=plan["scratch_bytes"],
                folder=plan["folder"],
                filter_fd=filter_fd,
            )
        plan_fd = _file_of(json.dumps(plan).encode(), stack)
        launcher = _LAUNCH.format(**_package())
        command = [sys.executable, "-I", "-S", "-c", launcher, str(plan_fd)]
        return _start(command, [*handed, plan_fd], plan["scratch"], folder="/", more=more)


def _start(
    command: Sequence[str],
    descriptors: Sequence[int],
    scratch: str,
    *,
    folder: str,
    more: Mapping[str, str],
) -> subprocess.Popen[bytes]:
    """Start a program with these descriptors alone and little knowledge of this user."""
    environment = {key: os.environ[key] for key in _ENVIRONMENT if key in os.environ}
    environment |= {"HOME": scratch, "TMPDIR": scratch, "USER": "worker", "LOGNAME": "worker"}
    environment |= {"GLIBC_TUNABLES": MALLOC, **more}
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=descriptors,
        cwd=folder,
        env=environment,
        start_new_session=True,  # Ctrl-C is the parent's to handle
    )


@functools.cache
def _compile_package() -> None:
    """Compile this package's modules while that can be kept: workers cannot write beside them."""
    if not sys.dont_write_bytecode:
        compileall.compile_dir(PACKAGE, quiet=2, rx=_EXAMPLES)


def _package() -> dict[str, str]:
    return {"init": str(PACKAGE / "__init__.py"), "package": str(PACKAGE)}


def _bubblewrap() -> str:
    program = shutil.which("bwrap")
    if program is None:
        raise FileNotFoundError("bubblewrap (bwrap) is not installed")
    return os.path.abspath(program)


def _file_of(content: bytes, stack: contextlib.ExitStack) -> int:
    """Return a descriptor of a nameless file with that content, to be read from its beginning."""
    fd = os.memfd_create("ntire_bench_plan", os.MFD_CLOEXEC)
    stack.callback(os.close, fd)
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
