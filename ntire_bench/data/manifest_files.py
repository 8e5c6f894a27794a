"""Makes the manifest of a folder of images, and compares a folder with a manifest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from ntire_bench.data.dataset import Pair, Progress, load_splits, lr_names
from ntire_bench.data.folder import Problems, list_images
from ntire_bench.data.images import Uint8, read_bytes
from ntire_bench.data.manifest import ImageFile, Manifest, NamedPair, SplitManifest
from ntire_bench.data.png import decode_png
from ntire_bench.data.prepare import made_of, threads_for
from ntire_bench.errors import DatasetError, UsageError

__all__ = ["Difference", "folder_pairs_of", "made", "make", "verify"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
Kind = Literal["missing", "unreadable", "file", "pixels", "not in the manifest", "not made of HR"]
# MATLAB's weights for scale 3 are no exact fractions: where a sum ends in one half, it may round otherwise.
_TOLERANCE = {3: 1}


@dataclass(frozen=True)
class Difference:
    """What is otherwise than in a manifest.

    Attributes:
        split: Name of the folder pair.
        file: Path in the folder.
        kind: "missing"; "unreadable"; "file" (another file with the same pixels); "pixels"; "not in the
            manifest"; "not made of HR" (LR is not what `prepare` makes of the HR image).
        message: In words.
    """

    split: str
    file: str
    kind: Kind
    message: str


def folder_pairs_of(root: Path, scale: int, noise: float | None) -> list[str]:
    """Return the names of the folder pairs in a folder, without _HR and _LR.

    Raises:
        DatasetError: It cannot be listed, or holds none.
    """
    try:
        names = {entry.name for entry in os.scandir(root) if entry.is_dir()}
    except OSError as error:
        found, remedy = error.strerror or str(error), "name the folder that holds NAME_HR and NAME_LR"
        raise DatasetError("cannot be listed", file=root, found=found, remedy=remedy) from None
    sides, _ = lr_names(scale, noise)
    bases = [name[:-3] for name in names if name.endswith("_HR") and len(name) > 3]
    found_ = sorted(base for base in bases if any(f"{base}_{side}" in names for side in sides))
    if not found_:
        wanted = " or ".join(f"NAME_{side}" for side in sides)
        raise DatasetError(
            "there is no pair of folders with images",
            file=root,
            expected=f"NAME_HR and {wanted}",
            found=", ".join(sorted(names)) or "no folder",
            remedy="name the folder that holds them; --protocol dn50 is for noisy images",
        )
    return found_


def make(
    root: Path, scale: int, noise: float | None, seed: int | None, border: int, progress: Progress
) -> tuple[Manifest, list[Difference]]:
    """Make the manifest of all folder pairs in a folder.

    Args:
        root: The folder.
        scale: HR size over LR size.
        noise: At scale 1, the standard deviation of the LR images' noise [8-bit levels].
        seed: What the noisy images were made with; None where that is not known.
        border: Pixels that the metrics crop off every side.
        progress: Called with (images done, images in all).

    Returns:
        The manifest, and the LR images that are not what `prepare` makes.

    Raises:
        DatasetProblems: Lists all that is wrong with the images.
        DatasetError: There are no images.
    """
    names = folder_pairs_of(root, scale, noise)
    splits = load_splits(
        names,
        root,
        scale=scale,
        noise=noise,
        border=border,
        folders={name: name for name in names},
        compared=False,
    )
    work = [(split.name, pair) for split in splits for pair in split.pairs]
    manifest = Manifest(scale=scale, noise=noise, seed=None if noise is None else seed)

    def one(item: tuple[str, Pair]) -> tuple[NamedPair, Difference | None]:
        split, pair = item
        (hr, hr_pixels), (lr, lr_pixels) = (_image(path, root) for path in (pair.hr_path, pair.lr_path))
        found = made(hr_pixels, lr_pixels, pair.name, manifest)
        named = NamedPair(name=pair.name, hr=hr, lr=lr)
        return named, None if found is None else Difference(split, lr.file, "not made of HR", found)

    largest = max(pair.height * pair.width for _, pair in work)
    done = []
    for number, result in enumerate(
        _mapped(one, work, threads_for(largest, noisy=manifest.noise is not None)), 1
    ):
        done.append(result)
        progress(number, len(work))
    pairs = iter([named for named, _ in done])
    of_splits = {
        split.name: SplitManifest(dataset_sha256=split.sha256, images=tuple(next(pairs) for _ in split.pairs))
        for split in splits
    }
    whole = Manifest(scale=scale, noise=noise, seed=manifest.seed, splits=of_splits)
    return whole, [found for _, found in done if found is not None]


def verify(root: Path, manifest: Manifest, progress: Progress) -> list[Difference]:
    """Compare the images in a folder with a manifest.

    Args:
        root: The folder, of a copy say.
        manifest: What the images should be.
        progress: Called with (images done, images in all).

    Returns:
        All that is otherwise, in the order of the manifest.

    Raises:
        UsageError: There is no such folder.
    """
    if not os.path.isdir(root):
        raise UsageError("no such folder", file=root, remedy="name the folder that holds the images")
    work = [(name, pair) for name, split in manifest.splits.items() for pair in split.images]

    def one(item: tuple[str, NamedPair]) -> list[Difference]:
        return list(_differences(item[0], item[1], root, manifest))

    found: list[Difference] = []
    largest = max((pair.hr.height * pair.hr.width for _, pair in work), default=1)
    for number, of_pair in enumerate(
        _mapped(one, work, threads_for(largest, noisy=manifest.noise is not None)), 1
    ):
        found += of_pair
        progress(number, len(work))
    for name, split in manifest.splits.items():
        found += _more(name, split, root)
    return found


def made(hr: Uint8, lr: Uint8, name: str, manifest: Manifest) -> str | None:
    """Return why an LR image is not what `prepare` makes of its HR image; None where it is.

    Args:
        hr: (H, W, 3) uint8.
        lr: uint8 HWC.
        name: Of the image.
        manifest: For scale, noise and seed; without a seed, noise cannot be made again, and None is returned.
    """
    if manifest.noise is not None and manifest.seed is None:
        return None
    again = made_of(hr, name, manifest.scale, manifest.noise, manifest.seed or 0)
    if again.shape != lr.shape:
        size = "x".join(map(str, again.shape[1::-1]))
        return f"LR is {lr.shape[1]}x{lr.shape[0]}, and prepare makes {size}"
    gap = np.abs(again.astype(np.int16) - lr)
    if int(gap.max()) <= _TOLERANCE.get(manifest.scale, 0):
        return None
    share = float((gap > 0).mean())
    how = "prepare makes of HR" if manifest.noise is None else f"seed {manifest.seed} gives"
    return f"LR is not what {how}: {share:.1%} of the values differ, by up to {int(gap.max())} levels"


def _differences(split: str, pair: NamedPair, root: Path, manifest: Manifest) -> Iterator[Difference]:
    """Yield what is otherwise with a pair."""
    pixels: dict[str, Uint8] = {}
    for side, wanted in (("hr", pair.hr), ("lr", pair.lr)):
        path = root / wanted.file
        if not os.path.lexists(path):
            yield Difference(split, wanted.file, "missing", "is missing")
            continue
        try:
            data = read_bytes(path)
            image = decode_png(data, path)
        except DatasetError as error:
            yield Difference(split, wanted.file, "unreadable", f"cannot be used: {error.what}")
            continue
        if hashlib.sha256(data).hexdigest() == wanted.sha256:
            pixels[side] = image
        elif (_pixels_sha256(image), *image.shape[:2]) == (wanted.pixels_sha256, wanted.height, wanted.width):
            pixels[side] = image
            text = "is another file with the same pixels: records take it for another image"
            yield Difference(split, wanted.file, "file", text)
        else:
            yield Difference(split, wanted.file, "pixels", "is another image: its pixels differ")
    if len(pixels) == 2:
        found = made(pixels["hr"], pixels["lr"], pair.name, manifest)
        if found is not None:
            yield Difference(split, pair.lr.file, "not made of HR", found)


def _more(name: str, split: SplitManifest, root: Path) -> Iterator[Difference]:
    """Yield the images of a folder pair that the manifest does not have."""
    known = {file for pair in split.images for file in (pair.hr.file, pair.lr.file)}
    for folder in sorted({Path(file).parent for file in known}):
        for path in list_images(root / folder, Problems()).values():
            file = (folder / path.name).as_posix()
            if file not in known:
                yield Difference(name, file, "not in the manifest", "is not in the manifest")


def _mapped(job: Callable[[_Item], _Result], items: Sequence[_Item], threads: int) -> Iterator[_Result]:
    """Yield what a job gives for each item, in order; some are done at the same time."""
    pool = ThreadPoolExecutor(threads, "manifest")
    try:
        yield from pool.map(job, items)
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C too


def _image(path: Path, root: Path) -> tuple[ImageFile, Uint8]:
    data = read_bytes(path)
    image = decode_png(data, path)
    described = ImageFile(
        file=path.relative_to(root).as_posix(),
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        height=image.shape[0],
        width=image.shape[1],
        pixels_sha256=_pixels_sha256(image),
    )
    return described, image


def _pixels_sha256(image: Uint8) -> str:
    return hashlib.sha256(np.ascontiguousarray(image).data).hexdigest()
