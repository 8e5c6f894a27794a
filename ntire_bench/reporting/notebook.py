"""A board as a piece of HTML for a notebook: plain tags, no style sheet and no script of its own."""

from __future__ import annotations

import html

from ntire_bench.ranking.board import Board
from ntire_bench.reporting import captions, layout
from ntire_bench.reporting.page import html_style

__all__ = ["to_fragment"]


def to_fragment(board: Board) -> str:
    """Return a board as a table with its title above and its captions below.

    Names come from strangers, so every one is escaped.
    """
    keys = layout.columns_of(board)
    heads = ["<br>".join(html.escape(line) for line in layout.column(key).lines) for key in keys]
    lines = [
        "<div>",
        f"<p><strong>{html.escape(layout.title(board))}</strong></p>",
        "<table>",
        f"<thead><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr></thead>",
        "<tbody>",
    ]
    for row in board.rows:
        cells = layout.cells(board, row, keys, html_style(row))
        lines.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    lines += ["</tbody>", "</table>", "<ul>"]
    lines += [f"<li>{html.escape(text)}</li>" for text in captions.captions(board, layout.PLAIN)]
    lines += ["</ul>", "</div>"]
    return "\n".join(lines) + "\n"
