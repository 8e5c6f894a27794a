"""What is collected of one side while rounds run."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from ntire_bench.machine import processes
from ntire_bench.measuring.clock import Overhead
from ntire_bench.measuring.side import Side

__all__ = ["Quality", "Timings", "Turns"]

_OUT_OF_TURN = 0.2  # of a core, while the other side is timed
_SHORTEST_S = 1.0  # out of its turns, for that share to mean anything


@dataclass(frozen=True)
class Quality:
    """Metrics of one image: PSNR [dB]; SSIM, or None where it was not asked for."""

    psnr_y_db: float
    psnr_rgb_db: float
    ssim_y: float | None


class Turns:
    """How much CPU time a side's processes use in its own turns, and while the other side is timed."""

    def __init__(self) -> None:
        self.pids: set[int] = set()
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
        if self._idle_wall_s <= _SHORTEST_S or self._idle_cpu_s <= _OUT_OF_TURN * self._idle_wall_s:
            return None
        return self._idle_cpu_s / self._idle_wall_s


@dataclass
class Timings:
    """What is collected of one side over all launches.

    Attributes:
        side: Whose it is.
        overhead: What a call of the current launch takes beside the forward pass.
        claimed: By split, one list per round with a runtime per image [ms], by the worker's clock.
        seen: The same by the parent's clock, less the overhead.
        quality: By split and image, from the first launch.
        memory_mib: By split, the peak; None where the device does not tell.
        flags: Settings of torch as they were found after the rounds of this launch, each once.
        turns: CPU time in its turns and out of them.
    """

    side: Side
    overhead: Overhead = Overhead(fixed_ms=0.0, per_pixel_ms=0.0)
    claimed: dict[str, list[list[float]]] = field(default_factory=dict)
    seen: dict[str, list[list[float]]] = field(default_factory=dict)
    quality: dict[tuple[str, str], Quality] = field(default_factory=dict)
    memory_mib: dict[str, float | None] = field(default_factory=dict)
    flags: list[dict[str, bool | int | str]] = field(default_factory=list)
    turns: Turns = field(default_factory=Turns)

    def begin_split(self, split: str, images: int) -> None:
        """Make place for a round's runtimes of a split."""
        for clock in (self.claimed, self.seen):
            clock.setdefault(split, []).append([0.0] * images)

    def add_call(self, split: str, image: int, claimed_ms: float, bracket_ms: float, pixels: int) -> None:
        """Note the runtime of one image in the current round.

        Args:
            split: Of the image.
            image: Its place in the split.
            claimed_ms: By the worker's clock.
            bracket_ms: By the parent's clock, with the overhead.
            pixels: Of the LR image.
        """
        self.claimed[split][-1][image] = claimed_ms
        self.seen[split][-1][image] = max(1e-6, bracket_ms - self.overhead.of(pixels))

    def add_peak(self, split: str, peak_mib: float | None) -> None:
        """Note the memory [MiB] that a round of a split took at most."""
        known = self.memory_mib.get(split)
        self.memory_mib[split] = peak_mib if known is None or peak_mib is None else max(known, peak_mib)
