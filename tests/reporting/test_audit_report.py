"""The report of one team says what became of it, all findings where they belong."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from record_factory import make_failure, make_record
from timed_records import timed

from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking.trust import word_on
from ntire_bench.records import store
from ntire_bench.records.accepted import Accepted
from ntire_bench.records.record import Finding
from ntire_bench.reporting.audit_report import audit_report, markdown

REAL = Path(__file__).parents[1] / "fixtures" / "records" / "v2_ok.json"
RULES = protocols.load("ntire2024")


def found(*codes: str, severity: Any = "reject") -> tuple[Finding, ...]:
    return tuple(Finding(code=code, severity=severity, message=f"about {code}") for code in codes)


def test_a_real_record_has_every_check_with_its_figures() -> None:
    record = store.load(REAL)
    report = audit_report(record, protocols.load(record.protocol.name))
    assert [check.name for check in report.checks] == [
        "PSNR", "SR images", "FLOPs", "Parameters", "Runtime", "Clock", "Turns", "Isolation",
    ]  # fmt: skip
    text = markdown(report)
    for split in record.splits.values():
        assert f"{split.psnr_y_db:.4f} dB" in text and f"{split.runtime_ms:.3f} ms" in text
    assert record.timing is not None and f"{record.timing.ratio:.4f}" in text
    assert "150,688" in text and "9.8338 G" in text
    assert all(finding.message in text.replace("\\", "") for finding in record.findings)


def test_what_a_gain_is_over_and_the_time_for_counted_work_are_told() -> None:
    record = timed(1, "A", 0.5)
    monitor = {"gain_difference_db": [0.1, 0.2], "composed_squares": 16, "gain_over": "bicubic"}
    timing = dataclasses.replace(record.timing, runtime_per_work=16.64, monitor=monitor)
    text = markdown(audit_report(dataclasses.replace(record, timing=timing), RULES))
    assert "gain over bicubic enlargement on these images" in text and "16.64 times" in text
    del monitor["gain_over"]  # of earlier versions
    assert "gain over the baseline" in markdown(
        audit_report(dataclasses.replace(record, timing=timing), RULES)
    )


@pytest.mark.parametrize(
    ("record", "verdict"),
    [
        (make_record(), "Not judged"),
        (timed(1, "A", 0.5), "Keeps the thresholds"),
        (make_record(psnr={"valid": (26.0, 25.0)}), "Below a threshold: valid: 26.00 dB is below 26.90 dB"),
        (
            dataclasses.replace(make_record(), findings=found("memorized")),
            "Rejected, without a rank: memorized",
        ),
        (make_failure(), "Failed in the phase load: no class of the file loads the checkpoint"),
        (make_record(psnr={"Set5": (30.0, 29.0)}), "Not judged"),
    ],
    ids=["two splits", "ranked", "below", "rejected", "failed", "other images"],
)
def test_the_verdict(record: Any, verdict: str) -> None:
    wanted = "Keeps the thresholds" if record == make_record() else verdict
    assert audit_report(record, RULES).verdict.startswith(wanted)


def test_findings_stand_where_they_belong_and_none_is_lost() -> None:
    codes = [
        "memorized",
        "output-stale",
        "flops-opaque",
        "params-undeclared",
        "timing-unattested",
        "busy-out-of-turn",
    ]
    codes += ["runtime-unstable", "content-dependent", "a-code-of-the-future"]
    record = dataclasses.replace(timed(1, "A", 0.5), findings=found(*codes, severity="warning"))
    report = audit_report(record, RULES)
    where = {finding.code: check.name for check in report.checks for finding in check.findings}
    assert where == {
        "memorized": "PSNR",
        "output-stale": "SR images",
        "flops-opaque": "FLOPs",
        "params-undeclared": "Parameters",
        "timing-unattested": "Clock",
        "busy-out-of-turn": "Turns",
        "runtime-unstable": "Runtime",
        "content-dependent": "Runtime",
        "a-code-of-the-future": "Other",
    }


def test_what_an_organizer_accepted_is_told_and_rejects_no_more() -> None:
    record = dataclasses.replace(timed(1, "A", 0.5), findings=found("memorized"))
    word = Accepted(code="memorized", because="seen *by hand*", created_utc="", files=record.submission.files)
    report = audit_report(record, RULES, (word,))
    assert report.verdict.startswith("Keeps the thresholds")
    assert r"The organizer has accepted memorized: seen \*by hand\*." in markdown(report)


def test_texts_of_strangers_stay_text() -> None:
    evil = Finding(
        code="flops-opaque", severity="warning", message="</td><script>alert(1)</script> | x\n# head"
    )
    record = dataclasses.replace(timed(1, "A", 0.5), findings=(evil,))
    text = markdown(audit_report(record, RULES))
    assert "<script>" not in text and "\n# head" not in text and r"\<script\>" in text


def test_whether_figures_follow_is_said() -> None:
    record = timed(1, "A", 0.5)
    assert word_on(record, RULES) == "Its figures follow from each other."
    forged = dataclasses.replace(record, timing=dataclasses.replace(record.timing, ratio=0.1))
    assert word_on(forged, RULES).startswith("Not believed, it contradicts itself: timing.ratio")
    assert word_on(store.load(REAL.with_name("v1_ok.json")), RULES).startswith("Not verifiable")
    assert word_on(make_failure(), RULES) == ""


def test_command(call: Any, tmp_path: Path) -> None:
    path = store.save(timed(1, "A", 0.5), tmp_path / "results")
    shown = call("audit", 1, "--results", tmp_path / "results", "--protocol", "ntire2024")
    assert shown.exit_code == 0 and shown.stdout.startswith("# 01_A under NTIRE 2024")
    whole = call("audit", "--record", path, "--json", "-o", tmp_path / "report.md")
    document = json.loads(whole.stdout)["report"]
    assert document["checks"][0]["name"] == "PSNR" and document["follows"].startswith("Its figures follow")
    assert (tmp_path / "report.md").read_text() == shown.stdout
    assert call("audit").exit_code == 2


def test_what_cpu_time_was_used_and_that_the_other_side_stood_still_is_told() -> None:
    record = timed(1, "A", 0.5)
    monitor = {"idle_side_frozen": 0.975, "cores_in_turn": 1.02}
    record = dataclasses.replace(record, timing=dataclasses.replace(record.timing, monitor=monitor))
    (turns,) = [check for check in audit_report(record, RULES).checks if check.name == "Turns"]
    assert turns.evidence == (
        "in 98% of the turns of one side the other stood still",
        "it used 1.02 cores in its own turns",
    )
