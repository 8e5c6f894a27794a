"""Crops of two submissions' SR images beside LR and HR, as a picture: PNG, SVG or PDF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ntire_bench.ranking.crop import Crop
from ntire_bench.reporting.picture import refuse_other_suffix, save

__all__ = ["plot_crops"]

_INCHES = 2.0
_LEAST_LEVELS = 8  # of 255: smaller differences are not drawn larger than they are


def plot_crops(crops: Sequence[Crop], names: tuple[str, str], channel: str, path: Path) -> None:
    """Draw a row for each crop: LR enlarged bicubically, both SR, HR, and how far both SR differ.

    At scale 1, the noisy image takes the place of the enlarged one.

    Args:
        crops: At least one.
        names: What both are called.
        channel: Of the PSNR.
        path: File to write; its suffix decides the format.

    Raises:
        UsageError: The suffix names no format.
        RecordError: The file cannot be written.
    """
    refuse_other_suffix(path)
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(5 * _INCHES, len(crops) * (_INCHES + 0.45) + 0.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(crops), 5, squeeze=False)
    for row, crop in zip(axes, crops, strict=True):
        height, width = crop.hr.shape[:2]
        bicubic = np.asarray(Image.fromarray(crop.lr).resize((width, height), Image.Resampling.BICUBIC))
        gap = np.abs(crop.a.astype(np.int16) - crop.b.astype(np.int16)).max(axis=2)
        most = max(_LEAST_LEVELS, int(gap.max()))
        first = "LR, bicubic" if crop.lr.shape != crop.hr.shape else "noisy"
        titles = [first, _titled(names[0], crop.a_db), _titled(names[1], crop.b_db), "HR"]
        for place, (image, title) in zip(
            row, zip((bicubic, crop.a, crop.b, crop.hr), titles, strict=True), strict=False
        ):
            place.imshow(image, interpolation="nearest")
            place.set_title(title, fontsize="small")
        row[4].imshow(gap, cmap="magma", vmin=0, vmax=most, interpolation="nearest")
        row[4].set_title(f"difference, 0 to {most} levels", fontsize="small")
        row[0].set_ylabel(f"{crop.split}/{crop.name}\nrow {crop.top}, column {crop.left}", fontsize="small")
        for place in row:
            place.set(xticks=[], yticks=[])
    figure.supxlabel(f"PSNR on {channel.upper()} of whole images", fontsize="x-small", color="0.4")
    save(figure, path)


def _titled(name: str, value: float | None) -> str:
    return f"{name}\n{'inf' if value is None else f'{value:.2f}'} dB"
