"""Makes the LR images of a folder of HR images, as the challenge did with MATLAB."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ntire_bench.data.folder import Problems, check_images, list_images
from ntire_bench.data.images import Uint8, matlab_bicubic_down, modcrop, read_png, write_png
from ntire_bench.errors import DatasetError

__all__ = ["folder_beside", "prepare"]


def folder_beside(hr_dir: Path) -> Path:
    """Return the folder that LR images go to where none is named: NAME_LR beside NAME_HR.

    >>> folder_beside(Path("data/DIV2K_LSDIR_valid_HR")).name, folder_beside(Path("data/mine")).name
    ('DIV2K_LSDIR_valid_LR', 'mine_LR')
    """
    return hr_dir.with_name(f"{hr_dir.name.removesuffix('_HR')}_LR")


def prepare(
    hr_dir: Path,
    lr_dir: Path,
    scale: int = 4,
    progress: Callable[[int, int], None] | None = None,
    *,
    replace: bool = False,
) -> list[Path]:
    """Write the LR image of every HR PNG; nothing is written unless all HR images are sound.

    Each HR image is cropped at the bottom and the right to multiples of `scale` and scaled down by
    `images.matlab_bicubic_down`. Each file appears whole or not at all.

    Args:
        hr_dir: Folder of 8-bit RGB PNG images.
        lr_dir: Folder to write to, made where it is missing; not `hr_dir`.
        scale: 2, 3 or 4.
        progress: Called with (images written, images to write).
        replace: Whether other LR images that are there may be replaced; else they are a problem.

    Returns:
        The LR files, all of which are there now, in the order of the names: NAMEx4.png for NAME.png.

    Raises:
        DatasetProblems: Lists everything that is wrong with the HR images.
        DatasetError: Both folders are one, or a file cannot be written.
    """
    if os.path.isdir(lr_dir) and os.path.isdir(hr_dir) and os.path.samefile(hr_dir, lr_dir):
        remedy = "give another folder for the LR images"
        raise DatasetError("HR and LR folder are the same", file=lr_dir, remedy=remedy)
    problems = Problems()
    files = list_images(hr_dir, problems)
    for stem, image in check_images(files, problems).items():
        if min(image.height, image.width) < scale:
            size = f"{image.width}x{image.height}"
            problems.add(f"image too small to scale down by {scale}", files[stem], found=size)
    targets = {stem: lr_dir / f"{stem}x{scale}.png" for stem in files}
    problems.raise_if_any()
    missing = []
    for stem, lr_path in sorted(targets.items()):
        if replace or not os.path.lexists(lr_path):
            missing.append(stem)
        # One that is there may be an official one; the same pixels may be there from an earlier run.
        elif not _holds(lr_path, _lr(files[stem], scale)):
            remedy = "give another folder, or --force to replace it"
            problems.add("another LR image is there already", lr_path, remedy=remedy)
    problems.raise_if_any()
    for done, stem in enumerate(missing, 1):
        write_png(targets[stem], _lr(files[stem], scale))
        if progress is not None:
            progress(done, len(missing))
    return [targets[stem] for stem in sorted(targets)]


def _lr(hr_path: Path, scale: int) -> Uint8:
    return matlab_bicubic_down(modcrop(read_png(hr_path), scale), scale)


def _holds(path: Path, image: Uint8) -> bool:
    try:
        return np.array_equal(read_png(path), image)
    except DatasetError:
        return False
