"""A board as one HTML page: no file beside it, nothing fetched, readable without scripts."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ntire_bench import PACKAGE, __version__
from ntire_bench.ranking.board import Board
from ntire_bench.ranking.left_out import LeftOut
from ntire_bench.reporting import captions, layout, ranking_table
from ntire_bench.text import one_line, relative

__all__ = ["asset", "days_of", "made_of", "to_html", "whole", "without_folders"]

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
    the same. Of a file that is left out its name is told, not its folder.
    """
    board = without_folders(board)
    body = [
        *(ranking_table.lines(board) if board.rows else ()),
        '<ul class="notes">',
        *(f"<li>{html.escape(text)}</li>" for text in captions.captions(board, layout.PLAIN)),
        "</ul>",
    ]
    return whole(layout.title(board), body, made_of(board))


def whole(title: str, body: Sequence[str], foot: str) -> str:
    """Return a whole page, its style sheet and its script inside.

    Args:
        title: Plain text; what comes before the first " · " is the heading.
        body: Lines of HTML, with a table for assets/table.js.
        foot: Plain text.
    """
    heading, _, about = html.escape(title).partition(" · ")
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{html.escape(title)}</title>",
        f"<style>{asset('page.css')}</style>",
        "</head>",
        "<body>",
        f"<h1>{heading}</h1>",
        f'<p class="about">{about}</p>',
        *body,
        f"<footer><p>{html.escape(foot)}</p></footer>",
        f"<script>{asset('table.js')}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def without_folders(board: Board) -> Board:
    """Return a board that names files that are left out without their folders: a page is published.

    Where the records lie on this machine is nobody else's business.
    """

    def bare(item: LeftOut) -> LeftOut:
        path = Path(item.path)
        reason = item.reason.replace(relative(path), path.name).replace(str(path), path.name)
        return replace(item, path=path.name, reason=reason)

    return replace(board, left_out=tuple(map(bare, board.left_out)))


def days_of(board: Board) -> str | None:
    """Return from when to when a board's records are; None where there are none, or the day is unknown."""
    days = sorted(f"{item.created:%Y-%m-%d}" for item in board.records)
    return " to ".join(dict.fromkeys((days[0], days[-1]))) if days and not board.imported else None


def made_of(board: Board) -> str:
    """Return by which rules, where and when what a page shows was measured, and which version wrote it."""
    rules, device, days = board.protocol, board.device_class, days_of(board)
    parts = [
        f"Rules {rules.name} (sha256 {rules.sha256[:12]}…)",
        *([f"measured on {device}"] if device is not None and not device.imported else []),
        *([f"records of {days}"] if days else []),
        f"page by ntire_bench {__version__}",
    ]
    return f"{one_line(' · '.join(parts))}."
