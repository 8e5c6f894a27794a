"""SSIM of an SR image against its HR image, as the super-resolution field reports it.

The functions are pure, take 8-bit RGB images and crop `border` pixels off every side first. They may run in
several threads at once: each call works in one thread, block by block in the processor's cache, and nearly
all of its time is spent in OpenCV and NumPy, which let other threads run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ntire_bench.metrics.crop import without_border
from ntire_bench.metrics.luma import luma

__all__ = ["SSIM_WINDOW", "ssim_rgb", "ssim_y"]

Uint8 = NDArray[np.uint8]
Float64 = NDArray[np.float64]

# Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural
# similarity", IEEE TIP 2004: an 11x11 Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03, whole windows only.
SSIM_WINDOW = 11
_SIGMA = 1.5
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2
_BLOCK = (128, 256)  # pixels per step: they fit the second-level cache (1 MiB); half and twice are slower


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
    return _ssim(*without_border(sr, hr, border, smallest=SSIM_WINDOW), [luma])


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
    return _ssim(*without_border(sr, hr, border, smallest=SSIM_WINDOW), planes)


def _ssim(sr: Uint8, hr: Uint8, channels: Sequence[Callable[[Uint8], Float64]]) -> float:
    """Return the mean over `channels`, each made of RGB pixels, of the mean SSIM.

    With s = x + y and d = x - y, the four filtered images s, d, s^2 and d^2 give everything:
    2 mean(x) mean(y) = (mean(s)^2 - mean(d)^2) / 2, and alike for sums of squares, variances and covariance.
    All in float64: a variance is a small difference of large squares, and float32 errs by up to 2e-4 in a
    single window, though it would halve the time (docs/PERFORMANCE.md).
    """
    import cv2

    radius = SSIM_WINDOW // 2
    tap = np.exp(-0.5 * (np.arange(-radius, radius + 1) / _SIGMA) ** 2)
    tap /= tap.sum()

    def smooth(image: Float64) -> Float64:
        # What the filter makes of the block's edge is cut off: only whole windows count.
        filtered = cv2.sepFilter2D(image, cv2.CV_64F, tap, tap)
        return np.asarray(filtered[radius:-radius, radius:-radius], np.float64)

    height, width = hr.shape[0] - 2 * radius, hr.shape[1] - 2 * radius
    total = 0.0
    for top in range(0, height, _BLOCK[0]):
        rows = slice(top, min(top + _BLOCK[0], height) + 2 * radius)
        for left in range(0, width, _BLOCK[1]):
            columns = slice(left, min(left + _BLOCK[1], width) + 2 * radius)
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
