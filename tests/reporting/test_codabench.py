"""What a scoring program of Codabench returns: flat, of one team, and no final score for who has no rank."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from boards import board
from imported_results import call
from record_factory import make_failure, make_record
from timed_records import timed

from ntire_bench.errors import UsageError
from ntire_bench.records import store
from ntire_bench.reporting import codabench


def test_scores_are_one_flat_object_of_finite_numbers() -> None:
    numbers = codabench.scores(board(timed(1, "A", 0.5, 0.01)))
    assert json.loads(codabench.to_json(numbers)) == numbers
    assert all(type(value) in (int, float) and math.isfinite(value) for value in numbers.values())
    assert (numbers["ranked"], numbers["passed"], numbers["runtime_ratio"]) == (1, 1, 0.5)
    assert (numbers["psnr_valid_db"], numbers["psnr_rgb_valid_db"]) == (28.55, 26.93)
    # exp(2 * ratio) per cost, weighted as in 2024.
    flops, params = 12e9 / 19_674_931_200, 200_000 / 317_218
    final = 0.7 * math.exp(1.0) + 0.15 * math.exp(2 * flops) + 0.15 * math.exp(2 * params)
    assert numbers["score_final"] == pytest.approx(final)
    assert "id" not in numbers and "rank" not in numbers


@pytest.mark.parametrize(
    ("record", "passed"),
    [
        (make_record(1, "A", psnr={"valid": (26.0, 24.0), "test": (28.0, 27.0)}), 0),
        (timed(1, "A", 0.5, 0.01, unstable=("it drifts",)), 1),
    ],
    ids=["below a threshold", "unstable"],
)
def test_who_may_not_be_ranked_has_no_final_score(record, passed: int) -> None:
    numbers = codabench.scores(board(record))
    assert (numbers["ranked"], numbers["passed"]) == (0, passed)
    assert not {"score_final", "score_low", "score_high"} & numbers.keys() and "runtime_ms" in numbers


def test_the_baseline_alone_is_a_submission_too() -> None:
    assert codabench.scores(board(timed(0, "RLFN", 1.0)))["ranked"] == 1


def test_several_teams_are_refused() -> None:
    with pytest.raises(UsageError, match="found 01_A, 02_B.*--team"):
        codabench.scores(board(make_record(1, "A"), make_record(2, "B")))


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for record in (make_record(0, "RLFN"), make_record(1, "Mine"), make_record(2, "Other")):
        store.save(record, tmp_path / "leaderboard" / "results")
    return tmp_path


def test_both_files_are_of_the_named_team_alone(results: Path) -> None:
    done = call("leaderboard", "--format", "codabench", "--team", "1", "-o", "out", "--json")
    assert done.exit_code == 0
    assert done.stderr.splitlines() == ["written: out/scores.json", "written: out/detailed_results.html"]
    scores = json.loads((results / "out/scores.json").read_text())
    assert json.loads(done.stdout) == {
        "files": ["out/scores.json", "out/detailed_results.html"],
        "scores": scores,
    }
    page = (results / "out/detailed_results.html").read_text()
    assert "01_Mine" in page and "Other" not in page


def test_an_evaluation_that_failed_is_scored_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store.save(make_failure(5, "Broken"), tmp_path / "leaderboard" / "results")
    done = call("leaderboard", "--format", "codabench", "-o", "out")
    assert done.exit_code == 1
    assert json.loads((tmp_path / "out/scores.json").read_text()) == {"ranked": 0, "passed": 0}
    assert "no class of the file loads the checkpoint" in (tmp_path / "out/detailed_results.html").read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--format", "codabench"], "codabench's files need a folder"),
        (["--format", "codabench", "-o", "out"], "name its id with --team"),
        (["--team", "1"], "--team goes with records and --format codabench"),
    ],
)
def test_wrong_use_is_one_message(results: Path, words: list[str], told: str) -> None:
    done = call("leaderboard", *words)
    assert done.exit_code == 2 and told in done.stderr and done.stderr.count("\n") == 1


def test_the_documented_columns_are_keys_that_there_are(root: Path) -> None:
    text = (root / "docs" / "CODABENCH.md").read_text(encoding="utf-8")
    columns = re.findall(r"key: (\w+), index", text)
    assert len(columns) == 7 and set(columns) <= codabench.scores(board(timed(1, "A", 0.5, 0.01))).keys()
