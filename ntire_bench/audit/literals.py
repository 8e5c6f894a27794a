"""Numbers that are written into a model file: weights that no tensor holds before forward. Parent only."""

from __future__ import annotations

import ast
import dataclasses

from msgspec import UNSET

from ntire_bench.records.record import Complexity, Finding
from ntire_bench.records.scored_costs import PARAMS_LEAST, PARAMS_MARGIN

__all__ = ["numbers_in", "with_numbers"]

_BYTES = 4  # of a value of 32 bits


def numbers_in(tree: ast.AST) -> int:
    """Return how many numbers a program's text holds, and how many its bytes have room for.

    Texts and docstrings are none.

    >>> numbers_in(ast.parse('[1, -2.5, True]'))
    2
    >>> numbers_in(ast.parse('b"12345678"'))
    2
    """
    count = 0
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, bytes):
            count += len(value) // _BYTES
        elif isinstance(value, (int, float, complex)) and not isinstance(value, bool):
            count += 1
    return count


def with_numbers(costs: Complexity, numbers: int) -> tuple[Complexity, list[Finding]]:
    """Return audited costs with the numbers of a model file, and a finding if they matter.

    Numbers that became tensors are counted by the audit already, so the larger of both counts is taken.

    Args:
        costs: With the audit's figures.
        numbers: As `numbers_in` counts them; a network without weights in its code has a few hundred.
    """
    least = max(PARAMS_LEAST, PARAMS_MARGIN * costs.params)
    audited = costs.params if costs.audit.params is UNSET else costs.audit.params
    total = costs.params + numbers
    if numbers <= least or total - audited <= PARAMS_LEAST:
        return costs, []
    message = (
        f"parameters() has {costs.params:,} elements, and {numbers:,} numbers are written into the "
        f"code; {total:,} is scored; put weights into the checkpoint"
    )
    changed = dataclasses.replace(costs, audit=dataclasses.replace(costs.audit, params=total))
    return changed, [Finding(code="params-in-code", severity="warning", message=message)]
