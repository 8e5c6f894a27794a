"""What the audit of FLOPs and parameters makes of what it saw: figures, findings, margins. Parent only.

The rules and margins are those of docs/INTEGRITY.md, "FLOPs audit" and "Parameter audit".
"""

from __future__ import annotations

from typing import Any, Literal

from ntire_bench.audit.evidence import Evidence
from ntire_bench.audit.flops import judge_flops, note_uncalled
from ntire_bench.records.record import Finding
from ntire_bench.records.scored_costs import PARAMS_LEAST, PARAMS_MARGIN
from ntire_bench.text import few

__all__ = ["judge"]

HIDDEN_FROM = 1000  # elements from nowhere; see observer
AGREEING = 0.999  # of SR values within one grey level of the other call's
TOLERABLE_ERROR = 0.65  # squared grey levels, 50 dB: what another order of sums at half precision may give


def judge(evidence: Evidence) -> tuple[dict[str, Any], list[Finding]]:
    """Return the audit's results, as a record holds them, and what was found.

    Args:
        evidence: All that was seen.
    """
    findings: list[Finding] = []
    counted, whole = evidence.counted, evidence.whole
    flops = judge_flops(evidence, findings)
    _out_of_sight(evidence, findings)
    params, parts = _params(evidence, findings)
    _conduct(evidence, findings)
    note_uncalled(evidence, findings)
    results = {
        "counter": counted.audit.get("counter"),
        "not_traced": counted.audit.get("not_traced"),
        "traced_products": counted.audit.get("traced_products"),
        "products": whole.products,
        "by_hand": whole.by_hand,
        "uncounted": dict(whole.uncounted),
        "sizes": [[look.height, look.width, round(look.per_pixel, 1)] for look in evidence.looks],
        "flops": flops,
        "params": params,
        **parts,
        "hidden": sorted({name for seen in evidence.observed() for name in seen.hidden}),
        "bound": counted.params * counted.input_shape[-2] * counted.input_shape[-1],
        "agreement": None if evidence.agreement is None else round(evidence.agreement.within_one, 6),
    }
    return results, findings


def _out_of_sight(evidence: Evidence, findings: list[Finding]) -> None:
    """Tell of work that no operator was seen to do."""
    observed = evidence.observed()
    foreign = max(seen.foreign for seen in observed)
    unwritten = max(seen.unwritten for seen in [*observed, evidence.whole])
    remedy = "compute everything with torch's operators, in the thread that calls forward"
    reasons = []
    if foreign > HIDDEN_FROM:
        reasons.append(
            f"{foreign:,} values enter the computation that change with the image and came from no operator"
        )
    if unwritten > HIDDEN_FROM:
        reasons.append(f"{unwritten:,} values are read that no operator has written")
    if not all(seen.from_image for seen in [*observed, evidence.whole]):
        reasons.append("the output was not computed from the image by any operator")
    if reasons:
        message = f"part of the work is done where no operator is seen: {'; '.join(reasons)}; {remedy}"
        findings.append(Finding(code="flops-opaque", severity="reject", message=message))
    hidden = sorted({name for seen in observed for name in seen.hidden})
    if hidden:
        message = (
            f"{few(hidden)} change the output, and no operator reads them: their work is hidden from every "
            f"counter; {remedy}"
        )
        findings.append(Finding(code="flops-hidden-weights", severity="reject", message=message))
    unknown = sorted({name for seen in [*observed, evidence.whole] for name in seen.unknown})
    if unknown:
        message = (
            f"what the operators {few(unknown)} compute cannot be seen, so their FLOPs are not known; "
            "write them in torch's own operators"
        )
        findings.append(Finding(code="flops-unknown-operators", severity="reject", message=message))
    lookups = max(seen.lookups for seen in [*observed, evidence.whole])
    if lookups > HIDDEN_FROM:
        message = (
            f"{lookups:,} values are looked up in tables of weights at places that the image decides: "
            "a person must judge what work the tables replace"
        )
        findings.append(Finding(code="flops-lookup-table", severity="warning", message=message))
    agreement = evidence.agreement
    if agreement is not None and agreement.within_one < AGREEING:
        share = 1 - agreement.within_one
        tolerable = agreement.error <= TOLERABLE_ERROR
        message = (
            f"{share:.2%} of the values of an SR image differ by more than one grey level between an "
            "ordinary call and one whose operators are counted: an output must not depend on being watched, "
            "nor on chance"
        )
        code = "output-differs-when-counted"
        findings.append(Finding(code=code, severity="warning" if tolerable else "reject", message=message))


def _params(evidence: Evidence, findings: list[Finding]) -> tuple[int, dict[str, int]]:
    """Return the audit's parameters and their undeclared parts, and tell of those that matter."""
    observed, declared = evidence.observed(), evidence.counted.params
    undeclared = max(seen.weights for seen in observed) + min(seen.constants for seen in observed)
    # Constants that grow with the image, such as masks, are no weights: the smallest image has the fewest.
    generated, packed = max(seen.generated for seen in observed), max(seen.packed for seen in observed)
    expanded = max(seen.expanded for seen in observed)
    total = declared + undeclared + generated + packed
    least = max(PARAMS_LEAST, PARAMS_MARGIN * declared)
    both = f"parameters() has {declared:,} elements, and {total:,} are used"
    if total - declared > least:
        told: tuple[tuple[int, str, Literal["warning", "reject"], str], ...] = (
            (
                undeclared,
                "params-undeclared",
                "warning",
                "lie in buffers, attributes or globals; make them nn.Parameter",
            ),
            (generated, "params-generated", "reject", "are generated in forward; store them as nn.Parameter"),
            (
                packed,
                "params-packed",
                "reject",
                "are unpacked in forward from the bits of fewer; store one weight in each element",
            ),
        )
        for count, code, severity, what in told:
            if count > PARAMS_LEAST:
                message = f"{both}: {count:,} {what}; {total:,} is scored"
                findings.append(Finding(code=code, severity=severity, message=message))
    if expanded > least:
        message = (
            f"convolutions and matrix products use {expanded:,} more weights than the parameters have from "
            "which forward computes them; only the parameters are scored"
        )
        findings.append(Finding(code="params-expanded", severity="info", message=message))
    parts = {"undeclared": undeclared, "generated": generated, "packed": packed, "expanded": expanded}
    return total, parts


def _conduct(evidence: Evidence, findings: list[Finding]) -> None:
    observed = evidence.observed()
    threads = max(seen.threads for seen in observed)
    if threads:
        message = (
            f"forward starts threads, or has them compute beside ({threads}); compute in the thread that "
            "calls forward, and leave the use of more cores to torch"
        )
        findings.append(Finding(code="threads-in-forward", severity="reject", message=message))
    files = sorted({name for seen in observed for name in seen.files})
    if files:
        message = f"forward opens files or programs ({few(files)}); do that before, in the constructor"
        findings.append(Finding(code="files-in-forward", severity="warning", message=message))
