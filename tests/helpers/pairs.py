"""Tiny LR/HR pairs that tests write into folders of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from ntire_bench.data.images import matlab_bicubic_down, modcrop

Uint8 = npt.NDArray[np.uint8]


def smooth(seed: int, height: int = 96, width: int = 128) -> Uint8:
    """Return a soft random RGB image, which a bicubic enlargement of its LR image resembles closely."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def noise(seed: int, height: int = 96, width: int = 128) -> Uint8:
    """Return random pixels, which no enlargement resembles."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write_pairs(folder: Path, split: str, images: Sequence[Uint8], *, first: int = 801) -> Path:
    """Write DIV2K_LSDIR_{split}_HR and _LR into `folder` and return it."""
    for side in ("HR", "LR"):
        (folder / f"DIV2K_LSDIR_{split}_{side}").mkdir(parents=True, exist_ok=True)
    for number, hr in enumerate(images, first):
        Image.fromarray(hr).save(folder / f"DIV2K_LSDIR_{split}_HR" / f"{number:04d}.png")
        lr = matlab_bicubic_down(modcrop(hr, 4), 4)
        Image.fromarray(lr).save(folder / f"DIV2K_LSDIR_{split}_LR" / f"{number:04d}x4.png")
    return folder
