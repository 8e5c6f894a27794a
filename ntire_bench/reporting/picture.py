"""Which formats pictures are written in."""

from __future__ import annotations

from pathlib import Path

from ntire_bench.errors import UsageError

__all__ = ["SUFFIXES", "refuse_other_suffix"]

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
