"""Which parts of which SR images a site shows side by side, and whether they are those that were measured."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ntire_bench.errors import DatasetError, UsageError
from ntire_bench.records.record import ImageResult, Record
from ntire_bench.reporting.site.telling import SQUARE, errors_by_square, most_telling, window_at
from ntire_bench.text import one_line, relative

if TYPE_CHECKING:
    from ntire_bench.data.images import Uint8

__all__ = ["Crops", "SrImages", "make_crops"]

HEIGHT, WIDTH = 240, 360  # of a crop [pixels]
_SAME_DB = 0.01  # a PSNR further than this from the record's is of another image


@dataclass(frozen=True, kw_only=True)
class SrImages:
    """Where the images of the comparison lie.

    Attributes:
        sr_dir: Folder that `run --save-dir` filled: TEAM/DATASET/NAME.png.
        data_dir: Folder of the data sets, with DATASET_HR/NAME.png; None for the sample set.
        most: How many images are compared.
    """

    sr_dir: Path
    data_dir: Path | None
    most: int = 8


@dataclass(kw_only=True)
class Crops:
    """What is compared.

    Attributes:
        images: One each: {split, name, x, y, width, height (of the crop), hr: file, sides: [{team, file, psnr
            [dB] of the whole image, in the channel that is judged}]}.
        files: Content of the PNG files by path within the site.
        problems: SR images that are not shown, and why.
    """

    images: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Side:
    label: str
    slug: str
    path: Path
    result: ImageResult


def make_crops(
    records: Mapping[str, Record],
    slugs: Mapping[str, str],
    where: SrImages,
    *,
    scale: int,
    noise: float | None = None,
    border: int,
    channel: str,
    progress: Callable[[int, int], None],
) -> Crops:
    """Choose images and places, and cut the HR image and each team's SR image there.

    An SR image is shown only where its PSNR, computed anew, is that of the record: else it is of another run.

    Args:
        records: Whole records by the teams' labels.
        slugs: What a team's files are called, by label.
        where: The images.
        scale: HR size over LR size.
        noise: At scale 1, the standard deviation of the LR images' noise [8-bit levels].
        border: Pixels that the metrics crop off every side.
        channel: "y" or "rgb", the PSNR that is judged.
        progress: Called with (images done, images in all).

    Raises:
        UsageError: `sr_dir` is no folder, or holds no SR image of these records.
        DatasetError: An HR image is not there or cannot be read.
    """
    if not where.sr_dir.is_dir():
        raise UsageError(
            "no such folder of SR images",
            file=where.sr_dir,
            remedy="name the folder that run --save-dir filled",
        )
    kept = _kept(records, slugs, where.sr_dir)
    if not kept:
        raise UsageError(
            "no SR image of these records",
            file=where.sr_dir,
            expected="files like 07_Example/DIV2K_LSDIR_valid/0801.png",
            remedy="name the folder that run --save-dir filled, or leave this option out",
        )
    chosen = most_telling(
        {key: [_psnr(side, channel) for side in sides] for key, sides in kept.items()}, where.most
    )
    crops = Crops()
    for number, key in enumerate(chosen):
        progress(number, len(chosen))
        split, dataset, name = key
        _add(
            crops,
            f"{len(crops.images) + 1:02d}",
            split,
            _hr_path(where, dataset, name, scale, noise),
            kept[key],
            channel,
            scale,
            border,
        )
    progress(len(chosen), len(chosen))
    return crops


def _kept(
    records: Mapping[str, Record], slugs: Mapping[str, str], sr_dir: Path
) -> dict[tuple[str, str, str], list[_Side]]:
    """Return whose SR images are there, by (split, data set, name)."""
    found: dict[tuple[str, str, str], list[_Side]] = {}
    for label, record in records.items():
        for split, result in record.splits.items():
            for image in result.per_image:
                if not all(map(_is_name, (label, result.dataset, image.name))):
                    continue  # a record may come from a stranger; what lies elsewhere is not looked at
                path = sr_dir / label / result.dataset / f"{image.name}.png"
                if path.is_file():
                    side = _Side(label, slugs[label], path, image)
                    found.setdefault((split, result.dataset, image.name), []).append(side)
    return found


def _is_name(text: str) -> bool:
    """Return whether a text is the name of one file.

    >>> _is_name("0801"), _is_name("../0801"), _is_name("..")
    (True, False, False)
    """
    return text not in ("", ".", "..") and not set(text) & set("/\\\0")


def _hr_path(where: SrImages, dataset: str, name: str, scale: int, noise: float | None) -> Path:
    root = where.data_dir
    if root is None:
        from ntire_bench.data.sample import sample_dir  # which not every system can make

        root = sample_dir(scale, noise)
    folder = root / f"{dataset}_HR"
    try:
        files = [path for path in folder.iterdir() if path.suffix.lower() == ".png"]
    except OSError as error:
        raise DatasetError(
            "no folder of HR images",
            file=folder,
            found=error.strerror or str(error),
            remedy="name the folder that holds it with --data-dir",
        ) from None
    wanted = unicodedata.normalize("NFC", name)
    path = next((path for path in files if unicodedata.normalize("NFC", path.stem) == wanted), None)
    if path is None:
        remedy = "name the folder of the images that the records are of with --data-dir"
        raise DatasetError("no such HR image", file=folder / f"{name}.png", remedy=remedy)
    return path


def _psnr(side: _Side, channel: str) -> float | None:
    value: float | None = getattr(side.result, f"psnr_{channel}_db")
    return value


def _add(
    crops: Crops,
    number: str,
    split: str,
    hr_path: Path,
    sides: Sequence[_Side],
    channel: str,
    scale: int,
    border: int,
) -> None:
    """Add the crops of one image, where at least one SR image of it is the one that was measured."""
    import numpy as np

    from ntire_bench.data.images import modcrop, read_png
    from ntire_bench.data.png import encode_png

    hr = modcrop(read_png(hr_path), scale)
    shown = list(_checked(crops, hr, sides, border))
    if not shown:
        return
    height, width = min(HEIGHT, hr.shape[0]), min(WIDTH, hr.shape[1])
    errors = np.stack([errors_by_square(sr, hr) for _, sr in shown])
    weight = errors.std(axis=0) if len(shown) > 1 else errors[0]
    if not weight.any():
        weight = errors.mean(axis=0)
    row, column = window_at(weight, max(1, height // SQUARE), max(1, width // SQUARE))
    y, x = min(row * SQUARE, hr.shape[0] - height), min(column * SQUARE, hr.shape[1] - width)

    def cut(image: Uint8, what: str) -> str:
        file = f"crops/{number}_{what}.png"
        crops.files[file] = encode_png(np.ascontiguousarray(image[y : y + height, x : x + width]))
        return file

    crops.images.append(
        {
            "split": split,
            "name": hr_path.stem,
            "x": x,
            "y": y,
            "width": width,
            "height": height,
            "hr": cut(hr, "HR"),
            "sides": [
                {"team": one_line(side.label), "file": cut(sr, side.slug), "psnr": _psnr(side, channel)}
                for side, sr in shown
            ],
        }
    )


def _checked(crops: Crops, hr: Uint8, sides: Sequence[_Side], border: int) -> Iterator[tuple[_Side, Uint8]]:
    """Yield the SR images whose PSNR is that of the record; what is wrong with others is noted."""
    from ntire_bench.data.images import read_png
    from ntire_bench.metrics.psnr import psnr

    for side in sides:
        try:
            sr = read_png(side.path)
        except DatasetError as error:
            crops.problems.append(str(error))
            continue
        if sr.shape != hr.shape:
            sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in (sr, hr)]
            crops.problems.append(
                f"{relative(side.path)}: {sizes[0]} pixels, and HR has {sizes[1]}; not shown"
            )
            continue
        found = psnr(sr, hr, border)
        pairs = ((found.y_db, side.result.psnr_y_db), (found.rgb_db, side.result.psnr_rgb_db))
        other = [pair for pair in pairs if not _agree(*pair)]
        if other:
            now, then = (
                "infinite" if value is None or math.isinf(value) else f"{value:.2f} dB" for value in other[0]
            )
            crops.problems.append(
                f"{relative(side.path)}: its PSNR is {now} and the record's is {then}: it is of another run, "
                "or of another HR image; not shown"
            )
            continue
        yield side, sr


def _agree(now: float, then: float | None) -> bool:
    """Return whether a PSNR is the record's, where None stands for an infinite one."""
    return math.isinf(now) if then is None else abs(now - then) <= _SAME_DB
