"""A results file of either kind is read, or told what is wrong with it in one plain message."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from challenge_files import model, text, write_json, write_text
from imported_results import (
    call,
    imported,
)

from ntire_bench.challenge_results import file as results_file
from ntire_bench.reporting.render import render

GOOD = ("A", "26.96", "27.07", "14.00", "9.00", "11.50", "0.317", "19.67", "80.05", "467.70", "39")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.json", "", "r.json: the results file is not JSON; .*; found an empty file"),
        ("r.json", '{"00_RLFN": ', "r.json: the results file is not JSON; .*line 1 column"),
        ("r.json", "[" * 100_000, "not JSON"),
        (
            "r.json",
            "[1, 2]",
            "the results file is not a dict; expected a dict of model names.*found a list of 2",
        ),
        ("r.json", "3", "the results file is not a dict; .*found 3"),
        ("r.json", "{}", "the results file holds no model"),
        ("r.json", '{"A": [1]}', "'A' is not a dict of results; .*found a list of 1"),
        ("r.json", '{"valid_runtime": [1.0]}', "'valid_runtime' is not a dict of results"),
        ("r.json", '{"A": {}, "A": {}}', "'A' occurs twice in one dict"),
        ("r.json", '{"A": {"flops": 1, "flops": 2}}', "'flops' occurs twice in one dict"),
        ("r.json", '{" ": {}}', "a model has no name"),
        ("r.json", '{"A": {}, "A ": {}}', "'A' occurs twice; found 'A' and 'A '"),
        (
            "r.json",
            '{"A": {"flops": [1, 2]}}',
            "A: flops is not a number; expected a number; found a list of 2",
        ),
        ("r.json", '{"A": {"flops": "1"}}', "A: flops is not a number; .*found the text '1'"),
        ("r.json", '{"A": {"num_conv": true}}', "A: num_conv is not a number; .*found true"),
        ("r.json", '{"A": {"valid_psnr": 27.0}}', "A: valid_psnr is not a list; .*found 27.0"),
        (
            "r.json",
            '{"A": {"valid_runtime": [1, {}]}}',
            r"A: valid_runtime\[1\] is not a number; .*a dict of 0",
        ),
        ("r.txt", "", "the results file is empty"),
        (
            "r.txt",
            "Model only\nA\n",
            "line 1 is not a header with Model, Params .*Val Time .*found 'Model only'",
        ),
        ("r.txt", text([GOOD]).replace("\t", "  "), "line 1 is not a header with Model, Params"),
        ("r.txt", text([]), "the results file holds no model"),
        (
            "r.txt",
            text([GOOD]) + "B\t26.9\n",
            r"line 3 does not fit the header; expected 11 cells.*found 2: 'B",
        ),
        (
            "r.txt",
            text([GOOD]) + "\n" + "\t".join([*GOOD, "x"]),
            "line 4 does not fit the header; .*found 12",
        ),
        (
            "r.txt",
            text([(*GOOD[:3], "fast", *GOOD[4:])]),
            r"line 2: Val Time \[ms\] is not a number; found 'fast'",
        ),
        ("r.txt", text([(*GOOD[:3], "1_0", *GOOD[4:])]), "line 2: Val Time .* is not a number; found '1_0'"),
        ("r.txt", text([("", *GOOD[1:])]), "line 2 has no name under Model"),
        ("r.txt", text([GOOD, GOOD]), "'A' occurs twice; found line 2 and line 3"),
        (
            "r.txt",
            text([GOOD]).replace("Val Time [ms]", "Val Time [s] "),
            r"a column is in another unit; expected Val Time \[ms\]",
        ),
        ("r.txt", text([GOOD]).replace("Test PSNR", "Val PSNR "), "the column Val PSNR occurs twice"),
    ],
)
def test_malformed_file_is_one_plain_message(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = write_text(tmp_path / name, content)
    done = call("import", path, "--protocol", "ntire2024", "--results", tmp_path / "kept")
    assert done.exit_code == 2 and done.stdout == ""
    assert re.search(message, done.stderr), done.stderr
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    assert not (tmp_path / "kept").exists()


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    for path, message in (
        (tmp_path / "none.json", "No such file"),
        (tmp_path, "Is a directory"),
        (tmp_path / "binary.txt", "is not text"),
    ):
        done = call("import", path, "--protocol", "ntire2024")
        assert done.exit_code == 2 and message in done.stderr


def test_json_may_be_called_otherwise_and_hold_more(tmp_path: Path) -> None:
    path = write_json(tmp_path / "results", {"07_A": model(valid_ssim=[0.8], note="x")})
    file = results_file.read(path)
    assert file.format == "json" and file.ignored == ("valid_ssim", "note")


def test_names_cannot_break_a_line_or_a_terminal(tmp_path: Path, results: Path) -> None:
    path = write_json(tmp_path / "r.json", {"07_A\n\x1b[31m\ud800B": model()})
    board = imported(path, results)
    assert board.rows[0].entry.label == "07_A [31m B"
    assert len(render(board, "challenge").splitlines()) == 3
