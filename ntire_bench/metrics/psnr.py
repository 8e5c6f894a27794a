"""PSNR of an SR image against its HR image, on Y and on RGB, as the super-resolution field reports it.

The border is cropped off by `crop`, the weights of Y are those of `luma`.

`psnr` may run in several threads at once: each call works in one thread, block by block in the processor's
cache, and nearly all of its time is spent in OpenCV, which lets other threads run.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ntire_bench.metrics.crop import without_border
from ntire_bench.metrics.luma import LUMA, LUMA_UNIT

__all__ = ["Psnr", "psnr"]

Uint8 = NDArray[np.uint8]
Plane = NDArray[Any]

_ROWS = 64  # per step: they fit the second-level cache (1 MiB); half and twice as many are slower


class Psnr(NamedTuple):
    """Peak signal-to-noise ratio of one image [dB]; `math.inf` where the channel is equal everywhere.

    Attributes:
        y_db: Of the luma Y, kept in floating point.
        rgb_db: Of R, G and B together (one mean squared error over all three).
    """

    y_db: float
    rgb_db: float


def psnr(sr: Uint8, hr: Uint8, border: int = 4) -> Psnr:
    """Return the PSNR, 10 log10(255^2 / MSE), on Y and on RGB.

    One pass sums d d^T over the pixels' RGB differences d. Its trace is the RGB squared error, and the luma
    squared error is c^T (sum d d^T) c for the luma weights c. All sums are exact integers.

    Args:
        sr: (H, W, 3) uint8, RGB.
        hr: The same shape and type.
        border: Pixels cropped off every side.

    Returns:
        Both values [dB].

    Raises:
        ValueError: Types or shapes are wrong, or nothing is left inside the border.

    >>> hr = np.full((16, 16, 3), 128, np.uint8)
    >>> [round(value, 4) for value in psnr(hr + np.uint8(1), hr)]
    [49.4527, 48.1308]
    >>> psnr(hr, hr)
    Psnr(y_db=inf, rgb_db=inf)
    """
    sr, hr = without_border(sr, hr, border, smallest=1)
    gram = [[0] * 3 for _ in range(3)]
    for start in range(0, hr.shape[0], _ROWS):
        rows = slice(start, start + _ROWS)
        _add_gram(gram, sr[rows], hr[rows])
    rgb_error = gram[0][0] + gram[1][1] + gram[2][2]
    y_error = sum(LUMA[i] * LUMA[j] * gram[i][j] for i in range(3) for j in range(3))
    pixels = hr.shape[0] * hr.shape[1]
    return Psnr(
        y_db=_decibel(255**2 * LUMA_UNIT**2 * pixels, y_error),
        rgb_db=_decibel(255**2 * 3 * pixels, rgb_error),
    )


def _decibel(peak: int, error: int) -> float:
    """Return 10 log10(peak / error), infinite for no error; the integers are divided with one rounding."""
    return math.inf if error == 0 else 10 * math.log10(peak / error)


def _add_gram(gram: list[list[int]], sr: Uint8, hr: Uint8) -> None:
    """Add sum d d^T over the pixels, d being their RGB differences.

    OpenCV has a fast sum of squared differences but none of products, hence
    2 d_i d_j = (d_i + d_j)^2 - d_i^2 - d_j^2.
    """
    import cv2

    def squared(a: Plane, b: Plane) -> int:
        # OpenCV sums exactly, then may take a root and square it again: rounding undoes that below 1e15.
        return round(cv2.norm(a, b, cv2.NORM_L2SQR))

    a, b = ([np.asarray(plane) for plane in cv2.split(image)] for image in (sr, hr))
    squares = [squared(a[i], b[i]) for i in range(3)]
    for i in range(3):
        gram[i][i] += squares[i]
        for j in range(i):
            both = squared(cv2.add(a[i], a[j], dtype=cv2.CV_16S), cv2.add(b[i], b[j], dtype=cv2.CV_16S))
            product = (both - squares[i] - squares[j]) // 2
            gram[i][j] += product
            gram[j][i] += product
