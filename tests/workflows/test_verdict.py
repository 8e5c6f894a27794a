"""What a strict check ends in, of records that were made by hand."""

from __future__ import annotations

import dataclasses
import json

import msgspec
import pytest
from boards import RULES
from record_factory import make_record
from timed_records import timed

from ntire_bench.cli.verdict_text import verdict_lines
from ntire_bench.records.record import Finding, Record
from ntire_bench.workflows.verdict import Verdict, verdict

BUSY = Finding(code="runtime-unstable", severity="warning", message="other programs used 40% of the machine")
BAD = Finding(code="params-changed", severity="reject", message="parameters() has other elements after")


def lines_of(found: Verdict, *findings: Finding) -> list[str]:
    return list(verdict_lines(found, findings))


def of(record: Record, *findings: Finding) -> Verdict:
    return verdict(record, RULES, findings)


def test_a_pass_says_all_that_a_participant_asks():
    record = timed(7, "Net", 0.5, 0.05)
    found = of(record)
    assert (found.outcome, found.because, found.baseline) == ("pass", "", "00_RLFN")
    assert (found.ratio, found.ratio_ci95) == (0.5, (0.45, 0.55))
    # By hand: 0.7 exp(2 * 0.5) + 0.15 exp(2 * 12 / 19.67) + 0.15 exp(2 * 0.2 / 0.317).
    assert found.standing is not None
    assert found.standing.score == pytest.approx(0.7 * 2.7183 + 0.15 * 3.3877 + 0.15 * 3.5318, abs=1e-3)
    text = "\n".join(lines_of(found))
    assert text.startswith("PASS on these images\n")
    assert "PSNR Y       valid: 28.55 dB, keeps the threshold of 26.90 dB" in text
    assert "PSNR RGB     test: 27.02 dB, keeps the threshold of 26.99 dB" in text
    assert "0.500 of 00_RLFN's, measured beside it (95 % interval 0.450 to 0.550)" in text
    assert "score        2.94 (95 % interval" in text and "place        2 of 27" in text
    assert "after XiaomiMM and before Cao Group" in text and "findings     none" in text


def test_below_a_threshold_and_rejected_come_first():
    low = make_record(7, "Net", psnr={"valid": (26.5, 25.0), "test": (28.0, 27.0)})
    found = of(low)
    assert found.outcome == "below" and found.because == "valid: 26.50 dB is below 26.90 dB"
    assert lines_of(found)[0] == ("BELOW THE THRESHOLD on these images: valid: 26.50 dB is below 26.90 dB")
    rejected = of(low, BAD)
    assert rejected.outcome == "rejected" and lines_of(rejected, BAD)[0].startswith(
        "REJECTED on these images"
    )
    assert "params-changed: parameters() has other elements after" in rejected.because
    assert "1 rejecting, told above" in lines_of(rejected, BAD)[-1]


def test_the_other_channel_is_told_where_it_fails():
    found = of(make_record(7, "Net", psnr={"valid": (27.0, 25.5)}))
    text = "\n".join(lines_of(found))
    assert found.outcome == "pass"
    assert "PSNR RGB     valid: 25.50 dB, below the threshold of 26.90 dB" in text


def test_images_that_the_thresholds_are_not_for_are_told():
    record = timed(7, "Net", 0.5)
    few = {name: dataclasses.replace(split, images=2) for name, split in record.splits.items()}
    found = of(dataclasses.replace(record, splits=few))
    told = "valid: the threshold is for the 200 images of DIV2K_LSDIR_valid; these are 2 of DIV2K_LSDIR_valid"
    assert f"  note         {told}" in lines_of(found) and told in found.document()["notes"]
    assert not any(line.startswith("  note") for line in lines_of(of(record)))


def test_what_is_on_the_machine_is_no_finding_on_the_submission():
    record = dataclasses.replace(timed(7, "Net", 0.5, 0.05), findings=(BUSY,))
    found = of(record)
    assert found.machine == (BUSY.message,) and found.outcome == "pass"
    assert f"  machine      {BUSY.message}" in lines_of(found)


def test_alone_there_is_no_ratio_and_no_place():
    record = make_record(0, "RLFN")  # what is divided by itself
    found = of(dataclasses.replace(record, timing=timed(7, "Net", 0.5).timing))
    assert (found.baseline, found.ratio, found.standing) == (None, None, None)
    text = "\n".join(lines_of(found))
    assert "no ratio: no baseline ran beside it" in text and "no estimate: " in text


def test_beside_another_baseline_there_is_a_ratio_and_no_place():
    record = timed(7, "Net", 0.5)
    assert record.baseline is not None
    other = dataclasses.replace(record.baseline.submission, name="EFDN")
    record = dataclasses.replace(record, baseline=dataclasses.replace(record.baseline, submission=other))
    found = of(record)
    assert found.ratio == 0.5 and found.standing is None
    assert found.no_standing == "it was measured beside EFDN, and the table divides by RLFN"


def test_the_document_is_plain():
    document = json.loads(msgspec.json.encode(of(timed(7, "Net", 0.5, 0.05)).document()))
    assert document["outcome"] == "pass" and document["standing"]["place"] == 2
    assert {one["split"] for one in document["thresholds"]} == {"valid", "test"}
    assert document["psnr_db"]["valid"] == {"y": 28.55, "rgb": 26.93}


def test_a_score_too_large_for_a_number_is_said_so():
    found = of(timed(7, "Net", 0.5))
    assert found.standing is not None
    huge = dataclasses.replace(found, standing=dataclasses.replace(found.standing, score=float("inf")))
    assert any("score        too large for a number" in line for line in lines_of(huge))
