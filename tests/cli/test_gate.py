"""The command gate: its answers and exit statuses."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import process
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
    fresh = ("gate", "1", "--data-dir", "images", "--isolation", "none", "--results", results)
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
