"""Whether a network takes far longer, or far less long, than the work that was counted of it explains.

A second line that no trick inside the submission's process reaches: the time is at least this program's own.
The measure is the baseline of the same session, on the same images, on the same machine. Work is FLOPs and
what writing each element of a convolution's output costs: depth-wise networks have few FLOPs and many such
elements, and by FLOPs alone they look twenty times as slow as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ntire_bench.measuring.timings import Timings
from ntire_bench.records.record import Complexity, Finding
from ntire_bench.records.scored_costs import scored_flops
from ntire_bench.text import giga

__all__ = ["findings", "pace", "work"]

# Multiply-accumulates that take as long as to write one element of an output. With 300, the networks that
# docs/INTEGRITY.md names are within a factor of nine of each other; by FLOPs alone, of sixty.
_PER_ACTIVATION = 300
_USUAL = "0.4 to 3.5"  # of those networks, over RLFN
_SLOWEST, _FASTEST = 7.0, 0.04  # a network in half precision may be ten times as fast on a GPU


def work(costs: Complexity) -> float:
    """Return what was counted of a network on the cost input [multiply-accumulates].

    >>> work(Complexity(params=1, flops=1000, activations=10, convs=1, input_shape=(1, 3, 256, 256)))
    4000.0
    """
    return float(scored_flops(costs) + _PER_ACTIVATION * costs.activations)


def pace(own: Timings, baseline: Timings) -> float | None:
    """Return the time of the submission for its counted work, over the baseline's for its own.

    Args:
        own: All calls of the submission.
        baseline: Those of the baseline, on the same images.

    Returns:
        The quotient; None where costs were not counted, or nothing was.
    """
    if own.side.complexity is None or baseline.side.complexity is None:
        return None
    works = work(own.side.complexity), work(baseline.side.complexity)
    if min(works) <= 0:
        return None
    return _ms(own) / _ms(baseline) / (works[0] / works[1])


def _ms(timings: Timings) -> float:
    """Return a side's runtime of all images together: medians, so that no stall counts.

    It is the parent's, less what a call takes beside the network. Where that is nearly all of a call, as for
    small images on a GPU, nothing certain is left of it, and the worker's figure is at least that.
    """
    longer = [np.maximum(timings.seen(split), timings.claimed(split)) for split in timings.calls]
    return math.fsum(float(np.median(calls, axis=1).sum()) for calls in longer)


def findings(own: Timings, found: float | None) -> Sequence[Finding]:
    """Return the note on a network that is far from all known ones; never more than a note.

    Args:
        own: Of the submission.
        found: What `pace` returned.
    """
    costs = own.side.complexity
    if found is None or costs is None or _FASTEST <= found <= _SLOWEST:
        return []
    counted = f"{giga(scored_flops(costs))} FLOPs, {costs.activations / 1e6:.1f} M activations"
    why = (
        "work may be hidden from the count, or be honest and slow here, as very many small operators and "
        "some number types are"
        if found > 1
        else "SR images may not be computed anew, or be computed in half precision, which is honest"
    )
    message = (
        f"for the work that is counted of it ({counted}) it takes {found:.3g} times as long as the baseline "
        f"for its own; known networks take {_USUAL} times as long. A person should look at what it "
        f"computes: {why}"
    )
    return [Finding(code="runtime-per-flop", severity="info", message=message)]
