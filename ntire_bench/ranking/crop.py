"""A place in which two submissions' SR images are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Uint8 = npt.NDArray[np.uint8]

__all__ = ["Crop"]


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A square of an image, as both SR images have it.

    Attributes:
        split: Of the image.
        name: Of the image.
        top: First row in the HR image.
        left: First column in the HR image.
        lr: uint8 HWC; the same square in the LR image.
        a: uint8 HWC, the first one's SR.
        b: uint8 HWC, the second one's.
        hr: uint8 HWC.
        a_db: PSNR of the whole image [dB]; None where SR equals HR.
        b_db: Alike.
    """

    split: str
    name: str
    top: int
    left: int
    lr: Uint8
    a: Uint8
    b: Uint8
    hr: Uint8
    a_db: float | None
    b_db: float | None
