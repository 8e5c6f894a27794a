"""Sees to it, from the parent, that a worker stays within its limits, as the kernel may not do so.

Shared memory is the hard case: only a control group of version 2 counts it per worker. Elsewhere a process
can hold shared memory that none of its own figures shows. So the growth of the machine's shared memory
counts, less what the figures of other programs show of it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

from ntire_bench.isolation.limits import Limits
from ntire_bench.isolation.spawn import Spawned
from ntire_bench.machine import processes
from ntire_bench.machine.gpu_memory import GpuMemory

__all__ = ["Watch"]

_INTERVAL_S = 0.25  # one look takes 0.25 ms of one core


class Watch:
    """Ends a worker that goes over its limits on memory and processes, or stays stopped.

    Args:
        spawned: The worker.
        limits: How much it may use.

    Attributes:
        reason: Why it was ended, as a clause; None as long as it was not.
    """

    def __init__(self, spawned: Spawned, limits: Limits) -> None:
        self.reason: str | None = None
        self._spawned = spawned
        self._limits = limits
        self._over = threading.Event()
        self._stopped_since: float | None = None
        self._gpu: tuple[GpuMemory, int] | None = None  # whose memory the worker may hold so much of [bytes]
        self._shared_before: int | None = None  # None: not counted yet
        self._shown_by_others: dict[tuple[int, int], int] = {}  # when shared memory was first counted
        self._thread = threading.Thread(target=self._run, name="ntire_bench-watch", daemon=True)
        if sys.platform == "linux":
            self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._over.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    def end(self, reason: str) -> None:
        """End the worker for a reason, unless there is one already."""
        if self.reason is None:
            self.reason = reason
            self._spawned.kill()

    def count_shared(self) -> None:
        """Count from now on what shared memory grows by: from here on, code of the submission runs."""
        self._shared_before = processes.shared_memory_bytes()
        own = {*self._tree(), self._spawned.process.pid}
        shown = processes.shared_memory_shown()
        self._shown_by_others = {process: size for process, size in shown.items() if process[0] not in own}

    def bound_gpu(self, memory: GpuMemory, share: int) -> str | None:
        """Bound from now on what the worker holds of a GPU's memory; it must be on the GPU by now.

        Args:
            memory: Of the GPU.
            share: How much it may hold [bytes].

        Returns:
            Why that cannot be done, as a clause; None where it is.
        """
        if memory.held_by([*self._tree(), self._spawned.pid]) is None:
            return memory.missing
        self._gpu = memory, share
        return None

    def _run(self) -> None:
        while not self._over.wait(_INTERVAL_S) and self.reason is None:
            reason = self.look()
            if reason is not None:
                self.end(reason)

    def look(self) -> str | None:
        """Return which limit the worker is over now, as a clause; None for no limit."""
        broken = self._spawned.group.broken()
        if broken is not None:
            return broken
        limits = self._limits
        tree = self._tree()
        if len(tree) > limits.processes:
            return f"it started more than {limits.processes} processes"
        taken = f"it took more memory than {limits.memory / 1024**3:.1f} GiB"
        if self._over_limit(tree, processes.memory_bytes, 0):
            return taken
        grown = self._shared_growth()
        if self._over_limit(tree, processes.private_memory_bytes, grown):
            grown -= self._growth_of_others()  # slower, so only where the worker is about to be ended
            if self._over_limit(tree, processes.private_memory_bytes, grown):
                return f"{taken}, shared memory counted"
        if self._gpu is not None:
            memory, share = self._gpu
            if (memory.held_by(tree) or 0) > share:  # not known: it is about to end, or has just ended
                return f"it took more GPU memory than {share / 1024**3:.1f} GiB"
        if self._has_stopped():
            return f"it stopped itself for {limits.stopped_s:.0f} s"
        return None

    def _over_limit(self, tree: list[int], memory: Callable[..., int], more: int) -> bool:
        """Say whether processes are over the limit on memory, also if what they share is counted once."""
        return all(
            sum(memory(pid, shared_once=once) for pid in tree) + more > self._limits.memory
            for once in (False, True)
        )

    def _shared_growth(self) -> int:
        """Return by how much the machine's shared memory has grown since `count_shared` [bytes]."""
        if self._shared_before is None:
            return 0
        return max(0, processes.shared_memory_bytes() - self._shared_before)

    def _growth_of_others(self) -> int:
        """Return how much of that growth the figures of other programs show [bytes].

        Programs that began later than the submission's code do not count: they may be its own.
        What several of them share counts for each, so that a worker is rather spared than blamed.
        """
        shown = processes.shared_memory_shown()
        return sum(max(0, shown.get(other, 0) - size) for other, size in self._shown_by_others.items())

    def _tree(self) -> list[int]:
        return processes.descendants(self._spawned.process.pid, self._limits.processes)

    def _has_stopped(self) -> bool:
        now = time.monotonic()
        if processes.state(self._spawned.pid) not in ("T", "t"):
            self._stopped_since = None
        elif self._stopped_since is None:
            self._stopped_since = now
        return self._stopped_since is not None and now - self._stopped_since >= self._limits.stopped_s
