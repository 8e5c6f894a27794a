"""A board as one HTML page: no file beside it, nothing fetched, readable without scripts."""

from __future__ import annotations

import html

from ntire_bench import PACKAGE
from ntire_bench.ranking.board import Board
from ntire_bench.reporting import captions, layout, ranking_table

__all__ = ["asset", "to_html"]

# Nothing is fetched or sent: should a stranger's text ever get past the escaping, it goes nowhere.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; form-action 'none'"


def asset(name: str) -> str:
    """Return a style sheet or script that pages hold or lie beside.

    Args:
        name: Of a file in reporting/assets.
    """
    return (PACKAGE / "reporting" / "assets" / name).read_text(encoding="utf-8")


def to_html(board: Board) -> str:
    """Return a board as a page of its own: the ranking with search and sorting, and the notes.

    Names come from strangers, so every one is escaped. Where scripts are not allowed, the table is there all
    the same.
    """
    title = html.escape(layout.title(board))
    heading, _, about = title.partition(" · ")
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{title}</title>",
        f"<style>{asset('page.css')}</style>",
        "</head>",
        "<body>",
        f"<h1>{heading}</h1>",
        f'<p class="about">{about}</p>',
        *(ranking_table.lines(board) if board.rows else ()),
        '<ul class="notes">',
        *(f"<li>{html.escape(text)}</li>" for text in captions.captions(board, layout.PLAIN)),
        "</ul>",
        f"<script>{asset('table.js')}</script>" if board.rows else "",
        "</body>",
        "</html>",
    ]
    return "\n".join(line for line in lines if line) + "\n"
