"""Looks after a worker's limits from the parent, where the kernel's own may be missing."""

from __future__ import annotations

import sys
import threading
import time

from ntire_bench.isolation.limits import Limits
from ntire_bench.isolation.spawn import Spawned
from ntire_bench.machine import processes

__all__ = ["Watch"]

_INTERVAL_S = 0.25  # a look takes a quarter of a millisecond on one core


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
        self._shared_before: int | None = None
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
        """From now on, count what the machine's shared memory grows by: strange code runs in there."""
        self._shared_before = processes.shared_memory_bytes()

    def _run(self) -> None:
        while not self._over.wait(_INTERVAL_S) and self.reason is None:
            reason = self.look()
            if reason is not None:
                self.end(reason)

    def look(self) -> str | None:
        """Return which limit the worker is over now, or None."""
        broken = self._spawned.group.broken()
        if broken is not None:
            return broken
        limits = self._limits
        tree = processes.descendants(self._spawned.process.pid, limits.processes)
        if len(tree) > limits.processes:
            return f"it started more than {limits.processes} processes"
        for shared_once in (
            False,
            True,
        ):  # what a family of processes shares is counted once before it is blamed
            if sum(processes.memory_bytes(pid, shared_once=shared_once) for pid in tree) <= limits.memory:
                break
        else:
            return f"it took more memory than {limits.memory / 1024**3:.1f} GiB"
        if self._shared_before is not None:
            grown = max(0, processes.shared_memory_bytes() - self._shared_before)
            for once in (False, True):
                private = sum(processes.private_memory_bytes(pid, shared_once=once) for pid in tree)
                if grown + private <= limits.memory:
                    break
            else:
                return f"it took more memory than {limits.memory / 1024**3:.1f} GiB, shared memory counted"
        if self._has_stopped():
            return f"it stopped itself for {limits.stopped_s:.0f} s"
        return None

    def _has_stopped(self) -> bool:
        now = time.monotonic()
        if processes.state(self._spawned.pid) not in ("T", "t"):
            self._stopped_since = None
        elif self._stopped_since is None:
            self._stopped_since = now
        return self._stopped_since is not None and now - self._stopped_since >= self._limits.stopped_s
