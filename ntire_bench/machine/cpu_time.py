"""CPU time of a process and of all that come from it, whoever of them still runs. Linux only."""

from __future__ import annotations

from collections.abc import Iterable

from ntire_bench.machine import processes

__all__ = ["TICK_S", "FamilyTime"]

TICK_S = 1 / processes.TICKS_PER_S
"""The step in which the kernel tells a process's CPU time [s]."""


class FamilyTime:
    """Adds up, from look to look, what a process and all its descendants use.

    Who is an orphan by now, or is missing from the kernel's lists of children for a moment, is looked at for
    as long as it runs. What lives from one look to the next and is never waited for is not seen: a control
    group sees that too.

    Args:
        first: The process that all others come from; orphans among them become its children, or those of
            one below it.
    """

    def __init__(self, first: int) -> None:
        self._first = first
        self._seen: dict[tuple[int, int], processes.CpuTicks] = {}  # by id and start time
        self._ticks = 0

    def seconds(self) -> float:
        """Return the CPU time that was used so far [s]; it never becomes less."""
        now = dict(self._look())
        # The time of a process that has ended is its parent's, if that has waited for it; else it is lost.
        with_ended = sum(map(sum, now.values())) - sum(map(sum, self._seen.values()))
        of_living = sum(own - self._seen.get(who, (0, 0))[0] for who, (own, _) in now.items())
        self._ticks += max(0, with_ended, of_living)
        self._seen = now
        return self._ticks / processes.TICKS_PER_S

    def _look(self) -> Iterable[tuple[tuple[int, int], processes.CpuTicks]]:
        below = {self._first, *processes.descendants(self._first)}
        for pid in below | {pid for pid, _ in self._seen}:
            found = processes.cpu_ticks(pid)
            if found is None:
                continue
            started, ticks = found
            if pid in below or (pid, started) in self._seen:  # else another program has its number now
                yield (pid, started), ticks
