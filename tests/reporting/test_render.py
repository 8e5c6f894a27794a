"""Every format of a board: complete, safe, and as wide as it may be."""

from __future__ import annotations

import csv as csv_module
import dataclasses
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from boards import board, stored
from record_factory import (
    make_failure,
    make_record,
)
from rich.console import Console

from ntire_bench.errors import UsageError
from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking.board import board_from_reference, build
from ntire_bench.reporting import export, render


def test_board_of_nothing() -> None:
    empty = board()
    assert (empty.rows, empty.left_out, empty.device_name) == ((), (), None)
    assert "No record of ntire2024 can be ranked." in render.render(empty, "table")
    for fmt in ("md", "csv", "json", "latex", "html"):
        assert render.render(empty, fmt)  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", ["sample", "ntire2024"])
def test_sample_is_said_in_every_format(protocol: str) -> None:
    records = stored(make_record(1, "A", sample=True, protocol=protocol))
    got = build(records, protocols.load(protocol))
    assert got.sample
    for fmt in ("table", "md", "latex", "html"):
        text = " ".join(render.render(got, fmt, width=160).split())  # type: ignore[arg-type]
        text = re.sub("<title>.*</title>", "", text)  # the name of a page's window
        assert "SAMPLE" in text and text.count("not comparable with the challenge") == 1
    assert json.loads(render.render(got, "json"))["sample"] is True
    assert next(csv_module.DictReader(io.StringIO(render.render(got, "csv"))))["sample"] == "True"


def test_reference_table_stands_as_published(root: Path) -> None:
    text = render.render(board_from_reference("ntire2024"), "table", width=160)
    lines = [line for line in text.splitlines() if re.search(r"\d\.\d+.* (\d+|–)$", line)]
    assert len(lines) == 35
    # Rows of the report whose printed scores follow from its printed costs to the last digit.
    assert lines[0].split() == (
        "XiaomiMM 26.94 27.01 5.62 5.57 5.59 0.151 9.83 2.59⁽¹⁾ 2.59⁽⁷⁾ 2.72⁽⁸⁾ 2.61 1".split()
    )
    assert lines[23].split() == (
        "Minimalist 26.91 27.02 53.37 47.02 50.20 0.346 20.65 "
        "506.53e1⁽²⁴⁾ 8.87⁽²¹⁾ 8.16⁽²²⁾ 354.82e1 24".split()
    )
    assert lines[33].split()[1:] == (
        "24.53↓ 24.75↓ 315.17 302.12 308.64 16.698 1174.94 597.94e20 566.23e43 763.95e49 114.59e49 –".split()
    )
    assert lines[34].split() == (
        "RLFN (baseline) 26.96 27.07 14.35 9.19 11.77 0.317 19.67 7.39 7.39 7.39 7.39 –".split()
    )
    assert "NVIDIA RTX 3090 · PSNR on RGB · published table" in text
    assert "NTIRE 2024 Efficient Super-Resolution Challenge Report" in text and "SPAN-T's 2.60" in text


LONG = make_record(7, "A_name_that_is_much_longer_than_a_column")


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for shown in (
        board_from_reference("ntire2024"),
        board(make_record(0, "RLFN"), LONG, make_failure(2, "B")),
    ):
        text = render.render(shown, "table", width=width)
        assert max(len(line) for line in text.splitlines()) <= width
        assert "…" not in text


def test_narrow_tables_keep_every_rank() -> None:
    text = render.render(board_from_reference("ntire2024"), "table", width=80)
    assert re.search(
        r"HiSR +26\.91 +27\.03 +11\.26⁽⁹⁾ +0\.208⁽¹¹⁾ +11\.99⁽¹¹⁾ +5\.81 +9$", text, re.MULTILINE
    )
    assert "Too narrow for the runtime of each split and the sub-scores" in text.replace("\n", " ")


def test_markup_in_a_name_is_shown_as_it_is() -> None:
    got = board(make_record(1, "[red]x|y_z\x1b[2J"))
    assert "[red]x|y_z [2J" in render.render(got, "table", width=160)
    assert r"\[red\]x\|y_z" in render.render(got, "md")
    assert r"01\_{[}red]x\textbar{}y\_z" in render.render(got, "latex")
    for fmt in ("table", "md", "latex", "csv", "json", "html"):
        assert "\x1b" not in render.render(got, fmt)  # type: ignore[arg-type]


def test_colour_only_where_it_is_asked_for() -> None:
    got = board(make_record(1, "A", psnr={"valid": (20.0, 20.0)}))
    assert "\x1b" not in render.render(got, "table")
    assert "\x1b[31m" in render.render(got, "table", color=True)


def test_consoles_that_know_ascii_alone_are_served() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Console(file=out, width=100).print(
        render.TerminalBoard(board(make_record(1, "Ünet"), make_failure(2, "Ö")))
    )
    out.flush()
    text = out.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert "01_?net" in text and "(1)" in text


def test_markdown_is_one_table() -> None:
    lines = render.render(board_from_reference("ntire2024"), "md").splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 37
    assert {line.count("|") for line in table} == {14}
    assert table[2].startswith(
        "| XiaomiMM | 26.94 | 27.01 | **5.62** | **5.57** | **5.59** | 0.151 | 9.83 | **2.59**<sup>(1)</sup>"
    )


def test_latex_is_a_booktabs_table() -> None:
    text = render.render(board_from_reference("ntire2024"), "latex")
    for rule in (r"\toprule", r"\bottomrule", r"\begin{tabular}{lrrrrrrrrrrrr}", r"\end{tabular}"):
        assert text.count(rule) == 1
    assert text.count(r"\midrule") == 3
    rows = [
        line for line in text.splitlines() if line.endswith(r"\\") and not line.startswith((" &", "Team"))
    ]
    assert len(rows) == 35 and {row.count(" & ") for row in rows} == {12}
    assert rows[3].startswith(
        r"VPEG\_O & 26.90 & 27.01 & 12.20 & 7.06 & 9.63 & 0.212 & 13.86 & 5.14$^{(4)}$ &"
    )
    assert r"SPAN-T & 26.92 & \underline{26.98} &" in text
    assert ">" not in re.sub(r"\$>\$", "", text)


def test_csv_holds_the_published_numbers(root: Path) -> None:
    rows = list(csv_module.DictReader(io.StringIO(render.render(board_from_reference("ntire2024"), "csv"))))
    with (root / "leaderboard/reference/ntire2024.csv").open(newline="") as file:
        published = {line["team"].removesuffix(" (baseline)"): line for line in csv_module.DictReader(file)}
    assert len(rows) == 35
    for row in rows:
        line = published[row["team"]]
        for key in ("psnr_valid_db", "psnr_test_db", "runtime_valid_ms", "runtime_test_ms", "runtime_ms"):
            assert float(row[key]) == float(line[key])
        for key in ("params_m", "flops_g"):
            assert float(row[key]) == pytest.approx(float(line[key]), rel=1e-12)
        for key in ("rank", "rank_runtime", "rank_params", "rank_flops"):
            assert row[key] == line[key]


def test_frame_has_numbers_that_are_not_rounded() -> None:
    table = export.frame(
        board(make_record(1, "A", params=123_457), make_record(2, "B", psnr={"valid": (20.0, 20.0)}))
    )
    assert list(table["team"]) == ["A", "B", "RLFN"]
    assert table["params_m"][0] == 0.123457
    assert table["rank"].isna().tolist() == [False, True, True]
    assert str(table["rank"].dtype) == "Int64"


def test_json_document() -> None:
    slow = make_record(2, "B", runtime_ms={"valid": 1e5, "test": 1e5})
    document = json.loads(render.render(board(make_record(1, "A"), slow, make_failure(3, "C")), "json"))
    assert document.keys() == {
        *(
            "protocol",
            "psnr_channel",
            "device",
            "sample",
            "source",
            "rows",
            "left_out",
            "notes",
            "superseded",
        ),
        *("costs", "anew"),
    }
    assert document["protocol"]["name"] == "ntire2024"
    device = document["device"]
    assert (device["name"], device["threads"]) == ("NVIDIA GeForce RTX 3090", None)
    assert device["class"] == {
        **{"kind": "cuda", "threads": 1, "cpu": "Example CPU", "torch": "2.10.0"},
        **{"driver": None, "cuda": None, "cudnn": None},
    }
    first, second = document["rows"][:2]
    assert (first["id"], first["name"], first["rank"], first["status"]) == (1, "A", 1, "ranked")
    assert first["splits"]["test"] == {"psnr_y_db": 28.66, "psnr_rgb_db": 27.02, "runtime_ms": 10.0}
    assert first["verdicts"][0]["passed"] is True and first["verdicts"][0]["threshold_db"] == 26.9
    assert (second["rank"], second["score"]["final"], second["score"]["flops"] is None) == (2, None, False)
    assert document["left_out"][0]["kind"] == "failed" and document["left_out"][0]["team"] == "03_C"
    in_rgb = json.loads(render.render(board(make_record(1, "A"), channel="rgb"), "json"))
    assert in_rgb["rows"][0]["splits"] == first["splits"] and in_rgb["psnr_channel"] == "rgb"


def test_ssim_has_columns_where_it_was_computed() -> None:
    plain = make_record(1, "A")
    split = dataclasses.replace(plain.splits["valid"], ssim_y=0.81234)
    shown = board(dataclasses.replace(plain, splits={**plain.splits, "valid": split}), make_record(2, "B"))
    text = render.render(shown, "table", width=200)
    assert "SSIM" in text and re.search(r"01_A +28\.55 +28\.66 0\.8123", text)
    assert re.search(r"02_B +28\.55 +28\.66 +– ", text)
    assert "| SSIM valid |" in render.render(shown, "md") and "SSIM test" not in render.render(shown, "md")
    latex = render.render(shown, "latex")
    assert "valid & test & valid & valid & test & average" in latex
    assert r"\cmidrule(lr){5-7} \cmidrule(lr){10-12}" in latex
    assert "0.8123" in render.render(shown, "html")
    assert next(csv_module.DictReader(io.StringIO(render.render(shown, "csv"))))["ssim_valid"] == "0.81234"
    rows = json.loads(render.render(shown, "json"))["rows"]
    assert rows[0]["splits"]["valid"]["ssim_y"] == 0.81234
    assert "SSIM" not in render.render(board(plain), "table", width=200)
    assert "Too narrow for SSIM" in render.render(shown, "table", width=80).replace("\n", " ")


def test_unknown_format_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="choose one of table, md, csv, json, latex, html"):
        render.render(board(), "docx")  # type: ignore[arg-type]


def test_importing_the_reporting_half_loads_nothing_heavy() -> None:
    modules = [f"ranking.{name}" for name in "entry scoring reference selection board".split()]
    modules += ["records.store", *(f"reporting.{name}" for name in "layout export render".split())]
    program = "import sys; " + "; ".join(f"import ntire_bench.{module}" for module in modules)
    program += "; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    loaded = done.stdout.split()
    heavy = {"torch", "pandas", "numpy", "rich", "cv2", "skimage", "fvcore", "PIL"}
    assert heavy.isdisjoint(loaded)
    assert "ntire_bench.reporting.render" in loaded
