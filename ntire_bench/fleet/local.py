"""The engine of one machine: each of its GPUs, or of disjoint sets of its cores, takes one evaluation."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ntire_bench.claims.exclusive import writing
from ntire_bench.claims.holder import NODE
from ntire_bench.errors import UsageError
from ntire_bench.fleet.engine import Seen
from ntire_bench.fleet.job import Job
from ntire_bench.machine import processes

__all__ = ["Local", "Slot", "slots"]

# The cores are set before anything of the evaluation starts, which then inherits them.
_BIND = """
import json, os, sys
os.sched_setaffinity(0, json.loads(sys.argv[1]))
os.execvp(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A part of this machine that one evaluation has for itself.

    Attributes:
        name: As a node's.
        cores: Numbers of its CPU cores.
        gpu: What CUDA_VISIBLE_DEVICES is to be; None leaves it as it is.
    """

    name: str
    cores: tuple[int, ...]
    gpu: str | None = None


def slots(
    cores: Sequence[int], gpus: Sequence[str], jobs: int | None, cores_per_job: int, host: str = ""
) -> list[Slot]:
    """Return the parts that a machine is split into.

    Args:
        cores: Numbers of the cores that may be used.
        gpus: What CUDA_VISIBLE_DEVICES calls each GPU; empty where the CPU computes.
        jobs: At most so many; None for as many as there are GPUs, or sets of cores.
        cores_per_job: Cores of a set, at least, where the CPU computes.
        host: Name of the machine.

    >>> [(one.name, one.cores) for one in slots(range(8), [], 2, 4, "a")]
    [('a cores 0-3', (0, 1, 2, 3)), ('a cores 4-7', (4, 5, 6, 7))]
    >>> [(one.name, one.cores, one.gpu) for one in slots(range(5), ["0", "1"], None, 4, "a")]
    [('a gpu 0', (0, 1), '0'), ('a gpu 1', (2, 3), '1')]
    >>> [one.name for one in slots(range(2), [], None, 4, "a")]
    ['a']
    """
    ordered = sorted(cores)
    most = len(gpus) if gpus else max(1, len(ordered) // cores_per_job)
    count = max(1, min(most, len(ordered), jobs or most))
    each = len(ordered) // count
    parts = [tuple(ordered[place * each : (place + 1) * each]) for place in range(count)]
    if gpus:
        return [
            Slot(name=f"{host} gpu {gpu}", cores=part, gpu=gpu)
            for gpu, part in zip(gpus, parts, strict=False)
        ]
    if count == 1:
        return [Slot(name=host, cores=tuple(ordered))]
    return [Slot(name=f"{host} cores {part[0]}-{part[-1]}", cores=part) for part in parts]


@dataclass
class Local:
    """Runs one command in each part of this machine.

    Attributes:
        slots: The parts.
    """

    slots: list[Slot]
    name: str = "local"
    look_s: float = 0.5
    _running: dict[str, tuple[Slot, subprocess.Popen[bytes]]] = field(default_factory=dict)
    _ended: dict[str, Seen] = field(default_factory=dict)
    _others: set[str] = field(default_factory=set)  # handles of what other drivers have started here
    _left_out: set[str] = field(default_factory=set)

    def free(self) -> int:
        """Return how many parts have nothing to do."""
        return len(self._idle())

    def submit(self, jobs: Sequence[Job]) -> list[str]:
        """Start a command in each part that has nothing to do; see `Engine.submit`."""
        handles = []
        for job, slot in zip(jobs, self._idle(), strict=False):
            environment = {**os.environ, NODE: slot.name}
            if slot.gpu is not None:
                environment["CUDA_VISIBLE_DEVICES"] = slot.gpu
            words = list(job.words)
            if hasattr(os, "sched_setaffinity"):
                words = [sys.executable, "-c", _BIND, json.dumps(slot.cores), *words]
            with contextlib.ExitStack() as stack:
                with writing("the log of a job", job.log):
                    out = stack.enter_context(job.log.with_suffix(".out").open("wb"))
                    err = stack.enter_context(job.log.with_suffix(".err").open("wb"))
                process = subprocess.Popen(
                    words,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,  # Ctrl-C ends the asking alone
                )
            began = processes.start_time(process.pid)
            handle = f"{process.pid}.{began}@{socket.gethostname()}@{slot.name}"
            self._running[handle] = slot, process
            handles.append(handle)
        return handles

    def look(self, handles: Sequence[str]) -> Mapping[str, Seen]:
        """Return how processes are, also those that another driver has started on this machine."""
        self._others |= {handle for handle in handles if handle not in {*self._running, *self._ended}}
        return {handle: self._seen(handle) for handle in handles}

    def cancel(self, handles: Sequence[str]) -> None:
        """Ask processes to end: what is done they keep."""
        for handle in handles:
            if self._seen(handle).state == "running":
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(_taken_apart(handle)[0], signal.SIGTERM)

    def leave_out(self, nodes: Sequence[str]) -> None:
        """Start nothing more in these parts; see `Engine.leave_out`."""
        self._left_out = set(nodes)
        if all(slot.name in self._left_out for slot in self.slots):
            raise UsageError("no part of this machine is left to run on", found=", ".join(nodes))

    def how_to_cancel(self, handles: Sequence[str]) -> str:
        """Return the command with which a user ends processes."""
        return "kill " + " ".join(str(_taken_apart(handle)[0]) for handle in handles)

    def _idle(self) -> list[Slot]:
        for handle in list(self._running):
            seen = self._seen(handle)
            if seen.state == "over":
                self._ended[handle] = seen
                del self._running[handle]
        # Nobody asks again about the last job of another driver once its team is done: it is looked at here.
        others = {handle: self._seen(handle) for handle in self._others}
        self._others = {handle for handle, seen in others.items() if seen.state != "over"}
        busy = {slot.name for slot, _ in self._running.values()}
        busy |= {others[handle].node for handle in self._others}
        return [slot for slot in self.slots if slot.name not in busy | self._left_out]

    def _seen(self, handle: str) -> Seen:
        if handle in self._ended:
            return self._ended[handle]
        if handle in self._running:
            slot, process = self._running[handle]
            code = process.poll()
            if code is None:
                return Seen(state="running", node=slot.name)
            reason = f"signal {-code}" if code < 0 else f"exit status {code}"
            return Seen(state="over", node=slot.name, reason=reason)
        pid, started, host, part = _taken_apart(handle)
        if host == socket.gethostname() and started is not None and processes.start_time(pid) == started:
            return Seen(state="running", node=part)
        return Seen(state="over", node=part, reason="a process that is gone")


def _taken_apart(handle: str) -> tuple[int, int | None, str, str]:
    """Take a handle apart: process, its start [clock ticks since boot], machine, part of the machine.

    >>> _taken_apart("12.345@a@a gpu 0"), _taken_apart("12.None@a@a")
    ((12, 345, 'a', 'a gpu 0'), (12, None, 'a', 'a'))
    """
    numbers, host, part = handle.split("@", 2)
    pid, _, started = numbers.partition(".")
    return int(pid), int(started) if started.isdigit() else None, host, part
