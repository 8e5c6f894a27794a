"""Whether the runtimes that a worker measures itself can be believed.

The parent takes the time of a call too: from sending an LR image that the worker has not seen, to holding
the SR image. This time, the call's bracket, cannot be shorter than the work on the image. What a call takes
beside the forward pass (moving pixels, converting to uint8) is measured in every worker before it loads any
of the submission's code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntire_bench.client.worker import Call, Worker

__all__ = ["Overhead", "agrees", "measure_overhead"]

Uint8 = npt.NDArray[np.uint8]

_NULL_CALLS = 8  # of each size, after a first one that is not counted


@dataclass(frozen=True, kw_only=True)
class Overhead:
    """What a call takes beside the forward pass: `fixed_ms` plus `per_pixel_ms` for each LR pixel."""

    fixed_ms: float
    per_pixel_ms: float

    def of(self, pixels: int) -> float:
        """Return the overhead [ms] of an LR image of so many pixels."""
        return self.fixed_ms + self.per_pixel_ms * pixels


def measure_overhead(worker: Worker, images: Sequence[Uint8]) -> Overhead:
    """Time nearest-neighbour enlargement in a worker that has not loaded its submission yet.

    Args:
        worker: After `hello`, before `load`.
        images: LR images, uint8 HWC; the smallest and the largest are run.

    Returns:
        The line through both sizes, or a constant where there is one size.
    """
    ordered = sorted(images, key=lambda image: image.size)
    points = []
    for image in ordered[:: max(1, len(ordered) - 1)][:2]:
        calls = [worker.null_run(image) for _ in range(_NULL_CALLS + 1)][1:]
        # The lower quartile: too much would be taken off every bracket if these calls were disturbed.
        beside = sorted(map(_beside, calls))[_NULL_CALLS // 4]
        points.append((image.shape[0] * image.shape[1], beside))
    (small, low), (large, high) = points[0], points[-1]
    slope = max(0.0, (high - low) / (large - small)) if large > small else 0.0
    return Overhead(fixed_ms=max(0.0, low - slope * small), per_pixel_ms=slope)


def _beside(call: Call) -> float:
    return max(0.0, call.bracket_ms - call.claimed_ms)


def agrees(claimed_ms: float, bracket_ms: float, overhead_ms: float) -> bool:
    """Say whether a claimed runtime fits the parent's bracket.

    Args:
        claimed_ms: Median over the calls on one image size, as the worker measured them.
        bracket_ms: Median of the brackets around the same calls.
        overhead_ms: What such a call takes beside the forward pass.

    >>> agrees(100.0, 110.0, 9.0), agrees(50.0, 110.0, 9.0), agrees(140.0, 110.0, 9.0)
    (True, False, False)
    """
    seen = bracket_ms - overhead_ms
    # Converting and copying pixels takes longer when the caches hold something else.
    slack = 0.25 * overhead_ms
    # A worker gains by claiming too little. It claims too much where noise has made the overhead look larger.
    return claimed_ms <= 1.05 * seen + 0.3 + slack and seen <= 1.05 * claimed_ms + 0.3 + slack
