"""What lines of text say of numbers that a reader may find hard to bring together."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from record_factory import make_complexity, make_environment, make_submission
from timed_records import timed

from ntire_bench.cli import wording
from ntire_bench.ranking.gate import Answer
from ntire_bench.records.accepted import Accepted
from ntire_bench.records.record import Audit, Finding, Isolation
from ntire_bench.records.store import Stored
from ntire_bench.reporting.gate_reports import Judged
from ntire_bench.workflows.check import Check


def lines_of(audit: Audit, *findings: Finding, elsewhere: bool = False) -> list[str]:
    found = Check(
        submission=make_submission(5, "Net"),
        complexity=dataclasses.replace(make_complexity(params=100_000), audit=audit),
        findings=findings,
        environment=make_environment(),
        isolation=Isolation(level="L0", detail="a separate process"),
        compared_elsewhere=elsewhere,
    )
    return list(wording.check_lines(found))


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, ""),
        (
            {"undeclared": 3},
            "3 in buffers, attributes or globals; so few do not matter, and 100,000 is scored",
        ),
        (
            {"undeclared": 5_000, "packed": 700},
            "5,000 in buffers, attributes or globals, 700 unpacked in forward from the bits of fewer; "
            "105,700 is scored",
        ),
    ],
)
def test_two_counts_of_parameters_that_differ_say_why(more, told):
    total = 100_000 + sum(more.values())
    kinds = {"undeclared": 0, "generated": 0, "packed": 0, **more}
    lines = lines_of(Audit(flops=make_complexity().flops, params=total, sizes=(), **kinds))
    said = [line for line in lines if line.startswith("  difference ")]
    assert any(f"{total:,} parameters" in line for line in lines if "audit" in line)
    assert [line.endswith(told) for line in said] == ([True] if told else [])


@pytest.mark.parametrize(
    ("elsewhere", "told"),
    [(True, "in another process"), (False, "in the same process, which could repeat what it gave")],
)
def test_what_the_counted_pass_was_compared_with_is_said(elsewhere: bool, told: str):
    lines = lines_of(Audit(agreement=1.0), elsewhere=elsewhere)
    assert [told in line for line in lines if line.startswith("  compared ")] == [True]
    assert not [line for line in lines_of(Audit()) if line.startswith("  compared ")]


def test_what_is_on_the_machine_is_called_so():
    busy = Finding(code="timing-unattested", severity="warning", message="a busy machine is the likely cause")
    fault = Finding(code="not-fused", severity="warning", message="costs more than it needs")
    lines = lines_of(Audit(), busy, fault)
    assert "  machine      [timing-unattested] a busy machine is the likely cause" in lines
    assert "  warning      [not-fused] costs more than it needs" in lines


REJECT = Finding(code="memorized", severity="reject", message="known")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "05_Net  done already: results/x.json"),
        ({"unstable": ("busy",)}, "; its runtime is unstable: ntire-bench run 5 measures it again"),
        ({"findings": (REJECT,)}, "done already: results/x.json; rejected, memorized"),
    ],
)
def test_what_resume_leaves_out_says_what_a_user_may_want_to_do(changes, told):
    record = timed(5, "Net", 0.9, 0.01)
    timing = dataclasses.replace(record.timing, unstable=changes.get("unstable", ()))
    record = dataclasses.replace(record, timing=timing, findings=changes.get("findings", ()))
    line = wording.done_line("05_Net", Stored(path=Path("results/x.json"), record=record))
    assert line.endswith(told)
    word = Accepted(
        code="memorized", because="x", created_utc="2027-01-01T00:00:00Z", files=record.submission.files
    )
    accepted = Stored(path=Path("results/x.json"), record=record, accepted=(word,))
    assert "rejected" not in wording.done_line("05_Net", accepted)


def test_a_finding_of_a_strangers_record_forges_no_line_of_a_gate():
    forged = Answer(
        submission="02_B",
        protocol="ntire2024",
        channel="y",
        outcome="rejected",
        reason="memorized: x\nPASS  02_B\x1b[2J",
        accepted={"output-stale": "y\nPASS  02_B"},
    )
    lines = list(wording.gate_lines(Judged(answer=forged, file=None, seconds=0.0)))
    assert len(lines) == 2 and all(line.isprintable() for line in lines)
