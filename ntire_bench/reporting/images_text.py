"""The images of one evaluation, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


def table_of(record: Record, rows: Sequence[ImageRow], width: int | None = None) -> Table:
    """Return rows as a table; columns of which nothing is known are left out.

    Args:
        record: The evaluation.
        rows: Of its images.
        width: Columns of the terminal: what does not fit is left out, and a line below says so. None for all.
    """
    from rich import box
    from rich.table import Table

    columns = {
        name: cells for name, cells in _columns(rows).items() if any(cell != _MISSING for cell in cells)
    }
    left_out = []
    for name in _FIRST_TO_GO:
        if width is not None and name in columns and _width(columns) > width:
            left_out.append(name)
            del columns[name]
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False, title=one_line(record.submission.label))
    table.title_justify = "left"
    if left_out:
        table.caption = f"Too narrow for {', '.join(left_out)}: widen the window, or use --json."
        table.caption_justify = "left"
    for name in columns:
        table.add_column(name, justify="left" if name == "image" else "right", overflow="fold")
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*cells)
    return table


_FIRST_TO_GO = ("size", "slow", "baseline ms", "SSIM", "over baseline")
_BETWEEN = 3  # characters between two columns


def _columns(rows: Sequence[ImageRow]) -> dict[str, list[str]]:
    """Return the cells of each column, by its name."""
    slow = any(row.slow_calls for row in rows)
    return {
        "image": [f"{row.split}/{row.name}" for row in rows],
        "size": [f"{row.width}x{row.height}" for row in rows],
        "PSNR [dB]": ["inf" if row.psnr_db is None else f"{row.psnr_db:.3f}" for row in rows],
        "over baseline": [_gain(row) for row in rows],
        "SSIM": [_MISSING if row.ssim_y is None else f"{row.ssim_y:.4f}" for row in rows],
        "ms": [f"{row.runtime_ms:.2f}" for row in rows],
        "baseline ms": [
            _MISSING if row.baseline_runtime_ms is None else f"{row.baseline_runtime_ms:.2f}" for row in rows
        ],
        "slow": [str(row.slow_calls) if slow else _MISSING for row in rows],
    }


def _gain(row: ImageRow) -> str:
    if row.psnr_db is None or row.baseline_psnr_db is None:
        return _MISSING
    return f"{row.psnr_db - row.baseline_psnr_db:+.3f}"


def _width(columns: Mapping[str, Sequence[str]]) -> int:
    from rich.cells import cell_len

    widths = [max(map(cell_len, (name, *cells))) for name, cells in columns.items()]
    return sum(widths) + _BETWEEN * (len(widths) - 1)


def _psnr(image: ImageResult, channel: Literal["y", "rgb"]) -> float | None:
    return image.psnr_y_db if channel == "y" else image.psnr_rgb_db
