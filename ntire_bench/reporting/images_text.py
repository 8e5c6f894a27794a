"""The images of one evaluation, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ntire_bench.records.record import ImageResult, Record
from ntire_bench.text import one_line

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["ImageRow", "ordered", "rows_of", "table_of"]

_MISSING = "–"


@dataclass(frozen=True, kw_only=True)
class ImageRow:
    """One image of an evaluation.

    Attributes:
        split: It belongs to.
        name: Of the HR file.
        height: Of the HR image [pixels].
        width: Of the HR image [pixels].
        psnr_db: In the channel that was asked for; None where SR equals HR.
        baseline_psnr_db: The baseline's; None where it has none.
        ssim_y: None where it was not computed.
        runtime_ms: Median of the calls.
        baseline_runtime_ms: The baseline's; None where there is none.
        slow_calls: How many calls were slow.
    """

    split: str
    name: str
    height: int
    width: int
    psnr_db: float | None
    baseline_psnr_db: float | None
    ssim_y: float | None
    runtime_ms: float
    baseline_runtime_ms: float | None
    slow_calls: int


def rows_of(record: Record, channel: Literal["y", "rgb"]) -> list[ImageRow]:
    """Return the images of an evaluation, in the order of splits and names."""
    beside: dict[tuple[str, str], ImageResult] = {}
    if record.baseline is not None and record.baseline.submission.files != record.submission.files:
        for split, result in record.baseline.splits.items():
            beside |= {(split, image.name): image for image in result.per_image}
    rows = []
    for split, result in record.splits.items():
        for image in result.per_image:
            base = beside.get((split, image.name))
            rows.append(
                ImageRow(
                    split=split,
                    name=image.name,
                    height=image.height,
                    width=image.width,
                    psnr_db=_psnr(image, channel),
                    baseline_psnr_db=None if base is None else _psnr(base, channel),
                    ssim_y=image.ssim_y,
                    runtime_ms=image.runtime_ms,
                    baseline_runtime_ms=None if base is None else base.runtime_ms,
                    slow_calls=len(image.slow_calls),
                )
            )
    return rows


def ordered(rows: Iterable[ImageRow], by: str) -> list[ImageRow]:
    """Return rows by name, by PSNR from the lowest, or by runtime from the longest.

    Args:
        rows: Of an evaluation.
        by: "name", "psnr" or "runtime".
    """
    if by == "psnr":
        return sorted(rows, key=lambda row: float("inf") if row.psnr_db is None else row.psnr_db)
    if by == "runtime":
        return sorted(rows, key=lambda row: -row.runtime_ms)
    return list(rows)


def table_of(record: Record, rows: Sequence[ImageRow]) -> Table:
    """Return rows as a table; columns of which nothing is known are left out."""
    from rich import box
    from rich.table import Table

    both = any(row.baseline_runtime_ms is not None for row in rows)
    ssim = any(row.ssim_y is not None for row in rows)
    slow = any(row.slow_calls for row in rows)
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False, title=one_line(record.submission.label))
    table.title_justify = "left"
    for name, shown in (
        ("image", True),
        ("size", True),
        ("PSNR [dB]", True),
        ("over baseline", both),
        ("SSIM", ssim),
        ("ms", True),
        ("baseline ms", both),
        ("slow", slow),
    ):
        if shown:
            table.add_column(name, justify="left" if name == "image" else "right", overflow="fold")
    for row in rows:
        gain = None
        if row.psnr_db is not None and row.baseline_psnr_db is not None:
            gain = row.psnr_db - row.baseline_psnr_db
        base = row.baseline_runtime_ms
        cells = [f"{row.split}/{row.name}", f"{row.width}x{row.height}"]
        cells.append("inf" if row.psnr_db is None else f"{row.psnr_db:.3f}")
        cells += [_MISSING if gain is None else f"{gain:+.3f}"] if both else []
        cells += [_MISSING if row.ssim_y is None else f"{row.ssim_y:.4f}"] if ssim else []
        cells.append(f"{row.runtime_ms:.2f}")
        cells += [_MISSING if base is None else f"{base:.2f}"] if both else []
        cells += [str(row.slow_calls)] if slow else []
        table.add_row(*cells)
    return table


def _psnr(image: ImageResult, channel: Literal["y", "rgb"]) -> float | None:
    return image.psnr_y_db if channel == "y" else image.psnr_rgb_db
