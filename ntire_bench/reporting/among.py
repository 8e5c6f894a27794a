"""Own rows among those of a reference: scores of different machines in different columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from ntire_bench.errors import UsageError
from ntire_bench.ranking.board import Board
from ntire_bench.ranking.board_notes import display_name
from ntire_bench.ranking.ranks import Row
from ntire_bench.reporting import layout, papers
from ntire_bench.reporting.export import document
from ntire_bench.reporting.layout import Style
from ntire_bench.reporting.spreadsheet import no_formula
from ntire_bench.text import one_line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

__all__ = ["Among", "AmongFormat", "TerminalAmong", "render_among"]

AmongFormat = Literal["table", "md", "csv", "json"]
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


def _size(row: Row) -> tuple[float, float, str]:
    costs = row.entry.costs
    return (float("inf"), 0.0, "") if costs is None else (costs.flops, costs.params, row.entry.label)


def _heads(among: Among) -> list[tuple[str, ...]]:
    """Return the lines of each heading; those of one machine begin with whose it is."""
    shared = ["team", *_shared(among)]
    of_each = [layout.column(key).lines for key in _OF_A_MACHINE]
    return [
        *(tuple(layout.column(key).lines) for key in shared),
        *((who, *lines) for who in ("here", among.name) for lines in of_each),
    ]


def _shared(among: Among) -> list[str]:
    splits = dict.fromkeys((*among.reference.protocol.splits, *among.own.protocol.splits))
    return [*(f"psnr_{split}" for split in splits), "params", "flops"]


def _cells(among: Among, style: Style) -> Iterator[tuple[bool, list[str]]]:
    # No rank stands in a column that both have.
    style = replace(style, place=lambda place: "", note="")
    shared = ("team", *_shared(among))
    for own, row in among.rows:
        board = among.own if own else among.reference
        judged = {f"psnr_{split}" for split in board.protocol.splits}
        keys = [key for key in shared if not key.startswith("psnr_") or key in judged]
        written = dict(zip(keys, layout.cells(board, row, keys, style), strict=True))
        cells = [written.get(key, style.missing) for key in shared]
        of_machine = layout.cells(board, row, _OF_A_MACHINE, style)
        absent = [""] * len(_OF_A_MACHINE)
        yield own, [*cells, *(of_machine if own else absent), *(absent if own else of_machine)]


def captions_of(among: Among) -> list[str]:
    """Return what a reader must know of both machines, and what is to be known of the own rows."""
    here, there = among.machines
    texts = [
        f"In the order of FLOPs. Measured here: {here}. {among.name}: {there}.",
        "Runtimes, scores and ranks of different machines stand in columns of their own and are not to be "
        "compared: each score follows from ratios to the baseline on the same machine, and another machine "
        "gives other ratios. Lower scores are better.",
    ]
    own, other = among.own.protocol, among.reference.protocol
    if own.name != other.name:
        texts.append(f"Own rows are ranked by {own.name}, those of {among.name} by {other.name}.")
    signs = (
        ("↓", "PSNR below its threshold"),
        ("±", "half of a 95 % interval"),
        ("≈", "tied with others within noise"),
        ("–", "not known, or no rank"),
    )
    written = "".join(cell for _, cells in _cells(among, layout.PLAIN) for cell in cells[1:])
    told = [f"{sign}: {meaning}" for sign, meaning in signs if sign in written]
    texts += [f"{'; '.join(told)}."] if told else []
    if among.reference.source is not None:
        texts.append(f"Source of {among.name}: {among.reference.source}.")
    return texts


def _title(among: Among) -> str:
    channel = "PSNR on Y" if among.own.channel == "y" else "PSNR on RGB"
    return f"{one_line(among.reference.protocol.title)} · own rows among {among.name} · {channel}"


def render_among(among: Among, fmt: str, *, width: int | None = None) -> str:
    """Return own rows among a reference's as text.

    Args:
        among: Both.
        fmt: "table", "md", "csv" or "json".
        width: Columns of the table; 100 where it is None.

    Raises:
        UsageError: It cannot be written in that format.
    """
    if fmt == "table":
        from rich.console import Console

        console = Console(file=io.StringIO(), width=width or 100)
        with console.capture() as capture:
            console.print(TerminalAmong(among))
        return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"
    if fmt == "md":
        return _markdown(among)
    if fmt == "csv":
        return _csv(among)
    if fmt == "json":
        text = msgspec.json.encode(document_of(among))
        return msgspec.json.format(text, indent=2).decode() + "\n"
    raise UsageError(
        f"own rows among a reference's are not written as {fmt}",
        remedy=f"choose one of {', '.join(get_args(AmongFormat))} with --format",
    )


def document_of(among: Among) -> dict[str, Any]:
    """Return both boards for other programs: keys name, own, reference, each as `export.document` has it."""
    return {"name": among.name, "own": document(among.own), "reference": document(among.reference)}


def _markdown(among: Among) -> str:
    heads = [" ".join(lines) for lines in _heads(among)]
    lines = [f"**{_title(among)}**", "", _line(heads), "| :-- |" + " --: |" * (len(heads) - 1)]
    style = papers.MARKDOWN
    for own, cells in _cells(among, style):
        lines.append(_line([f"**{cells[0]}**" if own else cells[0], *cells[1:]]))
    return "\n".join([*lines, "", *(f"- {style.escape(text)}" for text in captions_of(among))]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _csv(among: Among) -> str:
    """Return numbers that are not rounded, with the machine that each is of in the columns' names."""
    shared = _shared(among)
    units = {"params": 1e6, "flops": 1e9}
    names = {"params": "params_m", "flops": "flops_g"}
    machine = {"runtime": "runtime_ms", "final": "score_final", "rank": "rank"}
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        ["from", "team", *(names.get(key, f"{key}_db") for key in shared)]
        + [f"{who}_{machine[key]}" for who in ("here", "reference") for key in _OF_A_MACHINE]
        + ["status", "here_device", "reference", "reference_device"]
    )
    for own, row in among.rows:
        numbers = [layout.value(row, key) for key in shared]
        of_row = [None if n is None else n / units.get(k, 1.0) for k, n in zip(shared, numbers, strict=True)]
        of_machine = [layout.value(row, key) for key in _OF_A_MACHINE]
        absent = [None] * len(_OF_A_MACHINE)
        writer.writerow(
            ["here" if own else among.name, no_formula(display_name(row.entry)), *of_row]
            + [*(of_machine if own else absent), *(absent if own else of_machine)]
            + [row.status, *(no_formula(text) for text in (among.machines[0], among.name, among.machines[1]))]
        )
    return file.getvalue()


@dataclass(frozen=True)
class TerminalAmong:
    """What a rich console prints; own rows are bold."""

    among: Among

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield title, table and captions."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        style = layout.PLAIN
        yield Text(_title(self.among), style="bold")
        table = Table(box=box.HORIZONTALS, padding=(0, 0), pad_edge=False)
        for number, lines in enumerate(_heads(self.among)):
            first = number == 0
            justify: Literal["left", "right"] = "left" if first else "right"
            table.add_column(Text("\n".join(lines)), justify=justify, overflow="fold", no_wrap=not first)
        for own, cells in _cells(self.among, style):
            table.add_row(*map(Text, cells), style="bold" if own else "")
        yield table
        for text in captions_of(self.among):
            yield Text(text)
