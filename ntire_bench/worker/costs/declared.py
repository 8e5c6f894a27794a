"""The memory that a network's parameters lie in, and which of them a pass left alone. Worker only."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ntire_bench.worker.costs.origin import Source, Use, View, has_storage, view_of

__all__ = ["Declared", "Region"]


@dataclass(frozen=True)
class Region:
    """One storage of parameters.

    Attributes:
        start: Where it begins.
        room: Bytes of it.
        itemsize: Bytes of an element.
        inside: The parameters that lie in it, by name.
    """

    start: int
    room: int
    itemsize: int
    inside: list[tuple[str, Tensor]] = field(default_factory=list)


class Declared:
    """Knows which memory is that of parameters, whatever object shows it.

    Args:
        network: Whose parameters are what is declared.
    """

    def __init__(self, network: nn.Module) -> None:
        known: dict[int, Region] = {}
        self._values: dict[str, int] = {}  # as official parameters are counted, whatever their class says
        for name, parameter in network.named_parameters():
            if has_storage(parameter):
                self._values[name] = parameter.numel() * (2 if parameter.is_complex() else 1)
                storage = parameter.untyped_storage()
                start = storage.data_ptr()
                region = known.setdefault(start, Region(start, storage.nbytes(), parameter.element_size()))
                region.inside.append((name, parameter.detach()))
        self.regions = [region for _, region in sorted(known.items())]

    def region_of(self, tensor: Tensor) -> Region | None:
        """Return the parameters' memory that a tensor begins in."""
        place = tensor.data_ptr() if has_storage(tensor) else 0
        # Empty tensors have no place, and a region begins at one.
        index = bisect.bisect_right(self.regions, place, key=lambda region: region.start) - 1 if place else -1
        if index < 0 or place >= self.regions[index].start + self.regions[index].room:
            return None
        return self.regions[index]

    def values_in(self, region: Region) -> int:
        """Return how many values the parameters of a region have; a complex number is two."""
        return sum(self._values[name] for name, _ in region.inside)

    def unread(self, sources: Mapping[int, Source]) -> dict[str, Tensor]:
        """Return the parameters of which not all elements were read, each with a map of the others.

        Args:
            sources: What was read of each region, by where it begins.
        """
        found = {}
        for region in self.regions:
            source = sources.get(region.start)
            if source is not None and source.recast:  # its elements are not those that were read
                continue
            views = source.views if source is not None else {}
            missing = [(name, part) for name, part in region.inside if view_of(part) not in views]
            if not missing:
                continue
            seen = _seen(views, region, [part for _, part in missing])
            for name, part in missing:
                place = (part.data_ptr() - region.start) // region.itemsize
                left = ~seen.as_strided(part.shape, part.stride(), place)
                if left.any():
                    found[name] = left
        return found

    def unmultiplied(self, sources: Iterable[Source]) -> dict[str, Tensor]:
        """Return the parameters that are no factor of any product that was seen, each with a map of all."""
        used = {name for source in sources if Use.WEIGHT in source.use for name in source.names}
        parts = [pair for region in self.regions for pair in region.inside]
        return {name: torch.ones(part.shape, dtype=torch.bool) for name, part in parts if name not in used}


def _seen(views: Iterable[View], region: Region, parts: Sequence[Tensor]) -> Tensor:
    """Return which elements of memory some views show, as a map that is long enough for some parts of it."""
    places = [((place - region.start) // region.itemsize, shape, steps) for place, shape, steps in views]
    places += [
        ((part.data_ptr() - region.start) // region.itemsize, part.shape, part.stride()) for part in parts
    ]
    ends = [
        place + sum((side - 1) * step for side, step in zip(shape, steps, strict=True)) + 1
        for place, shape, steps in places
    ]
    seen = torch.zeros(max(ends), dtype=torch.bool)
    for place, shape, steps in places[: len(places) - len(parts)]:
        single = [1 if step == 0 else side for side, step in zip(shape, steps, strict=True)]
        seen.as_strided(single, steps, place).fill_(True)
    return seen
