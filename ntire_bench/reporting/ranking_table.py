"""The ranking as an HTML table: a row a team, a bar for its score; sorting and search are assets/table.js."""

from __future__ import annotations

import html
import math
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ntire_bench.ranking.board import Board
from ntire_bench.ranking.board_notes import display_name, remarks
from ntire_bench.ranking.ranks import Row
from ntire_bench.reporting import layout
from ntire_bench.reporting.layout import Style

__all__ = ["HTML", "bar_scale", "html_style", "lines", "sort_value"]

# No bar is longer than this many times the median score: one outlier would make the others too short to see.
_WIDEST = 2.0
_BASELINE = math.exp(2)
_PARTS = (("runtime", "Runtime"), ("params", "Params"), ("flops", "FLOPs"))  # as the table orders them
_STATUS = {
    "below threshold": "No rank: PSNR below the threshold",
    "rejected": "No rank: rejected, for what the notes say",
    "not countable": "No rank: FLOPs not known, for what the notes say",
    "not judged": "No rank: not judged",
    "unstable": "No rank: runtime unstable or not believed, to be measured again when the machine is idle",
    "baseline": "Baseline, out of rank",
}
_FIRST = ("rank", "team", "final")
# Left out where there is no room, or by choice.
_DETAILS = ("ssim_", "runtime_", "score_")  # what the names of these columns begin with


def lines(board: Board, links: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield the lines of the table with what belongs above it: search, a choice of columns, a key.

    The bar of a row is its final score, made up of the three weighted sub-scores, with its 95 % interval.

    Args:
        board: With at least one row.
        links: Where a team's name leads, by label; a team that is not there has no link.
    """
    weights = board.protocol.weights
    key = "".join(
        f'<span style="--part: var(--{part})">{name} ({getattr(weights, part):g})</span>'
        for part, name in _PARTS
    )
    scale = bar_scale(board)
    marks = "The line on a bar is the 95 % interval, the dashed line the baseline."
    if any(row.score and row.score.final is not None and row.score.final > scale for row in board.rows):
        marks += " → goes on beyond the bar."
    yield f'<p class="key">Bars, the shorter the better: {key}{marks}</p>'
    yield (
        '<div class="tools" id="ranking-tools" hidden><label>Search <input type="search" '
        'placeholder="team" autocomplete="off" aria-keyshortcuts="/"></label>'
        '<label><input type="checkbox" autocomplete="off"> all columns</label>'
        '<output aria-live="polite"></output></div>'
    )
    yield '<div class="scroll" role="region" aria-label="Ranking" tabindex="0">'
    yield '<table class="ranking" data-sortable data-tools="ranking-tools">'
    yield "<thead><tr>"
    columns = _columns(board)
    for name in columns:
        yield _heading(name)
        if name == "final":
            yield '<th scope="col" class="parts">Its parts</th>'
    yield "</tr></thead>"
    status = ""
    for place, row in enumerate(board.rows):
        if row.status != status:
            yield ("</tbody>" if status else "") + "<tbody>"
            status = row.status
            if status in _STATUS:
                text = html.escape(_STATUS[status])
                yield f'<tr class="group"><th colspan="{len(columns) + 1}"><span>{text}</span></th></tr>'
        yield _row(board, row, place, scale, links or {})
    yield "</tbody></table></div>"


def _columns(board: Board) -> list[str]:
    """Return the columns of the page: as in the other formats, but rank, team and final score come first.

    A split that no row has is left out.
    """
    known = {split for row in board.rows for split in (*row.entry.psnr_db, *row.entry.runtime_by_split_ms)}
    splits = board.protocol.splits
    absent = {f"{what}_{split}" for split in splits if split not in known for what in ("psnr", "runtime")}
    return [*_FIRST, *(name for name in layout.columns_of(board) if name not in (*_FIRST, *absent))]


def _heading(name: str) -> str:
    text = html.escape("\n".join(layout.column(name).lines))
    side = f' class="{_class(name)}"' if _class(name) else ""
    kind = ' data-kind="text"' if name == "team" else ""
    best = ' data-best="descending"' if name.startswith(("psnr", "ssim")) else ""
    sort = ' aria-sort="ascending"' if name == "rank" else ""
    return f'<th scope="col"{side}{kind}{best}{sort}><button type="button">{text}</button></th>'


def _class(name: str) -> str:
    return name if name in _FIRST else "detail" if name.startswith(_DETAILS) else ""


HTML = Style(
    place=lambda number: f"<sup>({number})</sup>",
    below=lambda text: f"{text}↓",
    missing="–",
    note="",
    escape=html.escape,
)


def html_style(row: Row) -> Style:
    """Return how the cells of a row are written in HTML; a pointer on the dagger shows its remarks."""
    told = html.escape("; ".join(remarks(row)), quote=True)
    return replace(HTML, note=f'<sup title="{told}">†</sup>')


def _row(board: Board, row: Row, place: int, scale: float, links: Mapping[str, str]) -> str:
    keys = layout.columns_of(board)
    texts = dict(zip(keys, layout.cells(board, row, keys, html_style(row)), strict=True))
    if row.entry.competes and (link := links.get(row.entry.label)):
        mark = html_style(row).note if remarks(row) else ""
        name = html.escape(display_name(row.entry))
        texts["team"] = f'<a href="{html.escape(link, quote=True)}">{name}</a>{mark}'
    values = _values(board, row)
    failed = layout.below_threshold(row)
    kind = "first" if row.rank == 1 else "unranked" if row.rank is None else ""
    cells = []
    for name in _columns(board):
        classes = "below" if name in failed else _class(name)
        shares = "; ".join(f"rank {rank}: {share:.0%}" for rank, share in sorted(row.rank_shares.items()))
        told = f' title="{shares} of the resamples"' if name == "rank" and len(row.rank_shares) > 1 else ""
        value = html.escape(values[name], quote=True)
        cells.append(f'<td class="{classes}" data-value="{value}"{told}>{texts[name]}</td>')
        if name == "final":
            cells.append(f'<td class="parts">{_bar(board, row, scale)}</td>')
    name = html.escape(values["team"], quote=True)
    return f'<tr class="{kind}" data-place="{place}" data-name="{name}">{"".join(cells)}</tr>'


def _values(board: Board, row: Row) -> dict[str, str]:
    """Return what each column sorts by: the unrounded number, or nothing where there is none."""
    numbers = {key: layout.value(row, key) for key in layout.columns_of(board)}
    return {**{name: sort_value(value) for name, value in numbers.items()}, "team": display_name(row.entry)}


def sort_value(value: float | None) -> str:
    """Return a number as JavaScript reads it; nothing where there is none.

    >>> sort_value(0.1), sort_value(math.inf), sort_value(None)
    ('0.1', 'Infinity', '')
    """
    return "" if value is None else repr(value).replace("inf", "Infinity")


def bar_scale(board: Board) -> float:
    """Return the score at which bars end: of the highest that is not far from what is usual.

    The baseline's is within, unless all others are far better.
    """
    scored = [
        (
            row.status == "ranked",
            row.score.final,
            max(row.score.final, (row.entry.score_ci95 or (0.0, 0.0))[1]),
        )
        for row in board.rows
        if row.score is not None and row.score.final is not None and math.isfinite(row.score.final)
    ]
    finals = [final for ranked, final, _ in scored if ranked] or [final for _, final, _ in scored]
    if not finals:
        return _BASELINE
    limit = _WIDEST * statistics.median_low(finals)
    usual = [final for _, final, _ in scored if final <= limit]
    ends = [end for _, _, end in scored if end <= limit]
    return max([*usual, *ends, *([_BASELINE] if limit >= _BASELINE else [])])


def _bar(board: Board, row: Row, scale: float) -> str:
    score, weights = row.score, board.protocol.weights
    if score is None or score.final is None:
        return ""
    width, height = 200.0, 18.0
    left, parts = 0.0, []
    for part, _ in _PARTS:
        value, weight = getattr(score, part), getattr(weights, part)
        share = min(weight * value / scale, 2.0) if weight > 0 else 0.0
        drawn = min(share * width, width - left)
        if drawn > 0:
            parts.append(
                f'<rect class="{part}" x="{left:.1f}" y="1" width="{drawn:.1f}" height="{height - 2:g}"/>'
            )
        left = min(left + drawn, width)
    if scale >= _BASELINE:
        x = _BASELINE / scale * width
        parts.append(f'<line class="base" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height:g}"/>')
    limits = row.entry.score_ci95
    if limits is not None and limits[0] < limits[1] <= scale:
        low, high = (limit / scale * width for limit in limits)
        middle = height / 2
        parts.append(f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle:g}" y2="{middle:g}"/>')
        parts += [f'<line x1="{x:.1f}" x2="{x:.1f}" y1="5" y2="{height - 5:g}"/>' for x in (low, high)]
    if score.final > scale:
        parts.append(f'<text class="over" x="{width + 2:g}" y="{height / 2 + 4:g}">→</text>')
    label = html.escape(layout.score_text(score.final), quote=True)
    box = f'viewBox="0 0 {width + 14:g} {height:g}" role="img" aria-label="final score {label}"'
    return f'<svg class="bar" {box}>{"".join(parts)}</svg>'
