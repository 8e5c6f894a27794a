"""Which formats pictures are written in, and how they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ntire_bench.errors import RecordError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SUFFIXES", "refuse_other_suffix", "save"]

SUFFIXES = (".png", ".svg", ".pdf")


def refuse_other_suffix(path: Path) -> None:
    """Refuse a file whose suffix names no format that pictures can be drawn in.

    Raises:
        UsageError: It is none of `SUFFIXES`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            "the suffix names no format that pictures can be drawn in",
            file=path,
            expected=" or ".join(SUFFIXES),
            remedy="change its suffix",
        )


def save(figure: Figure, path: Path) -> None:
    """Write a picture.

    Args:
        figure: What is drawn.
        path: File to write; its suffix decides the format.

    Raises:
        RecordError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
    except OSError as error:
        raise RecordError(
            "the picture cannot be written",
            file=path,
            found=error.strerror or str(error),
            remedy="name another file with --plot",
        ) from None
