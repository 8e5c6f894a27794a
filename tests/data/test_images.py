"""PNG files in and out, and MATLAB's bicubic down-scaling."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from ntire_bench.data import images
from ntire_bench.data.images import matlab_bicubic_down, modcrop, read_png, write_png
from ntire_bench.data.png import decode_png, encode_png, verify_png
from ntire_bench.errors import DatasetError


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


# --- files ------------------------------------------------------------------------------------------------


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(depth: int, colour: int, row: bytes, extra: bytes = b"", interlace: int = 0) -> bytes:
    """A 20x20 PNG put together by hand from the specification."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 20, 20, depth, colour, 0, 0, interlace))
    pixels = chunk(b"IDAT", zlib.compress((b"\0" + row) * 20))
    return b"\x89PNG\r\n\x1a\n" + header + extra + pixels + chunk(b"IEND", b"")


RGB = png(8, 2, bytes(range(60)))


def test_png_made_by_hand_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(RGB)
    image = read_png(tmp_path / "a.png")
    assert image.dtype == np.uint8 and image.shape == (20, 20, 3) and image.flags.c_contiguous
    assert (image == np.arange(60).reshape(20, 3)).all()
    assert verify_png(RGB, "a.png") == (20, 20)


def test_agrees_with_opencv(tmp_path: Path) -> None:
    image = picture(33, 50)
    write_png(tmp_path / "ours.png", image)
    assert (cv2.imread(str(tmp_path / "ours.png"))[..., ::-1] == image).all()
    cv2.imwrite(str(tmp_path / "theirs.png"), image[..., ::-1])
    assert (read_png(tmp_path / "theirs.png") == image).all()


def exif(orientation: int) -> bytes:
    """An eXIf chunk that says how to turn the image (tag 0x112)."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    return chunk(b"eXIf", b"MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4))


DESCRIPTIONS = {
    "gamma": chunk(b"gAMA", struct.pack(">I", 100_000)),
    "sRGB": chunk(b"sRGB", b"\0") + chunk(b"gAMA", struct.pack(">I", 45_455)),
    "chromaticities": chunk(b"cHRM", struct.pack(">8I", *range(10_000, 90_000, 10_000))),
    "profile": chunk(b"iCCP", b"odd\0\0" + zlib.compress(bytes(200))),
    "video codes": chunk(b"cICP", bytes((9, 16, 0, 1))),
    "orientation": exif(6),
    "significant bits": chunk(b"sBIT", bytes((5, 6, 5))),
    "background": chunk(b"bKGD", struct.pack(">3H", 9, 9, 9)),
    "suggested palette": chunk(b"PLTE", bytes(range(30))),
    "text": chunk(b"tEXt", b"Title\0x") + chunk(b"tIME", bytes((7, 0xEA, 1, 1, 0, 0, 0))),
    "resolution": chunk(b"pHYs", struct.pack(">IIB", 2835, 1000, 1)),
    "private": chunk(b"prIv", bytes(9)),
}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_what_only_describes_pixels_changes_none(name: str) -> None:
    content = png(8, 2, bytes(range(60)), DESCRIPTIONS[name])
    assert (decode_png(content, "a.png") == np.arange(60).reshape(20, 3)).all()
    assert verify_png(content, "a.png") == (20, 20)


def test_a_critical_chunk_that_nobody_knows_is_refused() -> None:
    # The specification forbids to decode on: what it does to the pixels is unknown.
    with pytest.raises(DatasetError, match="pixels cannot be decoded"):
        decode_png(png(8, 2, bytes(range(60)), chunk(b"XTRA", bytes(9))), "a.png")


def photograph() -> np.ndarray:
    return np.ascontiguousarray(data.chelsea()[:211, :307])


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("strategy", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("pixels", ["photograph", "noise", "flat"])
def test_decodes_as_pillow_does(level: int, strategy: int, pixels: str) -> None:
    # Pillow is the other of the two decoders that the field uses; both ways of writing choose other filters.
    kinds = {
        "photograph": photograph(),
        "noise": picture(97, 131),
        "flat": np.full((64, 300, 3), 200, np.uint8),
    }
    image = kinds[pixels]
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", compress_level=level, compress_type=strategy)
    assert (decode_png(stream.getvalue(), "a.png") == image).all()
    _, encoded = cv2.imencode(".png", image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, level])
    theirs = np.asarray(Image.open(io.BytesIO(encoded.tobytes())))
    assert (decode_png(encoded.tobytes(), "a.png") == theirs).all() and (theirs == image).all()


@pytest.mark.parametrize("filter_type", range(5))
def test_every_row_filter(filter_type: int) -> None:
    # Rows filtered by the definitions of the PNG specification, section 9.
    image = picture(20, 20, seed=filter_type).astype(int).reshape(20, 60)
    left = np.pad(image, ((0, 0), (3, 0)))[:, :-3]
    up = np.pad(image, ((1, 0), (0, 0)))[:-1]
    corner = np.pad(image, ((1, 0), (3, 0)))[:-1, :-3]
    distance = [np.abs(left + up - corner - other) for other in (left, up, corner)]
    paeth = np.where(
        (distance[0] <= distance[1]) & (distance[0] <= distance[2]),
        left,
        np.where(distance[1] <= distance[2], up, corner),
    )
    rows = (image - [0 * left, left, up, (left + up) // 2, paeth][filter_type]) % 256
    raw = b"".join(bytes([filter_type, *row]) for row in rows.tolist())
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 20, 20, 8, 2, 0, 0, 0))
    content = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    assert (decode_png(content, "a.png") == image.reshape(20, 20, 3)).all()


def test_interlaced_png() -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 20, 20, 8, 2, 0, 0, 1))
    passes = (
        (0, 8, 0, 8),
        (0, 8, 4, 8),
        (4, 8, 0, 4),
        (0, 4, 2, 4),
        (2, 4, 0, 2),
        (0, 2, 1, 2),
        (1, 2, 0, 1),
    )
    image = picture(20, 20)
    raw = b"".join(b"\0" + row.tobytes() for top, dy, left, dx in passes for row in image[top::dy, left::dx])
    interlaced = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    assert (decode_png(interlaced, "a.png") == image).all()


def animation() -> bytes:
    control = chunk(b"acTL", struct.pack(">II", 2, 0))
    frame = struct.pack(">IIIIHHBB", 20, 20, 0, 0, 1, 10, 0, 0)
    pixels = zlib.compress((b"\0" + bytes(60)) * 20)
    second = chunk(b"fcTL", struct.pack(">I", 1) + frame) + chunk(b"fdAT", struct.pack(">I", 2) + pixels)
    first = png(8, 2, bytes(60), control + chunk(b"fcTL", struct.pack(">I", 0) + frame))
    return first[:-12] + second + first[-12:]


DAMAGED_IDAT = RGB.replace(b"IDAT\x78", b"IDAT\x79")
# The checksum of the chunk is right, but what it holds is not a deflate stream: only decoding shows it.
UNDECODABLE = (
    b"\x89PNG\r\n\x1a\n" + RGB[8:33] + chunk(b"IDAT", b"\x78\x9c" + b"\xff" * 40) + chunk(b"IEND", b"")
)
BAD_FILES = {
    "empty": (b"", "empty file"),
    "text": (b"see the other folder\n" * 10, "not an image file"),
    "signature alone": (RGB[:8], "not an image file|cannot be opened"),
    "cut in the header": (RGB[:20], "not an image file|cannot be opened"),
    "cut in the pixels": (RGB[:-30], "truncated or corrupt"),
    "cut before the end mark": (RGB[:-12], "truncated or corrupt"),
    "damaged pixels": (DAMAGED_IDAT, "truncated or corrupt"),
    "grey": (png(8, 0, bytes(20)), "found 8-bit grey"),
    "grey of one bit": (png(1, 0, bytes(3)), "found 1-bit grey"),
    "16-bit grey": (png(16, 0, bytes(40)), "found 16-bit grey"),
    "grey with alpha": (png(8, 4, bytes(40)), "found 8-bit grey with alpha"),
    "alpha": (png(8, 6, bytes(80)), "found 8-bit RGB with alpha"),
    "16-bit": (png(16, 2, bytes(120)), "found 16-bit RGB"),
    "palette": (png(8, 3, bytes(20), chunk(b"PLTE", bytes(30))), "found 8-bit palette"),
    "transparent colour": (png(8, 2, bytes(60), chunk(b"tRNS", bytes(6))), r"tRNS"),
    "animation": (animation(), "an animation"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file_is_named(name: str, tmp_path: Path) -> None:
    content, message = BAD_FILES[name]
    path = tmp_path / "0801.png"
    path.write_bytes(content)
    for read in (read_png, lambda path: verify_png(path.read_bytes(), path)):
        with pytest.raises(DatasetError, match=message) as caught:
            read(path)
        assert "0801.png" in str(caught.value)
        assert "BytesIO" not in str(caught.value)


def test_damage_that_only_decoding_shows() -> None:
    assert verify_png(UNDECODABLE, "a.png") == (20, 20)
    with pytest.raises(DatasetError, match=r"a\.png: pixels cannot be decoded"):
        decode_png(UNDECODABLE, "a.png")


def test_jpeg_called_png(tmp_path: Path) -> None:
    Image.fromarray(picture(20, 20)).save(tmp_path / "a.png", format="JPEG")
    with pytest.raises(DatasetError, match="not a PNG; expected .*; found JPEG"):
        read_png(tmp_path / "a.png")


ROWS = (b"\0" + bytes(range(60))) * 20
DAMAGED_STREAMS = {
    # Each chunk's checksum is right. Pillow decodes the first three without a word, the first two wrongly.
    "half of the rows": zlib.compress(ROWS[: len(ROWS) // 2]),
    "a row too few": zlib.compress(ROWS[:-61]),
    "no checksum of the pixels": zlib.compress(ROWS)[:-4],
    "wrong checksum of the pixels": zlib.compress(ROWS)[:-1] + b"\0",
    "a byte too few": zlib.compress(ROWS[:-1]),
    "cut off": zlib.compress(picture(20, 61).tobytes())[:500],
    "unknown filter": zlib.compress(ROWS[:-61] + b"\7" + ROWS[-60:]),
    "nothing": b"",
}


@pytest.mark.parametrize("name", DAMAGED_STREAMS)
def test_pixels_that_do_not_decode_whole_are_refused(name: str) -> None:
    content = RGB[:33] + chunk(b"IDAT", DAMAGED_STREAMS[name]) + chunk(b"IEND", b"")
    with pytest.raises(DatasetError, match=r"0801\.png: pixels cannot be decoded"):
        decode_png(content, "0801.png")


def test_what_follows_the_end_mark_does_not_matter() -> None:
    assert (decode_png(RGB + b"rest", "a.png") == decode_png(RGB, "a.png")).all()


@pytest.mark.parametrize("kind", ["absent", "folder", "broken link", "loop", "pipe"])
def test_not_a_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    if kind == "folder":
        path.mkdir()
    elif kind == "broken link":
        path.symlink_to("nothing.png")
    elif kind == "loop":
        path.symlink_to("a.png")
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(DatasetError, match=r"a\.png: (not a regular file|cannot be read)"):
        read_png(path)


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, len(RGB) - 1), flip=st.integers(1, 255))
def test_a_changed_byte_is_never_accepted_with_other_pixels(position: int, flip: int) -> None:
    data = bytearray(RGB)
    data[position] ^= flip
    try:
        image = decode_png(bytes(data), "a.png")
    except DatasetError:
        return
    assert (image == decode_png(RGB, "a.png")).all()


@settings(max_examples=100, deadline=None)
@given(length=st.integers(0, len(RGB) - 13))
def test_a_cut_file_is_never_accepted(length: int) -> None:
    with pytest.raises(DatasetError):
        verify_png(RGB[:length], "a.png")


def test_write_makes_folders_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "ä 0801.png"
    write_png(path, picture(20, 20, 1))
    write_png(path, picture(24, 20, 2))
    assert (read_png(path) == picture(24, 20, 2)).all()
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    write_png(path, picture(20, 20, 1))

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(images.os, "replace", full)
    with pytest.raises(DatasetError, match=r"a\.png: cannot be written; found No space left"):
        write_png(path, picture(20, 20, 2))
    assert (read_png(path) == picture(20, 20, 1)).all()
    assert len(list(tmp_path.iterdir())) == 1


def test_write_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="cannot be written"):
        write_png(tmp_path / "file" / "a.png", picture(20, 20))


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 99))
def test_encoding_loses_nothing(height: int, width: int, seed: int) -> None:
    image = picture(height, width, seed)
    content = encode_png(image)
    assert (np.asarray(Image.open(io.BytesIO(content))) == image).all()
    assert (decode_png(content, "a.png") == image).all()
    view = image.transpose(1, 0, 2)[::-1]
    assert (decode_png(encode_png(view), "a.png") == view).all()


def test_photographs_are_smaller_than_with_pillows_fastest_level() -> None:
    stream = io.BytesIO()
    Image.fromarray(photograph()).save(stream, "PNG", compress_level=1)
    assert len(encode_png(photograph())) < len(stream.getvalue())


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)]
)
def test_write_of_something_else(image: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="uint8 image"):
        write_png(tmp_path / "a.png", image)


# --- scaling ----------------------------------------------------------------------------------------------


@given(height=st.integers(1, 30), width=st.integers(1, 30), scale=st.integers(1, 4))
def test_modcrop(height: int, width: int, scale: int) -> None:
    image = picture(height, width)
    cropped = modcrop(image, scale)
    assert cropped.shape == (height // scale * scale, width // scale * scale, 3)
    assert (cropped == image[: cropped.shape[0], : cropped.shape[1]]).all()


@pytest.mark.shared
def test_published_low_resolution_images(shared: Path) -> None:
    # Set5's LR_x4 was made with MATLAB; not one pixel may differ.
    hr_files = sorted((shared / "data" / "Set5" / "HR").glob("*.png"))
    assert len(hr_files) == 5
    for hr in hr_files:
        expected = read_png(shared / "data" / "Set5" / "LR_x4" / f"{hr.stem}x4.png")
        assert (matlab_bicubic_down(modcrop(read_png(hr), 4)) == expected).all(), hr.name


def torch_pass(image: np.ndarray, scale: int, axis: int) -> np.ndarray:
    """One pass in float64 by torch's antialiased bicubic, which is MATLAB's kernel (a = -0.5)."""
    torch = pytest.importorskip("torch")
    pad = 4 * scale  # a multiple of the scale, so that the outputs stay aligned, and wider than the kernel
    widths = [(pad, pad) if k == axis else (0, 0) for k in range(3)]
    padded = np.pad(image, widths, mode="symmetric").astype(np.float64)
    size = [n // scale if k == axis else n for k, n in enumerate(padded.shape[:2])]
    nchw = torch.from_numpy(np.ascontiguousarray(padded.transpose(2, 0, 1)[None]))
    small = torch.nn.functional.interpolate(nchw, size, mode="bicubic", antialias=True)[0].numpy()
    small = small.transpose(1, 2, 0)
    return small[4:-4] if axis == 0 else small[:, 4:-4]


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(12, 12), (48, 24), (120, 156)])
def test_each_pass_agrees_with_torch(scale: int, size: tuple[int, int]) -> None:
    hr = picture(*size)
    # Where all columns are alike the second pass changes nothing, as the weights add up to 1.
    rows = np.repeat(hr[:, :1], size[1], axis=1)
    assert_rounded(matlab_bicubic_down(rows, scale), torch_pass(rows, scale, 0)[:, ::scale])
    columns = np.repeat(hr[:1], size[0], axis=0)
    assert_rounded(matlab_bicubic_down(columns, scale), torch_pass(columns, scale, 1)[::scale])
    # Both, with the rounding to uint8 in between, rows first.
    between = np.clip(np.floor(torch_pass(hr, scale, 0) + 0.5 + 1e-9), 0, 255).astype(np.uint8)
    assert_rounded(matlab_bicubic_down(hr, scale), torch_pass(between, scale, 1))


def assert_rounded(got: np.ndarray, exact: np.ndarray) -> None:
    """`got` is `exact` clamped and rounded half up, where 1e-9 stands for torch's rounding errors."""
    assert got.shape == exact.shape
    assert (got == np.clip(np.floor(exact + 0.5 + 1e-9), 0, 255)).all()


def test_order_of_the_passes_matters() -> None:
    # Otherwise the test above could not tell rows first from columns first.
    hr = picture(64, 64)
    assert (matlab_bicubic_down(hr) != matlab_bicubic_down(hr.transpose(1, 0, 2)).transpose(1, 0, 2)).any()


def test_exact_halves_round_up() -> None:
    # Two grey levels one apart: MATLAB's weights for x4 are multiples of 1 / 4096, so a step placed in the
    # middle of an output's kernel gives exactly one half, which MATLAB's uint8() rounds up.
    hr = np.full((32, 32, 3), 100, np.uint8)
    hr[18:] = 101  # output 4 covers rows 16 to 19: its centre lies at 17.5
    assert matlab_bicubic_down(hr)[4, 0, 0] == 101
    assert matlab_bicubic_down(255 - hr)[4, 0, 0] == 155


@pytest.mark.parametrize("value", [0, 1, 127, 255])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_flat_images_stay(value: int, scale: int) -> None:
    # Smaller than the kernel, too: the mirror image is mirrored again.
    for side in (scale, 12, 2 * 12):
        small = matlab_bicubic_down(np.full((side, 12, 3), value, np.uint8), scale)
        assert small.shape == (side // scale, 12 // scale, 3) and (small == value).all()


def test_clamped_at_both_ends() -> None:
    hr = np.zeros((48, 48, 3), np.uint8)
    hr[24:] = 255  # the negative lobes overshoot on both sides of the step
    small = matlab_bicubic_down(hr)[:, 0, 0]
    assert small[0] == 0 and small[-1] == 255 and (np.diff(small.astype(int)) >= 0).all()


@pytest.mark.parametrize(
    ("image", "scale", "message"),
    [
        (np.zeros((8, 8), np.uint8), 4, "expected a"),
        (np.zeros((8, 8, 3)), 4, "expected a"),
        (np.zeros((0, 8, 3), np.uint8), 4, "expected a"),
        (np.zeros((8, 8, 3), np.uint8), 1, "scale must be"),
        (np.zeros((8, 10, 3), np.uint8), 4, "multiple of 4"),
    ],
)
def test_wrong_calls(image: np.ndarray, scale: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        matlab_bicubic_down(image, scale)
