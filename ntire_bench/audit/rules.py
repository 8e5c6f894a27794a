"""Turns what the audit saw into figures and findings. Parent only.

The rules and margins are those of docs/INTEGRITY.md, "FLOPs audit" and "Parameter audit".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ntire_bench.audit.evidence import Evidence
from ntire_bench.audit.flops import audited_flops, flops_findings, uncalled_modules
from ntire_bench.audit.witness import disagreement
from ntire_bench.records.record import Audit, Finding
from ntire_bench.records.scored_costs import PARAMS_LEAST, PARAMS_MARGIN
from ntire_bench.text import few
from ntire_bench.wire.observation import Observation

__all__ = ["conduct", "constants_of", "judge"]

HIDDEN_FROM = 1000  # elements that no operator made; fewer hide no work worth the name


def judge(evidence: Evidence) -> tuple[Audit, list[Finding]]:
    """Return the audit's figures, as a record holds them, and what was found.

    Args:
        evidence: All that was seen.
    """
    counted, whole = evidence.counted, evidence.whole
    flops = audited_flops(evidence)
    params = _audited_params(evidence)
    on_flops = [*flops_findings(evidence, flops), *_hidden_work(evidence)]
    findings = [
        *on_flops,
        *disagreement(evidence.agreement),
        *_params_findings(evidence, params),
        *conduct(evidence.observed()),
        *uncalled_modules(evidence, doubtful=bool(on_flops)),
    ]
    figures = Audit(
        counter=counted.audit.counter,
        not_traced=counted.audit.not_traced,
        traced_products=counted.audit.traced_products,
        products=whole.products,
        by_hand=whole.by_hand,
        uncounted=dict(whole.uncounted),
        sizes=tuple((look.height, look.width, round(look.per_pixel, 1)) for look in evidence.looks),
        flops=flops.scored,
        params=params.total,
        undeclared=params.undeclared,
        generated=params.generated,
        packed=params.packed,
        expanded=params.expanded,
        wide=params.wide,
        hidden=_names(seen.hidden for seen in evidence.observed()),
        uncountable=_uncountable(evidence),
        bound=counted.params * counted.input_shape[-2] * counted.input_shape[-1],
        agreement=None if evidence.agreement is None else round(evidence.agreement.within_one, 6),
    )
    return figures, findings


def _uncountable(evidence: Evidence) -> tuple[str, ...]:
    """Return the operators without a cost that do, or may do, work that matters."""
    seen = [*evidence.observed(), evidence.whole]
    large = ([name for name, size in one.uncountable.items() if size > HIDDEN_FROM] for one in seen)
    return _names([*large, *(one.unknown for one in seen)])


def _hidden_work(evidence: Evidence) -> list[Finding]:
    """Return findings on work that no operator was seen to do."""
    findings = []
    observed = evidence.observed()
    foreign = max(seen.foreign for seen in observed)
    unwritten = max(seen.unwritten for seen in [*observed, evidence.whole])
    remedy = (
        "compute everything with torch's operators, in the thread that calls forward, or declare the kernel "
        "and its twin (docs/kernels.md)"
    )
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
    hidden = _names(seen.hidden for seen in observed)
    if hidden:
        message = (
            f"{few(hidden)} change the output, and no operator is seen to compute with them: their work is "
            f"hidden from every counter; {remedy}"
        )
        findings.append(Finding(code="flops-hidden-weights", severity="reject", message=message))
    operators = _uncountable(evidence)
    if operators:
        message = (
            f"the FLOPs of {few(operators)} are not known, so the row takes no rank where FLOPs are scored; "
            "write them in torch's operators that have a cost, or state theirs in one line of "
            "ntire_bench/worker/costs/stated_costs.py"
        )
        findings.append(Finding(code="flops-not-countable", severity="warning", message=message))
    lookups = max(seen.lookups for seen in [*observed, evidence.whole])
    if lookups > HIDDEN_FROM:
        message = (
            f"{lookups:,} values are looked up in tables of weights at places that the image decides: "
            "a person must judge what work the tables replace"
        )
        findings.append(Finding(code="flops-lookup-table", severity="warning", message=message))
    return findings


@dataclass(frozen=True)
class _Params:
    """The audit's parameters: in all, and the elements of undeclared weights by how they come about."""

    total: int
    undeclared: int
    generated: int
    packed: int
    expanded: int
    wide: int


def _audited_params(evidence: Evidence) -> _Params:
    observed = evidence.observed()
    read = max(seen.weights for seen in observed) + constants_of(observed)
    # A plain bound: whatever operators read it as, it lies in memory and changes the SR image.
    undeclared = max(read, *(seen.reachable for seen in observed))
    wide = max(seen.wide for seen in observed)
    generated, packed = max(seen.generated for seen in observed), max(seen.packed for seen in observed)
    # Parameters that the output does not depend on are scored, but not beside what is used in their place.
    used = evidence.counted.params - min(seen.unread_values for seen in observed)
    return _Params(
        total=max(evidence.counted.params, used + undeclared + max(generated + packed, wide)),
        undeclared=undeclared,
        generated=generated,
        packed=packed,
        expanded=max(seen.expanded for seen in observed),
        wide=wide,
    )


def constants_of(observed: Sequence[Observation]) -> int:
    """Return how many constants there are that are no weights.

    A table of which the same is read on images of all sizes counts. One of which more is read on larger
    images, and one that only images of one size have, grows with the image: of these the fewest count.

    Args:
        observed: Looks at images of several sizes.
    """
    fixed, growing = 0, [seen.constants for seen in observed]
    for name in {name for seen in observed for name in seen.tables}:
        met = [seen.tables.get(name, (0, 0)) for seen in observed]
        read = [elements for elements, _ in met if elements]
        sizes = {seen.pixels for seen, (elements, _) in zip(observed, met, strict=True) if elements}
        if len(set(read)) == 1 and (len(observed) == 1 or len(sizes) > 1):
            fixed += max(values for _, values in met)
        else:
            growing = [before + values for before, (_, values) in zip(growing, met, strict=True)]
    return fixed + min(growing)


def _params_findings(evidence: Evidence, params: _Params) -> list[Finding]:
    """Return findings on weights that are not parameters, as far as there are enough to matter."""
    findings = []
    declared = evidence.counted.params
    least = max(PARAMS_LEAST, PARAMS_MARGIN * declared)
    if params.total - declared > least:
        kinds: tuple[tuple[int, str, Literal["warning", "reject"], str], ...] = (
            (
                params.undeclared,
                "params-undeclared",
                "warning",
                "lie in buffers, attributes or globals; make them nn.Parameter",
            ),
            (
                params.generated,
                "params-generated",
                "reject",
                "are generated in forward; store them as nn.Parameter",
            ),
            (
                params.packed,
                "params-packed",
                "reject",
                "are unpacked in forward from the bits of fewer; store one weight in each element",
            ),
            (
                0 if params.packed > PARAMS_LEAST else params.wide,
                "params-wide",
                "warning",
                "are second values of parameters that are complex or use all of 64 bits",
            ),
        )
        both = f"parameters() has {declared:,} elements, and {params.total:,} are used"
        for count, code, severity, what in kinds:
            if count > PARAMS_LEAST:
                message = f"{both}: {count:,} {what}; {params.total:,} is scored"
                findings.append(Finding(code=code, severity=severity, message=message))
    if params.expanded > least:
        message = (
            f"convolutions and matrix products use {params.expanded:,} more weights than the parameters have "
            "from which forward computes them; only the parameters are scored"
        )
        findings.append(Finding(code="params-expanded", severity="info", message=message))
    return findings


def conduct(observed: Sequence[Observation]) -> list[Finding]:
    """Return findings on what forward does besides computing."""
    findings = []
    threads = max(seen.threads for seen in observed)
    if threads:
        message = (
            f"forward starts threads, or other threads compute with it ({threads}); compute in the thread "
            "that calls forward, and leave the use of more cores to torch"
        )
        findings.append(Finding(code="threads-in-forward", severity="reject", message=message))
    files = _names(seen.files for seen in observed)
    if files:
        message = f"forward opens files or programs ({few(files)}); do that before, in the constructor"
        findings.append(Finding(code="files-in-forward", severity="warning", message=message))
    return findings


def _names(groups: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Return all names of several groups, each once, sorted."""
    return tuple(sorted({name for group in groups for name in group}))
