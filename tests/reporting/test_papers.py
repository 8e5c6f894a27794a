"""Tables for a paper: what is bold, what is explained, what is left out, and that LaTeX takes them."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from boards import board, on
from imported_results import published
from record_factory import make_record
from timed_records import timed

from ntire_bench.ranking.board import board_from_reference
from ntire_bench.reporting import captions, layout, render

# One of each sign: a remark, a PSNR below its threshold, a tie, an interval, a value that is not known.
SIGNS = board(
    timed(1, "A", 0.5, 0.02),
    timed(2, "B", 0.51, 0.02),
    on(21, make_record(3, "C", psnr={"valid": (20.0, 19.0), "test": (28.0, 27.0)})),
    make_record(4, "D", psnr={"valid": (28.0, 27.0)}),
)


def test_the_best_of_each_column_is_bold_and_nothing_else(root: Path) -> None:
    rows = [line for line in published(root) if line["rank"].isdigit()]
    table = render.render(board_from_reference("ntire2024"), "md").splitlines()
    cells = {
        line.split(" | ")[0].removeprefix("| "): line.split(" | ")
        for line in table
        if line.startswith("| ") and "**" in line
    }
    bold = {(name, column) for name, texts in cells.items() for column, t in enumerate(texts) if "**" in t}
    keys = (
        "psnr_valid_db",
        "psnr_test_db",
        "runtime_valid_ms",
        "runtime_test_ms",
        "runtime_ms",
        "params_m",
        "flops_g",
    )
    for column, key in enumerate(keys, 1):
        best = (max if key.startswith("psnr") else min)(float(line[key]) for line in rows)
        names = {line["team"] for line in rows if float(line[key]) == best}
        assert {name.replace("\\", "") for name, place in bold if place == column} == names, key


@pytest.mark.parametrize(
    ("fmt", "signs"),
    [
        ("table", ["†: see the notes below", "↓: PSNR below its threshold", "–: not known, or no rank"]),
        ("html", ["†: see the notes below", "↓: PSNR below its threshold", "–: not known, or no rank"]),
        ("md", ["↓: PSNR below its threshold", "–: not known, or no rank", "bold: the best of those"]),
        ("latex", ["underlined: PSNR below its threshold", "--: not known, or no rank", "bold: the best of"]),
    ],
)
def test_every_sign_is_explained_in_every_format(fmt: str, signs: list[str]) -> None:
    text = " ".join(render.render(SIGNS, fmt, width=160).split())  # type: ignore[arg-type]
    for sign in (*signs, "is half of a 95", "Tied within noise"):
        assert sign in text, sign
    assert ("†" in text or "dagger" in text) == (fmt in ("table", "html"))  # a paper has no notes to see


def test_signs_that_do_not_occur_are_not_explained() -> None:
    text = " ".join(captions.captions(board(make_record(0, "RLFN"), make_record(1, "A"))))
    assert "PSNR below its threshold" not in text and "not known" not in text and "Tied" not in text


def test_latex_has_a_label_and_names_its_packages() -> None:
    text = render.render(board_from_reference("ntire2024"), "latex")
    assert text.startswith("% Needs \\usepackage{booktabs} and \\usepackage{graphicx}.\n")
    assert text.count(r"\label{tab:ntire2024}") == 1
    assert text.index(r"\caption{") < text.index(r"\label{")  # else it refers to the section


def test_the_ratio_stays_where_ranks_follow_it_and_milliseconds_do_not() -> None:
    # A is faster in ms, and B relative to its own session's baseline.
    fast, slow = timed(1, "A", 0.6), timed(2, "B", 0.5)
    slow = in_other_milliseconds(slow, 2.0)
    shown = board(fast, slow)
    assert [row.entry.name for row in shown.rows if row.rank] == ["B", "A"]
    assert layout.ratio_reorders(shown) and all("ratio" in keys for keys in layout.widths_of(shown))
    alike = board(fast, timed(2, "B", 0.5))
    assert not layout.ratio_reorders(alike) and "ratio" not in layout.widths_of(alike)[-1]


def in_other_milliseconds(record, times: float):
    """The same record with all its milliseconds, the baseline's too, so many times as large."""

    def scaled(splits):
        return {
            name: dataclasses.replace(split, runtime_ms=split.runtime_ms * times)
            for name, split in splits.items()
        }

    baseline = dataclasses.replace(record.baseline, splits=scaled(record.baseline.splits))
    return dataclasses.replace(record, splits=scaled(record.splits), baseline=baseline)


def test_csv_has_units_rgb_psnr_and_ssim() -> None:
    record = make_record(1, "A")
    splits = {name: dataclasses.replace(split, ssim_y=0.81) for name, split in record.splits.items()}
    rows = list(
        csv.DictReader(io.StringIO(render.render(board(dataclasses.replace(record, splits=splits)), "csv")))
    )
    row = next(row for row in rows if row["team"] == "A")
    assert (row["psnr_y_test_db"], row["psnr_rgb_test_db"], row["ssim_test"]) == ("28.66", "27.02", "0.81")
    assert (row["memory_mib"], row["activations_m"], row["convs"]) == ("512.0", "80.05", "39")
    without = re.compile(
        r"id|team|is_baseline|ssim_.*|runtime_ratio|costs|convs|score_.*|rank.*|tied_with|status"
    )
    named = re.compile(r".*_(db|ms|percent|m|g|mib)")
    other = {"remarks", "protocol", "psnr_channel", "device", "device_class", "sample"}
    assert [name for name in row if not (without.fullmatch(name) or named.fullmatch(name))] == sorted(
        other, key=list(row).index
    )


HOSTILE = board(
    make_record(1, "a_b%c&d#e$f{g}h^i~j\\k[l]--m<n>"),
    make_record(2, "Ünet", psnr={"valid": (20.0, 19.0), "test": (28.0, 27.0)}),
    make_record(3, "[x"),
)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX here")
@pytest.mark.parametrize("notes", [False, True])
def test_latex_takes_the_tables(tmp_path: Path, notes: bool) -> None:
    tables = [
        render.render(one, "latex", notes=notes)
        for one in (board_from_reference("ntire2024"), SIGNS, HOSTILE)
    ]
    document = "\n".join(
        [
            r"\documentclass{article}\usepackage{booktabs}\usepackage{graphicx}\begin{document}",
            *tables,
            r"\end{document}",
        ]
    )
    (tmp_path / "paper.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-output-format=dvi", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120)
    log = done.stdout.decode(errors="replace")
    assert done.returncode == 0 and "\n!" not in log, log[-2000:]
    assert "Missing character" not in (tmp_path / "paper.log").read_text(errors="replace")
