"""Names and messages of strangers in every format: on one line, and nothing that a terminal would act on."""

from __future__ import annotations

import csv
import dataclasses
import io
import re

import pytest
from boards import stored
from record_factory import make_failure, make_record
from timed_records import timed

from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking.anew import changes_of
from ntire_bench.ranking.board import Board, board_from_reference, build
from ntire_bench.records.record import Finding
from ntire_bench.reporting import codabench, render
from ntire_bench.reporting.among import Among
from ntire_bench.reporting.among_formats import render_among

# What a terminal acts on, a line break that a format could take for its own, and turned writing.
NASTY = "N\x1b[31m\x1b]0;title\x07\x9b2J\r\n=1\u2028\u202e</td><script>x</script>"
ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
RULES = protocols.load("ntire2024")


def hostile() -> Board:
    """Return a board that shows such names wherever one is shown: as rows, ties, moves, notes, left out."""
    found = Finding(code="odd", severity="warning", message=NASTY)
    rejected = Finding(code="memorized", severity="reject", message=NASTY)
    records = (
        dataclasses.replace(timed(1, f"{NASTY}1", 0.8, 0.05), findings=(found,)),
        timed(2, f"{NASTY}2", 0.81, 0.05),
        dataclasses.replace(
            make_record(3, f"{NASTY}3", runtime_ms={"valid": 14.0, "test": 12.0}, flops=4 * 10**9),
            findings=(found,),
        ),
        dataclasses.replace(make_record(4, f"{NASTY}4"), findings=(rejected,)),
        make_record(5, f"{NASTY}5", psnr={"valid": (20.0, 19.0), "test": (28.0, 27.0)}),
        make_failure(6, f"{NASTY}6", message=NASTY),
    )
    changes = changes_of({"runtime": 0.1, "flops": 0.8, "params": 0.1})
    board = build(stored(*records), changes.applied_to(RULES), made_by=RULES)
    assert board.anew is not None and board.anew.moves and board.left_out
    return board


BOARD = hostile()


@pytest.mark.parametrize("fmt", ["table", "md", "csv", "json", "latex", "html", "challenge"])
def test_nothing_acts_on_a_terminal(fmt: str) -> None:
    notes = fmt in ("md", "latex")
    text = render.render(BOARD, fmt, width=140, notes=notes)  # type: ignore[arg-type]
    found = ACTS.search(text.replace("\t", " ") if fmt == "challenge" else text)
    assert found is None, (fmt, text[found.start() - 80 : found.end() + 80])
    assert "title" in text  # the names are there


@pytest.mark.parametrize("fmt", ["table", "md", "csv", "json", "latex", "html"])
def test_nor_among_the_rows_of_a_reference(fmt: str) -> None:
    both = Among(name="ntire2024", own=BOARD, reference=board_from_reference("ntire2024"))
    assert not ACTS.search(render_among(both, fmt, width=140))


def test_a_row_stays_a_row() -> None:
    for text in (
        render.render(BOARD, "csv"),
        render_among(Among(name="x", own=BOARD, reference=board_from_reference("ntire2024")), "csv"),
    ):
        rows = list(csv.reader(io.StringIO(text)))
        assert len(rows) == text.count("\n") and {len(row) for row in rows} == {len(rows[0])}
        assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "@"))]
    table = [line for line in render.render(BOARD, "md").splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert set(codabench.scores(build(stored(make_record(1, NASTY)), RULES))) >= {"ranked", "score_final"}
