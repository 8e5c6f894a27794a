"""Whether a network with a kernel of its own gives what its twin gives, whose costs are counted. Parent only.

Both run in processes of their own, and that of the twin does not see what was built. Crops and their sizes
are drawn here, and compared before they are rounded. Without a twin nothing says what the kernel costs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntire_bench.audit.rules import conduct
from ntire_bench.audit.witness import Witness, agreement_of, disagreement
from ntire_bench.client.worker import Worker
from ntire_bench.records.record import Complexity, Finding
from ntire_bench.text import few

__all__ = [
    "BOUNDS",
    "Bound",
    "Difference",
    "difference_of",
    "differs",
    "on_twin",
    "rounded_differs",
    "with_twin",
    "without_twin",
]

Uint8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]

UNNAMED = "a kernel of its own"
_SIDES = (40, 128)  # LR pixels of a crop, from and to
_CROPS = 3
_ROUNDED = 1.5  # times the bound: rounding to whole levels makes a squared error of a mean one, and chance


@dataclass(frozen=True)
class Bound:
    """How far a network may be from its twin [grey levels, 0 to 255].

    Attributes:
        most: In any value.
        rms: In the root of the mean squared difference.
    """

    most: float
    rms: float


# Networks that compute in float32 in another order differ by thousandths of a level, and by a hundredth where
# a GPU's convolutions take TF32; those that compute in 16 bits by about a tenth.
BOUNDS = {"float32": Bound(0.25, 0.02), "half": Bound(4.0, 0.25)}


@dataclass(frozen=True)
class Difference:
    """How far two SR images are from each other [grey levels]: in the worst value, and in the mean (rms)."""

    most: float
    rms: float


def difference_of(own: Float32, twin: Float32) -> Difference:
    """Compare two SR images in which 1.0 is white; one that is not finite differs by infinity.

    >>> difference_of(np.zeros((3, 1, 1), np.float32), np.full((3, 1, 1), 0.5, np.float32))
    Difference(most=127.5, rms=127.5)
    """
    off = np.abs(own.astype(np.float64) - twin) * 255
    if not np.isfinite(off).all():
        return Difference(float("inf"), float("inf"))
    return Difference(float(off.max()), float(np.sqrt((off**2).mean())))


def differs(found: Difference, precision: str, where: str) -> list[Finding]:
    """Return a finding where a network is further from its twin than its precision explains.

    Args:
        found: What was measured.
        precision: "float32" or "half".
        where: On what.
    """
    bound = BOUNDS[precision]
    if found.most <= bound.most and found.rms <= bound.rms:
        return []
    return [_no_twin(found, precision, where)]


def _no_twin(found: Difference, precision: str, where: str) -> Finding:
    bound = BOUNDS[precision]
    message = (
        f"the network is not its twin: {where} their SR images differ by up to {found.most:.3g} grey levels, "
        f"{found.rms:.2g} in the mean (rms), where rounding in {precision} gives at most {bound.most:g} and "
        f"{bound.rms:g}; costs are counted on the twin, so it must compute the same"
        + ('; a kernel that computes in 16 bits declares kernel = "half"' if precision == "float32" else "")
    )
    return Finding(code="twin-differs", severity="reject", message=message)


def on_twin(
    own: Worker, twin: Worker, image: Uint8, precision: str, *, whole: bool
) -> tuple[Difference, list[Finding], Witness]:
    """Compare a network with its twin on crops of an image, and see what its forward does besides.

    Args:
        own: The network is loaded there, with its kernel.
        twin: Its twin is loaded there.
        image: A real LR image, uint8 HWC.
        precision: What the kernel computes in.
        whole: Whether images of this size are timed, so that one is compared as well.

    Returns:
        The largest difference of all crops, what was found, and what the network gave under observation.
    """
    random = np.random.default_rng()
    crops = [_crop(image, random) for _ in range(_CROPS)]
    each = [difference_of(own.exact(lr), twin.exact(lr)) for lr in crops]
    found = Difference(max(one.most for one in each), max(one.rms for one in each))
    findings = differs(found, precision, f"on {_CROPS} crops")
    shown = image if whole else crops[0]
    sr, seen = own.audit(shown)
    findings += conduct([seen])
    plain = own.run(shown).sr
    findings += disagreement(agreement_of(sr, plain))
    if whole and not findings:
        findings += rounded_differs(plain, twin.run(shown).sr, precision, "on a whole image")
    return found, findings, Witness(shown, sr)


def rounded_differs(own: Uint8, twin: Uint8, precision: str, where: str) -> list[Finding]:
    """Return a finding where an SR image in whole grey levels is too far from the twin's.

    >>> zeros = np.zeros((4, 4, 3), np.uint8)
    >>> rounded_differs(zeros, zeros, "float32", "on it")
    []
    >>> print(rounded_differs(zeros, zeros + 1, "half", "on it")[0].message.partition(", where")[0])
    the network is not its twin: on it their SR images differ by up to 1 grey levels, 1 in the mean (rms)
    """
    error = agreement_of(own, twin).error
    if error <= _ROUNDED * BOUNDS[precision].rms:
        return []
    off = Difference(float(np.abs(own.astype(np.int16) - twin).max()), float(np.sqrt(error)))
    return [_no_twin(off, precision, where)]


def with_twin(
    costs: Complexity, how: str, found: Difference, precision: str, names: Sequence[str]
) -> tuple[Complexity, Finding]:
    """Return the twin's costs, with what was compared, and the note that says so.

    Args:
        costs: The twin's, audited.
        how: What is declared: a name, or "twin_args".
        found: How far the network is from it.
        precision: What its kernel computes in.
        names: Of the kernels that were built.
    """
    audit = dataclasses.replace(
        costs.audit,
        kernels=tuple(names) or (UNNAMED,),
        twin=how,
        twin_difference=(round(found.most, 6), round(found.rms, 6), precision),
    )
    bound = BOUNDS[precision]
    message = (
        f"costs are counted on its twin ({how}), which computes the same in torch's operators: on crops the "
        f"network differs from it by up to {found.most:.2g} grey levels, {found.rms:.1g} in the mean (rms); "
        f"{bound.most:g} and {bound.rms:g} are allowed in {precision}"
    )
    note = Finding(code="counted-on-twin", severity="info", message=message)
    return dataclasses.replace(costs, audit=audit), note


def without_twin(
    costs: Complexity, findings: Iterable[Finding], names: Sequence[str]
) -> tuple[Complexity, list[Finding]]:
    """Return audited costs that are not known, as a kernel has no twin, and the findings that remain.

    What the audit finds opaque is what the submission says itself. It is not counted, nor held against it.

    Args:
        costs: As the audit has them.
        findings: Those of the audit.
        names: Of the kernels that were built; empty for one that is declared and compiled at run time.
    """
    kernels = tuple(names) or (UNNAMED,)
    known = costs.audit.uncountable
    audit = dataclasses.replace(
        costs.audit,
        kernels=kernels,
        uncountable=(*(known if isinstance(known, tuple) else ()), *kernels),
        hidden=(),
    )
    message = (
        f"the FLOPs and parameters of {few(list(kernels))} are not known, so the row takes no rank where "
        "they are scored. What is missing: a twin, that is the same in torch's operators, which costs are "
        'counted on; declare it with twin = "forward_reference" or twin_args, see docs/kernels.md'
    )
    left = [finding for finding in findings if finding.code not in _SAID]
    return (
        dataclasses.replace(costs, audit=audit),
        [*left, Finding(code="flops-not-countable", severity="warning", message=message)],
    )


# What an honest kernel looks like to an audit of operators.
_SAID = frozenset({"flops-opaque", "flops-hidden-weights", "flops-not-countable"})


def _crop(image: Uint8, random: np.random.Generator) -> Uint8:
    height, width = (
        int(random.integers(min(_SIDES[0], side), min(_SIDES[1], side), endpoint=True))
        for side in image.shape[:2]
    )
    top = int(random.integers(image.shape[0] - height + 1))
    left = int(random.integers(image.shape[1] - width + 1))
    return np.ascontiguousarray(image[top : top + height, left : left + width])
