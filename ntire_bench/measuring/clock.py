"""Whether the runtimes that a worker measures itself can be believed.

The parent takes the time of a call too: from sending an LR image that the worker has not seen, to holding
the SR image. This time, the call's bracket, cannot be shorter than the work on the image. What a call takes
beside the forward pass (moving pixels, converting to uint8) is measured in every worker before it loads any
of the submission's code, for several sizes and with its scatter, from which the tolerance follows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ntire_bench.client.worker import Call, Worker

__all__ = ["Overhead", "agrees", "measure_overhead", "slack_ms"]

Uint8 = npt.NDArray[np.uint8]
Floats = TypeVar("Floats", float, npt.NDArray[np.float64])

_NULL_CALLS = {"cpu": 8, "cuda": 24}  # of each size, after a first one that is not counted
_MOST_SIZES = 3
# A network leaves other things in the caches than the null call does: this share of the overhead may be
# more or less. On a GPU what is beside the network is a copy each way and waking up.
_SYSTEMATIC = {"cpu": 0.25, "cuda": 0.10}
_SHARE = {"cpu": 0.05, "cuda": 0.03}  # of the runtime
_LEAST_MS = {"cpu": 0.3, "cuda": 0.05}
_SIGMAS = 3.0
_IQR_TO_SIGMA = 1 / 1.349  # of a normal distribution
_MEDIAN_TO_MEAN = 1.253  # standard error of a median over that of a mean


@dataclass(frozen=True, kw_only=True)
class Overhead:
    """What a call takes beside the forward pass, by the LR pixels of the image.

    Attributes:
        pixels: Sizes that were measured, in order.
        typical_ms: Of each, the lower quartile.
        spread_ms: Of each, its scatter as a standard deviation.
        calls: How many calls each is from.
        wait_ms: How long the device took to answer before a call, the upper quartile; None on a CPU.
    """

    pixels: tuple[int, ...]
    typical_ms: tuple[float, ...]
    spread_ms: tuple[float, ...]
    calls: int
    wait_ms: float | None = None

    @classmethod
    def nothing(cls) -> Overhead:
        """Return one that takes no time."""
        return cls(pixels=(1,), typical_ms=(0.0,), spread_ms=(0.0,), calls=1)

    def of(self, pixels: int) -> float:
        """Return the overhead [ms] of an LR image of so many pixels: between sizes, on a line."""
        return float(np.interp(pixels, self.pixels, self.typical_ms))

    def spread(self, pixels: int) -> float:
        """Return its scatter [ms], alike."""
        return float(np.interp(pixels, self.pixels, self.spread_ms))


def measure_overhead(worker: Worker, images: Sequence[Uint8], device: str = "cpu") -> Overhead:
    """Time nearest-neighbour enlargement in a worker that has not loaded its submission yet.

    Args:
        worker: After `hello`, before `load`.
        images: LR images, uint8 HWC; the smallest, the largest and one between are run.
        device: "cuda" or "cpu".
    """
    ordered = sorted(images, key=lambda image: image.size)
    chosen = {0, len(ordered) // 2, len(ordered) - 1}
    sized = {ordered[place].shape[0] * ordered[place].shape[1]: ordered[place] for place in sorted(chosen)}
    typical, spread, waits = [], [], []
    calls = _NULL_CALLS[device]
    for image in sized.values():
        null = [worker.null_run(image) for _ in range(calls + 1)][1:]
        waits += [call.wait_ms for call in null if call.wait_ms is not None]
        beside = list(map(_beside, null))
        # The lower quartile: too much would be taken off every bracket if these calls were disturbed.
        low, high = np.quantile(beside, [0.25, 0.75])
        typical.append(float(low))
        spread.append(float(high - low) * _IQR_TO_SIGMA)
    return Overhead(
        pixels=tuple(sized),
        typical_ms=tuple(typical),
        spread_ms=tuple(spread),
        calls=calls,
        wait_ms=float(np.quantile(waits, 0.75)) if waits else None,
    )


def _beside(call: Call) -> float:
    return max(0.0, call.bracket_ms - call.claimed_ms)


def agrees(
    claimed_ms: float,
    seen_ms: float,
    overhead_ms: float,
    *,
    spread_ms: float = 0.0,
    calls: int = 1,
    null_calls: int = 8,
    device: str = "cpu",
    tolerance: float = 1.0,
) -> bool:
    """Say whether a claimed runtime fits the parent's clock.

    Args:
        claimed_ms: Median over some calls, as the worker measured them.
        seen_ms: Median of the parent's times of the same calls, less the overhead.
        overhead_ms: What such a call takes beside the forward pass.
        spread_ms: The overhead's standard deviation.
        calls: How many calls the medians are over.
        null_calls: How many calls the overhead is from.
        device: "cuda" or "cpu".
        tolerance: Times the margins.

    >>> agrees(100.0, 101.0, 9.0), agrees(50.0, 101.0, 9.0), agrees(140.0, 101.0, 9.0)
    (True, False, False)
    """
    share = _SHARE[device] * tolerance
    slack = tolerance * slack_ms(overhead_ms, spread_ms, calls, null_calls, device)
    # The lower quartile was taken off in place of the median: 0.67 standard deviations.
    high = seen_ms - 0.67 * spread_ms
    # A worker gains by claiming too little. It claims too much where noise has made the overhead look larger.
    return claimed_ms <= (1 + share) * seen_ms + slack and high <= (1 + share) * claimed_ms + slack


def slack_ms(overhead_ms: Floats, spread_ms: Floats, calls: int, null_calls: int, device: str) -> Floats:
    """Return by how much both clocks may differ beside a share of the runtime [ms].

    Args:
        overhead_ms: What a call takes beside the forward pass; an array for many calls.
        spread_ms: The overhead's standard deviation, alike.
        calls: How many calls the medians are over.
        null_calls: How many calls the overhead is from.
        device: "cuda" or "cpu".
    """
    error = _SIGMAS * _MEDIAN_TO_MEAN * math.sqrt(1 / calls + 1 / null_calls)
    return _LEAST_MS[device] + _SYSTEMATIC[device] * overhead_ms + error * spread_ms
