"""Makes the LR images of a folder of HR images, as the challenge did with MATLAB; or the noisy ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ntire_bench import interruption
from ntire_bench.data.folder import Problems, check_images, cores, list_images
from ntire_bench.data.images import Uint8, matlab_bicubic_down, modcrop, read_png, write_png
from ntire_bench.data.noise import mark, noisy
from ntire_bench.errors import DatasetError

__all__ = ["folder_beside", "made_of", "prepare", "threads_for"]

_BYTES_PER_PIXEL = 14  # of an HR image: its file, its pixels twice, and what is made of them on the way
_NOISY_BYTES_PER_PIXEL = 60  # alike, with draws in float64
_MEMORY = 2**30  # for all threads together, though one of them always works


def folder_beside(hr_dir: Path, noise: float | None = None) -> Path:
    """Return the folder that LR images go to where none is named: NAME_LR beside NAME_HR.

    >>> folder_beside(Path("data/DIV2K_LSDIR_valid_HR")).name, folder_beside(Path("data/mine")).name
    ('DIV2K_LSDIR_valid_LR', 'mine_LR')
    >>> folder_beside(Path("data/DIV2K_valid_HR"), 50).name
    'DIV2K_valid_noise50'

    Raises:
        DatasetError: The folder is the topmost one.
    """
    side = "LR" if noise is None else mark(noise)
    if hr_dir.name in ("", ".."):  # of ".", say
        hr_dir = Path(os.path.abspath(hr_dir))
    if not hr_dir.name:
        remedy = "name the folder for the LR images with --output"
        raise DatasetError("there is no folder beside this one", file=hr_dir, remedy=remedy)
    return hr_dir.with_name(f"{hr_dir.name.removesuffix('_HR')}_{side}")


def made_of(hr: Uint8, name: str, scale: int = 4, noise: float | None = None, seed: int = 0) -> Uint8:
    """Return the LR image of an HR image: what `prepare` writes.

    Args:
        hr: (H, W, 3) uint8.
        name: Of the image, which the noise depends on.
        scale: 1, 2, 3 or 4.
        noise: At scale 1, its standard deviation [8-bit levels].
        seed: Of the noise.
    """
    if noise is not None:
        return noisy(hr, noise, seed, name)
    return matlab_bicubic_down(modcrop(hr, scale), scale)


def prepare(
    hr_dir: Path,
    lr_dir: Path,
    scale: int = 4,
    progress: Callable[[int, int], None] | None = None,
    *,
    replace: bool = False,
    kept: Callable[[Path], None] | None = None,
    noise: float | None = None,
    seed: int = 0,
) -> list[Path]:
    """Write the LR image of every HR PNG; nothing is written unless all HR images are sound.

    Each HR image is cropped at the bottom and the right to multiples of `scale` and scaled down by
    `images.matlab_bicubic_down`; or noise is added to it by `noise.noisy`. Each file appears whole or not at
    all.

    Args:
        hr_dir: Folder of 8-bit RGB PNG images.
        lr_dir: Folder to write to, made where it is missing; not `hr_dir`.
        scale: 2, 3 or 4; 1 with noise.
        progress: Called with (images done, images in all); one that is there already is compared.
        replace: Whether other LR images that are there may be replaced; else they are a problem.
        kept: Called with each LR file as soon as it is there and right.
        noise: Standard deviation of the noise to add [8-bit levels]; None scales down instead.
        seed: Of the noise; each image's follows from it and the image's name.

    Returns:
        The LR files, all of which are there now, in the order of the names: NAMEx4.png for NAME.png, or
        NAME.png with noise.

    Raises:
        DatasetProblems: Lists everything that is wrong with the HR images.
        DatasetError: Both folders are one, or a file cannot be written.
    """
    if os.path.isdir(lr_dir) and os.path.isdir(hr_dir) and os.path.samefile(hr_dir, lr_dir):
        remedy = "give another folder for the LR images"
        raise DatasetError("HR and LR folder are the same", file=lr_dir, remedy=remedy)
    problems = Problems()
    files = list_images(hr_dir, problems)
    images = check_images(files, problems)
    for stem, image in images.items():
        if min(image.height, image.width) < scale:
            size = f"{image.width}x{image.height}"
            problems.add(f"image too small to scale down by {scale}", files[stem], found=size)
    suffix = f"x{scale}" if noise is None else ""  # as the challenges name them
    targets = {stem: lr_dir / f"{stem}{suffix}.png" for stem in sorted(files)}
    problems.raise_if_any()
    known = [stem for stem, path in targets.items() if not replace and os.path.lexists(path)]
    missing = sorted(targets.keys() - set(known))

    same: set[str] = set()
    done = 0

    def told(stem: str, right: bool) -> None:
        nonlocal done
        done += 1
        if right:
            same.add(stem)
            if kept is not None:
                kept(targets[stem])
        if progress is not None:
            progress(done, len(targets))

    def compare(stem: str) -> bool:
        return _holds(targets[stem], lr(stem))

    def make(stem: str) -> bool:
        write_png(targets[stem], lr(stem))
        return True

    def lr(stem: str) -> Uint8:
        return made_of(read_png(files[stem]), stem, scale, noise, seed)

    largest = max(image.height * image.width for image in images.values())
    threads = threads_for(largest, noisy=noise is not None)
    # One that is there may be an official one; the same pixels may be there from an earlier run.
    _do_all(compare, known, threads, told)
    for stem in known:
        if stem not in same:
            remedy = "give another folder, or --force to replace it"
            problems.add("another LR image is there already", targets[stem], remedy=remedy)
    problems.raise_if_any()
    _do_all(make, missing, threads, told)
    return list(targets.values())


def threads_for(pixels: int, *, noisy: bool = False) -> int:
    """Return how many threads work on images of at most so many pixels; NumPy and OpenCV let others run.

    >>> threads_for(10**9)
    1
    """
    bytes_per_pixel = _NOISY_BYTES_PER_PIXEL if noisy else _BYTES_PER_PIXEL
    return max(1, min(cores(), _MEMORY // (bytes_per_pixel * pixels)))


def _do_all(
    job: Callable[[str], bool], names: Sequence[str], threads: int, told: Callable[[str, bool], None]
) -> None:
    """Do a job for every name, and tell the results in that order.

    Where an error or a signal ends it early, jobs that have begun come to their end and are told too.
    """
    left: dict[str, Future[bool]] = {}
    pool = ThreadPoolExecutor(threads, "prepare")
    try:
        for name in names:
            left[name] = pool.submit(job, name)
        for name in names:
            result = left[name].result()
            with interruption.held():
                del left[name]
                told(name, result)
    finally:
        pool.shutdown(cancel_futures=True)
        for name, one in left.items():
            if not one.cancelled() and one.exception() is None:
                told(name, one.result())


def _holds(path: Path, image: Uint8) -> bool:
    try:
        return np.array_equal(read_png(path), image)
    except DatasetError:
        return False
