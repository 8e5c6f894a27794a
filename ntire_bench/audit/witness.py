"""Compares what a submission gave under observation with what it gives in an ordinary call. Parent only.

A process can notice that its operators are watched. So the ordinary call that decides is another process's:
it has not been watched, and cannot know which of its calls is compared.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from msgspec import UNSET

from ntire_bench.audit.evidence import Agreement
from ntire_bench.records.record import Complexity, Finding

__all__ = ["Witness", "agreement_of", "disagreement", "with_agreement"]

Uint8 = npt.NDArray[np.uint8]

AGREEING = 0.999  # of SR values within one grey level of the other call's
TOLERABLE_ERROR = 0.65  # squared grey levels, 50 dB: half-precision sums in another order may differ so far


@dataclass(frozen=True)
class Witness:
    """An LR image and the SR image that was given for it under observation, both uint8 HWC."""

    lr: Uint8
    sr: Uint8


def agreement_of(observed: Uint8, plain: Uint8) -> Agreement:
    """Compare two SR images of one LR image, uint8 HWC.

    >>> zeros = np.zeros((2, 2, 3), np.uint8)
    >>> agreement_of(zeros, zeros + 2)
    Agreement(within_one=0.0, error=4.0)
    """
    difference = np.abs(plain.astype(np.int16) - observed)
    return Agreement(
        within_one=float((difference <= 1).mean()),
        error=float((difference.astype(np.float64) ** 2).mean()),
    )


def disagreement(agreement: Agreement | None) -> list[Finding]:
    """Return a finding where the SR image depends on being observed."""
    if agreement is None or agreement.within_one >= AGREEING:
        return []
    message = (
        f"{1 - agreement.within_one:.2%} of the values of an SR image differ by more than one grey level "
        "between an ordinary call and one whose operators are counted: an output must not depend on being "
        "watched, nor on chance"
    )
    severity: Literal["warning", "reject"] = "warning" if agreement.error <= TOLERABLE_ERROR else "reject"
    return [Finding(code="output-differs-when-counted", severity=severity, message=message)]


def with_agreement(complexity: Complexity, agreement: Agreement) -> Complexity:
    """Return costs whose audit holds the smaller of two agreements: the one it has, and another process's."""
    before = complexity.audit.agreement
    now = round(agreement.within_one, 6)
    least = now if before is UNSET or before is None else min(before, now)
    return dataclasses.replace(complexity, audit=dataclasses.replace(complexity.audit, agreement=least))
