"""Which image sets lie where they are looked for: folder pairs and their sizes, with no image decoded."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PLACES", "FolderPair", "folder_pairs", "png_size"]

PLACES = (Path(), Path("data"), Path(".."))  # where splits are looked for without --data-dir
_HEADER = 24  # bytes of a PNG file up to its width and height
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NOISY = re.compile(r"(.+)_(noise[0-9.]+)")
_MOST_ENTRIES = 100_000  # of a folder; what has more is no set of images


@dataclass(frozen=True, kw_only=True)
class FolderPair:
    """Two folders NAME_HR and NAME_LR, or NAME_HR and NAME_noise50.

    Attributes:
        base: Path of both, without _HR and _LR.
        hr: How many PNG files the first holds; None where it is not there.
        lr: The same of the second.
        side: What the second is called after NAME_, "LR" or "noise50".
        hr_sizes: (height, width) [pixels] of each HR file whose header says so.
    """

    base: Path
    hr: int | None
    lr: int | None
    hr_sizes: tuple[tuple[int, int], ...]
    side: str = "LR"


def folder_pairs(root: Path) -> list[FolderPair]:
    """Return the folder pairs in a folder, by name; nothing where it cannot be listed."""
    try:
        names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    except OSError:
        return []
    noisy = {found[1]: found[2] for name in names if (found := _NOISY.fullmatch(name)) is not None}
    bases = {name[:-3] for name in names if name.endswith(("_HR", "_LR")) and len(name) > 3}
    # The noisy images of HR images that have LR images too are another data set of the same name.
    pairs = [(base, "LR") for base in bases if base not in noisy or f"{base}_LR" in names]
    return [_pair(root / base, side) for base, side in sorted([*pairs, *noisy.items()])]


def _pair(base: Path, side: str) -> FolderPair:
    hr, lr = (_png_files(Path(f"{base}_{end}")) for end in ("HR", side))
    sizes = (png_size(file) for file in hr or ())
    return FolderPair(
        base=base,
        hr=None if hr is None else len(hr),
        lr=None if lr is None else len(lr),
        hr_sizes=tuple(size for size in sizes if size is not None),
        side=side,
    )


def _png_files(folder: Path) -> list[Path] | None:
    """Return the PNG files of a folder; None where it is not there or cannot be listed."""
    try:
        with os.scandir(folder) as listing:
            return sorted(Path(entry.path) for entry in _first(listing) if _is_png(entry))
    except OSError:
        return None


def _first(listing: Iterator[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
    for _, entry in zip(range(_MOST_ENTRIES), listing, strict=False):
        yield entry


def _is_png(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith(".png") and not entry.name.startswith(".") and entry.is_file()


def png_size(file: Path) -> tuple[int, int] | None:
    """Return (height, width) [pixels] as the header of a PNG file says; None where it is none."""
    try:
        with file.open("rb") as stream:
            header = stream.read(_HEADER)
    except OSError:
        return None
    if len(header) < _HEADER or not header.startswith(_SIGNATURE) or header[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", header[16:])
    return height, width
