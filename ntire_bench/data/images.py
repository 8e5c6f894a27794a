"""8-bit RGB images: files in and out, and MATLAB's bicubic down-scaling bit for bit."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import numpy as np

from ntire_bench.data.png import EXPECTED, Uint8, check_image, decode_png, encode_png
from ntire_bench.errors import DatasetError

__all__ = ["Uint8", "bicubic_up", "matlab_bicubic_down", "modcrop", "read_bytes", "read_png", "write_png"]


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Read a whole regular file.

    Args:
        path: The file; a link to a regular file will do.

    Returns:
        Its content.

    Raises:
        DatasetError: It is absent, not a regular file (reading a pipe would wait for ever) or not readable.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # unlike Path's, these never raise
        remedy = "put the image itself there"
        raise DatasetError("not a regular file", file=path, expected=EXPECTED, remedy=remedy)
    try:
        return Path(path).read_bytes()
    except OSError as error:
        remedy = "check that the file is there and that you may read it"
        found = error.strerror or str(error)
        raise DatasetError(
            "cannot be read", file=path, expected=EXPECTED, found=found, remedy=remedy
        ) from error


def read_png(path: str | os.PathLike[str]) -> Uint8:
    """Read an 8-bit RGB PNG.

    Args:
        path: The file.

    Returns:
        (H, W, 3) uint8, RGB, C-contiguous.

    Raises:
        DatasetError: It cannot be read or is not a sound 8-bit RGB PNG.
    """
    return decode_png(read_bytes(path), path)


def write_png(path: str | os.PathLike[str], image: Uint8) -> None:
    """Write an 8-bit RGB PNG, so that at any moment `path` is absent, the old file or the whole new one.

    Args:
        path: The file to make or replace; missing folders are made.
        image: (H, W, 3) uint8, RGB.

    Raises:
        ValueError: `image` is of another type or shape.
        DatasetError: The file cannot be written.
    """
    check_image(image)
    file = Path(path)
    # The leading point keeps a left-over of a killed process out of every listing of images.
    temporary = file.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as stream:
                stream.write(encode_png(image))
            os.replace(temporary, file)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DatasetError(
            "cannot be written",
            file=file,
            found=error.strerror or str(error),
            remedy="check the folder's permissions and the free space",
        ) from error


def modcrop(image: Uint8, scale: int) -> Uint8:
    """Crop the bottom and the right so that height and width are multiples of `scale`.

    Args:
        image: (H, W, C).
        scale: At least 1.

    Returns:
        A view of `image`.

    >>> modcrop(np.zeros((7, 9, 3), np.uint8), 4).shape
    (4, 8, 3)
    """
    height, width = image.shape[:2]
    return image[: height - height % scale, : width - width % scale]


def matlab_bicubic_down(hr: Uint8, scale: int = 4) -> Uint8:
    """Scale down as MATLAB's imresize(hr, 1/scale, 'bicubic') does on uint8.

    MATLAB reduces the height first, rounds that to uint8 (half up, clamped), and then the width alike. Each
    pass is a cubic convolution (Keys 1981, a = -0.5) whose kernel is widened by `scale`; samples beyond an
    edge are mirrored with the edge pixel repeated. All sums here are integers, so nothing depends on their
    order. For scales 2 and 4 MATLAB's weights are exact binary fractions, hence its results are these, bit
    for bit; for scale 3 they are not, and MATLAB's may differ by 1 where the exact value ends in one half.

    Args:
        hr: (H, W, C) uint8; H and W are multiples of `scale`.
        scale: 2, 3 or 4.

    Returns:
        (H / scale, W / scale, C) uint8, C-contiguous.

    Raises:
        ValueError: Another type, shape or scale.

    >>> ramp = np.repeat(np.arange(0, 160, 10, dtype=np.uint8)[:, None, None], 4, axis=1)
    >>> matlab_bicubic_down(ramp)[:, 0, 0]
    array([ 14,  55,  95, 136], dtype=uint8)
    """
    if hr.dtype != np.uint8 or hr.ndim != 3 or 0 in hr.shape:
        raise ValueError(f"expected a (H, W, C) uint8 image, found {hr.shape} {hr.dtype}")
    if scale not in (2, 3, 4):
        raise ValueError(f"scale must be 2, 3 or 4, not {scale}")
    if hr.shape[0] % scale or hr.shape[1] % scale:
        raise ValueError(f"{hr.shape[0]}x{hr.shape[1]} is no multiple of {scale}: use modcrop() first")
    # Both passes run along whole rows in memory: that is several times faster than strided columns.
    down = _reduce_first_axis(hr, scale)
    across = _reduce_first_axis(np.ascontiguousarray(down.transpose(1, 0, 2)), scale)
    return np.ascontiguousarray(across.transpose(1, 0, 2))


def bicubic_up(lr: Uint8, scale: int = 4) -> Uint8:
    """Return an LR image enlarged bicubically, by Pillow: what a network must do better than.

    Args:
        lr: (H, W, 3) uint8.
        scale: Factor of enlargement.

    Returns:
        (scale * H, scale * W, 3) uint8.

    >>> enlarged = bicubic_up(np.full((3, 5, 3), 77, np.uint8))
    >>> enlarged.shape, int(enlarged.min()), int(enlarged.max())
    ((12, 20, 3), 77, 77)
    """
    from PIL import Image

    height, width = lr.shape[:2]
    image = Image.fromarray(lr).resize((scale * width, scale * height), Image.Resampling.BICUBIC)
    return np.array(image, dtype=np.uint8)


def _cubic_taps(scale: int) -> tuple[int, list[int]]:
    """Return how many samples before `scale * n` the taps of output n begin, and their integer weights.

    The centre of output n lies at scale * n + (scale - 1) / 2, so sample scale * n + i is a / q away in units
    of the widened kernel, with a = |2 i - (scale - 1)| and q = 2 scale. The weights are the cubic times
    2 q^3; divided by their sum they are MATLAB's.

    >>> _cubic_taps(2)
    (3, [-3, -9, 29, 111, 111, 29, -9, -3])
    """
    q = 2 * scale
    before = 2 * scale
    weights = []
    for i in range(-before, 3 * scale):
        a = abs(2 * i - (scale - 1))
        if a < q:
            weights.append(3 * a**3 - 5 * a**2 * q + 2 * q**3)
        elif a < 2 * q:
            weights.append(-(a**3) + 5 * a**2 * q - 8 * a * q**2 + 4 * q**3)
        elif not weights:
            before -= 1
    return before, weights


def _reduce_first_axis(image: Uint8, scale: int) -> Uint8:
    before, weights = _cubic_taps(scale)
    total = sum(weights)
    padded = np.pad(image, ((before, before), (0, 0), (0, 0)), mode="symmetric")
    count = image.shape[0] // scale
    out = np.empty((count, *image.shape[1:]), np.uint8)
    strip = max(1, 2**16 // out[0].size)  # keeps the int32 sums in the processor's cache
    for start in range(0, count, strip):
        n = min(strip, count - start)
        rows = [padded[(start * scale + k) :: scale][:n] for k in range(len(weights))]
        # Half the divisor beforehand makes the floor division round half up.
        acc = np.full(rows[0].shape, total // 2, np.int32)
        for k in range(len(weights) // 2):
            acc += weights[k] * np.add(rows[k], rows[-1 - k], dtype=np.int32)
        if len(weights) % 2:
            middle = len(weights) // 2
            acc += weights[middle] * rows[middle].astype(np.int32)
        acc //= total
        out[start : start + n] = np.clip(acc, 0, 255)
    return out
