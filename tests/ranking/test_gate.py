"""Pass, below, not judged: what a CI job is told about a record."""

from __future__ import annotations

import dataclasses
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_factory import make_failure, make_record

from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking.gate import EXIT_CODES, gate

RULES = protocols.load("ntire2024")  # 26.90 dB on valid, 26.99 dB on test: the NTIRE 2024 ESR report
SAMPLE = protocols.load("sample")


def judged(psnr, channel="y", rules=RULES, **keywords):
    return gate(make_record(psnr=psnr, **keywords), rules, channel)


@pytest.mark.parametrize(
    ("psnr", "outcome", "code"),
    [
        ({"valid": (28.0, 26.95), "test": (28.0, 27.0)}, "pass", 0),
        ({"valid": (28.0, 26.95)}, "pass", 0),
        ({"valid": (26.90, 26.0)}, "pass", 0),
        ({"valid": (26.896, 26.0)}, "pass", 0),  # counts as 26.90, as published entries did
        ({"valid": (26.894, 26.0)}, "below", 1),
        ({"valid": (28.0, 28.0), "test": (26.98, 28.0)}, "below", 1),
        ({"valid": (None, None)}, "not judged", 2),
        ({"Set5": (31.0, 29.0)}, "not judged", 2),
    ],
)
def test_outcome_and_exit_code(psnr, outcome, code):
    answer = judged(psnr)
    assert (answer.outcome, answer.exit_code) == (outcome, code)
    assert bool(answer.reason) == (outcome == "not judged")
    assert answer.submission == "07_Example" and answer.protocol == "ntire2024"


@given(st.floats(20, 40))
def test_pass_is_exactly_what_rounds_to_the_threshold_or_more(psnr):
    expected = "pass" if round(psnr, 2) >= 26.90 else "below"
    assert judged({"valid": (psnr, 25.0)}).outcome == expected


def test_the_other_channel_is_told_where_it_would_fail():
    answer = judged({"valid": (28.4, 26.85), "test": (28.5, 27.10)})
    assert answer.outcome == "pass"
    assert answer.remark.startswith("passes in Y and would fail in RGB (valid: ")
    assert "26.85" in answer.remark and "26.90" in answer.remark and "test" not in answer.remark
    answer = judged({"valid": (26.0, 27.0)}, channel="rgb")
    assert answer.remark.startswith("passes in RGB and would fail in Y")


@pytest.mark.parametrize(
    ("psnr", "channel"),
    [
        ({"valid": (28.4, 27.0)}, "y"),  # passes in both
        ({"valid": (26.0, 25.0)}, "y"),  # fails in both
        ({"valid": (28.4, 26.85)}, "rgb"),  # below already
        ({"valid": (28.4, None)}, "y"),  # RGB cannot be judged
    ],
)
def test_nothing_is_remarked_where_the_channels_agree(psnr, channel):
    assert judged(psnr, channel).remark == ""


@pytest.mark.parametrize("channel", ["y", "rgb"])
def test_the_channel_decides(channel):
    answer = judged({"valid": (28.0, 26.0)}, channel)
    assert answer.outcome == {"y": "pass", "rgb": "below"}[channel]
    assert all(verdict.channel == channel for verdict in answer.verdicts)


def test_a_failed_evaluation_is_not_judged():
    answer = gate(make_failure(message="no class loads it"), RULES, "y")
    assert (answer.outcome, answer.exit_code, answer.reason) == ("not judged", 2, "no class loads it")


def test_thresholds_under_the_baseline():
    # The baseline of record_factory has 28.60 dB on valid; the sample rules allow 0.06 dB less.
    assert judged({"valid": (28.54, 20.0)}, rules=SAMPLE, protocol="sample", sample=True).outcome == "pass"
    assert judged({"valid": (28.53, 20.0)}, rules=SAMPLE, protocol="sample", sample=True).outcome == "below"
    without = judged({"valid": (28.54, 20.0)}, rules=SAMPLE, protocol="sample", baseline=False)
    assert without.outcome == "not judged" and "baseline" in without.reason


def test_the_sample_set_is_never_judged_by_the_challenges_thresholds():
    answer = judged({"valid": (40.0, 40.0)}, sample=True)
    assert answer.outcome == "not judged" and answer.sample


def test_the_document_is_plain_and_whole():
    answer = judged({"valid": (28.4, 26.85)})
    document = json.loads(msgspec.json.encode(answer.document()))
    assert document["outcome"] == "pass" and document["exit_code"] == 0
    assert document["remark"] == answer.remark != ""
    (verdict,) = document["verdicts"]
    assert verdict == {
        "split": "valid",
        "channel": "y",
        "psnr_db": 28.4,
        "threshold_db": 26.9,
        "passed": True,
        "reason": verdict["reason"],
    }
    assert [v["passed"] for v in document["other_channel"]] == [False]
    assert document["submission"] == "07_Example" and document["sample"] is False


def test_every_outcome_has_an_exit_code():
    assert EXIT_CODES == {"pass": 0, "below": 1, "rejected": 1, "not judged": 2}
    with pytest.raises(dataclasses.FrozenInstanceError):
        judged({"valid": (28.0, 27.0)}).outcome = "pass"


def test_rules_that_have_changed_since_the_record_are_not_applied():
    answer = judged({"valid": (28.0, 26.95)}, protocol_sha256="0" * 64)
    assert (answer.outcome, answer.exit_code) == ("not judged", 2)
    assert "have changed since" in answer.reason
    # Other rules are another matter: whoever names them means them.
    assert gate(make_record(protocol="ntire2024", protocol_sha256="0" * 64), SAMPLE, "y").verdicts


def test_what_the_thresholds_are_not_for_is_noted():
    record = make_record(psnr={"valid": (28.0, 26.95)})
    few = dataclasses.replace(record.splits["valid"], images=2)
    answer = gate(dataclasses.replace(record, splits={"valid": few}), RULES, "y")
    assert answer.outcome == "pass"
    assert any("these are 2 of DIV2K_LSDIR_valid" in note for note in answer.notes)
