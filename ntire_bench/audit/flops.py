"""The audit's FLOPs, and findings on them: work that fvcore misses, sizes that cost less. Parent only.

The rules and margins are those of docs/INTEGRITY.md, "FLOPs audit".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from msgspec import UNSET

from ntire_bench.audit.evidence import Evidence
from ntire_bench.records.record import Finding
from ntire_bench.records.scored_costs import FLOPS_MARGIN
from ntire_bench.text import few, giga, plain

__all__ = ["FlopsFigures", "audited_flops", "flops_findings", "uncalled_modules"]

BY_HAND_MARGIN = 0.03  # norms that AGDN writes out multiply by weights: 0.4 % of its multiply-accumulates
UNCOUNTED_MARGIN = 0.25  # 0.6 % (RLFN) to 11 % (AGDN-S) of the published networks
_MOST_REASON = 160  # characters
_MOST_NAMES = 4
# Operators that fvcore gives no FLOPs although they do the work of those that it counts.
_UNSEEN_WORK = (
    "aten::_convolution_mode",
    "aten::mkldnn_convolution",
    "aten::convolution_overrideable",
    "aten::baddbmm",
    "aten::addbmm",
    "aten::addmv",
    "aten::mv",
    "aten::dot",
    "aten::_int_mm",
    "aten::scaled_dot_product_attention",
    "prim::PythonOp",
)


@dataclass(frozen=True)
class FlopsFigures:
    """The audit's FLOPs on the cost input, and what they are made of.

    Attributes:
        scored: At least the official ones.
        traced: Multiply-accumulates of convolutions and matrix products in the official count.
        products: The same, as the audit found it, work that no operator was seen to do included.
        by_hand: Work of the same kind in other operators, as far as it counts.
    """

    scored: int
    traced: int
    products: float
    by_hand: int


def audited_flops(evidence: Evidence) -> FlopsFigures:
    """Return the audit's FLOPs on the cost input."""
    counted, whole = evidence.counted, evidence.whole
    traced = 0 if counted.audit.traced_products is UNSET else counted.audit.traced_products
    products = float(max(traced, whole.products))
    suspect = evidence.is_special() or evidence.favours_multiples()
    real = [*evidence.large, *evidence.tiles]
    costliest = max((look.per_pixel for look in (evidence.looks if suspect else real)), default=0.0)
    if costliest > evidence.base * (1 + FLOPS_MARGIN):
        products = max(products, costliest * whole.pixels)
    products += whole.pixels * max(seen.hidden_work / max(1, seen.pixels) for seen in evidence.observed())
    by_hand = whole.by_hand if whole.by_hand > BY_HAND_MARGIN * products else 0
    scored = max(counted.flops, round(counted.flops - traced + products + by_hand))
    return FlopsFigures(scored, traced, products, by_hand)


def flops_findings(evidence: Evidence, figures: FlopsFigures) -> list[Finding]:
    """Return where the audit's FLOPs differ from the official ones, and what neither counts."""
    findings = []
    counted, whole = evidence.counted, evidence.whole
    official, traced, by_hand = counted.flops, figures.traced, figures.by_hand
    scored = f"{giga(figures.scored)} is scored instead of {giga(official)}"
    if counted.audit.counter == "operators":
        reason = str(counted.audit.not_traced)[:_MOST_REASON]
        message = (
            f"fvcore cannot trace this network ({reason}), so its FLOPs, "
            f"{giga(official)}, are those of the operators that ran, by fvcore's rules; for a count of "
            "fvcore's own, give it operators that torch.jit.trace can follow, without torch.jit and "
            "torch.compile"
        )
        findings.append(Finding(code="flops-not-traced", severity="warning", message=message))
    elif whole.products > traced * (1 + FLOPS_MARGIN):
        message = (
            f"fvcore counts {giga(traced)} in convolutions and matrix products, and {giga(whole.products)} "
            f"are computed when the operators that run are counted one by one: {scored}; use operators that "
            "fvcore follows, in plain code (conv2d and matmul; no custom autograd.Function, no branch on "
            "tracing, padding=1 instead of padding='same')"
        )
        findings.append(Finding(code="flops-undercounted", severity="warning", message=message))
        unseen = sorted(name for name in counted.uncounted_ops if name.startswith(_UNSEEN_WORK))
        if unseen:
            message = (
                f"fvcore counts nothing for {few(plain(unseen))}, which do the work of convolutions or "
                "matrix products; use operators it knows"
            )
            findings.append(Finding(code="flops-uncounted-operators", severity="warning", message=message))
    names = ", ".join(plain(whole.uncounted)[:_MOST_NAMES])
    if by_hand:
        message = (
            f"{giga(by_hand)} multiply-accumulates are done outside of convolutions and matrix products (in "
            f"{names} and the like), which fvcore gives nothing; they count as what they replace: {scored}"
        )
        findings.append(Finding(code="flops-by-hand", severity="warning", message=message))
    products = max(1.0, figures.products)
    rest = sum(whole.uncounted.values()) - whole.by_hand
    if rest > UNCOUNTED_MARGIN * products:
        message = (
            f"operators that FLOPs leave out ({names}) take an estimated {giga(rest)}, "
            f"{rest / products:.0%} of all multiply-accumulates that count; it is not scored, but "
            "a person should see why"
        )
        findings.append(Finding(code="flops-mostly-uncounted", severity="warning", message=message))
    return findings + _size_findings(evidence)


def _size_findings(evidence: Evidence) -> list[Finding]:
    """Return where an image costs more per pixel than the cost input."""
    height, width = evidence.counted.input_shape[-2:]
    costs = ", ".join(f"{look.per_pixel:,.0f} at {look.height}x{look.width}" for look in evidence.looks)
    base = f"{evidence.base:,.0f} multiply-accumulates per LR pixel at {height}x{width}"
    if evidence.has_loop and (evidence.is_special() or evidence.favours_multiples()):
        message = (
            f"the network takes {base}, where FLOPs are counted, and more where the checkout's own loop "
            f"runs it ({costs}): padding, tiles or several passes explain it, and so does a cheaper path for "
            "the size that is counted; the larger figure is scored"
        )
        return [Finding(code="flops-vary-with-size", severity="warning", message=message)]
    if evidence.is_special():
        message = (
            f"it takes {base}, where FLOPs are counted, and more on other images ({costs}): "
            "compute the same for every image; the larger figure is scored"
        )
        return [Finding(code="flops-special-size", severity="reject", message=message)]
    findings = []
    if evidence.favours_multiples():
        odd, around = evidence.small[1:]
        message = (
            f"{odd.height}x{odd.width} costs more than {around.height}x{around.width}, of which it is a part "
            f"({costs}): sides that are multiples of 32 must not be treated differently"
        )
        findings.append(Finding(code="flops-special-size", severity="reject", message=message))
    if any(map(evidence.exceeds, (*evidence.large, *evidence.tiles))):
        where = (
            "on a whole image" if any(map(evidence.exceeds, evidence.large)) else "at the size of its tiles"
        )
        message = (
            f"it takes {base}, and more {where} ({costs}), which is scored; windows or tiles that "
            "overlap more there explain it, and so does a cheaper path for the size that is counted"
        )
        findings.append(Finding(code="flops-vary-with-size", severity="warning", message=message))
    return findings


def uncalled_modules(evidence: Evidence, *, doubtful: bool) -> list[Finding]:
    """Return a finding on modules that fvcore never entered, if there are any.

    Args:
        evidence: All that was seen.
        doubtful: Whether anything else speaks against fvcore's count.
    """
    names = evidence.counted.uncalled_modules
    if not names:
        return []
    told = "; they may compute what is missing" if doubtful else ", and the audit found no work of theirs"
    message = (
        f"fvcore's trace never entered {len(names)} modules ({few(names)}){told}; remove what is not used"
    )
    severity: Literal["info", "warning"] = "warning" if doubtful else "info"
    return [Finding(code="flops-uncalled-modules", severity=severity, message=message)]
