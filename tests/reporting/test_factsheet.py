"""The factsheet's numbers: those of the record, in tables that parsers read."""

from __future__ import annotations

import dataclasses
import re

from markdown_it import MarkdownIt
from record_factory import make_failure, make_record
from timed_records import timed

from ntire_bench.records.record import Finding
from ntire_bench.reporting import factsheet


def test_the_numbers_are_the_records_in_the_units_of_the_challenge() -> None:
    record = make_record(5, "My_Net", params=192_272, flops=12_555_600_000)
    split = dataclasses.replace(record.splits["valid"], ssim_y=0.81234)
    record = dataclasses.replace(record, splits={**record.splits, "valid": split})
    values = {line.key: line.value for line in factsheet.lines_of(record)}
    # As the factsheet of ESPAN states its own: 0.1923 M and 12.5556 G.
    assert (values["params"], values["flops"]) == ("0.1923", "12.5556")
    assert (values["activations"], values["convs"]) == ("80.0500", "39")
    assert (values["psnr_y_valid"], values["psnr_rgb_test"], values["ssim_y_valid"]) == (
        "28.550",
        "27.020",
        "0.8123",
    )
    assert values["runtime_valid"] == "10.00 (9.90 to 10.10)" and values["memory_test"] == "512.0"
    ratio = {line.key: line.value for line in factsheet.lines_of(timed(5, "Net", 0.8, 0.02))}["runtime_ratio"]
    assert ratio == "0.800 (0.780 to 0.820)"


def test_both_tables_have_a_row_for_each_number_and_special_characters_do_no_harm() -> None:
    record = timed(5, "A_b%|#", 0.8, 0.02)
    count = len(factsheet.lines_of(record))
    html = MarkdownIt("commonmark").enable("table").render(factsheet.to_markdown(record))
    assert html.count("<tr>") == count + 1 and "<strong>05_A_b%|#</strong>" in html
    text = factsheet.to_latex(record)
    assert len(re.findall(r" & .* \\\\$", text, re.MULTILINE)) == count
    assert r"\caption{05\_A\_b\%\textbar{}\#}" in text
    assert text.count(r"\begin{") == text.count(r"\end{") == 2


def test_what_a_reader_must_know_is_below() -> None:
    record = make_record(
        5, "Net", sample=True, findings=(Finding(code="x-y", severity="reject", message="m"),)
    )
    notes = "\n".join(factsheet.notes_of(record))
    assert "SAMPLE" in notes and "reject: x-y" in notes and "--ssim" in notes and "torch 2.10.0" in notes
    assert make_failure().complexity is None  # such a record is refused before


def test_the_letter_has_the_title_that_the_guide_asks_for() -> None:
    text = factsheet.letter(make_record(36, "ESPAN", protocol="ntire2025"))
    assert text.startswith("Title: NTIRE 2025 Efficient SR Challenge - [team name] - 036\n")
    assert [line[:2] for line in text.splitlines()[2:8]] == ["a)", "b)", "c)", "d)", "e)", "f)"]
