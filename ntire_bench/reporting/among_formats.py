"""Own rows among those of a reference, as terminal table, Markdown, LaTeX, CSV, JSON or page."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal, get_args

from ntire_bench.errors import UsageError
from ntire_bench.ranking.board_notes import display_name
from ntire_bench.reporting import layout, page, papers
from ntire_bench.reporting.among import (
    Among,
    AmongColumn,
    captions_of,
    cells,
    columns_of,
    document_of,
    numbers,
    title,
)
from ntire_bench.reporting.escape import latex
from ntire_bench.reporting.ranking_table import HTML, sort_value
from ntire_bench.reporting.render import for_console, style_of
from ntire_bench.reporting.spreadsheet import no_formula
from ntire_bench.text import json_text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

__all__ = ["AmongFormat", "TerminalAmong", "html_lines", "render_among"]

AmongFormat = Literal["table", "md", "csv", "json", "latex", "html"]
# What is left out of a terminal's table where there is no room, step by step, and how it is called.
_NARROW = {"params": "parameters", "psnr_": "PSNR", "flops": "FLOPs"}
_STEPS: tuple[tuple[str, ...], ...] = ((), ("params",), ("params", "psnr_"), ("params", "psnr_", "flops"))
_SHORT = 10  # characters of a reference's name in a heading
_OTHER = "other"  # in its place where there is the least room
_WHY_NOT = {
    "challenge": "the challenge's results.txt has one runtime for each team, and here are two machines'",
    "codabench": "Codabench's files are of one team",
}


def render_among(among: Among, fmt: str, *, width: int | None = None) -> str:
    """Return own rows among a reference's as text.

    Args:
        among: Both.
        fmt: "table", "md", "csv", "json", "latex" or "html".
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
    writers: dict[str, Callable[[Among], str]] = {
        "md": _markdown,
        "csv": _csv,
        "json": _json,
        "latex": _latex,
        "html": _html,
    }
    if fmt not in writers:
        raise UsageError(
            f"own rows among a reference's are not written as {fmt}",
            found=_WHY_NOT.get(fmt),
            remedy=f"choose one of {', '.join(get_args(AmongFormat))} or site with --format",
        )
    return writers[fmt](among)


def _json(among: Among) -> str:
    return json_text(document_of(among)) + "\n"


def _markdown(among: Among) -> str:
    style = papers.MARKDOWN
    heads = [style.escape(" ".join(column.heading(among.name))) for column in columns_of(among)]
    lines = [f"**{style.escape(title(among))}**", "", _line(heads), "| :-- |" + " --: |" * (len(heads) - 1)]
    for own, _, texts in cells(among, style):
        lines.append(_line([f"**{texts[0]}**" if own else texts[0], *texts[1:]]))
    return "\n".join([*lines, "", *(f"- {style.escape(text)}" for text in captions_of(among, style))]) + "\n"


def _line(texts: list[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _latex(among: Among) -> str:
    """Return a LaTeX table in which own rows are bold; the columns of each machine share a heading."""
    body = [r"\midrule"]
    for own, _, texts in cells(among, papers.LATEX):
        name = rf"\textbf{{{texts[0]}}}" if own else texts[0]
        body.append(papers.latex_row([name, *texts[1:]]))
    heads = [_latex_head(among, column) for column in columns_of(among)]
    texts = [f"Bold: own rows. {captions_of(among, papers.LATEX)[0]}", *captions_of(among, papers.LATEX)[1:]]
    label = f"{among.reference.protocol.name}-among-{among.name}"
    return papers.latex_table(title(among), label, heads, body, texts)


def _latex_head(among: Among, column: AmongColumn) -> tuple[str, str]:
    if not column.whose:
        return papers.group_of(column.key), papers.below_group(column.key)
    of_key = {"runtime": "Runtime [ms]", "final": "Final score", "rank": "Rank"}
    return ("Here" if column.whose == "here" else latex(among.name)), of_key[column.key]


def _csv(among: Among) -> str:
    """Return numbers that are not rounded, with the machine that each is of in the columns' names."""
    columns = columns_of(among)[1:]
    units = {"params": 1e6, "flops": 1e9}
    names = {
        "params": "params_m",
        "flops": "flops_g",
        "runtime": "runtime_ms",
        "final": "score_final",
        "rank": "rank",
    }
    whose = {"": "", "here": "here_", "there": "reference_"}
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    heads = [whose[column.whose] + names.get(column.key, f"{column.key}_db") for column in columns]
    writer.writerow(
        ["from", "team", *heads, "status", "psnr_channel", "here_device", "reference", "reference_device"]
    )
    devices = (among.machines[0], among.name, among.machines[1])
    for own, row in among.rows:
        values = [
            value if value is None or column.key not in units else value / units[column.key]
            for column, value in zip(columns, numbers(among, own, row)[1:], strict=True)
        ]
        name = no_formula(display_name(row.entry))
        last = [row.status, row.entry.channel, *(no_formula(text) for text in devices)]
        writer.writerow(["here" if own else among.name, name, *values, *last])
    return file.getvalue()


def _html(among: Among) -> str:
    """Return a page of its own: no file beside it, nothing fetched, readable without scripts."""
    return page.whole(
        title(among),
        [
            *html_lines(among),
            '<ul class="notes">',
            *(f"<li>{html.escape(text)}</li>" for text in captions_of(among)),
            "</ul>",
        ],
        page.made_of(among.own),
    )


def html_lines(among: Among, links: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield the lines of the table of a page, with the search above it; own rows stand out.

    Args:
        among: Both.
        links: Where an own team's name leads, by label; a team that is not there has no link.
    """
    columns = columns_of(among)
    region = html.escape(title(among), quote=True)
    yield (
        '<p class="key">Rows that were measured here have a bar at the left. Each machine has columns of its '
        "own.</p>"
        '<div class="tools" id="among-tools" hidden><label>Search <input type="search" placeholder="team" '
        'autocomplete="off" aria-keyshortcuts="/"></label><output aria-live="polite"></output></div>'
        f'<div class="scroll" role="region" aria-label="{region}" tabindex="0">'
        '<table class="among" data-sortable data-tools="among-tools"><thead><tr>'
    )
    for column in columns:
        text = html.escape("\n".join(column.heading(among.name)))
        kind = ' data-kind="text"' if column.key == "team" else ""
        best = ' data-best="descending"' if column.key.startswith("psnr") else ""
        sort = ' aria-sort="ascending"' if column.key == "flops" else ""
        yield f'<th scope="col"{_class(column)}{kind}{best}{sort}><button type="button">{text}</button></th>'
    yield "</tr></thead><tbody>"
    for place, (own, row, texts) in enumerate(cells(among, HTML)):
        name = html.escape(display_name(row.entry), quote=True)
        below = layout.below_threshold(row)
        link = (links or {}).get(row.entry.label) if own and row.entry.competes else None
        if link:
            texts = [f'<a href="{html.escape(link, quote=True)}">{texts[0]}</a>', *texts[1:]]
        sorted_by = [name, *map(sort_value, numbers(among, own, row)[1:])]
        yield f'<tr class="{"own" if own else ""}" data-place="{place}" data-name="{name}">' + "".join(
            f'<td{_class(column, column.key in below)} data-value="{value}">{text}</td>'
            for column, text, value in zip(columns, texts, sorted_by, strict=True)
        )
        yield "</tr>"
    yield "</tbody></table></div>"


def _class(column: AmongColumn, below: bool = False) -> str:
    begins = column.whose and column.key == "runtime"
    names = [column.key] * (column.key == "team") + ["begins"] * bool(begins) + ["below"] * below
    return f' class="{" ".join(names)}"' if names else ""


@dataclass(frozen=True)
class TerminalAmong:
    """What a rich console prints; own rows are bold.

    Where the console is too narrow, parameters are left out first, then PSNR, then FLOPs.
    """

    among: Among

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield title, table and captions."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        style = style_of(options)
        yield Text(for_console(title(self.among), options), style="bold")
        columns = columns_of(self.among)
        rows = [(own, dict(zip(columns, texts, strict=True))) for own, _, texts in cells(self.among, style)]
        for left_out, name_width in product(_STEPS, (24, 16, 12)):
            kept = [column for column in columns if not column.key.startswith(left_out)]
            name = _OTHER if left_out == _STEPS[-1] else self._short
            widths = [_width([texts[column] for _, texts in rows], column.heading(name)) for column in kept]
            widths[0] = min(widths[0], name_width)
            # One character between two columns, and one at either edge.
            if sum(widths) + len(widths) + 1 <= options.max_width:
                break
        table = Table(
            box=box.ASCII if options.ascii_only else box.HORIZONTALS, padding=(0, 0), pad_edge=False
        )
        for column, width in zip(kept, widths, strict=True):
            first = column.key == "team"
            table.add_column(
                Text("\n".join(column.heading(name))),
                width=width,
                justify="left" if first else "right",
                no_wrap=not first,
                overflow="fold" if first else "ellipsis",
            )
        for own, texts in rows:
            table.add_row(*(Text(texts[column]) for column in kept), style="bold" if own else "")
        yield table
        if left_out:
            told = " and ".join(_NARROW[key] for key in left_out)
            other = f"{_OTHER}: {self.among.name}. " if name == _OTHER else ""
            yield Text(
                f"{other}Too narrow for {told}: widen the window, or use another --format.", style="dim"
            )
        for text in captions_of(self.among, style):
            yield Text(for_console(text, options))

    @property
    def _short(self) -> str:
        """The reference's name as it stands in headings; the whole one is in the title."""
        name = self.among.name
        return name if len(name) <= _SHORT else f"{name[: _SHORT - 2]}.."


def _width(texts: list[str], heading: list[str]) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, (*texts, *heading)))
