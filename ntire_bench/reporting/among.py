"""Own rows among those of a reference: what stands in the table, before any format is put on it.

Scores of different machines are in different columns; `among_formats` writes the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from ntire_bench.ranking.board import Board
from ntire_bench.ranking.ranks import Row
from ntire_bench.reporting import captions, layout
from ntire_bench.reporting.export import document
from ntire_bench.reporting.layout import Style
from ntire_bench.text import one_line

__all__ = [
    "Among",
    "AmongColumn",
    "captions_of",
    "cells",
    "columns_of",
    "document_of",
    "numbers",
    "title",
]

_OF_A_MACHINE = ("runtime", "final", "rank")


@dataclass(frozen=True, kw_only=True)
class Among:
    """Own rows and those of a reference, each ranked by itself.

    Attributes:
        name: Of the reference.
        own: Own records, judged in the reference's PSNR channel.
        reference: The reference.
    """

    name: str
    own: Board
    reference: Board

    @property
    def rows(self) -> list[tuple[bool, Row]]:
        """All rows in the order of FLOPs, which no machine bears on, each with whether it is an own one."""
        both = [(True, row) for row in self.own.rows] + [(False, row) for row in self.reference.rows]
        return sorted(both, key=lambda item: (*_size(item[1]), not item[0]))

    @property
    def machines(self) -> tuple[str, str]:
        """What own runtimes were measured on, and those of the reference."""
        own, other = (board.device_class or board.device_name for board in (self.own, self.reference))
        return one_line(str(own or "no device")), one_line(str(other or "an unknown device"))


@dataclass(frozen=True)
class AmongColumn:
    """One column.

    Attributes:
        key: What is in it, as `layout` names it.
        whose: Whose rows it is of: "here", "there" (the reference's), or "" for those of both.
    """

    key: str
    whose: Literal["", "here", "there"] = ""

    def heading(self, name: str) -> list[str]:
        """Return the heading, one part a line; that of one machine begins with whose it is.

        Args:
            name: Of the reference.

        >>> AmongColumn("final", "there").heading("ntire2024")
        ['ntire2024', 'Final', 'score']
        """
        of = {"": [], "here": ["here"], "there": [name]}[self.whose]
        return [*of, *layout.column(self.key).lines]

    def is_of(self, own: bool) -> bool:
        """Say whether a row has a value in it.

        Args:
            own: Whether it is an own row.
        """
        return self.whose == "" or (self.whose == "here") == own


def _size(row: Row) -> tuple[float, float, str]:
    costs = row.entry.costs
    return (float("inf"), 0.0, "") if costs is None else (costs.flops, costs.params, row.entry.label)


def columns_of(among: Among) -> list[AmongColumn]:
    """Return the columns: what no machine bears on first, then what was measured here, then there."""
    splits = dict.fromkeys((*among.reference.protocol.splits, *among.own.protocol.splits))
    shared = ("team", *(f"psnr_{split}" for split in splits), "params", "flops")
    return [
        *map(AmongColumn, shared),
        *(AmongColumn(key, whose) for whose in ("here", "there") for key in _OF_A_MACHINE),
    ]


def cells(among: Among, style: Style) -> Iterator[tuple[bool, Row, list[str]]]:
    """Yield the rows as texts: whether it is an own one, the row, and its cells.

    What was measured on the other machine is empty. No rank of a sub-track stands in a column of both.

    Args:
        among: Both.
        style: How a format writes them.
    """
    style = replace(style, place=lambda place: "", note="")
    columns = columns_of(among)
    for own, row in among.rows:
        board = among.own if own else among.reference
        splits = {f"psnr_{split}" for split in board.protocol.splits}
        keys = [
            column.key for column in columns if not column.key.startswith("psnr_") or column.key in splits
        ]
        keys = list(dict.fromkeys(keys))
        texts = dict(zip(keys, layout.cells(board, row, keys, style), strict=True))
        yield (
            own,
            row,
            [texts.get(column.key, style.missing) if column.is_of(own) else "" for column in columns],
        )


def numbers(among: Among, own: bool, row: Row) -> list[float | None]:
    """Return the numbers of one row's cells, not rounded; None where there is none, and for the name."""
    return [layout.value(row, column.key) if column.is_of(own) else None for column in columns_of(among)]


def title(among: Among) -> str:
    """Return what is shown, in one line."""
    channel = "PSNR on Y" if among.own.channel == "y" else "PSNR on RGB"
    return f"{one_line(among.reference.protocol.title)} · own rows among {among.name} · {channel}"


def captions_of(among: Among, style: Style = layout.PLAIN) -> list[str]:
    """Return what a reader must know of both machines, and what the signs mean that occur.

    Args:
        among: Both.
        style: How the cells are written.
    """
    here, there = among.machines
    texts = [
        f"In the order of FLOPs. Measured here: {here}. {among.name}: {there}.",
        "Runtimes, scores and ranks of different machines stand in columns of their own and are not to be "
        "compared: each score follows from ratios to the baseline on the same machine, and another machine "
        "gives other ratios. Lower scores are better.",
    ]
    own, other = among.own.protocol, among.reference.protocol
    anew = among.own.anew
    if anew is not None and anew.rules != own.name:
        texts.append(f"Own rows are of {anew.rules} and ranked by {own.name} here.")
    if own.name != other.name:
        texts.append(f"Own rows are ranked by {own.name}, those of {among.name} by {other.name}.")
    texts += [f"Own rows: {text}" for text in captions.counted(among.own)]
    if told := list(_signs(among, style)):
        texts.append(f"{'; '.join(told)}.")
    if among.reference.source is not None:
        texts.append(f"Source of {among.name}: {among.reference.source}.")
    return texts


def _signs(among: Among, style: Style) -> Iterator[str]:
    boards = (among.own, among.reference)
    rows = [(board, row) for board in boards for row in board.rows]
    written = [cell for _, _, texts in cells(among, style) for cell in texts[1:]]
    if any(layout.below_threshold(row) for _, row in rows):
        yield f"{style.below_sign}: PSNR below its threshold"
    if any(row.entry.half_width is not None for _, row in rows):
        yield "±: half of a 95 % interval"
    if any(row.tied for _, row in rows):
        yield "≈: tied with others within noise"
    if style.missing in written:
        yield f"{style.missing_sign}: not known, or no rank"


def document_of(among: Among) -> dict[str, Any]:
    """Return both boards for other programs: keys name, own, reference, each as `export.document` has it."""
    return {"name": among.name, "own": document(among.own), "reference": document(among.reference)}
