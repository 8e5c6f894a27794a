"""Which images, and which part of each, show best how teams differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ntire_bench.data.images import Uint8

__all__ = ["SQUARE", "errors_by_square", "most_telling", "window_at"]

SQUARE = 8  # side of the squares that the place of a crop is chosen by [pixels]


def most_telling(
    psnr: Mapping[tuple[str, str, str], Sequence[float | None]], most: int
) -> list[tuple[str, str, str]]:
    """Return the images in which teams differ most; where one team has them, the hardest.

    Args:
        psnr: Of each team [dB], by image.
        most: How many images.

    >>> a, b, c = ("valid", "D", "1"), ("valid", "D", "2"), ("valid", "D", "3")
    >>> most_telling({a: [30.0, 30.1], b: [28.0, 29.0], c: [20.0]}, 2)
    [('valid', 'D', '2'), ('valid', 'D', '1')]
    """

    def key(image: tuple[str, str, str]) -> tuple[int, float, tuple[str, str, str]]:
        known = [value for value in psnr[image] if value is not None]
        spread = max(known) - min(known) if known else 0.0
        return -min(len(known), 2), -spread if len(known) > 1 else min(known, default=0.0), image

    return sorted(psnr, key=key)[:most]


def window_at(weight: npt.NDArray[np.float64], rows: int, columns: int) -> tuple[int, int]:
    """Return the upper left corner of the window with the largest sum.

    Args:
        weight: (H, W), at least 0.
        rows: Height of the window, at most H.
        columns: Width of the window, at most W.

    >>> import numpy as np
    >>> weight = np.zeros((5, 6)); weight[3, 4] = 1.0
    >>> row, column = window_at(weight, 2, 3)
    >>> row <= 3 < row + 2 and column <= 4 < column + 3
    True
    """
    import numpy as np

    sums = np.pad(weight.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    boxes = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    row, column = divmod(int(boxes.argmax()), boxes.shape[1])
    return row, column


def errors_by_square(sr: Uint8, hr: Uint8) -> npt.NDArray[np.float64]:
    """Return the mean absolute error of each square of `SQUARE` pixels a side, without the rest at the edges.

    Returns:
        (H // 8, W // 8) float64, grey levels.
    """
    import numpy as np

    rows, columns = hr.shape[0] // SQUARE, hr.shape[1] // SQUARE
    height, width = rows * SQUARE, columns * SQUARE
    error = np.abs(sr[:height, :width].astype(np.int16) - hr[:height, :width])
    result: npt.NDArray[np.float64] = error.reshape(rows, SQUARE, columns, SQUARE, 3).mean(axis=(1, 3, 4))
    return result
