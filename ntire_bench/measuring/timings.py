"""What is collected of one side while rounds run: its calls by both clocks, metrics, memory, settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ntire_bench.client.worker import Call
from ntire_bench.measuring.claims import Claims, images_agree, medians_agree, none_are_short, sums_agree
from ntire_bench.measuring.clock import Overhead
from ntire_bench.measuring.side import Side
from ntire_bench.measuring.turns import Turns

__all__ = ["Quality", "Surroundings", "TimedCall", "Timings"]

Floats = npt.NDArray[np.float64]

_LEAST_MS = 0.001
_FEWEST_WAITS, _LEAST_WAIT_MS, _LONG_WAIT = 10, 0.1, 3.0


@dataclass(frozen=True)
class Quality:
    """Metrics of one image: PSNR [dB]; SSIM, or None where it was not asked for."""

    psnr_y_db: float
    psnr_rgb_db: float
    ssim_y: float | None


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What else there was while calls were timed, as this process saw it.

    Attributes:
        load: Share of the machine that other programs used; None where it is not known.
        slow_clock: Whether the GPU's clock was below its usual.
        other_process: Whether another process was on the GPU.
    """

    load: float | None = None
    slow_clock: bool = False
    other_process: bool = False


@dataclass(frozen=True, kw_only=True)
class TimedCall:
    """One call that counts.

    Attributes:
        claimed_ms: By the worker's clock.
        bracket_ms: By the parent's, with what a call takes beside the forward pass.
        overhead_ms: What that is for an image of this size.
        spread_ms: By how much that scatters.
        pixels: Of its LR image.
        host_ms: Until its last kernel was queued; None on a CPU.
        allocations: How often GPU memory was taken from the driver in it.
        switches: How often its thread was interrupted.
        exact: Whether its LR image was the data set's own.
        around: What else there was.
    """

    claimed_ms: float
    bracket_ms: float
    overhead_ms: float = 0.0
    spread_ms: float = 0.0
    pixels: int = 1
    host_ms: float | None = None
    allocations: int = 0
    switches: int = 0
    exact: bool = False
    around: Surroundings = Surroundings()

    @property
    def seen_ms(self) -> float:
        """The runtime as the parent's clock has it."""
        return max(1e-6, self.bracket_ms - self.overhead_ms)


@dataclass
class Timings:
    """What is collected of one side over all launches.

    Attributes:
        side: Whose it is.
        overheads: What a call takes beside the forward pass, of every launch so far.
        calls: By split, one list per round with a call per image.
        quality: By split and image, from the first launch.
        memory_mib: By split, the peak; None where the device does not tell.
        flags: Settings of torch as they were found after the rounds of this launch, each once.
        turns: CPU time in its turns and out of them.
        waits_ms: How long the device took to answer at the begin of each of its turns; empty on a CPU.
    """

    side: Side
    overheads: list[Overhead] = field(default_factory=list)
    calls: dict[str, list[list[TimedCall]]] = field(default_factory=dict)
    quality: dict[tuple[str, str], Quality] = field(default_factory=dict)
    memory_mib: dict[str, float | None] = field(default_factory=dict)
    flags: list[dict[str, bool | int | str]] = field(default_factory=list)
    turns: Turns = field(default_factory=Turns)
    waits_ms: list[float] = field(default_factory=list)

    @property
    def work_left_ms(self) -> float | None:
        """How long its turns waited for the device, where that is much longer than with nothing to wait for.

        Work that the other side has left there is what it waits for.
        """
        usual = [overhead.wait_ms for overhead in self.overheads if overhead.wait_ms is not None]
        if not usual or len(self.waits_ms) < _FEWEST_WAITS:
            return None
        waited = float(np.median(self.waits_ms))
        return waited if waited > _LEAST_WAIT_MS + _LONG_WAIT * max(usual) else None

    def call(self, call: Call, pixels: int, around: Surroundings, *, exact: bool) -> TimedCall:
        """Return a call as it is kept.

        Args:
            call: As the worker gave it.
            pixels: Of the LR image.
            around: What else there was.
            exact: Whether the LR image was the data set's own.
        """
        return TimedCall(
            claimed_ms=max(_LEAST_MS, round(call.claimed_ms, 3)),  # to the microsecond, as it is stored
            bracket_ms=call.bracket_ms,
            overhead_ms=self.overheads[-1].of(pixels),
            spread_ms=self.overheads[-1].spread(pixels),
            pixels=pixels,
            host_ms=call.host_ms,
            allocations=call.allocations,
            switches=call.switches,
            exact=exact,
            around=around,
        )

    def add_round(self, calls: dict[str, list[TimedCall]]) -> None:
        """Keep the calls of a round, by split and in the order of its images."""
        for split, of_images in calls.items():
            self.calls.setdefault(split, []).append(of_images)

    def drop(self, rounds: int) -> None:
        """Forget a launch: the calls of so many rounds at the end, and what its overhead was."""
        for made in self.calls.values():
            del made[-rounds:]
        self.overheads.pop()

    def claimed(self, split: str) -> Floats:
        """Return the runtimes of a split by the worker's clock [ms], (images, rounds)."""
        return _figures(self.calls[split], "claimed_ms")

    def seen(self, split: str) -> Floats:
        """Return the same by the parent's clock, less the overhead."""
        return _figures(self.calls[split], "seen_ms")

    def fits(self, calls: dict[str, list[TimedCall]], device: str) -> bool:
        """Say whether the worker's clock and the parent's agree over the calls of one round, by medians.

        One call that was disturbed is no reason to make a round again.
        """
        together = [call for of_images in calls.values() for call in of_images]
        return medians_agree(self._claims([together], device))

    def attested(self, device: str, last: int | None = None) -> bool:
        """Say whether both clocks agree.

        Over all calls and over exact ones alone by their medians, over each split by what is claimed in all,
        and on each image with five calls that were not disturbed.

        Args:
            device: "cuda" or "cpu".
            last: Only so many rounds at the end count; None takes all.
        """
        of_split = [rounds if last is None else rounds[-last:] for rounds in self.calls.values()]
        together = [call for rounds in of_split for calls in rounds for call in calls]
        exact = [call for call in together if call.exact]
        groups = [together, *([exact] if exact else [])]
        of_splits = [self._claims(rounds, device) for rounds in of_split]
        return all(medians_agree(self._claims([group], device)) for group in groups) and all(
            sums_agree(claims) and none_are_short(claims) and images_agree(claims) for claims in of_splits
        )

    def _claims(self, rounds: Sequence[Sequence[TimedCall]], device: str) -> Claims:
        """Return calls, a list per round, by both clocks."""
        return Claims(
            claimed_ms=_figures(rounds, "claimed_ms"),
            seen_ms=_figures(rounds, "seen_ms"),
            overhead_ms=_figures(rounds, "overhead_ms"),
            spread_ms=_figures(rounds, "spread_ms"),
            pixels=_figures(rounds, "pixels"),
            null_calls=self.overheads[-1].calls,
            device=device,
        )

    def of_image(self, split: str, image: int) -> list[TimedCall]:
        """Return the calls on an image, in the order of rounds."""
        return [calls[image] for calls in self.calls[split]]

    def all_calls(self) -> Iterator[TimedCall]:
        """Yield every call."""
        for rounds in self.calls.values():
            for calls in rounds:
                yield from calls

    def add_peak(self, split: str, peak_mib: float | None) -> None:
        """Note the memory [MiB] that a round of a split took at most."""
        known = self.memory_mib.get(split)
        self.memory_mib[split] = peak_mib if known is None or peak_mib is None else max(known, peak_mib)


def _figures(rounds: Sequence[Sequence[TimedCall]], name: str) -> Floats:
    rows: Floats = np.array([[getattr(call, name) for call in calls] for calls in rounds], dtype=np.float64)
    result: Floats = rows.T
    return result
