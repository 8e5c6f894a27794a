"""What is said of a row beside its numbers, in every format that a reader may have before him."""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import json
import re

import pytest
from boards import board
from timed_records import timed

from ntire_bench.ranking.board_notes import remarks
from ntire_bench.records.record import Finding, Record
from ntire_bench.reporting import captions, render

BOUND = "its last kernel was queued after 95% of the runtime"
CLOCK = "the worker's clock does not fit this program's, most likely as the machine was busy"


def with_findings(record: Record, *findings: Finding, **timing: object) -> Record:
    assert record.timing is not None
    changed = dataclasses.replace(record.timing, **timing)  # type: ignore[arg-type]
    return dataclasses.replace(record, findings=findings, timing=changed)


def not_believed(id_: int, name: str, ratio: float) -> Record:
    clock = Finding(code="timing-unattested", severity="warning", message="a long story of two clocks")
    unstable = Finding(
        code="runtime-unstable", severity="warning", message=f"the runtime is unstable: {CLOCK}"
    )
    return with_findings(timed(id_, name, ratio, 0.01), clock, unstable, attested=False, unstable=(CLOCK,))


def plain(fmt: str, text: str) -> str:
    """The words of a format, without its marks."""
    if fmt == "html":
        text = html.unescape(
            re.sub("<(script|style).*?</(script|style)>|<[^>]*>", " ", text, flags=re.DOTALL)
        )
    return " ".join(re.sub(r"\\(?=[^a-z])", "", text).split())


LAUNCH_BOUND = Finding(code="launch-bound", severity="info", message=BOUND)


@pytest.mark.parametrize("fmt", ["table", "md", "csv", "json", "latex", "html"])
def test_every_format_tells_what_keeps_a_runtime_from_being_believed(fmt: str) -> None:
    shown = board(
        timed(1, "A", 0.5, 0.01), not_believed(2, "B", 0.02), with_findings(timed(3, "C", 0.6), LAUNCH_BOUND)
    )
    text = plain(fmt, render.render(shown, fmt, width=160, notes=True))  # type: ignore[arg-type]
    assert "the runtime is not believed" in text and "most likely because other programs kept" in text
    assert "run it again when the machine is idle" in text
    assert f"launch-bound: {BOUND}" in text
    if fmt not in ("csv", "json"):
        said = "No rank, a runtime that is not believed is not ranked against those that are: 02_B."
        assert (
            f"{said} Most likely other programs kept the machine busy: run these again when it is idle."
            in text
        )


def test_programs_see_which_runtime_is_not_believed() -> None:
    shown = board(timed(1, "A", 0.5, 0.01), not_believed(2, "B", 0.02))
    rows = json.loads(render.render(shown, "json"))["rows"]
    assert [(row["name"], row["status"], row["attested"]) for row in rows[:2]] == [
        ("A", "ranked", None),
        ("B", "unstable", False),
    ]
    assert rows[1]["unstable"] == [CLOCK]
    assert {finding["code"] for finding in rows[1]["findings"]} == {"timing-unattested", "runtime-unstable"}
    lines = list(csv.DictReader(io.StringIO(render.render(shown, "csv"))))
    assert lines[1]["status"] == "unstable" and "not believed" in lines[1]["remarks"]


def test_the_clocks_are_told_once() -> None:
    (row,) = [
        row for row in board(timed(1, "A", 0.5, 0.01), not_believed(2, "B", 0.02)).rows if row.entry.id == 2
    ]
    assert sum("believed" in text or "two clocks" in text for text in remarks(row)) == 1
    # An older record, of which only the finding is known, keeps it.
    old = with_findings(timed(3, "C", 0.5), *row.entry.findings)
    (row,) = [row for row in board(old).rows if row.entry.id == 3]
    assert any("two clocks" in text for text in remarks(row))


def test_what_is_on_the_machine_is_no_warning_to_the_team() -> None:
    unstable = Finding(code="runtime-unstable", severity="warning", message="other programs used 40%")
    fault = Finding(code="not-fused", severity="warning", message="costs more than it needs")
    (row,) = [
        row for row in board(with_findings(timed(3, "C", 0.6), unstable, fault)).rows if row.entry.id == 3
    ]
    assert remarks(row) == [
        "machine (runtime-unstable): other programs used 40%",
        "warning (not-fused): costs more than it needs",
    ]


def test_other_information_is_no_note_of_a_row() -> None:
    findings = LAUNCH_BOUND, Finding(code="content-dependent", severity="info", message="by 6%")
    (row,) = [row for row in board(with_findings(timed(3, "C", 0.6), *findings)).rows if row.entry.competes]
    assert remarks(row) == [f"launch-bound: {BOUND}"]


def test_where_nobody_is_believed_all_are_ranked_and_it_is_said() -> None:
    shown = board(not_believed(1, "A", 0.5), not_believed(2, "B", 0.6))
    assert [(row.entry.name, row.rank) for row in shown.rows[:2]] == [("A", 1), ("B", 2)]
    assert any(
        text.endswith("Most likely other programs kept the machine busy: run again when it is idle.")
        for text in captions.captions(shown)
    )


def test_a_remark_of_many_rows_is_written_once() -> None:
    many = [not_believed(number, f"T{number}", 0.5 + number / 10) for number in (2, 3, 4)]
    shown = board(timed(1, "A", 0.5, 0.01), *many)
    (told,) = [note for note in shown.notes if "not believed" in note]
    assert told.startswith("02_T2, 03_T3, 04_T4: the runtime is not believed")
    two = board(timed(1, "A", 0.5, 0.01), *many[:2])
    assert len([note for note in two.notes if "not believed" in note]) == 2
