"""Attacks on FLOPs (18 to 22 of the catalogue): which finding each raises, and what is scored.

They run in this process, through the functions that the worker calls; some go through a worker as well.
"""

from __future__ import annotations

import itertools
import re

import pytest
from attack_tables import (
    FLOPS,
    FOLDER,
    INFO,
    PARAMS,
    PIXELS,
    marked,
    raised,
)
from in_process import submission

from ntire_bench.data import sample
from ntire_bench.protocols import protocol
from ntire_bench.records.scored_costs import scored_flops
from ntire_bench.workflows.check import check


@pytest.mark.parametrize(
    ("name", "code", "severity", "least"), marked(FLOPS), ids=[f"{row[0]}-{row[1]}" for row in FLOPS]
)
def test_hidden_flops_are_found(examined, name: str, code: str, severity: str, least: int) -> None:
    counted, findings = examined(FOLDER / "models" / f"{name}.py")
    assert raised(findings, code) == [severity], [finding.message for finding in findings]
    # Products alone: fvcore gives bicubic interpolation nothing.
    assert scored_flops(counted) >= least * PIXELS


@pytest.mark.parametrize("name", ["19_is_tracing", "21_baddbmm", "22_autograd"])
def test_both_figures_are_told(examined, name: str) -> None:
    counted, findings = examined(FOLDER / "models" / f"{name}.py")
    (message,) = [finding.message for finding in findings if finding.code == "flops-undercounted"]
    figures = [round(float(text), 4) for text in re.findall(r"([\d.]+) G", message)]
    assert round(counted.flops / 1e9, 4) in figures
    assert round(scored_flops(counted) / 1e9, 4) in figures


def test_every_file_is_in_a_table_and_in_the_readme() -> None:
    files = {file.stem for file in (FOLDER / "models").glob("*.py") if 18 <= int(file.stem[:2]) <= 26}
    assert files == {row[0] for row in itertools.chain(FLOPS, PARAMS)}
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for file in itertools.chain((FOLDER / "models").glob("*.py"), (FOLDER / "controls").glob("*.py")):
        assert f"| {file.stem} |" in readme, file.stem


def test_every_finding_is_documented() -> None:
    text = (FOLDER.parents[1] / "docs" / "INTEGRITY.md").read_text(encoding="utf-8")
    for _, code, severity, _ in itertools.chain(FLOPS, PARAMS):
        assert f"| {code} | {severity}" in text, code


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "name", "code"),
    [
        ("models", "19_is_tracing", "flops-undercounted"),
        ("models", "22_thread", "flops-opaque"),
        ("models", "23_places", "params-undeclared"),
        ("controls", "in_place", None),
    ],
)
def test_a_worker_finds_the_same(folder: str, name: str, code: str | None) -> None:
    checked = check(
        submission(FOLDER / folder / f"{name}.py"),
        sample.probe_lr(),
        protocol.load(),
        device="cpu",
        isolation="none",
    )
    found = {finding.code for finding in checked.findings if finding.severity != INFO}
    assert code in found if code else not found
    assert checked.complexity.audit.agreement == 1.0
