"""Which findings are on the machine and no fault of a submission's."""

from __future__ import annotations

from ntire_bench.records.record import Finding

__all__ = ["MACHINE", "is_operational", "told", "word"]

MACHINE = "machine"
"""What readers see in the place of a severity."""

_CODES = frozenset({"gpu-memory-unbounded", "runtime-unstable", "timing-unattested"})


def is_operational(code: str) -> bool:
    """Return whether a finding of this code is on the machine, such as one that was busy.

    >>> is_operational("timing-unattested"), is_operational("threads-in-forward")
    (True, False)
    """
    return code in _CODES


def word(finding: Finding) -> str:
    """Return what a finding is called before its text: its severity, or that it is on the machine.

    >>> word(Finding(code="runtime-unstable", severity="warning", message=""))
    'machine'
    >>> word(Finding(code="not-fused", severity="warning", message=""))
    'warning'
    """
    return MACHINE if is_operational(finding.code) and finding.severity != "reject" else finding.severity


def told(finding: Finding) -> str:
    """Return a finding in one sentence, as commands show it.

    >>> told(Finding(code="runtime-unstable", severity="warning", message="others were busy"))
    'machine: [runtime-unstable] others were busy'
    """
    return f"{word(finding)}: [{finding.code}] {finding.message}"
