"""Weights that forward computes before it uses them: converted, unpacked or generated. Worker only."""

from __future__ import annotations

from collections import defaultdict

from torch import Tensor

from ntire_bench.worker.costs.origin import Kind, Origin, Use, distinct, print_of
from ntire_bench.worker.costs.provenance import Provenance

__all__ = ["DerivedWeights"]


class DerivedWeights:
    """The factors of convolutions and matrix products that do not depend on the image.

    A factor that is a tensor of its own marks that tensor as a weight. One that was computed counts by its
    elements, equal ones once: half-precision copies, merged branches and unpacked numbers of one forward pass
    are compared with what they were computed from.

    Args:
        provenance: Of the same pass.
    """

    def __init__(self, provenance: Provenance) -> None:
        self._provenance = provenance
        self._elements: dict[str, dict[tuple[int, str, str], int]] = defaultdict(dict)
        self._sources: dict[str, set[int]] = defaultdict(set)

    def note(self, factor: Tensor, origin: Origin) -> None:
        """Note a factor whose origin holds no image."""
        for number in origin.sources:
            self._provenance.sources[number].use |= Use.WEIGHT
        if self._provenance.source_of(factor) is not None:
            return
        if Kind.BITS in origin.kind:
            how = "packed"
        elif origin.kind & (Kind.RANDOM | Kind.RANGE):
            how = "generated"
        else:
            how = "expanded"
        self._elements[how][print_of(factor)] = distinct(factor)
        self._sources[how] |= origin.sources

    def excess(self, how: str) -> int:
        """Return by how many elements computed weights exceed what they were computed from.

        Args:
            how: "packed", "generated" or "expanded".
        """
        before = sum(self._provenance.sources[number].read for number in self._sources[how])
        return max(0, sum(self._elements[how].values()) - before)
