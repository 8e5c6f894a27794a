"""Whether the runtimes that a worker claims agree with the parent's clock, over many calls together.

Medians hold against moments in which the machine was disturbed, and say nothing of a few calls of which too
little is claimed. Sums say that, and a disturbed call must not spoil them: there the bracket is longer than
usual for an image of its size. Where too little is claimed, the bracket is as usual.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntire_bench.measuring.clock import agrees, slack_ms

__all__ = ["Claims", "images_agree", "medians_agree", "none_are_short", "sums_agree"]

Floats = npt.NDArray[np.float64]

_LONG = 1.2  # times what is usual for a size: what is longer was disturbed
_LONG_BY_PIXELS = 1.5  # alike in sums, where only calls of other sizes say what is usual
_FEWEST_OF_SIZE = 3
_FEWEST_CALLS, _FEWEST_CALM = 5, 3  # on one image, and of them undisturbed, for it to be judged alone
_OF_ONE_IMAGE = 2.0  # times the margins: where there are many images, some are off by chance
_SHORT, _ONE_CALL = 0.8, 2.0  # of what the parent saw, less the slack so many times; beyond 1 / _LONG
_SHORT_CALLS = 0.02  # of all, rounded down


@dataclass(frozen=True)
class Claims:
    """Calls by both clocks, float64 arrays of one shape (images, rounds).

    Attributes:
        claimed_ms: By the worker's clock.
        seen_ms: By the parent's, less the overhead.
        overhead_ms: What that was.
        spread_ms: By how much it scatters.
        pixels: Of each LR image.
        null_calls: How many calls the overhead is from.
        device: "cuda" or "cpu".
    """

    claimed_ms: Floats
    seen_ms: Floats
    overhead_ms: Floats
    spread_ms: Floats
    pixels: Floats
    null_calls: int
    device: str

    def fit(self, claimed_ms: float, seen_ms: float, *, tolerance: float = 1.0) -> bool:
        """Say whether two figures over all calls agree."""
        return agrees(
            claimed_ms,
            seen_ms,
            float(np.median(self.overhead_ms)),
            spread_ms=float(np.median(self.spread_ms)),
            calls=self.claimed_ms.size,
            null_calls=self.null_calls,
            device=self.device,
            tolerance=tolerance,
        )

    def of(self, image: int, which: npt.NDArray[np.bool_]) -> Claims:
        """Return those calls on one image that `which` says, (rounds,)."""
        calls = (slice(image, image + 1), which)
        return dataclasses.replace(
            self,
            claimed_ms=self.claimed_ms[calls],
            seen_ms=self.seen_ms[calls],
            overhead_ms=self.overhead_ms[calls],
            spread_ms=self.spread_ms[calls],
            pixels=self.pixels[calls],
        )

    def usual_ms(self, by_pixels: float) -> Floats:
        """Return how long a call on an image of its size takes at most by the parent's clock, undisturbed.

        Args:
            by_pixels: How much longer than by its pixels, where there are few calls of its size.
        """
        found = by_pixels * float(np.median(self.seen_ms / self.pixels)) * self.pixels
        for size in np.unique(self.pixels):
            same = self.pixels == size
            if same.sum() >= _FEWEST_OF_SIZE:
                found[same] = _LONG * float(np.median(self.seen_ms[same]))
        return found


def medians_agree(claims: Claims, *, tolerance: float = 1.0) -> bool:
    """Say whether the medians of both clocks agree, and the median of their differences."""
    claimed = float(np.median(claims.claimed_ms))
    # Of images of several sizes, the two medians may be of different calls.
    beside = float(np.median(claims.seen_ms - claims.claimed_ms))
    return all(
        claims.fit(claimed, seen, tolerance=tolerance)
        for seen in (float(np.median(claims.seen_ms)), claimed + beside)
    )


def sums_agree(claims: Claims) -> bool:
    """Say whether what is claimed in all agrees with what was seen in all.

    That is so of the mean over all calls, and of the mean over images of medians over rounds, which scores.
    """
    seen = np.minimum(claims.seen_ms, np.maximum(claims.usual_ms(_LONG_BY_PIXELS), claims.claimed_ms))
    return claims.fit(float(claims.claimed_ms.mean()), float(seen.mean())) and claims.fit(
        float(np.median(claims.claimed_ms, axis=1).mean()), float(np.median(seen, axis=1).mean())
    )


def images_agree(claims: Claims) -> bool:
    """Say whether the medians agree on each image with five calls, over those that were not disturbed.

    On a machine that others use, a tenth of the calls may come back late: then, of a hundred images with five
    calls each, one has three of these by chance. Who makes calls late on purpose gains nothing by it, as sums
    count them.
    """
    if claims.claimed_ms.shape[1] < _FEWEST_CALLS:
        return True
    calm = claims.seen_ms <= claims.usual_ms(_LONG)
    return all(
        medians_agree(claims.of(image, which), tolerance=_OF_ONE_IMAGE)
        for image, which in enumerate(calm)
        if which.sum() >= _FEWEST_CALM
    )


def none_are_short(claims: Claims) -> bool:
    """Say whether there are no calls, but for a few of many, of which far too little is claimed.

    Only calls that took the parent no longer than usual count: of others the bracket may be wrong.
    """
    slack = slack_ms(claims.overhead_ms, claims.spread_ms, 1, claims.null_calls, claims.device)
    short = claims.claimed_ms < _SHORT * claims.seen_ms - _ONE_CALL * slack
    found = short & (claims.seen_ms <= claims.usual_ms(_LONG))
    return bool(found.sum() <= _SHORT_CALLS * found.size)
