"""CPU time that a side's processes use in its own turns, and while the other side is timed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from ntire_bench.machine import processes

__all__ = ["Turns", "idle_share"]

_OUT_OF_TURN = 0.2  # of a core more than before the submission's code was there
_SHORTEST_S = 1.0  # out of its turns, for that share to mean anything


class Turns:
    """How much CPU time a side's processes use in its own turns, and while the other side is timed.

    Attributes:
        pids: Ids of its processes.
        usual_share: Of a core, what its worker used out of turn before it held the submission: threads that
            wait for work spin for a while, and a GPU's driver has some of its own.
    """

    def __init__(self) -> None:
        self.pids: set[int] = set()
        self.usual_share = 0.0
        self._idle_cpu_s = self._idle_wall_s = 0.0  # outside of its turns, over all rounds
        self._turn_cpu_s = self._turn_wall_s = 0.0  # in its turns of this round
        self._cpu_before_s = 0.0

    def begin_round(self, pid: int) -> None:
        """Begin a round.

        Args:
            pid: The side's worker, whose descendants count as well.
        """
        self.pids = processes.family([pid])
        self._turn_cpu_s = self._turn_wall_s = 0.0
        self._cpu_before_s = processes.cpu_seconds(self.pids)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Take what the processes do in the body for the side's own turn."""
        cpu_s, begin = processes.cpu_seconds(self.pids), time.perf_counter()
        yield
        self._turn_wall_s += time.perf_counter() - begin
        self._turn_cpu_s += processes.cpu_seconds(self.pids) - cpu_s

    def end_round(self, wall_s: float) -> None:
        """End a round that took so long; all of it that was not in a turn was out of turn."""
        used_s = processes.cpu_seconds(self.pids) - self._cpu_before_s
        self._idle_cpu_s += max(0.0, used_s - self._turn_cpu_s)
        self._idle_wall_s += wall_s - self._turn_wall_s

    @property
    def busy_share(self) -> float | None:
        """The share of a core that was used out of turn, where that is too much; else None."""
        if self._idle_wall_s <= _SHORTEST_S:
            return None
        share = self._idle_cpu_s / self._idle_wall_s
        return share if share > self.usual_share + _OUT_OF_TURN else None


@contextlib.contextmanager
def idle_share(pid: int, told: list[float]) -> Iterator[None]:
    """Measure what a process and its descendants use while the body has another one work.

    Args:
        pid: A worker that has nothing to do.
        told: Gets the share of a core.
    """
    family = processes.family([pid])
    cpu_s, begin = processes.cpu_seconds(family), time.perf_counter()
    yield
    wall_s = time.perf_counter() - begin
    told.append((processes.cpu_seconds(family) - cpu_s) / wall_s if wall_s > 0 else 0.0)
