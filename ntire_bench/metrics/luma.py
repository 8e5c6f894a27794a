"""The luma Y of an RGB image, as MATLAB's rgb2ycbcr defines it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["LUMA", "LUMA_UNIT", "luma"]

# ITU-R BT.601 luma of 8-bit RGB in "studio swing", as MATLAB's rgb2ycbcr: Y = 16 + (65.481 R + 128.553 G +
# 24.966 B) / 255. Kept as integers, in units of 1 / (255 * 1000).
LUMA = (65_481, 128_553, 24_966)
LUMA_UNIT = 255_000


def luma(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return Y of an RGB image, kept in floating point.

    Args:
        image: (H, W, 3) uint8, RGB.

    Returns:
        (H, W), from 16 for black to 235 for white.

    >>> luma(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)).round(6)
    array([[ 16., 235.]])
    """
    import cv2

    weights = np.array([[*LUMA, 16 * LUMA_UNIT]], np.float64) / LUMA_UNIT
    return np.asarray(cv2.transform(image.astype(np.float64), weights), np.float64)
