"""Which FLOPs and parameters are scored: the official count, unless the audit found more. No torch.

`records.Complexity.audit` is a dictionary of plain JSON values:

| key | value |
|---|---|
| counter | "fvcore", or "operators" where fvcore could not trace the network |
| not_traced | why it could not; null otherwise |
| traced_products | multiply-accumulates of convolutions and matrix products in `flops` |
| products | the same as the audit counted them, operator by operator, on the same input |
| by_hand | work of the same kind in other operators |
| uncounted | estimated cost of every other operator, by name |
| sizes | [[height, width, multiply-accumulates per LR pixel], ...] of the undisclosed sizes |
| flops | the audit's FLOPs on the same input, at least `Complexity.flops` |
| params | the audit's parameters, at least `Complexity.params` |
| undeclared, generated, packed, expanded | elements of undeclared weights, by how they come about |
| hidden | weights that are used where no operator is seen |
| bound | parameters times LR pixels: FLOPs of a network that uses each weight once for every pixel |
| agreement | share of SR values within one grey level of an ordinary call's; null if none was compared |
| seconds | what the audit took |

Records that were made without an audit have none of them, and their official counts are scored.
"""

from __future__ import annotations

from ntire_bench.records.record import Complexity

__all__ = ["FLOPS_MARGIN", "PARAMS_LEAST", "PARAMS_MARGIN", "scored_flops", "scored_params"]

FLOPS_MARGIN = 0.02
PARAMS_MARGIN = 0.02
PARAMS_LEAST = 1000  # elements: means, kernels for blurring and the like are below


def scored_flops(complexity: Complexity) -> int:
    """Return the FLOPs that are scored: the audit's if they exceed the official count by over 2 %.

    >>> costs = dict(params=1, activations=0, convs=0, input_shape=(1, 3, 256, 256))
    >>> scored_flops(Complexity(flops=100, audit={"flops": 102}, **costs))
    100
    >>> scored_flops(Complexity(flops=100, audit={"flops": 103}, **costs))
    103
    """
    found = _whole(complexity, "flops")
    return found if found > complexity.flops * (1 + FLOPS_MARGIN) else complexity.flops


def scored_params(complexity: Complexity) -> int:
    """Return the parameters that are scored: the audit's if there are over 2 % and 1,000 more of them.

    >>> costs = dict(flops=1, activations=0, convs=0, input_shape=(1, 3, 256, 256))
    >>> scored_params(Complexity(params=10_000, audit={"params": 10_900}, **costs))
    10000
    >>> scored_params(Complexity(params=10_000, audit={"params": 11_100}, **costs))
    11100
    """
    found = _whole(complexity, "params")
    more = found - complexity.params
    return found if more > max(PARAMS_LEAST, PARAMS_MARGIN * complexity.params) else complexity.params


def _whole(complexity: Complexity, key: str) -> int:
    value = complexity.audit.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
