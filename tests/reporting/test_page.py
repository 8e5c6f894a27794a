"""The leaderboard as an HTML page: complete, well-formed, and safe whatever the teams call themselves."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from record_factory import make_record

from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking import scoring
from ntire_bench.ranking.board import Board, board_from_reference, build
from ntire_bench.ranking.board_notes import display_name
from ntire_bench.records.store import Stored
from ntire_bench.reporting import render

VOID = ("meta", "rect", "line")


class Page(HTMLParser):
    """Checks that elements nest, and keeps their attributes, the text of cells, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def attributes(self, tag: str, name: str) -> list[str | None]:
        return [held[name] for found, held in self.seen if found == tag and name in held]


def page(board: Board) -> Page:
    return Page(render.render(board, "html"))


def board_of(*records) -> Board:
    kept = [Stored(path=Path(f"{number}.json"), record=record) for number, record in enumerate(records)]
    return build(kept, protocols.load("ntire2024"))


def test_the_published_table_is_all_there() -> None:
    """The first lines of the NTIRE 2024 ESR report's Table 1."""
    found = page(board_from_reference("ntire2024"))
    teams = [row for row in found.rows[1:] if len(row) > 1]
    assert len(teams) == 35 and {len(row) for row in teams} == {14}
    assert teams[0][:6] == ["1", "XiaomiMM", "26.94", "27.01", "5.62", "5.57"]
    assert [row[0] for row in teams if row[1] == "SPAN-T"] == ["–"]
    assert next(row for row in found.rows if len(row) == 1) == ["No rank: PSNR below the threshold"]
    marked = [cell for row in found.rows for cell in row if "↓" in cell]
    assert marked and len(marked) == sum(
        held.get("class") == "below" for tag, held in found.seen if tag == "td"
    )


def test_it_needs_no_other_file_and_names_none() -> None:
    found = page(board_from_reference("ntire2024"))
    assert not [tag for tag, _ in found.seen if tag in ("link", "img", "iframe", "object")]
    for name in ("src", "href", "style"):
        held = [value for _, attributes in found.seen if (value := attributes.get(name))]
        assert name == "style" or held == []
    assert not re.search(r"url\(|@import|fetch\(|https?:", render.render(board_of(make_record(1)), "html"))


def test_columns_sort_by_unrounded_numbers() -> None:
    board = board_from_reference("ntire2024")
    found = page(board)
    values = found.attributes("td", "data-value")
    rows = [values[start : start + 13] for start in range(0, len(values), 13)]
    finals = [float(row[-1]) for row, of in zip(rows, board.rows, strict=True) if of.rank is not None]
    assert finals == sorted(finals) and len(set(finals)) == len(finals)
    assert [row[1] for row in rows] == [display_name(row.entry) for row in board.rows]


@pytest.mark.parametrize("name", ["</td><script>alert(1)</script>", '" onmouseover="x', "a&amp;b <b>"])
def test_names_are_text_whatever_they_hold(name: str) -> None:
    found = page(board_of(make_record(1, name)))
    assert len([tag for tag, _ in found.seen if tag == "script"]) == 1
    assert not any("onmouseover" in held for _, held in found.seen)
    assert name in found.text and f"01_{name}" in found.attributes("td", "data-value")


def test_bars_are_as_long_as_scores_and_show_the_interval() -> None:
    board = board_from_reference("ntire2024")
    text = render.render(board, "html")
    bars = re.findall(r"<svg.*?</svg>", text)
    first, last = board.rows[0], board.rows[1]
    lengths = [sum(map(float, re.findall(r'<rect[^>]* width="([\d.]+)"', bar))) for bar in bars]
    assert first.score is not None and last.score is not None
    assert first.score.final is not None and last.score.final is not None
    assert lengths[0] / lengths[1] == pytest.approx(first.score.final / last.score.final, rel=0.01)
    assert max(lengths) <= 200.1
    share = scoring.metric_score(5.59, 11.77) * 0.7 / first.score.final  # of Table 1
    runtime = float(re.findall(r'<rect class="runtime"[^>]* width="([\d.]+)"', bars[0])[0])
    assert runtime / lengths[0] == pytest.approx(share, rel=0.01)


def test_a_score_beyond_the_scale_ends_in_an_arrow() -> None:
    slow = make_record(2, "Slow", runtime_ms={"valid": 9000.0, "test": 9000.0})
    text = render.render(board_of(make_record(1, "Fast"), slow), "html")
    assert text.count(">→<") == 1 and "Infinity" in text
    assert "→ goes on beyond the bar." in text
