"""The part of an SR and an HR image that PSNR and SSIM are computed on: all but a border."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["without_border"]

Uint8 = NDArray[np.uint8]


def without_border(sr: Uint8, hr: Uint8, border: int, smallest: int) -> tuple[Uint8, Uint8]:
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
