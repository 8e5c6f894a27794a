"""Weights that forward computes, against what it computes them from. Worker only."""

from __future__ import annotations

from collections import defaultdict

from torch import Tensor

from ntire_bench.worker.costs.origin import Kind, Origin, Use, distinct, print_of, real
from ntire_bench.worker.costs.provenance import Provenance
from ntire_bench.worker.costs.structure import free_values

__all__ = ["DerivedWeights"]


class DerivedWeights:
    """The factors of convolutions and matrix products that do not depend on the image.

    A factor that was there before is marked as a weight. One that forward computes counts by its elements,
    equal tensors once, and is compared with what it was computed from: half-precision copies, merged branches
    and unpacked numbers.

    Args:
        provenance: Of the same pass.
    """

    def __init__(self, provenance: Provenance) -> None:
        self._provenance = provenance
        self._elements: dict[str, dict[tuple[int, str, str], int]] = defaultdict(dict)
        self._sources: dict[str, set[int]] = defaultdict(set)
        self._covered: dict[tuple[int, str, str], int] = {}
        self._masks: set[int] = set()
        self._masked: set[int] = set()

    def note(self, factor: Tensor, origin: Origin) -> None:
        """Note a factor that does not depend on the image."""
        made = Kind.BITS | Kind.RANDOM | Kind.RANGE
        known = self._provenance.source_of(factor) is not None
        masks = set() if known or origin.kind & (made | Kind.IMAGE) else self._masks_of(factor, origin)
        for number in origin.sources - masks:
            self._provenance.sources[number].use |= Use.WEIGHT
        if known:
            return
        if Kind.IMAGE in origin.kind and not origin.kind & made:
            return  # merged or scaled by the image, from weights that count
        elements = distinct(factor)
        if Kind.BITS in origin.kind:
            how = "packed"
        elif Kind.RANDOM in origin.kind:
            how = "generated"
        elif Kind.RANGE in origin.kind or not origin.sources:
            how = "generated" if free_values([real(factor)]) else "expanded"  # windows and fixed filters
        else:
            how = "expanded"
        self._elements[how][print_of(factor)] = elements
        self._sources[how] |= origin.sources

    def _masks_of(self, factor: Tensor, origin: Origin) -> set[int]:
        """Return the sources of a factor that no weight comes from: parameters have all of its elements.

        So it is with masks of pruned weights. As constants, masks of one bit follow from structure.
        """
        sources = self._provenance.sources
        masked = {number for number in origin.sources if sources[number].declared}
        masks = set(origin.sources) - masked
        if not masks or distinct(factor) > sum(sources[number].declared for number in masked):
            return set()
        self._covered[print_of(factor)] = distinct(factor)
        self._masked |= masked
        self._masks |= masks
        return masks

    def settle(self) -> None:
        """Mark masks as weights where the same parameters were masked in several ways."""
        sources = self._provenance.sources
        if sum(self._covered.values()) > sum(sources[number].declared for number in self._masked):
            for number in self._masks:
                sources[number].use |= Use.WEIGHT

    def excess(self, how: str) -> int:
        """Return by how many elements computed weights exceed what they were computed from.

        Args:
            how: "packed", "generated" or "expanded".
        """
        before = sum(self._provenance.sources[number].read for number in self._sources[how])
        return max(0, sum(self._elements[how].values()) - before)
