"""Finds memory that changes where no operator is seen: copied when written, compared when read. Worker only.

What runs out of sight of the dispatcher gives its result back through memory: it writes into a tensor that a
seen operator made. So what an operator wrote is kept, bit by bit, and is compared with what the next one
reads.
"""

from __future__ import annotations

from collections.abc import Hashable

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

__all__ = ["WrittenMemory"]

_WHOLE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by bytes of an element
_ALIGNED = 16  # bytes
_LARGE = 2**22  # bytes of a storage, with which none that has ended is kept
_FEWEST = 16  # copies that are kept before those of storages that have ended are dropped


class WrittenMemory:
    """Copies of all storages that operators have written or read and that are still there.

    Storages are named by the caller: a `StorageWeakRef` for those whose copy is dropped when they end.
    """

    def __init__(self) -> None:
        self._copies: dict[Hashable, Tensor] = {}
        self._limit = _FEWEST
        self._kept: dict[Hashable, Tensor] = {}

    def keep(self, key: Hashable, tensor: Tensor) -> None:
        """Copy the storage of a tensor that lives as long as the network does."""
        self._kept[key] = _all_of(tensor).clone()

    def share(self, key: Hashable, tensor: Tensor, known: Hashable, begin: int) -> None:
        """Note that a storage lies within another that is kept, from byte `begin` of it on."""
        copy = self._kept.get(known)
        size = tensor.untyped_storage().nbytes()
        if copy is not None and begin % _ALIGNED == 0 and begin + size <= len(copy):
            self._kept[key] = copy[begin : begin + size]

    def wrote(self, key: Hashable, tensor: Tensor, *, new: bool = False) -> None:
        """Copy what an operator has written.

        Args:
            key: The name of the tensor's storage.
            tensor: What was written.
            new: Whether an operator made the storage just now.
        """
        copy = None if new else self._copy(key)
        if copy is not None:
            _bits(tensor, copy).copy_(_bits(tensor))
            return
        if len(self._copies) >= self._limit or tensor.untyped_storage().nbytes() > _LARGE:
            for known in [known for known in self._copies if isinstance(known, StorageWeakRef)]:
                if known.expired():  # type: ignore[no-untyped-call]
                    del self._copies[known]
            self._limit = _FEWEST + 2 * len(self._copies)
        self._copies[key] = _all_of(tensor).clone()

    def altered(self, key: Hashable, tensor: Tensor) -> bool:
        """Say whether a tensor holds anything else than what operators wrote; it is known from then on."""
        copy = self._copy(key)
        if copy is None:
            self.wrote(key, tensor, new=True)
            return False
        now, before = _bits(tensor), _bits(tensor, copy)
        if torch.equal(now, before):
            return False
        before.copy_(now)
        return True

    def _copy(self, key: Hashable) -> Tensor | None:
        copy = self._copies.get(key)
        return self._kept.get(key) if copy is None else copy


def _all_of(tensor: Tensor) -> Tensor:
    """Return the bytes of a tensor's storage."""
    storage = tensor.untyped_storage()
    return torch.empty(0, dtype=torch.uint8, device=tensor.device).set_(storage, 0, (storage.nbytes(),), (1,))


def _bits(tensor: Tensor, copy: Tensor | None = None) -> Tensor:
    """Return the elements of a tensor as whole numbers, or those at the same place of its storage's copy.

    >>> pair = torch.tensor([1.0, -0.0])
    >>> _bits(pair[1:]).tolist()
    [-2147483648]
    >>> _bits(torch.tensor([1, 2, 3, 4], dtype=torch.int16)).tolist()
    [1125912791875585]
    """
    size, shape, steps = tensor.element_size(), list(tensor.shape), list(tensor.stride())
    place = tensor.storage_offset()
    inside, rest = divmod(tensor.numel() * size, 8)
    if not rest and place * size % 8 == 0 and tensor.is_contiguous():  # in as few numbers as there can be
        size, shape, steps, place = 8, [inside], [1], place * size // 8
    elif size not in _WHOLE:  # complex numbers of two doubles
        shape, steps, place, size = [*shape, 2], [*(2 * step for step in steps), 1], 2 * place, 8
    shape = [1 if step == 0 else side for side, step in zip(shape, steps, strict=True)]  # expanded
    storage = (tensor if copy is None else copy).untyped_storage()
    begin = 0 if copy is None else copy.storage_offset() // size
    bits = torch.empty(0, dtype=_WHOLE[size], device=tensor.device)
    return bits.set_(storage, begin + place, shape, steps)
