"""Photographs to train on, images to validate on, and the crops of a step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from training_settings import Settings

from ntire_bench.data.images import matlab_bicubic_down, modcrop, read_png
from ntire_bench.errors import DatasetError

__all__ = ["SCALE", "Pairs", "crop_batch", "read_photographs", "read_validation"]

SCALE = 4
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Photographs held as uint8 RGB (H, W, 3): `hr[i]` is 4 times as high and as wide as `lr[i]`."""

    lr: list[Pixels]
    hr: list[Pixels]

    def sha256(self) -> str:
        """Return a fingerprint of the HR pixels, in their order."""
        digest = hashlib.sha256()
        for image in self.hr:
            digest.update(repr(image.shape).encode() + image.tobytes())
        return digest.hexdigest()


def read_photographs(folder: Path, patch: int) -> Pairs:
    """Decode every photograph of a folder and make its LR.

    Args:
        folder: Holds 8-bit RGB images; other files are passed over.
        patch: Side of a crop [LR pixels]; each photograph must hold one.

    Raises:
        DatasetError: There are none, or some are unreadable, not 8-bit RGB or too small; all are named.
    """
    files: list[Path] = []
    if folder.is_dir():
        # Hidden files are none of the user's: macOS puts ._a.png beside a.png.
        files = sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and f.name[0] != ".")
    if not files:
        raise DatasetError(
            "holds no photographs",
            file=folder,
            expected=f"files with one of {' '.join(SUFFIXES)}",
            found="nothing of the kind" if folder.is_dir() else "no such folder",
            remedy="name the folder that holds them with --data",
        )
    pairs = Pairs(lr=[], hr=[])
    problems: list[str] = []
    for file in files:
        try:
            hr = modcrop(_read_rgb(file), SCALE)
        except DatasetError as error:
            problems.append(f"{file.name} ({error.what})")
            continue
        if min(hr.shape[:2]) < patch * SCALE:
            problems.append(f"{file.name} (only {hr.shape[1]}x{hr.shape[0]} pixels)")
            continue
        pairs.hr.append(hr)
        pairs.lr.append(matlab_bicubic_down(hr, SCALE))
    if problems:
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise DatasetError(
            f"{len(problems)} of {len(files)} images cannot be trained on",
            file=folder,
            expected=f"8-bit RGB of at least {patch * SCALE}x{patch * SCALE} pixels",
            found=", ".join(problems[:5]) + more,
            remedy="remove them, or make --patch smaller if only the size is wrong",
        )
    return pairs


def _read_rgb(file: Path) -> Pixels:
    try:
        with Image.open(file) as image:
            if image.mode != "RGB":
                raise DatasetError(f"mode {image.mode}", file=file)
            return np.array(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(f"unreadable: {error}", file=file) from None


def read_validation(folder: Path) -> Pairs:
    """Decode the LR and HR images of a validation folder.

    Args:
        folder: Holds HR/NAME.png with LR_x4/NAMEx4.png, or one or more pairs of folders SET_HR and SET_LR.

    Raises:
        DatasetError: There is no pair of folders, or LR and HR do not fit together.
    """
    places = {folder / "HR": folder / f"LR_x{SCALE}"}
    places.update({hr: hr.with_name(hr.name[:-2] + "LR") for hr in sorted(folder.glob("*_HR"))})
    pairs = Pairs(lr=[], hr=[])
    for hr_file, lr_folder in ((f, lr) for hr, lr in places.items() for f in sorted(hr.glob("*.png"))):
        lr_file = lr_folder / f"{hr_file.stem}x{SCALE}.png"
        if not lr_file.is_file():
            lr_file = lr_folder / hr_file.name
        lr, hr = read_png(lr_file), modcrop(read_png(hr_file), SCALE)
        if hr.shape[:2] != (lr.shape[0] * SCALE, lr.shape[1] * SCALE):
            raise DatasetError(
                f"is not 1/{SCALE} of its HR image",
                file=lr_file,
                expected=f"{hr.shape[1] // SCALE}x{hr.shape[0] // SCALE} pixels",
                found=f"{lr.shape[1]}x{lr.shape[0]}",
                remedy="make LR anew with ntire-bench prepare",
            )
        pairs.lr.append(lr)
        pairs.hr.append(hr)
    if not pairs.hr:
        raise DatasetError(
            "holds nothing to validate on",
            file=folder,
            expected=f"HR/NAME.png with LR_x{SCALE}/NAMEx{SCALE}.png, or folders SET_HR and SET_LR of PNGs",
            remedy="name such a folder with --val, or leave --val out",
        )
    return pairs


def crop_batch(pairs: Pairs, settings: Settings, step: int) -> tuple[Tensor, Tensor]:
    """Cut the crops of one step: a pure function of the photographs, the seed and the step.

    Returns:
        LR (N, 3, P, P) and HR (N, 3, 4P, 4P), uint8, each pair flipped and transposed alike.
    """
    random = np.random.default_rng((settings.seed, step))
    side = settings.patch
    crops: tuple[list[Pixels], list[Pixels]] = ([], [])
    for _ in range(settings.batch):
        index = int(random.integers(len(pairs.lr)))
        height, width = pairs.lr[index].shape[:2]
        top, left = int(random.integers(height - side + 1)), int(random.integers(width - side + 1))
        flip_rows, flip_columns, transpose = random.integers(2, size=3)
        for image, scale, out in ((pairs.lr[index], 1, crops[0]), (pairs.hr[index], SCALE, crops[1])):
            crop = image[top * scale : (top + side) * scale, left * scale : (left + side) * scale]
            crop = crop[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
            out.append(crop.transpose(1, 0, 2) if transpose else crop)
    lr, hr = (torch.from_numpy(np.stack(crop)).permute(0, 3, 1, 2) for crop in crops)
    return lr, hr
