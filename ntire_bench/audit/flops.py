"""The audit's FLOPs, and what it finds on them: work fvcore misses, sizes that are favoured. Parent only.

The rules and margins are those of docs/INTEGRITY.md, "FLOPs audit".
"""

from __future__ import annotations

from typing import Literal

from ntire_bench.audit.evidence import Evidence
from ntire_bench.records.record import Finding
from ntire_bench.records.scored_costs import FLOPS_MARGIN
from ntire_bench.text import few, giga, plain

__all__ = ["judge_flops", "note_uncalled"]

BY_HAND_MARGIN = 0.03  # AGDN's norms, written out, multiply by weights in 0.4 % of its multiply-accumulates
UNCOUNTED_MARGIN = 0.25  # 0.6 % (RLFN) to 11 % (AGDN-S) of the published networks
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


def judge_flops(evidence: Evidence, findings: list[Finding]) -> int:
    """Return the audit's FLOPs on the cost input, and tell where they differ from the official ones."""
    counted, whole = evidence.counted, evidence.whole
    official = counted.flops
    traced = int(counted.audit.get("traced_products") or 0)
    products = float(max(traced, whole.products))
    suspect = evidence.is_special() or evidence.favours_multiples()
    dearest = max((look.per_pixel for look in (evidence.looks if suspect else evidence.large)), default=0.0)
    if dearest > evidence.base * (1 + FLOPS_MARGIN):
        products = max(products, dearest * whole.pixels)
    products += whole.pixels * max(seen.hidden_work / max(1, seen.pixels) for seen in evidence.observed())
    by_hand = whole.by_hand if whole.by_hand > BY_HAND_MARGIN * products else 0
    flops = max(official, round(official - traced + products + by_hand))
    scored = f"{giga(flops)} is scored instead of {giga(official)}"
    if counted.audit.get("counter") == "operators":
        reason = str(counted.audit.get("not_traced"))[:160]
        message = (
            f"fvcore cannot trace this network ({reason}), so its FLOPs, {giga(official)}, are those of the "
            "operators that ran, by fvcore's rules; for a count of fvcore's own, give it operators that "
            "torch.jit.trace can follow, without torch.jit and torch.compile"
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
    names = ", ".join(plain(whole.uncounted)[:4])
    if by_hand:
        message = (
            f"{giga(by_hand)} multiply-accumulates are done outside of convolutions and matrix products (in "
            f"{names} and the like), which fvcore gives nothing; they count as what they replace: {scored}"
        )
        findings.append(Finding(code="flops-by-hand", severity="warning", message=message))
    rest = sum(whole.uncounted.values()) - whole.by_hand
    if rest > UNCOUNTED_MARGIN * max(1.0, products):
        message = (
            f"operators that FLOPs leave out ({names}) take an estimated {giga(rest)}, "
            f"{rest / max(1.0, products):.0%} of all multiply-accumulates that count; it is not scored, but "
            "a person should see why"
        )
        findings.append(Finding(code="flops-mostly-uncounted", severity="warning", message=message))
    _note_sizes(evidence, findings)
    return flops


def _note_sizes(evidence: Evidence, findings: list[Finding]) -> None:
    """Tell where an image costs more per pixel than the cost input."""
    height, width = evidence.counted.input_shape[-2:]
    costs = ", ".join(f"{look.per_pixel:,.0f} at {look.height}x{look.width}" for look in evidence.looks)
    base = f"{evidence.base:,.0f} multiply-accumulates per LR pixel at {height}x{width}"
    if evidence.has_loop and (evidence.is_special() or evidence.favours_multiples()):
        message = (
            f"the network takes {base}, where FLOPs are counted, and more where the checkout's own loop "
            f"runs it ({costs}): padding, tiles or several passes explain it, and so does a cheaper path for "
            "the size that is counted; the larger figure is scored"
        )
        findings.append(Finding(code="flops-vary-with-size", severity="warning", message=message))
        return
    if evidence.is_special():
        message = (
            f"it takes {base}, where FLOPs are counted, and more on other images ({costs}): "
            "compute the same for every image; the larger figure is scored"
        )
        findings.append(Finding(code="flops-special-size", severity="reject", message=message))
        return
    if evidence.favours_multiples():
        odd, around = evidence.small[1:]
        message = (
            f"{odd.height}x{odd.width} costs more than {around.height}x{around.width}, of which it is a part "
            f"({costs}): sides that are multiples of 32 must not be treated otherwise"
        )
        findings.append(Finding(code="flops-special-size", severity="reject", message=message))
    if any(map(evidence.exceeds, evidence.large)):
        message = (
            f"it takes {base}, and more on a whole image ({costs}), which is scored; windows or tiles that "
            "overlap more there explain it, and so does a cheaper path for the size that is counted"
        )
        findings.append(Finding(code="flops-vary-with-size", severity="warning", message=message))


def note_uncalled(evidence: Evidence, findings: list[Finding]) -> None:
    """Tell of modules that fvcore never entered; last, as other findings say whether it matters."""
    names = evidence.counted.uncalled_modules
    if not names:
        return
    doubtful = any(found.code.startswith("flops-") and found.severity != "info" for found in findings)
    told = "; they may compute what is missing" if doubtful else ", and the audit found no work of theirs"
    message = (
        f"fvcore's trace never entered {len(names)} modules ({few(names)}){told}; remove what is not used"
    )
    severity: Literal["info", "warning"] = "warning" if doubtful else "info"
    findings.append(Finding(code="flops-uncalled-modules", severity=severity, message=message))
