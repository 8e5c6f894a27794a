"""Makes the LR images of a folder of HR images, as the challenge did with MATLAB."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ntire_bench.errors import DatasetError
from ntire_bench.image_folder import Problems, check_images, list_images
from ntire_bench.images import matlab_bicubic_down, modcrop, read_png, write_png

__all__ = ["prepare"]


def prepare(
    hr_dir: Path, lr_dir: Path, scale: int = 4, progress: Callable[[int, int], None] | None = None
) -> list[Path]:
    """Write the LR image of every HR PNG; nothing is written unless all HR images are sound.

    Each HR image is cropped at the bottom and the right to multiples of `scale` and scaled down by
    `images.matlab_bicubic_down`. Each file appears whole or not at all; one that is there is replaced.

    Args:
        hr_dir: Folder of 8-bit RGB PNG images.
        lr_dir: Folder to write to, made where it is missing; not `hr_dir`.
        scale: 2, 3 or 4.
        progress: Called with (images written, images in all).

    Returns:
        The files written, NAMEx4.png for NAME.png and scale 4, in the order of the names.

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
    problems.raise_if_any()
    written = []
    for stem, hr_path in sorted(files.items()):
        lr_path = lr_dir / f"{stem}x{scale}.png"
        write_png(lr_path, matlab_bicubic_down(modcrop(read_png(hr_path), scale), scale))
        written.append(lr_path)
        if progress is not None:
            progress(len(written), len(files))
    return written
