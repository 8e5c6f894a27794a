"""8-bit RGB images: PNG files in and out, and MATLAB's bicubic down-scaling bit for bit."""

from __future__ import annotations

import io
import os
import secrets
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ntire_bench.errors import DatasetError

__all__ = [
    "decode_png",
    "matlab_bicubic_down",
    "modcrop",
    "read_bytes",
    "read_png",
    "verify_png",
    "write_png",
]

Uint8 = NDArray[np.uint8]

_COLOUR_TYPES = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGB with alpha"}
# All that Pillow raises for bytes that are no sound PNG; what a bug of ours would raise is not among them.
_DECODE_FAULTS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
_PILLOW_FAULTS = (*_DECODE_FAULTS, Image.DecompressionBombError)
_COPY_ANEW = "copy or download the file anew"


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
        raise _fault("not a regular file", path, remedy="put the image itself there")
    try:
        return Path(path).read_bytes()
    except OSError as error:
        remedy = "check that the file is there and that you may read it"
        raise _fault("cannot be read", path, error.strerror or str(error), remedy) from error


def verify_png(data: bytes, path: str | os.PathLike[str]) -> tuple[int, int]:
    """Check without decoding pixels that `data` is one complete 8-bit RGB PNG: header and all checksums.

    Bit depth and colour type are taken from the header itself, because Pillow turns 16-bit RGB into 8-bit
    without saying so.

    Args:
        data: The file's content.
        path: The file's name, for messages.

    Returns:
        (height, width) in pixels.

    Raises:
        DatasetError: Not a PNG, incomplete, corrupt, animated, or of another kind than 8-bit RGB.
    """
    if not data:
        raise _fault("empty file", path, "0 bytes", _COPY_ANEW)
    try:
        # Not limited to PNG, so that a JPEG that is called .png can be named for what it is.
        image = Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:
        raise _fault("not an image file", path, remedy=_COPY_ANEW) from error
    except _PILLOW_FAULTS as error:
        raise _fault(f"cannot be opened ({error})", path, remedy=_COPY_ANEW) from error
    with image:
        if image.format != "PNG":
            raise _fault("not a PNG", path, image.format, "save it as PNG; renaming is not enough")
        # Signature, length and name of the header chunk (16 bytes), then width, height, depth, colour type.
        width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
        if (depth, colour) != (8, 2):
            found = f"{depth}-bit {_COLOUR_TYPES.get(colour, f'colour type {colour}')}"
            raise _fault("wrong kind of PNG", path, found, "convert it to 8-bit RGB")
        if "transparency" in image.info:
            found = "RGB with a transparent colour (tRNS)"
            raise _fault("wrong kind of PNG", path, found, "remove the transparency")
        if getattr(image, "is_animated", False):
            raise _fault("wrong kind of PNG", path, "an animation", "save one frame")
        try:
            image.verify()
        except _PILLOW_FAULTS as error:
            raise _fault(f"truncated or corrupt PNG ({error})", path, remedy=_COPY_ANEW) from error
    return int(height), int(width)


def decode_png(data: bytes, path: str | os.PathLike[str]) -> Uint8:
    """Decode the content of a PNG file.

    Args:
        data: The file's content.
        path: The file's name, for messages.

    Returns:
        (H, W, 3) uint8, RGB, C-contiguous.

    Raises:
        DatasetError: As `verify_png`, or the compressed pixels themselves are damaged.
    """
    verify_png(data, path)
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            return np.array(image, dtype=np.uint8, order="C")
    except _PILLOW_FAULTS as error:
        raise _fault(f"pixels cannot be decoded ({error})", path, remedy=_COPY_ANEW) from error


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
    _check_image(image)
    file = Path(path)
    # The leading point keeps a left-over of a killed process out of every listing of images.
    temporary = file.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as stream:
                # Level 1 takes half the time of Pillow's default for files 10 to 20 % larger.
                Image.fromarray(image).save(stream, format="PNG", compress_level=1)
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


def _fault(
    what: str, path: str | os.PathLike[str], found: str | None = None, remedy: str | None = None
) -> DatasetError:
    expected = "an 8-bit RGB PNG without alpha"
    return DatasetError(what, file=path, expected=expected, found=found, remedy=remedy)


def _check_image(image: Uint8) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"expected a (H, W, 3) uint8 image, found {image.shape} {image.dtype}")


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
