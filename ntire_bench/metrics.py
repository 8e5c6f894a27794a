"""PSNR and SSIM of an SR image against its HR image, as the super-resolution field reports them.

All functions are pure, take 8-bit RGB pairs and crop `border` pixels off every side first.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["SSIM_WINDOW", "Psnr", "psnr", "ssim_rgb", "ssim_y"]

Uint8 = NDArray[np.uint8]
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

_PSNR_ROWS = 16  # rows per step: the differences stay in the processor's cache
_SSIM_ROWS = 32


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
    gram = np.zeros((3, 3), np.float64)
    for start in range(0, hr.shape[0], _PSNR_ROWS):
        rows = slice(start, start + _PSNR_ROWS)
        difference = np.subtract(sr[rows], hr[rows], dtype=np.int16).reshape(-1, 3).astype(np.float64)
        # Exact: float64 holds every integer up to 2^53, which is 1.3e11 pixels of the largest difference.
        gram += difference.T @ difference
    exact = [[int(value) for value in row] for row in gram]
    rgb_error = exact[0][0] + exact[1][1] + exact[2][2]
    y_error = sum(_LUMA[i] * _LUMA[j] * exact[i][j] for i in range(3) for j in range(3))
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
    return _ssim(*_inside(sr, hr, border, smallest=SSIM_WINDOW), [tuple(w / _LUMA_UNIT for w in _LUMA)], 16.0)


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
    red, green, blue = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
    return _ssim(*_inside(sr, hr, border, smallest=SSIM_WINDOW), [red, green, blue], 0.0)


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


def _ssim(sr: Uint8, hr: Uint8, channels: list[tuple[float, ...]], offset: float) -> float:
    """Return the mean over `channels`, each a weighted sum of R, G and B plus `offset`, of the mean SSIM.

    With s = x + y and d = x - y, the four filtered images s, d, s^2 and d^2 give everything:
    2 mean(x) mean(y) = (mean(s)^2 - mean(d)^2) / 2, and alike for sums of squares, variances and covariance.
    """
    import cv2

    radius = SSIM_WINDOW // 2
    tap = np.exp(-0.5 * (np.arange(-radius, radius + 1) / _SSIM_SIGMA) ** 2)
    tap /= tap.sum()

    def smooth(image: Float64) -> Float64:
        # What the filter makes of the image's edge is cut off: only whole windows count.
        filtered = cv2.sepFilter2D(image, cv2.CV_64F, tap, tap)
        return np.asarray(filtered[radius:-radius, radius:-radius], np.float64)

    def channel(image: Uint8, weights: tuple[float, ...]) -> Float64:
        total = np.full(image.shape[:2], offset, np.float64)
        for k, weight in enumerate(weights):
            if weight:
                total += weight * image[..., k]
        return total

    height, width = hr.shape[0] - 2 * radius, hr.shape[1] - 2 * radius
    total = 0.0
    for start in range(0, height, _SSIM_ROWS):
        rows = slice(start, min(start + _SSIM_ROWS, height) + 2 * radius)
        for weights in channels:
            x, y = channel(sr[rows], weights), channel(hr[rows], weights)
            s, d = x + y, x - y
            mean_s2, mean_d2 = smooth(s) ** 2, smooth(d) ** 2
            var_s, var_d = smooth(s * s) - mean_s2, smooth(d * d) - mean_d2
            luminance = (mean_s2 - mean_d2 + 2 * _C1) / (mean_s2 + mean_d2 + 2 * _C1)
            structure = (var_s - var_d + 2 * _C2) / (var_s + var_d + 2 * _C2)
            total += float(np.vdot(luminance, structure))
    return total / float(height * width * len(channels))
