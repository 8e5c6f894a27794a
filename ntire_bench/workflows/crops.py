"""The places in which the SR images of two submissions differ most, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ntire_bench.data.dataset import Pair, Split, read_hr, read_lr
from ntire_bench.data.images import read_png
from ntire_bench.errors import UsageError
from ntire_bench.metrics.psnr import psnr
from ntire_bench.ranking.comparing import Comparison, ImageDifference
from ntire_bench.ranking.crop import Crop

__all__ = ["measured_sr", "most_different", "place_of_largest", "widest_images"]

Uint8 = npt.NDArray[np.uint8]

_SIDE = 96  # HR pixels
_SAME_DB = 0.005  # SR files give the PSNR that the record holds, up to how it is printed


def widest_images(found: Comparison, most: int) -> list[ImageDifference]:
    """Return the images whose PSNR differs most, the widest difference first."""
    known = [one for one in found.images if one.difference_db is not None]
    return sorted(known, key=lambda one: -abs(one.difference_db or 0.0))[:most]


def most_different(
    found: Comparison,
    splits: Sequence[Split],
    folders: tuple[Path, Path],
    *,
    most: int,
    scale: int,
    border: int,
) -> list[Crop]:
    """Return, of the images whose PSNR differs most, the square in which the SR images do.

    Args:
        found: The comparison.
        splits: Checked images, those of the comparison among them.
        folders: Where the SR images of both lie: TEAM/DATASET/NAME.png, as `run --save-images` writes them.
        most: How many images.
        scale: HR size over LR size.
        border: Pixels that PSNR crops off every side.

    Raises:
        UsageError: An SR image is not there, or is not the one that was measured.
        DatasetError: An image cannot be read.
    """
    pairs = {(split.name, pair.name): (split, pair) for split in splits for pair in split.pairs}
    crops = []
    for one in widest_images(found, most):
        if (one.split, one.name) not in pairs:
            raise UsageError(
                f"the image {one.split}/{one.name} of the records is not among these images",
                remedy="name the images that they were evaluated on with --data_dir and --splits",
            )
        split, pair = pairs[one.split, one.name]
        hr = read_hr(pair, scale)
        sides = []
        for side, folder, db in ((found.a, folders[0], one.a_db), (found.b, folders[1], one.b_db)):
            path = folder / side.label / split.dataset / f"{pair.name}.png"
            sides.append(measured_sr(path, hr, db, found.channel, border))
        crops.append(_crop(one, pair, hr, sides[0], sides[1], scale))
    return crops


def measured_sr(path: Path, hr: Uint8, db: float | None, channel: str, border: int) -> Uint8:
    """Read an SR image, and see that its PSNR is the record's.

    Args:
        path: Of the SR image.
        hr: uint8 HWC.
        db: Its PSNR as the record has it [dB]; None where SR equals HR.
        channel: Of that PSNR, "y" or "rgb".
        border: Pixels that PSNR crops off every side.

    Raises:
        UsageError: It is not there, or is another image.
        DatasetError: It cannot be read.
    """
    remedy = (
        "evaluate both with --save-images and --save-dir, each into a folder of its own if they share a name"
    )
    if not path.is_file():
        raise UsageError("there is no SR image", file=path, remedy=remedy)
    sr = read_png(path)
    if sr.shape != hr.shape:
        expected, found = (f"{image.shape[1]}x{image.shape[0]}" for image in (hr, sr))
        raise UsageError("has another size", file=path, expected=expected, found=found, remedy=remedy)
    again = psnr(sr, hr, border)
    value = again.y_db if channel == "y" else again.rgb_db
    if db is not None and not abs(value - db) < _SAME_DB:
        raise UsageError(
            "is not the SR image that was measured",
            file=path,
            expected=f"{db:.3f} dB",
            found=f"{value:.3f} dB",
            remedy=remedy,
        )
    return sr


def _crop(one: ImageDifference, pair: Pair, hr: Uint8, a: Uint8, b: Uint8, scale: int) -> Crop:
    side = min(_SIDE, *hr.shape[:2]) // scale * scale
    top, left = place_of_largest(a, b, side, scale)
    square = slice(top, top + side), slice(left, left + side)
    small = tuple(slice(part.start // scale, part.stop // scale) for part in square)
    return Crop(
        split=one.split,
        name=one.name,
        top=top,
        left=left,
        lr=read_lr(pair)[small],
        a=a[square],
        b=b[square],
        hr=hr[square],
        a_db=one.a_db,
        b_db=one.b_db,
    )


def place_of_largest(a: Uint8, b: Uint8, side: int, step: int = 1) -> tuple[int, int]:
    """Return where the square begins in which two images differ most, in squared error.

    Args:
        a: (H, W, 3) uint8.
        b: Alike.
        side: Of the square, at most H and W.
        step: Row and column are multiples of it.

    Returns:
        Row and column.

    >>> a, b = np.zeros((2, 12, 16, 3), np.uint8)
    >>> b[8:10, 4:6] = 9
    >>> place_of_largest(a, b, 4, step=4)
    (8, 4)
    """
    error = (a.astype(np.int32) - b.astype(np.int32)) ** 2
    total = np.zeros((error.shape[0] + 1, error.shape[1] + 1), np.int64)
    total[1:, 1:] = error.sum(axis=2).cumsum(axis=0).cumsum(axis=1)
    sums = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    sums = sums[::step, ::step]
    row, column = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(row) * step, int(column) * step
