"""Keeps the origin of every tensor during a forward pass: image, weights, constants, or else. Worker only.

Origins belong to storages, because views share one. A storage is known by a weak reference and not by its
address: the reference keeps the address from being used for the next tensor.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from ntire_bench.worker.costs.declared import Declared
from ntire_bench.worker.costs.memory import WrittenMemory
from ntire_bench.worker.costs.origin import (
    Kind,
    Origin,
    Source,
    Use,
    View,
    distinct,
    has_storage,
    print_of,
    room_of,
    view_of,
)
from ntire_bench.worker.costs.packed_weights import values_in

__all__ = ["Provenance"]


@dataclass
class _Storage:
    """One storage: its origin, whether it is a source, and which views of it have been written."""

    origin: Origin
    number: int | None = None
    unwritten: int = 0
    written: set[View] = field(default_factory=set)


class Provenance:
    """Knows the origin of every storage of one forward pass.

    Args:
        network: Its parameters are what is declared.
        memory: Whether what operators wrote is compared with what is read.

    Attributes:
        sources: In the order in which they were met; what was written out of sight is one of its own.
        unwritten: Elements that were read although no operator had written them.
    """

    def __init__(self, network: nn.Module, *, memory: bool = False) -> None:
        self.sources: list[Source] = []
        self.unwritten = 0
        self._memory = WrittenMemory() if memory else None
        self._storages: dict[Hashable, _Storage] = {}
        # Tensors without a storage are known by their identity, and kept for it.
        self._kept: list[Tensor] = []
        self._packed: dict[tuple[tuple[int, str, str], ...], Origin] = {}
        self._numbers: dict[int, int] = {}
        self._declared = Declared(network)
        if self._memory is not None:
            for region in self._declared.regions:
                parameter = region.inside[0][1]
                self._memory.keep(self._key(parameter), parameter)

    def produced(self, tensor: Tensor, origin: Origin, *, unwritten: bool = False) -> None:
        """Note a new tensor that an operator made; `unwritten` if it is uninitialized memory."""
        key = self._key(tensor)
        self._storages[key] = _Storage(origin, unwritten=tensor.numel() if unwritten else 0)
        if self._memory is not None and has_storage(tensor) and not unwritten:
            self._memory.wrote(key, tensor, new=True)

    def known(self, tensor: Tensor) -> bool:
        """Return whether an operator has made, written or read this tensor's storage before."""
        return self._key(tensor) in self._storages

    def written(self, tensor: Tensor, origin: Origin) -> None:
        """Note that an operator wrote into a tensor; the rest of its storage stays what it was."""
        key = self._key(tensor)
        storage = self._storages.get(key)
        if storage is None:
            storage = self._storages[key] = _Storage(Origin())
            # Else nothing is left of what it was.
            if tensor.numel() * tensor.element_size() < room_of(tensor):
                storage.number = self._source(tensor)
                self._share(key, tensor)
                storage.origin = Origin(Kind.WEIGHT, frozenset((storage.number,)))
        view = view_of(tensor)
        if view not in storage.written:
            storage.written.add(view)
            storage.unwritten = max(0, storage.unwritten - distinct(tensor))
        before, kind = storage.origin, (storage.origin.kind & ~Kind.PRODUCT) | origin.kind
        storage.origin = Origin(kind, before.sources | origin.sources)
        if self._memory is not None and has_storage(tensor):
            self._memory.wrote(key, tensor)

    def recast(self, tensor: Tensor) -> None:
        """Note that a computed tensor's bits are read as another type; `Source.recast` says so of sources."""
        storage = self._storages.get(self._key(tensor))
        if storage is not None:
            storage.origin = Origin(storage.origin.kind | Kind.BITS, storage.origin.sources)

    def of(self, tensor: Tensor, use: Use = Use.NOTHING) -> Origin:
        """Return the origin of a tensor that is read; one that no operator made is a source from now on.

        Args:
            tensor: An operator's argument.
            use: What for; NOTHING where only its shape or its place in memory matters.
        """
        key = self._key(tensor)
        storage = self._storages.get(key)
        if storage is None:
            number = self._source(tensor)
            origin = Origin(Kind.WEIGHT, frozenset((number,)))
            storage = self._storages[key] = _Storage(origin, number)
            self._share(key, tensor)
        if use and self._memory is not None and has_storage(tensor) and self._memory.altered(key, tensor):
            self._from_elsewhere(storage, tensor)
        if storage.number is None and not storage.unwritten:
            return storage.origin
        view = view_of(tensor)
        if view in storage.written:
            return storage.origin
        if use and storage.number is not None:
            self._read(self.sources[storage.number], tensor, view, use)
        if use:
            self.unwritten += min(storage.unwritten, distinct(tensor))
        # Memory that nobody has written may hold anything, so also what was computed from the image.
        if storage.unwritten:
            return Origin(storage.origin.kind | Kind.IMAGE, storage.origin.sources)
        return storage.origin

    def _from_elsewhere(self, storage: _Storage, tensor: Tensor) -> None:
        """Note that what lies in a tensor is not what operators wrote there: it is a source of its own."""
        storage.number = len(self.sources)
        storage.written = set()
        self.sources.append(Source((), 0, room_of(tensor), tensor.element_size()))
        storage.origin = Origin(storage.origin.kind | Kind.WEIGHT, frozenset((storage.number,)))

    def _share(self, key: Hashable, tensor: Tensor) -> None:
        """Note that a source lies in the memory of a parameter, as a NumPy array of it does."""
        region = self._declared.region_of(tensor)
        if self._memory is None or region is None:
            return
        own = self._key(region.inside[0][1])
        if own != key:
            begin = tensor.untyped_storage().data_ptr() - region.start
            if begin >= 0:
                self._memory.share(key, tensor, own, begin)

    def packed(self, packed: torch.ScriptObject, origin: Origin) -> None:
        """Note an object that an operator packed weights into."""
        self._packed[_prints(values_in(packed))] = origin

    def of_packed(self, packed: torch.ScriptObject) -> Origin:
        """Return the origin of weights that lie in an object; a source if no operator packed them."""
        values = values_in(packed)
        prints = _prints(values)
        origin = self._packed.get(prints)
        if origin is None:
            numbers = [self._source(tensor) for tensor in values]
            for number, tensor in zip(numbers, values, strict=True):
                self._read(self.sources[number], tensor, view_of(tensor), Use.WEIGHT)
                self.sources[number].shown.append(tensor)  # keeps its place in memory from being used again
            origin = self._packed[prints] = Origin(Kind.WEIGHT, frozenset(numbers))
        return origin

    def source_of(self, tensor: Tensor) -> int | None:
        """Return the number of the source that a tensor is, or None if it was computed."""
        storage = self._storages.get(self._key(tensor))
        return None if storage is None else storage.number

    def merged(self, tensors: Iterable[Tensor], use: Use) -> Origin:
        """Return the origin of what is computed from some tensors."""
        kind, sources = Kind.NOTHING, frozenset[int]()
        for tensor in tensors:
            origin = self.of(tensor, use)
            kind |= origin.kind
            sources |= origin.sources
        return Origin(kind & ~Kind.PRODUCT, sources)

    def unread(self) -> dict[str, Tensor]:
        """Return the parameters of which not all elements were read, each with a map of the others."""
        return self._declared.unread({start: self.sources[number] for start, number in self._numbers.items()})

    def unmultiplied(self) -> dict[str, Tensor]:
        """Return the parameters that are no factor of any product that was seen, each with a map of all."""
        return self._declared.unmultiplied(self.sources)

    @staticmethod
    def _read(source: Source, tensor: Tensor, view: View, use: Use) -> None:
        source.use |= use
        if view not in source.views:
            source.views[view] = distinct(tensor)
            if source.undeclared:
                source.shown.append(tensor.detach())
            if tensor.element_size() < source.itemsize:
                source.recast, source.itemsize = True, tensor.element_size()
        if source.print is None and source.undeclared:
            source.print = print_of(tensor)

    def _key(self, tensor: Tensor) -> Hashable:
        if has_storage(tensor):
            return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
        self._kept.append(tensor)
        return id(tensor)

    def _source(self, tensor: Tensor) -> int:
        """Return the number of a source; a storage in a parameter's memory counts as that parameter."""
        names: tuple[str, ...] = ()
        declared = 0
        room, itemsize = room_of(tensor), tensor.element_size()
        region = self._declared.region_of(tensor)
        if region is not None:
            if region.start in self._numbers:
                return self._numbers[region.start]
            room, itemsize = region.room, region.itemsize
            names = tuple(name for name, _ in region.inside)
            declared = self._declared.values_in(region)
            self._numbers[region.start] = len(self.sources)
        self.sources.append(Source(names, declared, room, itemsize))
        return len(self.sources) - 1


def _prints(values: Iterable[Tensor]) -> tuple[tuple[int, str, str], ...]:
    """Return fingerprints of several tensors."""
    return tuple(map(print_of, values))
