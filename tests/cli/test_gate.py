"""The command gate: its answers and exit statuses."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
import toys
from commands import process
from pairs import smooth, write_pairs
from record_factory import make_failure, make_record

from ntire_bench.errors import SubmissionError
from ntire_bench.records import store
from ntire_bench.records.record import Finding


@pytest.fixture
def record_file(tmp_path) -> Callable[..., Path]:
    return lambda **keywords: store.save(make_record(**keywords), tmp_path / "results")


def test_gate_passes_and_says_that_rgb_would_not(call, record_file):
    result = call("gate", "--record", record_file(psnr={"valid": (28.4, 26.85)}))
    assert result.exit_code == 0
    assert result.stdout.startswith("PASS  07_Example  protocol ntire2024, PSNR on Y: valid: ")
    assert "Note: it passes in Y and would fail in RGB (valid: " in result.stdout


def test_gate_rejudges_a_record_in_the_other_channel(call, record_file):
    path = record_file(psnr={"valid": (28.4, 26.85)})
    result = call("gate", "--record", path, "--psnr_channel", "rgb")
    assert result.exit_code == 1 and result.stdout.startswith("BELOW  07_Example")
    document = json.loads(call("gate", "--record", path, "--psnr-channel", "rgb", "--json").stdout)
    assert (document["outcome"], document["exit_code"], document["channel"]) == ("below", 1, "rgb")


def test_gate_does_not_judge_what_has_no_threshold(call, record_file):
    result = call("gate", "--record", record_file(psnr={"Set5": (31.0, 29.0)}))
    assert result.exit_code == 2 and result.stdout.startswith("NOT JUDGED")


def test_gate_does_not_judge_a_failure(call, tmp_path):
    result = call("gate", "--record", store.save(make_failure(), tmp_path / "results"), "--json")
    assert result.exit_code == 2 and json.loads(result.stdout)["outcome"] == "not judged"


@pytest.mark.slow
def test_gate_from_a_fresh_run_of_several(place):
    """One passes, one fails to run: the worst of their exit codes, and both are told."""
    done = process("gate", "1", "2", "--data_dir", "images", "--json", cwd=place)
    assert done.code == 2, done.stderr
    answers = {answer["submission"]: answer for answer in done.document["gates"]}
    assert answers["01_Good"]["outcome"] == "pass"
    assert answers["02_Bad"]["outcome"] == "not judged" and "forward failed" in answers["02_Bad"]["reason"]


def test_gate_from_a_fresh_run_below(place):
    done = process("gate", "1", "--data_dir", "hopeless", cwd=place)
    assert done.code == 1 and done.stdout.startswith("BELOW  01_Good"), done.stderr


def test_a_file_that_cannot_be_read_costs_no_other_its_answer(call, here, monkeypatch):
    """`gate` goes on where a checkpoint vanishes as its turn comes."""
    from ntire_bench.workflows import evaluate as module

    def vanishes(submission, *_: object, **__: object):
        raise SubmissionError("cannot be read", file=submission.file)

    monkeypatch.setattr(module, "evaluate", vanishes)
    result = call("gate", "1", "2", "--data-dir", "images", "--json")
    document = json.loads(result.stdout)
    assert len(document["gates"]) == 2
    assert all("cannot be read" in gate["reason"] for gate in document["gates"])


def test_a_fresh_run_hears_the_organizer_as_a_record_does(call, here, tmp_path, monkeypatch):
    """`accept` writes beside the records; `gate` of the same files finds it in the folder of records."""
    from ntire_bench.workflows import evaluate as module

    finding = Finding(code="memorized", severity="reject", message="PSNR fell")
    record = make_record(1, "Good", psnr={"valid": (28.0, 26.95)}, findings=(finding,))
    changed = dataclasses.replace(record.submission, file_sha256="f" * 64)
    results = tmp_path / "results"
    stored = store.save(record, results)
    given = [record]
    monkeypatch.setattr(module, "evaluate", lambda *_, **__: given[-1])
    fresh = ("gate", "1", "--data-dir", "images", "--isolation", "none", "--accepted", results)
    before = call(*fresh)
    assert before.exit_code == 1 and before.stdout.startswith("REJECTED  01_Good")
    assert call("accept", "1", "memorized", "--because", "it is known.", "--results", results).exit_code == 0
    for words in (fresh, ("gate", "--record", stored)):
        after = call(*words)
        assert after.exit_code == 0 and after.stdout.startswith("PASS  01_Good"), words
        assert "Note: memorized is accepted by the organizer, as it is known.\n" in after.stdout
    assert json.loads(call(*fresh, "--json").stdout)["accepted"] == {"memorized": "it is known."}
    given.append(dataclasses.replace(record, submission=changed))  # other files: another submission
    assert call(*fresh).exit_code == 1


def test_a_stored_record_becomes_junit_and_a_step_summary(call, record_file, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    path = record_file(psnr={"valid": (20.0, 19.0)})
    result = call("gate", "--record", path, "--junit", tmp_path / "out/junit.xml", "--json")
    assert result.exit_code == 1 and json.loads(result.stdout)["outcome"] == "below"
    assert "::error file=models/team07_Example.py,title=07_Example::BELOW: valid: 20.00 dB" in result.stderr
    suite = ElementTree.parse(tmp_path / "out/junit.xml").getroot().find("testsuite")
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("1", "1")
    assert "| 07_Example | BELOW |" in (tmp_path / "summary.md").read_text()
    monkeypatch.delenv("GITHUB_ACTIONS")
    assert "::error" not in call("gate", "--record", path).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["1", "--max-params-growth", "2%"], "a limit on growth needs a version to compare with"),
        (["1", "--max-params-growth", "two", "--against", "HEAD"], "'two' is no share: write 2% or 0.02"),
        (["--changed", "a", "--against", "b"], "--changed and --against are both given"),
        (["--record", "x.json", "--results", "r"], "--record judges what was measured before"),
        (["--changed", ""], "BASE names no commit"),
        (
            ["1", "--against", "HEAD", "--rounds", 1, "--max-runtime-growth", "5%"],
            "one round gives no interval of the runtime",
        ),
        (["1", "--against", ""], "BASE names no commit"),
    ],
)
def test_options_that_do_not_go_together(call, words, said):
    result = call("gate", *words)
    assert result.exit_code == 2 and said in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_change_is_compared_with_the_version_in_the_base(tmp_path):
    """Eight channels became sixteen: the counts are those of the layers, and more than is allowed."""

    def git(*words: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True)

    wide = 'SUBMISSION = {"model": "Toy", "data_range": 1, "args": {"channels": 16}}'
    toys.write_toy(tmp_path, 0, "RLFN", body=toys.DECLARED)
    toys.write_toy(tmp_path, 5, "Net", body=toys.DECLARED)
    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-qm", "base")
    toys.write_toy(tmp_path, 5, "Net", body=toys.toy(head=wide), channels=16)
    git("checkout", "-qb", "branch")
    git("commit", "-qam", "wider")
    write_pairs(tmp_path / "images", "valid", [smooth(1), smooth(2)])
    words = ["--data_dir", "images", "--psnr_channel", "y", "--results", "kept", "--save-dir", "sr", "--json"]
    done = process("gate", "--changed", "main", "--max-params-growth", "50%", *words, cwd=tmp_path)
    assert done.code == 1, done.stderr
    (gate,) = done.document["gates"]

    def parameters(channels: int) -> int:
        return (27 + 1) * channels + (9 * channels + 1) * 48  # two convolutions with biases

    assert gate["growth"]["params"] == [parameters(16), parameters(8)]
    assert gate["outcome"] == "pass" and "the parameters grew by" in gate["growth"]["exceeded"][0]
    assert gate["growth"]["runtime"]["ci95"] is not None and gate["file"] == "models/team05_Net.py"
    assert store.load(tmp_path / gate["record"]).submission.label == "05_Net"
    assert len(list((tmp_path / "sr").rglob("*.png"))) == 2


def test_a_change_does_not_bring_an_organizers_word_of_its_own(call, here, tmp_path, monkeypatch):
    """A pull request may hold files in the folder of records; a folder that is named is the organizer's."""
    from ntire_bench.cli import gate_runs
    from ntire_bench.ranking.growth import not_compared
    from ntire_bench.workflows import evaluate as module

    finding = Finding(code="memorized", severity="reject", message="PSNR fell")
    record = make_record(1, "Good", psnr={"valid": (28.0, 26.95)}, findings=(finding,))
    monkeypatch.setattr(module, "evaluate", lambda *_, **__: record)
    monkeypatch.setattr(sys.modules["ntire_bench.cli.gate"], "changed_ids", lambda *_: ([1], []))
    monkeypatch.setattr("ntire_bench.submissions.changed.base_commit", lambda *_: "main")
    monkeypatch.setattr(gate_runs, "_growth", lambda *_: not_compared("main", "y", "it is new"))
    images = here / "images"
    sources = ("--models", here / "models", "--model-zoo", here / "model_zoo")
    monkeypatch.chdir(tmp_path)  # as a checkout of the change
    default = tmp_path / "leaderboard" / "results"
    store.save(record, default)
    assert call("accept", "1", "memorized", "--because", "x").exit_code == 0
    words = ("gate", "--changed", "main", "--data-dir", images, "--isolation", "none", *sources)
    assert call(*words).exit_code == 1
    assert call(*words, "--results", default).exit_code == 1  # that folder is for what is measured
    assert call(*words, "--accepted", default).exit_code == 0
