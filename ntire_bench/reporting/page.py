"""A board as one HTML page: no file beside it, nothing fetched, readable without scripts."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator

from ntire_bench.ranking.board import Board
from ntire_bench.ranking.board_notes import display_name, remarks
from ntire_bench.ranking.ranks import Row
from ntire_bench.reporting import captions, layout
from ntire_bench.reporting.layout import Style

__all__ = ["html_style", "to_html"]

# No bar is longer than this many times the baseline's score: the others would be too short to see.
_WIDEST = 3.0
_PARTS = (("runtime", "Runtime"), ("params", "Params"), ("flops", "FLOPs"))  # as the table orders them
_STATUS = {
    "below threshold": "No rank: PSNR below the threshold",
    "rejected": "No rank: rejected, for what the notes say",
    "not countable": "No rank: FLOPs not known, for what the notes say",
    "not judged": "No rank: not judged",
    "unstable": "No rank: runtime unstable or not believed, to be measured again when the machine is idle",
    "baseline": "Baseline, out of rank",
}

_CSS = """
:root { color-scheme: light dark; --ink: #1c2024; --dim: #5f6870; --line: #dfe3e6; --back: #fff;
  --head: #f5f7f8; --runtime: #2f6fb7; --params: #7fb069; --flops: #e0a458; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9eb; --dim: #9aa4ac; --line: #333a40;
  --back: #15181b; --head: #1e2327; --runtime: #5b9ce0; --params: #8fc178; --flops: #e8b46e;
  --bad: #ff8a80; } }
body { margin: 2rem auto; padding: 0 1rem; max-width: 100rem; background: var(--back); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.35rem; margin: 0 0 .25rem; }
.about, .notes, .key { color: var(--dim); }
.key span::before { content: ""; display: inline-block; width: .8em; height: .8em; margin: 0 .35em 0 .9em;
  border-radius: 2px; background: var(--part); }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .5rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
thead th { background: var(--head); font-weight: 600; vertical-align: bottom; }
thead button { all: unset; cursor: pointer; white-space: pre-line; }
thead button:focus-visible { outline: 2px solid var(--runtime); }
th[aria-sort=ascending] button::after { content: " \\25B2"; }
th[aria-sort=descending] button::after { content: " \\25BC"; }
th.team, td.team { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 9rem; }
td.rank { font-weight: 600; }
tbody tr:hover { background: var(--head); }
tr.first td { font-weight: 600; }
tr.unranked td { color: var(--dim); }
tr td.below { color: var(--bad); font-weight: 600; }
sup { color: var(--dim); font-weight: 400; }
.bar { width: 10rem; height: .75rem; display: block; }
.bar text { fill: var(--dim); font-size: 9px; }
.bar line { stroke: var(--ink); stroke-width: 1.2; }
.runtime { fill: var(--runtime); } .params { fill: var(--params); } .flops { fill: var(--flops); }
.group th { text-align: left; background: none; color: var(--dim); font-weight: 600; padding-top: 1rem; }
"""

# Sorts the rows within each body: those without a rank stay below the ranked.
_SCRIPT = """
for (const button of document.querySelectorAll("thead button")) button.addEventListener("click", () => {
  const head = button.closest("th"), at = head.cellIndex;
  const up = head.getAttribute("aria-sort") !== "ascending", named = head.classList.contains("team");
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  for (const body of document.querySelectorAll("tbody")) {
    const rows = [...body.rows].filter(row => !row.classList.contains("group"));
    const key = ({dataset: {value}}) => named || value === "" ? value : Number(value);
    rows.sort((a, b) => {
      const one = key(a.cells[at]), two = key(b.cells[at]);
      if (one === "" || two === "") return (one === "") - (two === "");
      const order = named ? one.localeCompare(two, undefined, {numeric: true}) : Math.sign(one - two) || 0;
      return (up ? order : -order) || a.dataset.place - b.dataset.place;
    });
    body.append(...rows);
  }
});
"""


def to_html(board: Board) -> str:
    """Return a board as a page of its own.

    Names come from strangers, so every one is escaped. A click on a heading sorts by it where scripts are
    allowed. The bar of a row is its final score, made up of the three weighted sub-scores, with its 95 %
    interval.
    """
    title = html.escape(layout.title(board))
    heading, _, about = title.partition(" · ")
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>{_CSS}</style>",
        "</head>",
        "<body>",
        f"<h1>{heading}</h1>",
        f'<p class="about">{about}</p>',
        *(_table(board) if board.rows else ()),
        '<ul class="notes">',
        *(f"<li>{html.escape(text)}</li>" for text in captions.captions(board, layout.PLAIN)),
        "</ul>",
        f"<script>{_SCRIPT}</script>" if board.rows else "",
        "</body>",
        "</html>",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _table(board: Board) -> Iterator[str]:
    weights = board.protocol.weights
    key = "".join(
        f'<span style="--part: var(--{part})">{name} ({getattr(weights, part):g})</span>'
        for part, name in _PARTS
    )
    beyond = " → goes on beyond the bar." if any(_is_beyond(row, _scale(board)) for row in board.rows) else ""
    yield f'<p class="key">Final score, the shorter the better:{key}{beyond}</p>'
    yield '<div class="scroll"><table>'
    yield "<thead><tr>"
    columns = _columns(board)
    for name, column in columns:
        text = "\n".join(column)
        side = ' class="team"' if name == "team" else ""
        sort = ' aria-sort="ascending"' if name == "rank" else ""
        yield f'<th scope="col"{side}{sort}><button type="button">{html.escape(text)}</button></th>'
    yield '<th scope="col">Score</th></tr></thead>'
    scale = _scale(board)
    status = ""
    for place, row in enumerate(board.rows):
        if row.status != status:
            yield ("</tbody>" if status else "") + "<tbody>"
            status = row.status
            if status in _STATUS:
                across = len(columns) + 1
                yield f'<tr class="group"><th colspan="{across}">{html.escape(_STATUS[status])}</th></tr>'
        yield _row(board, row, place, scale)
    yield "</tbody></table></div>"


def _columns(board: Board) -> list[tuple[str, list[str]]]:
    """Return the columns of the page: as in the other formats, but with the rank first."""
    names = ["rank", *(name for name in layout.columns_of(board) if name != "rank")]
    return [(name, layout.column(name).lines) for name in names]


def html_style(row: Row) -> Style:
    """Return how the cells of a row are written in HTML."""
    return Style(
        place=lambda number: f"<sup>({number})</sup>",
        below=lambda text: f"{text}↓",
        missing="–",
        note='<sup title="{}">†</sup>'.format(html.escape("; ".join(remarks(row)), quote=True)),
        escape=html.escape,
    )


def _row(board: Board, row: Row, place: int, scale: float) -> str:
    keys = layout.columns_of(board)
    texts = dict(zip(keys, layout.cells(board, row, keys, html_style(row)), strict=True))
    values = _values(board, row)
    failed = layout.below_threshold(row)
    kind = "first" if row.rank == 1 else "unranked" if row.rank is None else ""
    cells = []
    for name, _ in _columns(board):
        classes = "below" if name in failed else name if name in ("team", "rank") else ""
        shares = "; ".join(f"rank {rank}: {share:.0%}" for rank, share in sorted(row.rank_shares.items()))
        told = f' title="{shares} of the resamples"' if name == "rank" and len(row.rank_shares) > 1 else ""
        value = html.escape(values[name], quote=True)
        cells.append(f'<td class="{classes}" data-value="{value}"{told}>{texts[name]}</td>')
    bar = f"<td>{_bar(board, row, scale)}</td>"
    return f'<tr class="{kind}" data-place="{place}">{"".join(cells)}{bar}</tr>'


def _values(board: Board, row: Row) -> dict[str, str]:
    """Return what each column sorts by: the unrounded number, or nothing where there is none."""
    numbers = {key: layout.value(row, key) for key in layout.columns_of(board)}
    texts = {
        name: "" if value is None else repr(value).replace("inf", "Infinity")  # as JavaScript reads it
        for name, value in numbers.items()
    }
    return {**texts, "team": display_name(row.entry)}


def _is_beyond(row: Row, scale: float) -> bool:
    return row.score is not None and row.score.final is not None and row.score.final > scale


def _scale(board: Board) -> float:
    """Return the score at which bars end."""
    highest = [
        max(row.score.final, (row.entry.score_ci95 or (0.0, 0.0))[1])
        for row in board.rows
        if row.score is not None and row.score.final is not None
    ]
    baseline = math.exp(2)
    usual = [value for value in highest if value <= _WIDEST * baseline]
    return max([*usual, baseline])


def _bar(board: Board, row: Row, scale: float) -> str:
    score, weights = row.score, board.protocol.weights
    if score is None or score.final is None:
        return ""
    width, height = 200.0, 12.0
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
    limits = row.entry.score_ci95
    if limits is not None and limits[0] < limits[1] <= scale:
        low, high = (limit / scale * width for limit in limits)
        middle = height / 2
        parts.append(f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle:g}" y2="{middle:g}"/>')
        parts += [f'<line x1="{x:.1f}" x2="{x:.1f}" y1="3" y2="{height - 3:g}"/>' for x in (low, high)]
    if score.final > scale:
        parts.append(f'<text x="{width + 3:g}" y="{height - 3:g}">→</text>')
    label = html.escape(layout.score_text(score.final), quote=True)
    box = f'viewBox="0 0 {width + 14:g} {height:g}" role="img" aria-label="final score {label}"'
    return f'<svg class="bar" {box}>{"".join(parts)}</svg>'
