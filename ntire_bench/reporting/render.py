"""A board as a terminal table, Markdown, CSV, JSON, LaTeX, a page or the challenge's results.txt."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Literal, get_args

from ntire_bench.challenge_results import table as results_table
from ntire_bench.errors import UsageError
from ntire_bench.ranking.board import Board
from ntire_bench.reporting import captions, export, layout, page, papers
from ntire_bench.reporting.layout import Style

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

__all__ = ["Format", "TerminalBoard", "for_console", "render", "style_of"]

Format = Literal["table", "md", "csv", "json", "latex", "html", "challenge"]
_SUPERSCRIPTS = str.maketrans("0123456789()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾")


_TERMINAL = replace(layout.PLAIN, place=lambda place: f"({place})".translate(_SUPERSCRIPTS))
_ASCII = Style(
    place=lambda place: f"({place})",
    below=lambda text: f"{text}<",
    missing="-",
    note="*",
    escape=lambda text: text.encode("ascii", "replace").decode(),
    interval="+-{}".format,
    tied="~",
    note_sign="*",
    below_sign="<",
    missing_sign="-",
)


def render(
    board: Board, fmt: Format, *, width: int | None = None, color: bool = False, notes: bool = False
) -> str:
    """Return a board as text in one format.

    Args:
        board: To show.
        fmt: "table", "md", "csv", "json", "latex", "html" or "challenge".
        width: Columns of the table; 100 where it is None. The other formats have no width.
        color: Whether the table holds colour codes.
        notes: Whether Markdown and LaTeX, which are for papers, hold all notes as the other formats do.

    Returns:
        The text, ending in a line break.

    Raises:
        UsageError: There is no such format.
    """
    if fmt == "table":
        from rich.console import Console

        console = Console(
            file=io.StringIO(),
            width=width or 100,
            force_terminal=color,
            color_system="standard" if color else None,
        )
        with console.capture() as capture:
            console.print(TerminalBoard(board))
        return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"
    writers: dict[str, Callable[[Board], str]] = {
        "md": partial(papers.to_markdown, notes=notes),
        "csv": export.to_csv,
        "json": export.to_json,
        "latex": partial(papers.to_latex, notes=notes),
        "html": page.to_html,
        "challenge": results_table.write_table,
    }
    if fmt not in writers:
        raise UsageError(
            f"there is no format {fmt!r}", remedy=f"choose one of {', '.join(get_args(Format))} with --format"
        )
    return writers[fmt](board)


def style_of(options: ConsoleOptions) -> Style:
    """Return how cells are written on a console; it may know ASCII alone."""
    return _ASCII if options.ascii_only else _TERMINAL


def for_console(text: str, options: ConsoleOptions) -> str:
    """Return a text that a console can encode: it must not fail on a team's name.

    Args:
        text: Any.
        options: Of the console.
    """
    if not options.ascii_only:
        return text
    plain = text.replace("·", "|").replace("±", "+-").replace("≈", "~")
    return plain.encode("ascii", "replace").decode()


@dataclass(frozen=True)
class TerminalBoard:
    """A board that a rich console prints: as many columns as fit, then the captions.

    Where the console is too narrow, SSIM is left out first, then the runtimes of the splits, the sub-scores,
    the ratio, and FLOPs and parameters; the ranks of the sub-tracks are then shown beside the costs.
    """

    board: Board

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield title, table and captions."""
        from rich.text import Text

        style = style_of(options)
        yield Text(for_console(layout.title(self.board), options), style="bold")
        if self.board.rows:
            # A long name is broken over lines before a column is left out for it.
            for keys, name_width in product(layout.widths_of(self.board), (24, 16, 12)):
                columns = dict(zip(keys, self._columns(keys, style), strict=True))
                widths = {key: _width(key, texts) for key, texts in columns.items()}
                widths["team"] = min(widths["team"], name_width)
                # One character between two columns, and one at either edge.
                if sum(widths.values()) + len(widths) + 1 <= options.max_width:
                    break
            yield self._table(columns, widths, style)
            if less := layout.left_out_columns(self.board, keys):
                yield Text(f"Too narrow for {less}: widen the window, or use another --format.", style="dim")
        for text in captions.captions(self.board, style):
            yield Text(for_console(text, options))

    def _columns(self, keys: tuple[str, ...], style: Style) -> list[list[str]]:
        rows = [layout.cells(self.board, row, keys, style) for row in self.board.rows]
        columns = map(list, zip(*rows, strict=True))
        return [texts if key == "team" else _aligned(texts) for key, texts in zip(keys, columns, strict=True)]

    def _table(self, columns: dict[str, list[str]], widths: dict[str, int], style: Style) -> Table:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.ASCII if style is _ASCII else box.HORIZONTALS, padding=(0, 0), pad_edge=False)
        for key in columns:
            name = key == "team"
            table.add_column(
                Text("\n".join(layout.column(key).lines)),
                width=widths[key],
                justify="left" if name else "right",
                no_wrap=not name,
                overflow="fold" if name else "ellipsis",
            )
        rows = self.board.rows
        for row, following, texts in zip(
            rows, (*rows[1:], None), zip(*columns.values(), strict=True), strict=True
        ):
            below = layout.below_threshold(row)
            table.add_row(
                *(
                    Text(text, "red" if key in below else "")
                    for key, text in zip(columns, texts, strict=True)
                ),
                style="bold" if row.rank == 1 else "",
                end_section=following is not None and following.status != row.status,
            )
        return table


def _width(key: str, texts: list[str]) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, (*texts, *layout.column(key).lines)))


def _aligned(texts: list[str]) -> list[str]:
    """Pad what follows the numbers of a column to one length, so that their decimal points stay in line.

    >>> _aligned(["2.59⁽⁷⁾", "3.88⁽¹³⁾", "1.00"])
    ['2.59⁽⁷⁾ ', '3.88⁽¹³⁾', '1.00    ']
    """
    numbers = [re.match(r"[\d.e>]*", text) for text in texts]
    tails = [len(text) - (number.end() if number else 0) for text, number in zip(texts, numbers, strict=True)]
    longest = max((n for n, number in zip(tails, numbers, strict=True) if number and number.end()), default=0)
    return [text + " " * max(longest - tail, 0) for text, tail in zip(texts, tails, strict=True)]
