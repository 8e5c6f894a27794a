"""CPU time that a side's processes use in its own turns, and while the other side is timed."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

__all__ = ["Turns", "usual_out_of_turn"]

_OUT_OF_TURN = 0.2  # of a core more than before the submission's code was there
_IN_TURN = 0.2  # of a core more than its threads can use
_FAR_IN_TURN = 0.5  # of a core more than any honest use of them
_SHORTEST_S = 1.0  # out of its turns, for that share to mean anything
_SHORTEST_TURNS_S = 0.25  # in its turns, alike
_SIGMAS = 3.0
_USUAL_S = 0.5  # for which null calls are made to find what is usual
_MOST_NULL_CALLS = 100

CpuSeconds = Callable[[], float]
"""Gives the CPU time that all processes of a side have used so far [s]."""


class Turns:
    """How much CPU time a side's processes use in its own turns, and while the other side is timed.

    It is read before and after every turn, of all processes there are then: those that began in the middle of
    a round, and those whose parent is gone, count as any other.

    Attributes:
        usual_s: CPU time that its worker used out of turn for each turn before it held the submission [s]:
            threads that wait for work spin for a while, and a GPU's driver has some of its own.
    """

    def __init__(self) -> None:
        self.usual_s = 0.0
        self._used_s: CpuSeconds = float  # of the worker that this round is made with
        self._step_s = 0.0
        self._turns = 0
        self._own_cpu_s = self._own_wall_s = 0.0  # in its turns, over all rounds
        self._idle_cpu_s = self._idle_wall_s = 0.0  # outside of its turns, alike
        self._turn_cpu_s = self._turn_wall_s = 0.0  # in its turns of this round
        self._cpu_before_s = 0.0

    def begin_round(self, used_s: CpuSeconds, step_s: float = 0.0) -> None:
        """Begin a round.

        Args:
            used_s: Of its worker.
            step_s: In what steps that counts [s].
        """
        self._used_s = used_s
        self._step_s = max(self._step_s, step_s)
        self._turn_cpu_s = self._turn_wall_s = 0.0
        self._cpu_before_s = used_s()

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Take what the processes do in the body for the side's own turn."""
        self._turns += 1
        begin = time.perf_counter()
        cpu_s = self._used_s()
        yield
        self._turn_cpu_s += self._used_s() - cpu_s
        self._turn_wall_s += time.perf_counter() - begin  # with both looks: never too little

    def end_round(self, wall_s: float) -> None:
        """End a round that took so long; all of it that was not in a turn was out of turn."""
        used_s = self._used_s() - self._cpu_before_s
        self._own_cpu_s += self._turn_cpu_s
        self._own_wall_s += self._turn_wall_s
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

    @property
    def cores(self) -> float | None:
        """How many cores its processes used in its own turns; None where those were too short to tell."""
        return self._own_cpu_s / self._own_wall_s if self._own_wall_s > _SHORTEST_TURNS_S else None

    def beyond_threads(self, threads: int) -> Literal["warning", "reject"] | None:
        """Say how grave it is that they used more than a side's threads can; None where they did not.

        Threads that torch keeps are as many as it computes with, the one that calls them included. A second
        library may have as many helpers that wait for work, which spin for a while: what these could use at
        the most is no reason to reject. With one thread there are no helpers.

        Args:
            threads: That it is to compute with.
        """
        if self.cores is None:
            return None
        # Two looks a turn at two counts, user's and kernel's, each as likely anywhere within a step.
        error = _SIGMAS * self._step_s * math.sqrt(4 * self._turns / 12) / self._own_wall_s
        if self.cores <= threads + _IN_TURN + error:
            return None
        return "reject" if self.cores > 2 * threads - 1 + _FAR_IN_TURN + error else "warning"


def usual_out_of_turn(
    used_s: Sequence[CpuSeconds], null_calls: Sequence[Callable[[], object]]
) -> list[float]:
    """Return the CPU time that each worker uses out of turn for each turn [s], by null calls in turns.

    Args:
        used_s: Of each side's worker, which holds no submission yet.
        null_calls: Of each side: makes one call.
    """
    sides = [Turns() for _ in used_s]
    begin = time.perf_counter()
    for turns, so_far_s in zip(sides, used_s, strict=True):
        turns.begin_round(so_far_s)
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
