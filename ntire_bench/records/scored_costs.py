"""Which FLOPs and parameters are scored: the official count, unless the audit found more. No torch.

Records that were made without an audit have no figures of one, and their official counts are scored.
"""

from __future__ import annotations

from msgspec import UNSET

from ntire_bench.records.record import Complexity

__all__ = [
    "FLOPS_MARGIN",
    "PARAMS_LEAST",
    "PARAMS_MARGIN",
    "lacks_twin",
    "scored_flops",
    "scored_params",
    "uncountable",
]

FLOPS_MARGIN = 0.02
PARAMS_MARGIN = 0.02
PARAMS_LEAST = 1000  # elements: means, kernels for blurring and the like are below


def scored_flops(complexity: Complexity) -> int:
    """Return the FLOPs that are scored: the audit's if they exceed the official count by over 2 %.

    >>> from ntire_bench.records.record import Audit
    >>> costs = dict(params=1, activations=0, convs=0, input_shape=(1, 3, 256, 256))
    >>> scored_flops(Complexity(flops=100, audit=Audit(flops=102), **costs))
    100
    >>> scored_flops(Complexity(flops=100, audit=Audit(flops=103), **costs))
    103
    """
    found = complexity.audit.flops
    if found is UNSET:
        return complexity.flops
    return found if found > complexity.flops * (1 + FLOPS_MARGIN) else complexity.flops


def uncountable(complexity: Complexity) -> tuple[str, ...]:
    """Return the operators that no cost is stated for: with any, the FLOPs are not known.

    >>> uncountable(Complexity(params=1, flops=1, activations=0, convs=0, input_shape=(1, 3, 256, 256)))
    ()
    """
    found = complexity.audit.uncountable
    return () if found is UNSET else found


def lacks_twin(complexity: Complexity) -> bool:
    """Return whether a kernel has no twin: then its parameters are not known either.

    >>> from ntire_bench.records.record import Audit
    >>> costs = dict(params=1, flops=1, activations=0, convs=0, input_shape=(1, 3, 256, 256))
    >>> lacks_twin(Complexity(audit=Audit(kernels=("gate",)), **costs)), lacks_twin(Complexity(**costs))
    (True, False)
    """
    return complexity.audit.kernels is not UNSET and complexity.audit.twin is UNSET


def scored_params(complexity: Complexity) -> int:
    """Return the parameters that are scored: the audit's if there are over 2 % and 1,000 more of them.

    >>> from ntire_bench.records.record import Audit
    >>> costs = dict(flops=1, activations=0, convs=0, input_shape=(1, 3, 256, 256))
    >>> scored_params(Complexity(params=10_000, audit=Audit(params=10_900), **costs))
    10000
    >>> scored_params(Complexity(params=10_000, audit=Audit(params=11_100), **costs))
    11100
    """
    found = complexity.audit.params
    if found is UNSET:
        return complexity.params
    more = found - complexity.params
    return found if more > max(PARAMS_LEAST, PARAMS_MARGIN * complexity.params) else complexity.params
