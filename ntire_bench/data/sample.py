"""The sample set: six photographs out of the installed scikit-image, for a first run without any download.

Results on it are not comparable with the challenge's.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import io
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from ntire_bench.data.cache_dir import cache_dir
from ntire_bench.data.images import Uint8, matlab_bicubic_down, modcrop, write_png
from ntire_bench.errors import DatasetError

__all__ = ["VERSION", "is_made", "is_sample_dir", "large_lr", "probe_hr", "probe_lr", "sample_dir"]

VERSION = "sample-v1"  # another choice of photographs or crops is another version
_SCALE = 4

# (split, name, file in scikit-image's data folder, pixels a side kept in the middle or None for all)
_PHOTOGRAPHS: tuple[tuple[str, str, str, int | None], ...] = (
    ("valid", "astronaut", "astronaut.png", None),
    ("valid", "coffee", "coffee.png", None),
    ("valid", "motorcycle", "motorcycle_left.png", None),
    ("test", "chelsea", "chelsea.png", None),
    ("test", "hubble", "hubble_deep_field.jpg", 512),
    ("test", "rocket", "rocket.jpg", None),
)

# As scikit-image's own registry has them: another file would make another data set under the same name.
_SHA256 = {
    "astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    "coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    "motorcycle_left.png": "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
    "chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    "hubble_deep_field.jpg": "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
    "rocket.jpg": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
}


def sample_dir() -> Path:
    """Return the folder of the sample set; it is made on first use.

    It holds valid_HR, valid_LR, test_HR and test_LR and lies in $NTIRE_BENCH_CACHE, else
    $XDG_CACHE_HOME/ntire_bench, else ~/.cache/ntire_bench. It is built beside its place and renamed, under a
    lock, so that it is never seen half made, and any number of processes may ask at once.

    Returns:
        The folder.

    Raises:
        DatasetError: The cache cannot be written, or scikit-image does not carry the photographs.
    """
    cache = cache_dir()
    folder = cache / VERSION
    if _is_complete(folder):
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / f"{VERSION}.lock"):
            if _is_complete(folder):  # made by another process in the meantime
                return folder
            for left_over in cache.glob(f".{VERSION}-*"):
                shutil.rmtree(left_over)
            if folder.exists():
                shutil.rmtree(folder)
            building = cache / f".{VERSION}-{secrets.token_hex(8)}"
            try:
                _build(building)
                building.rename(folder)
            finally:
                shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        raise DatasetError(
            "the sample set cannot be written",
            file=cache,
            found=error.strerror or str(error),
            remedy="set NTIRE_BENCH_CACHE to a folder that you may write to, or give --data_dir",
        ) from error
    return folder


def is_made() -> bool:
    """Return whether the sample set lies in the cache already."""
    try:
        return _is_complete(cache_dir() / VERSION)
    except DatasetError:  # there is no place for one
        return False


def is_sample_dir(folder: Path) -> bool:
    """Return whether a folder is the sample set's, which need not have been made yet."""
    try:
        own = cache_dir() / VERSION
    except DatasetError:  # there is no place for one
        return False
    return os.path.realpath(folder) == os.path.realpath(own)


def probe_lr() -> Uint8:
    """Return one real LR photograph that is always at hand: the middle of the sample set's astronaut.

    Returns:
        (64, 64, 3) uint8, RGB, C-contiguous.

    Raises:
        DatasetError: scikit-image does not carry the photograph.

    >>> probe_lr().shape
    (64, 64, 3)
    """
    return np.ascontiguousarray(_centre(matlab_bicubic_down(_photograph("astronaut.png"), _SCALE), 64))


def probe_hr() -> Uint8:
    """Return the HR image of `probe_lr`.

    Returns:
        (256, 256, 3) uint8, RGB, C-contiguous.

    Raises:
        DatasetError: scikit-image does not carry the photograph.

    >>> probe_hr().shape
    (256, 256, 3)
    """
    return np.ascontiguousarray(_centre(_photograph("astronaut.png"), 256))


def large_lr() -> Uint8:
    """Return a photograph of the size that most LR images of DIV2K have: part of the astronaut, not reduced.

    Returns:
        (339, 510, 3) uint8, RGB, C-contiguous.

    Raises:
        DatasetError: scikit-image does not carry the photograph.

    >>> large_lr().shape
    (339, 510, 3)
    """
    return np.ascontiguousarray(_photograph("astronaut.png")[:339, :510])


def _files(folder: Path, split: str, name: str) -> tuple[Path, Path]:
    return folder / f"{split}_HR" / f"{name}.png", folder / f"{split}_LR" / f"{name}x{_SCALE}.png"


def _is_complete(folder: Path) -> bool:
    return all(
        os.path.isfile(path) for split, name, *_ in _PHOTOGRAPHS for path in _files(folder, split, name)
    )


def _build(folder: Path) -> None:
    for split, name, file, side in _PHOTOGRAPHS:
        photograph = _photograph(file)
        hr = modcrop(photograph if side is None else _centre(photograph, side), _SCALE)
        hr_path, lr_path = _files(folder, split, name)
        write_png(hr_path, hr)
        write_png(lr_path, matlab_bicubic_down(hr, _SCALE))


def _photograph(file: str) -> Uint8:
    """Decode a photograph of the installed scikit-image; its own loader could try to download it."""
    spec = importlib.util.find_spec("skimage")
    folders = (spec.submodule_search_locations if spec is not None else None) or []
    path = next((Path(folder) / "data" / file for folder in folders), None)
    remedy = "install scikit-image anew, or give --data_dir"
    if path is None or not path.is_file():
        raise DatasetError(f"scikit-image or its photograph {file} is not installed", remedy=remedy)
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != _SHA256[file]:
        what = "not the photograph that the sample set is made of"
        raise DatasetError(what, file=path, expected=f"SHA-256 {_SHA256[file]}", remedy=remedy)
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image.convert("RGB"), dtype=np.uint8)


def _centre(image: Uint8, side: int) -> Uint8:
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return image[top : top + side, left : left + side]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock; the kernel releases it even if this process is killed."""
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
