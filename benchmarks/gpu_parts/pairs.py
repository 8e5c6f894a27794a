"""HR images without any download: mosaics of the photographs that ship with scikit-image, on all cores."""

from __future__ import annotations

import functools
import importlib.util
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ntire_bench.data.images import write_png
from ntire_bench.machine.environment import cores

__all__ = ["NAME", "PHOTOGRAPHS", "link", "mosaic", "write_hr"]

Uint8 = npt.NDArray[np.uint8]

NAME = "DIV2K_LSDIR_valid"  # of the folder pair: the split "valid"
PHOTOGRAPHS = (
    "astronaut.png",
    "brick.png",
    "chelsea.png",
    "coffee.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "motorcycle_left.png",
    "motorcycle_right.png",
    "retina.jpg",
    "rocket.jpg",
)
_FEWEST = 4
_CELL = 340  # about the side of what one photograph fills
_CROP = (0.7, 1.0)  # of the cell's side: it is enlarged a little, and keeps detail


def write_hr(folder: Path, sizes: list[tuple[int, int]]) -> None:
    """Write HR images 0001.png, 0002.png, ... of these sizes (height, width), each another mosaic."""
    folder.mkdir(parents=True)
    jobs = [(folder / f"{number:04d}.png", number, size) for number, size in enumerate(sizes, 1)]
    # A fresh interpreter for each process: a fork of one with threads may hang.
    with ProcessPoolExecutor(min(cores(), len(jobs)), mp_context=get_context("spawn")) as pool:
        list(pool.map(_write, *zip(*jobs, strict=True), chunksize=max(1, len(jobs) // (4 * cores()))))


def link(source: Path, target: Path, count: int) -> None:
    """Make a data folder of links to the first so many pairs of another."""
    for side in ("HR", "LR"):
        (target / f"{NAME}_{side}").mkdir(parents=True)
        for file in sorted((source / f"{NAME}_{side}").glob("*.png"))[:count]:
            (target / f"{NAME}_{side}" / file.name).symlink_to(file.resolve())


def _write(path: Path, number: int, size: tuple[int, int]) -> None:
    cv2.setNumThreads(1)
    write_png(path, mosaic(_photographs(), size, number))


@functools.cache
def _photographs() -> tuple[Uint8, ...]:
    """Return the photographs that the installed scikit-image has, RGB."""
    spec = importlib.util.find_spec("skimage")
    folders = (spec.submodule_search_locations if spec is not None else None) or []
    files = [Path(folder) / "data" / name for folder in folders for name in PHOTOGRAPHS]
    there = [file for file in files if file.is_file()]
    if len(there) < _FEWEST:
        raise SystemExit(
            f"scikit-image: expected {_FEWEST} or more of its photographs; found {len(there)}. "
            "Remedy: install scikit-image from its wheel, which holds them."
        )
    images = [cv2.imread(str(file), cv2.IMREAD_COLOR) for file in there]
    return tuple(np.ascontiguousarray(image[..., ::-1], np.uint8) for image in images if image is not None)


def mosaic(photographs: tuple[Uint8, ...], size: tuple[int, int], seed: int) -> Uint8:
    """Return an image of a size (height, width): crops of photographs, turned, mirrored, enlarged a little.

    >>> grey = np.full((64, 64, 3), 77, np.uint8)
    >>> image = mosaic((grey,), (100, 50), 0)
    >>> image.shape, np.unique(image).tolist()
    ((100, 50, 3), [77])
    """
    random = np.random.default_rng(seed)
    image = np.empty((*size, 3), np.uint8)
    tops, lefts = ([round(edge) for edge in np.linspace(0, side, -(-side // _CELL) + 1)] for side in size)
    for top, bottom in zip(tops, tops[1:], strict=False):
        for left, right in zip(lefts, lefts[1:], strict=False):
            photograph = photographs[int(random.integers(len(photographs)))]
            cell = (bottom - top, right - left)
            share = random.uniform(*_CROP)
            height, width = (
                min(whole, max(8, round(share * side)))
                for whole, side in zip(photograph.shape[:2], cell, strict=True)
            )
            y, x = (
                int(random.integers(whole - part + 1))
                for whole, part in zip(photograph.shape[:2], (height, width), strict=True)
            )
            crop = photograph[y : y + height, x : x + width][:: random.choice((1, -1))]
            crop = crop[:, :: random.choice((1, -1)), random.permutation(3)]
            resized = cv2.resize(np.ascontiguousarray(crop), cell[::-1], interpolation=cv2.INTER_CUBIC)
            image[top:bottom, left:right] = resized
    return image
