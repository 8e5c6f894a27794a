"""The command leaderboard where records are ranked by other rules, and what it writes for a paper."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import toys
from boards import RULES
from click.testing import Result
from imported_results import call
from own_rules import write_rules
from record_factory import make_record

import ntire_bench
from ntire_bench.errors import UsageError
from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking.rules import info_of
from ntire_bench.records import store

Show = Callable[..., Result]


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Show:
    monkeypatch.chdir(tmp_path)
    slow = {"valid": 12.0, "test": 12.0}
    store.save(make_record(1, "Lean", runtime_ms=slow, flops=4 * 10**9), tmp_path / "kept")
    store.save(make_record(2, "Fast"), tmp_path / "kept")
    return lambda *words: call("leaderboard", "--results", "kept", *words)


def test_weights_are_ranked_by_and_moves_said(show: Show) -> None:
    plain = show()
    assert plain.exit_code == 0 and "Ranked anew" not in plain.stdout
    assert plain.stdout.index("02_Fast") < plain.stdout.index("01_Lean")
    done = show("--weights", "runtime=0.1,flops=0.8,params=0.1")
    text = " ".join(done.stdout.split())
    assert done.exit_code == 0 and text.index("01_Lean") < text.index("02_Fast")
    assert "Moved: 01_Lean 2 to 1, 02_Fast 1 to 2." in text
    document = json.loads(show("--weights", "runtime=0.1,flops=0.8,params=0.1", "--json").stdout)
    assert document["anew"]["moves"][0] == {"team": "01_Lean", "before": 2, "after": 1}
    assert document["costs"] == "audited"


def test_thresholds_may_be_given_together_or_one_by_one(show: Show) -> None:
    one = show("--threshold", "valid=28.6", "--threshold", "test=28.7", "--json")
    both = show("--threshold", "valid=28.6,test=28.7", "--json")
    rows = json.loads(both.stdout)["rows"]
    assert json.loads(one.stdout)["rows"] == rows
    assert {row["status"] for row in rows} == {"below threshold", "baseline"}


def test_an_own_file_ranks_other_records_and_its_own(show: Show, tmp_path: Path) -> None:
    write_rules(tmp_path, ("Night = 28.50", ""), ("Fog = 27.00", ""), ("[thresholds.splits]", "valid = 26.5"))
    done = show("--protocol", "mine.toml")
    assert done.exit_code == 0 and "My Efficient Super-Resolution 2027" in done.stdout
    assert "by the rules of mine2027, not those of ntire2024" in " ".join(done.stdout.split())
    rules = protocols.load(write_rules(tmp_path))
    record = make_record(1, "A", psnr={"Night": (28.6, 27.0), "Fog": (27.1, 26.0)})
    store.save(dataclasses.replace(record, protocol=info_of(rules)), tmp_path / "hidden")
    done = call("leaderboard", "--results", "hidden")
    lines = done.stdout.splitlines()
    assert done.exit_code == 0 and "My Efficient Super-Resolution 2027" in lines[0]
    assert "Night" in done.stdout and "Fog" in done.stdout and "valid" not in done.stdout
    for fmt in ("md", "csv", "latex", "html", "json"):
        text = call("leaderboard", "--results", "hidden", "--format", fmt).stdout
        assert "Night" in text and "Fog" in text and "psnr_valid" not in text, fmt


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["--weights", "runtime=0.8"],
            "expected runtime, flops and params; found runtime. Remedy: give all three",
        ),
        (["--weights", "runtime=0.8,flops=0.2,params=0.2"], "must add up to 1, and these give 1.2"),
        (["--weights", "runtime"], "'runtime' is not NAME=NUMBER"),
        (["--weights", "runtime=1,flops=-1,params=1"], "'flops=-1' is no number of at least 0"),
        (["--threshold", "night=20"], "ntire2024 judges no split night"),
        (["--threshold", "valid=1", "--threshold", "valid=2"], "valid is given twice"),
        (["--costs", "mine"], "'mine' is not one of"),
        (["--from", "ntire2025"], "there are no records of ntire2025"),
        (["--protocol", "none.toml"], "none.toml: the protocol cannot be read"),
    ],
)
def test_wrong_use_is_one_message(show: Show, words: list[str], told: str) -> None:
    done = show(*words)
    assert done.exit_code == 2 and done.stderr.count("\n") == 1 and told in done.stderr, done.stderr


def test_run_takes_the_splits_of_own_rules_where_none_is_named(show: Show, tmp_path: Path) -> None:
    toys.write_toy(tmp_path, 1, "Good")
    write_rules(tmp_path)
    done = call("run", "1", "--protocol", "mine.toml", "--data-dir", ".")
    assert done.exit_code == 2 and "Splits of the rules, as --splits names none: Night, Fog." in done.stderr
    assert "Split 'Night'" in done.stderr and "Split 'Fog'" in done.stderr and "valid" not in done.stderr
    write_rules(tmp_path, ("scale = 4", 'scale = "4"'), ("decimals = 2", ""))
    done = call("run", "1", "--protocol", "mine.toml")
    assert done.exit_code == 2 and done.stderr.startswith("Error: mine.toml: 2 mistakes in the protocol; ")
    assert "scale: expected `int`" in done.stderr and "thresholds.decimals: missing" in done.stderr


def test_the_gate_judges_a_record_by_the_rules_that_it_keeps(show: Show, tmp_path: Path) -> None:
    rules = protocols.load(write_rules(tmp_path))
    record = make_record(1, "A", psnr={"Night": (28.6, 27.0), "Fog": (26.1, 26.0)})
    path = store.save(dataclasses.replace(record, protocol=info_of(rules)), tmp_path / "hidden")
    (tmp_path / "mine.toml").unlink()
    done = call("gate", "--record", path)
    assert done.exit_code == 1 and "BELOW  01_A  protocol mine2027" in done.stdout
    assert "Fog: 26.10 dB is below 27.00 dB" in done.stdout
    report = call("audit", "--record", path)
    assert report.exit_code == 0 and "contradicts" not in report.stdout


def test_python_ranks_anew_too(show: Show) -> None:
    weights = {"runtime": 0.1, "flops": 0.8, "params": 0.1}
    board = ntire_bench.leaderboard("kept", weights=weights)
    assert board.anew is not None and [move.team for move in board.anew.moves][:2] == ["01_Lean", "02_Fast"]
    with pytest.raises(UsageError, match="runtime, flops and params must add up to 1"):
        ntire_bench.leaderboard("kept", weights={**weights, "flops": 0.9})


def test_rules_that_measure_otherwise_are_refused(show: Show, tmp_path: Path) -> None:
    write_rules(tmp_path, ("border = 4", "border = 0"))
    done = show("--protocol", "mine.toml")
    assert done.exit_code == 2 and "found border 4, not 0" in done.stderr


def test_nothing_to_rank_is_exit_1_and_says_what_to_do(show: Show, tmp_path: Path) -> None:
    other = make_record(3, "Old", protocol_sha256="0" * 64)
    store.save(other, tmp_path / "old")
    done = call("leaderboard", "--results", "old")
    assert done.exit_code == 1 and "another version of the rules" in done.stdout
    assert "1 record is left out" in done.stderr and "ntire-bench run --all" in done.stderr


def test_papers_hold_no_notes_unless_asked(show: Show) -> None:
    for fmt in ("md", "latex"):
        paper, full = show("--format", fmt), show("--format", fmt, "--notes")
        assert "Isolation" not in paper.stdout and "Isolation" in full.stdout
        assert "--notes writes all" in paper.stderr and full.stderr == ""
    assert RULES.title in show("--format", "latex").stdout
