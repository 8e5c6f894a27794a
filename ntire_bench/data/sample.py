"""The sample set: six photographs out of the installed scikit-image, for a first run without any download.

There is one for each scale, and for each noise at scale 1. Results on it are not comparable with a
challenge's.
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
from ntire_bench.data.noise import mark, noisy
from ntire_bench.errors import DatasetError

__all__ = ["VERSION", "is_made", "is_sample_dir", "large_lr", "probe_hr", "probe_lr", "sample_dir"]

VERSION = "sample-v1"  # another choice of photographs or crops is another version
_SCALE = 4
_NOISY_SIDE = 256  # pixels a side of noisy images: about as much work as the LR images of the set for x4
_PROBE_SIDE = {1: 128}  # LR pixels; 64 for other scales
_SEED = 0  # of the noise

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


def sample_dir(scale: int = _SCALE, noise: float | None = None) -> Path:
    """Return the folder of the sample set; it is made on first use.

    It holds valid_HR, valid_LR, test_HR and test_LR and lies in $NTIRE_BENCH_CACHE, else
    $XDG_CACHE_HOME/ntire_bench, else ~/.cache/ntire_bench. It is built beside its place and renamed, under a
    lock, so that it is never seen half made, and any number of processes may ask at once.

    Args:
        scale: HR size over LR size.
        noise: At scale 1, the standard deviation of the noise of the LR images [8-bit levels].

    Returns:
        The folder.

    Raises:
        DatasetError: The cache cannot be written, or scikit-image does not carry the photographs.
    """
    cache = cache_dir()
    version = _version(scale, noise)
    folder = cache / version
    if _is_complete(folder, scale, noise):
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / f"{version}.lock"):
            if _is_complete(folder, scale, noise):  # made by another process in the meantime
                return folder
            for left_over in cache.glob(f".{version}.*"):
                shutil.rmtree(left_over)
            if folder.exists():
                shutil.rmtree(folder)
            building = cache / f".{version}.{secrets.token_hex(8)}"
            try:
                _build(building, scale, noise)
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
    """Return whether the sample set for x4 lies in the cache already."""
    try:
        return _is_complete(cache_dir() / VERSION, _SCALE, None)
    except DatasetError:  # there is no place for one
        return False


def is_sample_dir(folder: Path) -> bool:
    """Return whether a folder is a sample set's, of any scale; it need not have been made yet."""
    try:
        cache = cache_dir()
    except DatasetError:  # there is no place for one
        return False
    place = os.path.realpath(folder)
    name = os.path.basename(place)
    return os.path.dirname(place) == os.path.realpath(cache) and f"{name}-".startswith(f"{VERSION}-")


def probe_lr(scale: int = _SCALE, noise: float | None = None) -> Uint8:
    """Return one real LR photograph that is always at hand: the middle of the sample set's astronaut.

    Args:
        scale: HR size over LR size.
        noise: At scale 1, the standard deviation of its noise [8-bit levels].

    Returns:
        (64, 64, 3) uint8, RGB, C-contiguous; (128, 128, 3) at scale 1.

    Raises:
        DatasetError: scikit-image does not carry the photograph.

    >>> probe_lr().shape, probe_lr(1, 50).shape
    ((64, 64, 3), (128, 128, 3))
    """
    if noise is not None:
        return noisy(probe_hr(scale), noise, _SEED, "probe")
    reduced = matlab_bicubic_down(modcrop(_photograph("astronaut.png"), scale), scale)
    return np.ascontiguousarray(_centre(reduced, _probe_side(scale)))


def probe_hr(scale: int = _SCALE) -> Uint8:
    """Return the HR image of `probe_lr`.

    Args:
        scale: HR size over LR size.

    Returns:
        Sides `scale` times those of `probe_lr`, uint8, RGB, C-contiguous.

    Raises:
        DatasetError: scikit-image does not carry the photograph.

    >>> probe_hr().shape, probe_hr(1).shape
    ((256, 256, 3), (128, 128, 3))
    """
    photograph = modcrop(_photograph("astronaut.png"), scale)
    side = _probe_side(scale)
    top, left = ((length // scale - side) // 2 * scale for length in photograph.shape[:2])
    return np.ascontiguousarray(photograph[top : top + side * scale, left : left + side * scale])


def large_lr(noise: float | None = None) -> Uint8:
    """Return a photograph of the size that most LR images of DIV2K have: part of the astronaut, not reduced.

    Args:
        noise: Standard deviation of noise that is added [8-bit levels]; None adds none.

    Returns:
        (339, 510, 3) uint8, RGB, C-contiguous.

    Raises:
        DatasetError: scikit-image does not carry the photograph.

    >>> large_lr().shape
    (339, 510, 3)
    """
    large = np.ascontiguousarray(_photograph("astronaut.png")[:339, :510])
    return large if noise is None else noisy(large, noise, _SEED, "large")


def _probe_side(scale: int) -> int:
    return _PROBE_SIDE.get(scale, 64)


def _version(scale: int, noise: float | None) -> str:
    """Return the name of a sample set's folder.

    >>> _version(4, None), _version(2, None), _version(1, 50.0)
    ('sample-v1', 'sample-v1-x2', 'sample-v1-noise50')
    """
    if noise is not None:
        return f"{VERSION}-{mark(noise)}"
    return VERSION if scale == _SCALE else f"{VERSION}-x{scale}"


def _files(folder: Path, split: str, name: str, scale: int, noise: float | None) -> tuple[Path, Path]:
    lr = f"{name}x{scale}.png" if noise is None else f"{name}{mark(noise)}.png"
    return folder / f"{split}_HR" / f"{name}.png", folder / f"{split}_LR" / lr


def _is_complete(folder: Path, scale: int, noise: float | None) -> bool:
    return all(
        os.path.isfile(path)
        for split, name, *_ in _PHOTOGRAPHS
        for path in _files(folder, split, name, scale, noise)
    )


def _build(folder: Path, scale: int, noise: float | None) -> None:
    for split, name, file, side in _PHOTOGRAPHS:
        photograph = _photograph(file)
        side = side if noise is None else _NOISY_SIDE
        hr = modcrop(photograph if side is None else _centre(photograph, side), scale)
        hr_path, lr_path = _files(folder, split, name, scale, noise)
        write_png(hr_path, hr)
        write_png(
            lr_path,
            matlab_bicubic_down(hr, scale) if noise is None else noisy(hr, noise, _SEED, name),
        )


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
