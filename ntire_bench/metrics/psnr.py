"""PSNR and SSIM of an SR image against its HR image, as the super-resolution field reports them.

All functions are pure, take 8-bit RGB pairs and crop `border` pixels off every side first. They may run in
several threads at once: each call works in one thread, block by block in the processor's cache, and nearly
all of its time is spent where the interpreter is free for others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["SSIM_WINDOW", "Psnr", "psnr", "ssim_rgb", "ssim_y"]

Uint8 = NDArray[np.uint8]
Plane = NDArray[Any]
Float64 = NDArray[np.float64]

# ITU-R BT.601 luma of 8-bit RGB in "studio swing", as MATLAB's rgb2ycbcr: Y = 16 + (65.481 R + 128.553 G +
# 24.966 B) / 255. Kept as integers, in units of 1 / (255 * 1000).
_LUMA = (65_481, 128_553, 24_966)
_LUMA_UNIT = 255_000

# Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural
# similarity", IEEE TIP 2004: an 11x11 Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03, whole windows only.
SSIM_WINDOW = 11
_SSIM_SIGMA = 1.5
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2

# Pixels per step. What a step works on fits the second-level cache (1 MiB): measured, half and twice as much
# are slower.
_PSNR_ROWS = 64
_SSIM_BLOCK = (128, 256)


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
    sr, hr = _inside(sr, hr, border, smallest=1)
    gram = [[0] * 3 for _ in range(3)]
    for start in range(0, hr.shape[0], _PSNR_ROWS):
        rows = slice(start, start + _PSNR_ROWS)
        _add_gram(gram, sr[rows], hr[rows])
    rgb_error = gram[0][0] + gram[1][1] + gram[2][2]
    y_error = sum(_LUMA[i] * _LUMA[j] * gram[i][j] for i in range(3) for j in range(3))
    pixels = hr.shape[0] * hr.shape[1]
    return Psnr(
        y_db=_decibel(255**2 * _LUMA_UNIT**2 * pixels, y_error),
        rgb_db=_decibel(255**2 * 3 * pixels, rgb_error),
    )


def ssim_y(sr: Uint8, hr: Uint8, border: int = 4) -> float:
    """Return the mean structural similarity on Y, kept in floating point.

    Gaussian window 11x11 of sigma 1.5, windows inside the image only, L = 255, K1 = 0.01, K2 = 0.03,
    population (not sample) variances: Wang et al., IEEE TIP 2004.

    Args:
        sr: (H, W, 3) uint8, RGB.
        hr: The same shape and type.
        border: Pixels cropped off every side.

    Returns:
        A value in [-1, 1]; 1 where Y is equal everywhere.

    Raises:
        ValueError: Types or shapes are wrong, or less than 11 pixels a side are left inside the border.

    >>> hr = np.arange(24 * 24 * 3, dtype=np.uint8).reshape(24, 24, 3)
    >>> ssim_y(hr, hr)
    1.0
    >>> round(ssim_y(255 - hr, hr), 4)
    -0.9687
    """
    return _ssim(*_inside(sr, hr, border, smallest=SSIM_WINDOW), [_y])


def ssim_rgb(sr: Uint8, hr: Uint8, border: int = 4) -> float:
    """Return the mean of the structural similarities on R, G and B, each as `ssim_y` defines it.

    Args:
        sr: (H, W, 3) uint8, RGB.
        hr: The same shape and type.
        border: Pixels cropped off every side.

    Returns:
        A value in [-1, 1]; 1 where the images are equal.

    Raises:
        ValueError: Types or shapes are wrong, or less than 11 pixels a side are left inside the border.

    >>> hr = np.arange(24 * 24 * 3, dtype=np.uint8).reshape(24, 24, 3)
    >>> ssim_rgb(hr, hr)
    1.0
    """
    planes = [lambda image, k=k: image[..., k].astype(np.float64) for k in range(3)]
    return _ssim(*_inside(sr, hr, border, smallest=SSIM_WINDOW), planes)


def _inside(sr: Uint8, hr: Uint8, border: int, smallest: int) -> tuple[Uint8, Uint8]:
    """Check a pair and crop the border off; `smallest` pixels a side must be left."""
    for name, image in (("sr", sr), ("hr", hr)):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"{name}: expected a (H, W, 3) uint8 image, found {image.shape} {image.dtype}")
    if sr.shape != hr.shape:
        raise ValueError(f"sr {sr.shape} and hr {hr.shape} differ in shape")
    if border < 0:
        raise ValueError(f"border must not be negative, is {border}")
    height, width = hr.shape[:2]
    if min(height, width) < 2 * border + smallest:
        raise ValueError(
            f"{height}x{width} is too small: at least {2 * border + smallest} pixels a side are needed "
            f"with a border of {border}"
        )
    inner = (slice(border, height - border), slice(border, width - border))
    return sr[inner], hr[inner]


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


def _y(image: Uint8) -> Float64:
    import cv2

    weights = np.array([[*_LUMA, 16 * _LUMA_UNIT]], np.float64) / _LUMA_UNIT
    return np.asarray(cv2.transform(image.astype(np.float64), weights), np.float64)


def _ssim(sr: Uint8, hr: Uint8, channels: Sequence[Callable[[Uint8], Float64]]) -> float:
    """Return the mean over `channels`, each made of RGB pixels, of the mean SSIM.

    With s = x + y and d = x - y, the four filtered images s, d, s^2 and d^2 give everything:
    2 mean(x) mean(y) = (mean(s)^2 - mean(d)^2) / 2, and alike for sums of squares, variances and covariance.
    All in float64: a variance is a small difference of large squares, and float32 errs by up to 2e-4 in a
    single window, though it would halve the time (docs/PERFORMANCE.md).
    """
    import cv2

    radius = SSIM_WINDOW // 2
    tap = np.exp(-0.5 * (np.arange(-radius, radius + 1) / _SSIM_SIGMA) ** 2)
    tap /= tap.sum()

    def smooth(image: Float64) -> Float64:
        # What the filter makes of the block's edge is cut off: only whole windows count.
        filtered = cv2.sepFilter2D(image, cv2.CV_64F, tap, tap)
        return np.asarray(filtered[radius:-radius, radius:-radius], np.float64)

    height, width = hr.shape[0] - 2 * radius, hr.shape[1] - 2 * radius
    total = 0.0
    for top in range(0, height, _SSIM_BLOCK[0]):
        rows = slice(top, min(top + _SSIM_BLOCK[0], height) + 2 * radius)
        for left in range(0, width, _SSIM_BLOCK[1]):
            columns = slice(left, min(left + _SSIM_BLOCK[1], width) + 2 * radius)
            for channel in channels:
                x, y = channel(sr[rows, columns]), channel(hr[rows, columns])
                s, d = x + y, x - y
                mean_s2, mean_d2 = np.square(smooth(s)), np.square(smooth(d))
                s *= s
                d *= d
                var_s, var_d = smooth(s) - mean_s2, smooth(d) - mean_d2
                # In place from here on, as new arrays would cost more time than the arithmetic:
                # (ms - md + 2 C1) (vs - vd + 2 C2) / ((ms + md + 2 C1) (vs + vd + 2 C2)).
                numerator = mean_s2 - mean_d2
                numerator += 2 * _C1
                structure = var_s - var_d
                structure += 2 * _C2
                numerator *= structure
                mean_s2 += mean_d2
                mean_s2 += 2 * _C1
                var_s += var_d
                var_s += 2 * _C2
                mean_s2 *= var_s
                numerator /= mean_s2
                total += float(numerator.sum())
    return total / float(height * width * len(channels))
