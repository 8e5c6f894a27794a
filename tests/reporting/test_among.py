"""Own rows among a reference's in every width and on every console."""

from __future__ import annotations

import dataclasses
import io
import json
import re

import pytest
from boards import RULES, board, stored
from record_factory import make_record
from rich.console import Console

from ntire_bench.ranking.board import board_from_reference, build
from ntire_bench.records.record import Audit
from ntire_bench.reporting.among import Among
from ntire_bench.reporting.among_formats import TerminalAmong, render_among

NAME = "A_name_that_is_much_longer_than_a_column"
BOTH = Among(
    name="ntire2024",
    own=board(make_record(7, NAME, flops=9_000_000_000), make_record(0, "RLFN"), channel="rgb"),
    reference=board_from_reference("ntire2024"),
)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160])
def test_nothing_is_cut_off_however_narrow_the_terminal(width: int) -> None:
    text = render_among(BOTH, "table", width=width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width and "…" not in text
    # Its printed values in the report's Table 1, whole; names may be broken over lines.
    (row,) = [line for line in lines if line.startswith(" XiaomiMM")]
    assert row.split()[-3:] == ["5.59", "2.61", "1"]
    assert "".join(line[1:13].strip() for line in lines if line[1:9].strip()).count("07_A_name_th") == 1
    if width < 90:
        assert re.search("Too narrow for parameters", text.replace("\n", " "))


def test_which_count_is_shown_is_said() -> None:
    record = make_record(1, "A", flops=10_000_000_000, params=200_000)
    audit = Audit(flops=12_000_000_000, params=200_000)
    audited = dataclasses.replace(record, complexity=dataclasses.replace(record.complexity, audit=audit))
    for which, told in (
        ("audited", "the audit's are shown for 01_A (FLOPs 12.0000 G, by fvcore 10.0000 G)"),
        ("official", "as the challenge counts; the audit found more for 01_A"),
    ):
        own = build(stored(audited), RULES, which=which)
        both = Among(name="ntire2024", own=own, reference=BOTH.reference)
        assert told in " ".join(render_among(both, "md").split())


def test_a_console_that_knows_ascii_alone_is_served() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Console(file=out, width=120).print(TerminalAmong(BOTH))
    out.flush()
    text = out.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert "26.22<" in text and "<: PSNR below its threshold" in " ".join(text.split())


def test_a_terminal_shows_json_without_acting_on_it() -> None:
    hostile = "a\u202eb\x9b31m\x7f\x1b[2J"
    text = render_among(Among(name="x", own=board(make_record(1, hostile)), reference=BOTH.reference), "json")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert json.loads(text)["own"]["rows"][0]["name"] == hostile
