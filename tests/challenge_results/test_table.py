"""results.txt: read by its header, and written so that it reads the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from challenge_files import HEADER, HEADER_VALID, model, text, write_json, write_text
from hypothesis import given
from hypothesis import strategies as st
from imported_results import (
    RULES,
    board_of,
    call,
    imported,
    published,
    published_text,
    row,
    told,
)
from record_factory import make_record

from ntire_bench.challenge_results import file as results_file
from ntire_bench.challenge_results import table
from ntire_bench.ranking.board import Board, build
from ntire_bench.ranking.entry import Costs, Entry
from ntire_bench.ranking.ranks import rank
from ntire_bench.records import store
from ntire_bench.reporting.render import render


def test_header_is_the_challenges() -> None:
    assert tuple(column.title for column in table.COLUMNS) == HEADER


def test_header_tells_which_column_is_which(tmp_path: Path) -> None:
    content = (
        "\ufeff\n flops \tVal Time[ms]\tNote\tMODEL\tParams\tVal PSNR [dB]\r\n"
        "19.67\t14.0\tthe baseline\tRLFN\t0.317\t26.96\t\r\n"
        "12\t7.0\t\tmy net\t0.2\t-\r\n"
    )
    file = results_file.read(write_text(tmp_path / "table", content))
    assert file.format == "text" and file.ignored == ("Note",)
    assert [(r.model, r.where, dict(r.values)) for r in file.rows] == [
        (
            "RLFN",
            "line 3",
            {"flops": 19.67, "valid_ave_runtime": 14.0, "num_parameters": 0.317, "valid_ave_psnr": 26.96},
        ),
        ("my net", "line 4", {"flops": 12.0, "valid_ave_runtime": 7.0, "num_parameters": 0.2}),
    ]


def test_published_table_comes_out_as_it_went_in(root: Path, tmp_path: Path, results: Path) -> None:
    content = published_text(root)
    board = imported(write_text(tmp_path / "results.txt", content), results)
    written = render(board, "challenge")
    assert written.splitlines()[0] == content.splitlines()[0]
    assert sorted(written.splitlines()) == sorted(content.splitlines())


def test_round_trip_gives_the_same_board(tmp_path: Path) -> None:
    models = {
        "07_A": model([6.123456789, 8.1, 7.7, 7.123], (26.8951234, 26.99123)),
        "08_B c d": model([9.87654321, 9.1, 9.2, 9.3], num_parameters=0.1512345, flops=9.832119999),
        "No number": model(10.1, (26.1, 27.0)),
        "09_RLFN-T": model(10.1, activations=None, num_conv=None, valid_memory=None),
    }
    first = imported(write_json(tmp_path / "results.json", models), tmp_path / "one")
    path = write_text(tmp_path / "results.txt", render(first, "challenge"))
    second = imported(path, tmp_path / "two")
    third = imported(write_text(tmp_path / "again.txt", render(second, "challenge")), tmp_path / "three")
    assert told(first) == told(second) == told(third)
    assert render(second, "challenge") == render(third, "challenge")
    for a, b in zip(first.rows, second.rows, strict=True):
        assert (a.rank, a.rank_runtime, a.rank_flops, a.rank_params, a.status) == (
            b.rank, b.rank_runtime, b.rank_flops, b.rank_params, b.status,
        )  # fmt: skip
        assert a.score is not None and b.score is not None and a.entry.costs is not None
        assert vars(b.score) == pytest.approx(vars(a.score), rel=1e-6)
        assert (b.entry.activations, b.entry.convs) == (a.entry.activations, a.entry.convs)
        assert b.entry.costs is not None and b.entry.costs.flops == a.entry.costs.flops
        assert b.entry.costs.params == a.entry.costs.params


def test_without_the_split_test_its_columns_are_left_out(tmp_path: Path, results: Path) -> None:
    models = {"07_A": model(9.0, splits=["valid"]), "00_RLFN_baseline": model(12.0, splits=["valid"])}
    board = imported(write_json(tmp_path / "r.json", models), results)
    cells = [
        ("07_A", "26.93", "9.00", "0.200", "12.00", "80.05", "467.704102", "39"),
        ("00_RLFN_baseline", "26.93", "12.00", "0.200", "12.00", "80.05", "467.704102", "39"),
    ]
    assert render(board, "challenge") == text(cells, HEADER_VALID)
    again = imported(write_text(tmp_path / "r.txt", render(board, "challenge")), tmp_path / "again")
    assert told(again) == told(board)


def test_measured_board_is_written_with_rgb_psnr(tmp_path: Path, results: Path) -> None:
    store.save(make_record(7, "A", psnr={"valid": (28.55, 26.931), "test": (28.66, 27.02)}), results)
    board = board_of(results)
    assert board.channel == "y"
    cells = [
        ("07_A", "26.931", "27.02", "10.00", "10.00", "10.00", "0.200", "12.00", "80.05", "512.00", "39"),
        (
            "00_RLFN",
            "26.96",
            "27.07",
            "14.00",
            "10.00",
            "12.00",
            "0.317218",
            "19.6749312",
            "80.05",
            "512.00",
            "39",
        ),
    ]
    assert render(board, "challenge") == text(cells)
    done = call("leaderboard", "--results", results, "--format", "challenge")
    assert done.stdout == text(cells)
    assert "PSNR in this file is on RGB" in done.stderr
    call("leaderboard", "--results", results, "--format", "challenge", "--output", tmp_path / "results.txt")
    assert (tmp_path / "results.txt").read_text(encoding="utf-8") == text(cells)
    # What was measured here can be imported elsewhere, and ranks the same.
    again = imported(tmp_path / "results.txt", tmp_path / "again")
    first, second = row(board, "07_A").score, row(again, "07_A").score
    assert first is not None and second is not None
    assert second.final == pytest.approx(first.final)


def test_reference_table_can_be_written_and_read(root: Path, tmp_path: Path, results: Path) -> None:
    done = call(
        "leaderboard", "--reference", "ntire2024", "--format", "challenge", "-o", tmp_path / "table.txt"
    )
    assert done.exit_code == 0
    board = imported(tmp_path / "table.txt", results)
    assert [r.entry.name for r in board.rows if r.rank] == [line["team"] for line in published(root)[:26]]


def test_empty_board_is_a_header() -> None:
    assert render(build([], RULES), "challenge") == text([])


NUMBERS = st.floats(min_value=1e-3, max_value=1e6)


@given(psnr=st.floats(min_value=1.0, max_value=99.0), runtime=NUMBERS, params=st.integers(1, 10**9))
def test_what_is_written_reads_the_same(psnr: float, runtime: float, params: int) -> None:
    entry = Entry(
        id=7,
        name="A b",
        channel="rgb",
        psnr_db={"valid": psnr},
        runtime_by_split_ms={"valid": runtime},
        costs=Costs(runtime_ms=runtime, flops=params * 3, params=params),
        baseline=None,
    )
    board = Board(protocol=RULES, channel="rgb", device_name=None, rows=tuple(rank([entry], RULES)))
    (got,), ignored = table.read_table(table.write_table(board), "results.txt")
    assert (got.model, got.line, ignored) == ("07_A b", 2, [])
    assert got.values["valid_ave_psnr"] == pytest.approx(psnr, abs=5.1e-7)
    assert got.values["valid_ave_runtime"] == pytest.approx(runtime, abs=5.1e-7)
    assert round(got.values["num_parameters"] * 1e6) == params
    assert round(got.values["flops"] * 1e9) == params * 3
