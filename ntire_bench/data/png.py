"""The content of a PNG file: checked, decoded to pixels, and made from pixels."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ntire_bench.errors import DatasetError

__all__ = ["EXPECTED", "Uint8", "check_image", "decode_png", "encode_png", "verify_png"]

Uint8 = NDArray[np.uint8]

EXPECTED = "an 8-bit RGB PNG without alpha"
"""What every image file must be, for messages."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGB with alpha"}
# All that Pillow raises for bytes that are no sound PNG; what a bug of ours would raise is not among them.
_PILLOW_FAULTS = (
    OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
_COPY_ANEW = "copy or download the file anew"


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
    height, width, _ = _verify(data, path)
    return height, width


def decode_png(data: bytes, path: str | os.PathLike[str]) -> Uint8:
    """Decode the content of a PNG file.

    OpenCV is given the critical chunks alone, so that no gamma, profile or orientation can touch a value. It
    takes less time than Pillow (docs/PERFORMANCE.md), and refuses compressed pixels that end early, for which
    Pillow leaves the rest of the image as it was.

    Args:
        data: The file's content.
        path: The file's name, for messages.

    Returns:
        (H, W, 3) uint8, RGB, C-contiguous.

    Raises:
        DatasetError: As `verify_png`, or the compressed pixels themselves are damaged.
    """
    import cv2

    height, width, chunks = _verify(data, path)
    encoded = np.frombuffer(_critical_only(data, chunks), np.uint8)
    try:
        image = cv2.imdecode(encoded, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:  # larger than OpenCV's limits
        raise _fault(f"pixels cannot be decoded ({error.err})", path, remedy=_COPY_ANEW) from error
    if image is None or image.shape != (height, width, 3) or image.dtype != np.uint8:
        raise _fault("pixels cannot be decoded (damaged or incomplete)", path, remedy=_COPY_ANEW)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image), np.uint8)


def encode_png(image: Uint8) -> bytes:
    """Return an image as the content of a PNG file.

    The Paeth filter and Huffman codes without a search for repetitions: half the time of zlib's fastest level
    with Pillow, and on photographs and SR images smaller files too (docs/PERFORMANCE.md).

    Args:
        image: (H, W, 3) uint8, RGB.

    Returns:
        The file's content; lossless, and possibly other bytes with another OpenCV.

    Raises:
        ValueError: `image` is of another type or shape.
    """
    import cv2

    check_image(image)
    options = [
        cv2.IMWRITE_PNG_COMPRESSION,
        1,
        cv2.IMWRITE_PNG_STRATEGY,
        cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY,
    ]
    if hasattr(cv2, "IMWRITE_PNG_FILTER"):  # before OpenCV 4.12 libpng picks a filter for every row
        options += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH]
    done, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise RuntimeError("OpenCV did not encode a PNG")
    return encoded.tobytes()


def check_image(image: Uint8) -> None:
    """Raise ValueError where `image` is no (H, W, 3) uint8 array."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"expected a (H, W, 3) uint8 image, found {image.shape} {image.dtype}")


class _Chunk(NamedTuple):
    """Where a chunk lies in its file, from its length field to behind its checksum."""

    name: bytes
    start: int
    end: int


def _read_chunks(data: bytes) -> list[_Chunk]:
    """Walk all chunks up to the end mark and compare each one's checksum.

    One pass at the speed of CRC-32; it lets other threads run within chunks of more than a few KiB. What
    follows the end mark is left alone, as decoders do.

    Args:
        data: The file's content.

    Returns:
        The chunks, from the header IHDR to the end mark IEND.

    Raises:
        ValueError: Says in one clause what is wrong; the file is cut off or damaged.

    >>> _read_chunks(b"hello")
    Traceback (most recent call last):
    ValueError: no PNG signature
    """
    if not data.startswith(_SIGNATURE):
        raise ValueError("no PNG signature")
    view = memoryview(data)
    chunks: list[_Chunk] = []
    start, name = len(_SIGNATURE), b""
    while name != b"IEND":
        if start + 12 > len(data):
            raise ValueError(f"cut off after {len(data)} bytes, before the end mark")
        length, name = struct.unpack_from(">I4s", data, start)
        end = start + 12 + length
        if not name.isalpha():
            raise ValueError(f"no chunk at byte {start}")
        if end > len(data):
            raise ValueError(f"cut off after {len(data)} bytes, in chunk {name.decode()}")
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(view[start + 4 : end - 4]) != checksum:
            raise ValueError(f"wrong checksum of chunk {name.decode()} at byte {start}")
        chunks.append(_Chunk(name, start, end))
        start = end
    if chunks[0].name != b"IHDR" or chunks[0].end - chunks[0].start != 12 + 13:
        raise ValueError("the first chunk is not a header of 13 bytes")
    return chunks


def _critical_only(data: bytes, chunks: Sequence[_Chunk]) -> bytes:
    """Return the file without what only describes the pixels: gamma, profile, orientation, texts.

    The specification has the names of critical chunks begin with a capital letter; a decoder refuses those
    that it does not know.

    Args:
        data: The file's content.
        chunks: Of `_read_chunks`.

    Returns:
        `data` itself where there is nothing to leave out.
    """
    kept = [chunk for chunk in chunks if chunk.name[:1].isupper()]
    if len(kept) == len(chunks) and chunks[-1].end == len(data):
        return data
    return b"".join([_SIGNATURE, *(data[chunk.start : chunk.end] for chunk in kept)])


def _verify(data: bytes, path: str | os.PathLike[str]) -> tuple[int, int, list[_Chunk]]:
    """Return height, width and chunks of a sound 8-bit RGB PNG; see `verify_png`."""
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
        chunks = _read_chunks(data)
    except ValueError as error:
        raise _fault(f"truncated or corrupt PNG ({error})", path, remedy=_COPY_ANEW) from error
    return int(height), int(width), chunks


def _fault(
    what: str, path: str | os.PathLike[str], found: str | None = None, remedy: str | None = None
) -> DatasetError:
    return DatasetError(what, file=path, expected=EXPECTED, found=found, remedy=remedy)
