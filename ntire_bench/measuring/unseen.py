"""Whether known images are recognized, where a session had no composed calls beside a baseline.

One round runs every image once, and as it is; what runs without a baseline has no gain over one. So a fresh
process runs a few composed images when all is done. What their gain is compared over is bicubic enlargement,
or at scale 1 a Gaussian blur: neither knows an image, nor needs a worker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ntire_bench.data.dataset import Pair, Split, read_hr, read_lr
from ntire_bench.measuring.content import compose, lr_of
from ntire_bench.measuring.known_images import Gains
from ntire_bench.metrics.psnr import psnr

__all__ = ["Exact", "calls", "plain", "unseen"]

Uint8 = npt.NDArray[np.uint8]

_FEWEST, _MOST = 8, 16  # calls
# Composed LR images are rounded at random, and a network makes another error of that than bicubic enlargement
# does [levels squared]: it must not tell where hardly any other error is.
_LEAST_MSE = 2.0
_BLUR = 1.5  # standard deviation [pixels]; of noise of 50 levels it leaves about 9
Exact = dict[tuple[str, str], float]
"""By split and image, RGB PSNR [dB]."""


def unseen(
    run: Callable[[Uint8], Uint8],
    splits: Sequence[Split],
    scale: int,
    border: int,
    random: np.random.Generator,
    noise: float | None = None,
) -> tuple[Gains, Exact]:
    """Run composed images, and compare each in a square.

    Args:
        run: Returns the SR image of an LR image, both uint8 HWC; in a process that has seen nothing.
        splits: Those of the session.
        scale: Enlargement factor.
        border: Pixels cropped off before PSNR.
        random: Draws images and squares.
        noise: At scale 1, the standard deviation of the LR images' noise [8-bit levels].

    Returns:
        The squares of the network and of `plain`, and the latter's PSNR on the exact images that squares show
        a part of.
    """
    gains = Gains("a bicubic enlargement's" if scale > 1 else "a Gaussian blur's", _LEAST_MSE)
    exact: Exact = {}
    for number in range(calls(splits)):
        split = splits[number % len(splits)]
        pair = split.pairs[int(random.integers(len(split.pairs)))]
        size = pair.height // scale, pair.width // scale
        composition = compose(*size, split.pairs, scale, int(random.integers(2**48)))
        lr = lr_of(composition, noise)
        sr = run(lr)
        spot = composition.spot(random, read_hr, scale)
        gains.add(split.name, spot.pair.name, spot.mse(sr), spot.mse(plain(lr, scale)))
        if (split.name, spot.pair.name) not in exact:
            exact[split.name, spot.pair.name] = _plain_db(spot.pair, scale, border)
    return gains, exact


def calls(splits: Sequence[Split]) -> int:
    """Return how many composed images are run: no more than there are images, but a few, as some are slow."""
    return min(_MOST, max(_FEWEST, sum(len(split.pairs) for split in splits)))


def plain(lr: Uint8, scale: int) -> Uint8:
    """Return what an LR image gives without any network, uint8 HWC: enlarged, or blurred at scale 1.

    >>> plain(np.full((2, 3, 3), 7, np.uint8), 4).shape, plain(np.full((2, 3, 3), 7, np.uint8), 1).shape
    ((8, 12, 3), (2, 3, 3))
    """
    import cv2

    if scale == 1:
        return np.asarray(cv2.GaussianBlur(lr, (0, 0), _BLUR), np.uint8)
    enlarged = cv2.resize(lr, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return np.asarray(enlarged, np.uint8)


def _plain_db(pair: Pair, scale: int, border: int) -> float:
    return psnr(plain(read_lr(pair), scale), read_hr(pair, scale), border).rgb_db
