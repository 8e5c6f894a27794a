"""Attacks on parameters (23 to 26 of the catalogue): which finding each raises, and what is scored."""

from __future__ import annotations

import pytest
from attack_tables import (
    FOLDER,
    PARAMS,
    REJECT,
    marked,
    raised,
)

from ntire_bench.records.scored_costs import scored_params


@pytest.mark.parametrize(
    ("name", "code", "severity", "params"), marked(PARAMS), ids=[row[0] for row in PARAMS]
)
def test_undeclared_parameters_are_found(examined, name: str, code: str, severity: str, params: int) -> None:
    counted, findings = examined(FOLDER / "models" / f"{name}.py")
    assert raised(findings, code) == [severity], [finding.message for finding in findings]
    assert scored_params(counted) == pytest.approx(params, abs=1)  # some have one more, of their own
    both = [finding.message for finding in findings if finding.code == code]
    if severity == REJECT and code != "params-changed":
        assert f"{counted.params:,}" in both[0] and f"{counted.audit.params:,}" in both[0]
