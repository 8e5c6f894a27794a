"""CPU time that a side's processes use in its own turns, and while the other side is timed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

from ntire_bench.machine import processes

__all__ = ["Turns", "usual_out_of_turn"]

_OUT_OF_TURN = 0.2  # of a core more than before the submission's code was there
_SHORTEST_S = 1.0  # out of its turns, for that share to mean anything
_USUAL_S = 0.5  # for which null calls are made to find what is usual
_MOST_NULL_CALLS = 100


class Turns:
    """How much CPU time a side's processes use in its own turns, and while the other side is timed.

    Attributes:
        pids: Ids of its processes.
        usual_s: CPU time that its worker used out of turn for each turn before it held the submission [s]:
            threads that wait for work spin for a while, and a GPU's driver has some of its own.
    """

    def __init__(self) -> None:
        self.pids: set[int] = set()
        self.usual_s = 0.0
        self._turns = 0
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
        self._turns += 1
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
    def of_a_turn_s(self) -> float:
        """CPU time out of turn for each turn so far [s]."""
        return self._idle_cpu_s / self._turns if self._turns else 0.0

    @property
    def usual_share(self) -> float:
        """The share of a core that is usual out of so many turns."""
        return self.usual_s * self._turns / self._idle_wall_s if self._idle_wall_s > 0 else 0.0

    @property
    def busy_share(self) -> float | None:
        """The share of a core that was used out of turn, where that is too much; else None."""
        if self._idle_wall_s <= _SHORTEST_S:
            return None
        share = self._idle_cpu_s / self._idle_wall_s
        return share if share > self.usual_share + _OUT_OF_TURN else None


def usual_out_of_turn(pids: Sequence[int], null_calls: Sequence[Callable[[], object]]) -> list[float]:
    """Return the CPU time that each worker uses out of turn for each turn [s], by null calls in turns.

    Args:
        pids: Of each side's worker, which holds no submission yet.
        null_calls: Of each side: makes one call.
    """
    sides = [Turns() for _ in pids]
    begin = time.perf_counter()
    for turns, pid in zip(sides, pids, strict=True):
        turns.begin_round(pid)
    for _ in range(_MOST_NULL_CALLS):
        for turns, call in zip(sides, null_calls, strict=True):
            with turns.turn():
                call()
        if time.perf_counter() - begin > _USUAL_S:
            break
    wall_s = time.perf_counter() - begin
    for turns in sides:
        turns.end_round(wall_s)
    return [turns.of_a_turn_s for turns in sides]
