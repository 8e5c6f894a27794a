"""The command import: what it shows, stores and refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from challenge_files import model, write_json
from click.testing import Result
from imported_results import (
    call,
)
from record_factory import make_record

from ntire_bench.records import store


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "results.json", {"07_A": model(valid_ssim=[0.8]), "08_B b": model(8.0)})
    return lambda *words: call(
        "import", "results.json", "--protocol", "ntire2024", "--results", "kept", *words
    )


def test_import_shows_the_board_and_says_what_it_stored(here: Callable[..., Result]) -> None:
    done = here()
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert "device unknown, imported from results.json (session " in lines[0]
    assert [line.split()[0] for line in lines if re.search(r" \d\.\d\d.* (\d|–) *$", line)] == [
        "08_B",
        "07_A",
        "00_RLFN_baseline",
    ]
    assert done.stderr.splitlines() == [
        "results.json: 3 rows, baseline 00_RLFN_baseline; 3 records written to kept",
        "Not read: valid_ssim",
    ]
    again = here()
    assert again.stdout == done.stdout
    assert again.stderr.splitlines()[0].endswith("all were imported before and are the same: nothing written")


def test_import_shows_its_own_rows_beside_measured_ones(here: Callable[..., Result]) -> None:
    store.save(make_record(7, "A"), Path("kept"))
    assert "imported from results.json" in here().stdout.splitlines()[0]
    assert "RTX 3090" in call("leaderboard", "--results", "kept").stdout.splitlines()[0]


def test_rows_that_the_file_holds_no_more_are_named(here: Callable[..., Result]) -> None:
    assert json.loads(here("--json").stdout)["left_over"] == []
    rows = json.loads(Path("results.json").read_text())
    del rows["08_B b"]
    Path("results.json").write_text(json.dumps(rows))
    done = here()
    assert "08_B" in done.stdout  # nothing that was stored is removed
    (line,) = [line for line in done.stderr.splitlines() if "still ranked" in line]
    assert line.startswith("Not in the file any more, and still ranked: 08_B b (kept")
    assert len(json.loads(here("--json").stdout)["left_over"]) == 1


@pytest.mark.parametrize(
    ("key", "told"), [("valid_runtime", "a runtime of 1e+308 ms"), ("valid_psnr", "a PSNR of 1e+308 dB")]
)
def test_numbers_that_nobody_measured_are_a_failed_row(
    here: Callable[..., Result], key: str, told: str
) -> None:
    rows = json.loads(Path("results.json").read_text())
    rows["08_B b"][key] = [1e308] * len(rows["08_B b"][key])
    Path("results.json").write_text(json.dumps(rows))
    done = here()
    assert done.exit_code == 1 and told in done.stderr and "07_A" in done.stdout


def test_import_for_programs(here: Callable[..., Result]) -> None:
    document = json.loads(here("--json").stdout)
    assert document["baseline"] == "00_RLFN_baseline" and document["format"] == "json"
    assert document["ignored"] == ["valid_ssim"]
    assert [item["new"] for item in document["records"]] == [True, True, True]
    assert document["records"][1]["record"]["imported"]["model"] == "07_A"
    assert [r["rank"] for r in document["leaderboard"]["rows"]] == [1, 2, None]
    again = json.loads(here("--json").stdout)
    assert [item["new"] for item in again["records"]] == [False, False, False]
    assert again["records"][0]["record"] == document["records"][0]["record"]


def test_import_with_a_row_that_holds_no_result(here: Callable[..., Result]) -> None:
    write_json(Path("results.json"), {"07_A": model(flops=None)})
    done = here()
    assert done.exit_code == 1
    assert "07_A  failed in phase import: results.json, '07_A': no FLOPs" in done.stderr
    assert "Failed: 07_A" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["results.json"], "does not say by which rules .*--protocol ntire2024"),
        (["results.json", "--protocol", "ntire1999"], "there is no protocol 'ntire1999'"),
        (
            ["results.json", "--protocol", "ntire2025"],
            "no row is EFDN, .*found 00_RLFN_baseline, 07_A, 08_B b",
        ),
        (["results.json", "--protocol", "ntire2024", "--baseline", "x"], "no row is the baseline 'x'"),
        ([], "Missing argument"),
    ],
)
def test_wrong_use(here: Callable[..., Result], words: list[str], message: str) -> None:
    done = call("import", *words)
    assert done.exit_code == 2 and done.stderr.count("\n") == 1
    assert re.search(message, done.stderr), done.stderr
    document = json.loads(call("import", *words, "--json").stdout)
    assert re.search(message, document["error"]["message"])
