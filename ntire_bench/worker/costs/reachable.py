"""A plain upper bound of the constants that an SR image depends on: all that lies in memory. Worker only.

What operators are seen to read may be called an index, a statistic or something that came from the image. So
all tensors and arrays of the process count that torch and this program did not bring, unless their values
follow from structure, or they change nothing when their values are put into another order.
"""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import cast

import numpy as np
import torch
from torch import Tensor

from ntire_bench.worker.costs.by_value import factors_of
from ntire_bench.worker.costs.declared import Declared
from ntire_bench.worker.costs.influence import Output, rounded, shuffled
from ntire_bench.worker.costs.origin import has_storage, real
from ntire_bench.worker.costs.structure import FEWEST, free_values
from ntire_bench.worker.network.upscaler import Upscaler

__all__ = ["begin", "undeclared_constants", "wide_parameters"]

_LEAST = 1000  # values; fewer are means, small filters and the like
_HALF_LEVEL = 0.5 / 255  # of the range
_MAPS = Path("/proc/self/maps")
_ARRAYS = {np.ndarray, bytearray}
Array = np.ndarray | bytearray


def undeclared_constants(output: Output, statistics: Collection[int], sr: Tensor | None = None) -> int:
    """Return how many values in memory change the SR image, and are neither parameters nor structure.

    Args:
        output: The SR image; of a small LR image, as that is run once for each table.
        statistics: Where the storages begin that are running statistics of norms and nothing else.
        sr: What the network gave just now, which is kept by the caller.

    Returns:
        Values of 32 bits; 0 where there are at most a thousand.
    """
    ours = [*output.kept()] if sr is None else [*output.kept(), sr]
    writable = _writable()
    tables = [one for one in _tables(output.upscaler, ours, statistics) if _lies_in(one, writable)]
    if sum(map(_values, map(_whole, tables))) <= _LEAST:
        return 0
    # The small ones together: a network may have a thousand of them.
    small = [one for one in tables if _whole(one).numel() <= FEWEST]
    large = [one for one in tables if _whole(one).numel() > FEWEST]
    found = sum(_free(table) for table in _that_matter(output, large))
    if _that_matter(output, small, apart=False):
        found += sum(map(_free, small))
    return found if found > _LEAST else 0


def _that_matter(output: Output, tables: Sequence[Tensor], *, apart: bool = True) -> Sequence[Tensor]:
    """Return the tables whose values change the SR image where they are put into another order.

    Args:
        output: The SR image.
        tables: Most of what is large is left over from earlier passes: halves are tried, and halves of those.
        apart: Whether each is looked at; else all are returned where one of them matters.
    """
    if not tables or not output.changes([shuffled(_whole(table)) for table in tables]):
        return []
    if len(tables) == 1 or not apart:
        return tables
    half = len(tables) // 2
    return [*_that_matter(output, tables[:half]), *_that_matter(output, tables[half:])]


def wide_parameters(output: Output) -> int:
    """Return how many values parameters hold beyond their elements: complex ones, and those of 64 bits.

    A floating point number of 64 bits counts twice where its last digits are more than digits: where the SR
    image is another one without them.
    """
    known = dict(output.upscaler.network.named_parameters())
    parameters = [parameter for parameter in known.values() if has_storage(parameter)]
    wide = sum(max(0, _values(parameter) - parameter.numel()) for parameter in parameters)
    doubles = [one for one in parameters if one.dtype in (torch.float64, torch.complex128)]
    level = _HALF_LEVEL * output.upscaler.data_range
    if doubles and output.changes([rounded(one) for one in doubles], level):
        wide += sum(one.numel() * (2 if one.is_complex() else 1) for one in doubles)
    return wide


_before: list[
    object
] = []  # what modules held before a submission was loaded; kept, so that no place comes again
_frozen = 0  # how many objects there were then


def begin() -> None:
    """Note that what there is now is torch's and this program's: a submission is about to be loaded."""
    global _frozen
    gc.freeze()
    _frozen = gc.get_freeze_count()
    _before[:] = _arrays(gc.get_referents(*_modules()))


def _tables(upscaler: Upscaler, ours: Sequence[Tensor], statistics: Collection[int]) -> list[Tensor]:
    """Return tensors in whose storages constants may lie, one for each storage."""
    declared = Declared(upscaler.network)
    own = {0, *map(_start, (*ours, *factors_of(upscaler.network).samples()))}
    found: dict[int, Tensor] = {}
    for tensor in _tensors():
        start = _start(tensor)
        if start not in own and start not in statistics and declared.region_of(tensor) is None:
            before = found.get(start)
            if before is None or (before.numel(), before.ndim) < (tensor.numel(), tensor.ndim):
                found[start] = tensor  # the one that shows the most of it, as it is used
    return [tensor for tensor in found.values() if tensor.untyped_storage().nbytes()]


def _start(tensor: Tensor) -> int:
    """Return where a tensor's storage begins; 0 for one without memory, as there are for tracing."""
    try:
        return tensor.untyped_storage().data_ptr() if has_storage(tensor) else 0
    except (RuntimeError, NotImplementedError):
        return 0


def _tensors() -> Iterator[Tensor]:
    """Yield the dense tensors that were made since `begin`, and arrays as tensors."""
    gc.collect()
    if gc.get_freeze_count() > _frozen:  # somebody has hidden what came since
        gc.unfreeze()
    objects = gc.get_objects()
    kinds = {kind for kind in set(map(type, objects)) if issubclass(kind, Tensor)}
    yield from [one for one in objects if type(one) in kinds]
    known = set(map(id, _before))
    # Modules and classes that were there before may have been given an array since.
    for one in _arrays(gc.get_referents(*objects, *_modules())):
        if id(one) in known:
            continue
        shown = _shown(one) if type(one) is np.ndarray else torch.frombuffer(one, dtype=torch.uint8)
        if shown is not None:
            yield shown


def _modules() -> list[object]:
    """Return the namespaces of all modules, and of the classes in them."""
    spaces = [vars(module) for module in list(sys.modules.values()) if type(module) is ModuleType]
    classes = {id(one): one for space in spaces for one in list(space.values()) if type(one) is type}
    return [*spaces, *(dict(vars(one)) for one in classes.values())]


def _arrays(objects: Sequence[object]) -> list[Array]:
    """Return those of many objects that hold numbers that may be a table, and are no tensors."""
    arrays = [one for one in objects if type(one) in _ARRAYS]  # of hundreds of thousands: by the type first
    return [one for one in cast(list[Array], arrays) if _may_be_a_table(one)]


def _may_be_a_table(one: Array) -> bool:
    if isinstance(one, np.ndarray):
        return one.dtype.kind in "fiucb" and one.size > 0 and one.dtype.isnative
    return len(one) >= FEWEST


def _shown(array: np.ndarray) -> Tensor | None:
    """Return the memory of an array as a tensor; None where torch has no such numbers."""
    if any(step < 0 for step in array.strides):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # of one that is to be read only: where its memory is, it is not
        try:
            return torch.from_numpy(array)
        except TypeError:
            return None


def _whole(tensor: Tensor) -> Tensor:
    """Return all that lies in a tensor's storage, as numbers of its type."""
    plain = torch.empty(0, dtype=tensor.dtype, device=tensor.device) if not tensor.is_quantized else None
    storage = tensor.untyped_storage()
    if plain is None:  # as the whole numbers that they are
        plain = torch.empty(0, dtype=torch.int8, device=tensor.device)
    return plain.set_(storage, 0, (storage.nbytes() // plain.element_size(),), (1,))


def _values(tensor: Tensor) -> int:
    """Return how many values of 32 bits a tensor holds; smaller ones count by their bits.

    >>> [_values(torch.zeros(8, dtype=type)) for type in (torch.uint8, torch.float32, torch.complex64)]
    [2, 8, 16]
    >>> _values(torch.tensor([1, 2])), _values(torch.tensor([1, 2**40]))
    (2, 4)
    """
    if tensor.dtype == torch.int64:
        high = tensor.detach() >> 31
        return tensor.numel() * (2 if bool(((high != 0) & (high != -1)).any()) else 1)
    if tensor.is_complex():
        return 2 * tensor.numel()
    return tensor.numel() if tensor.element_size() > 4 else tensor.numel() * tensor.element_size() // 4


def _free(tensor: Tensor) -> int:
    """Return how many values of a tensor's storage do not follow from structure."""
    whole = _whole(tensor)
    values = _values(whole)
    if values <= FEWEST:
        return values
    if tensor.numel() == whole.numel() and tensor.ndim > 1 and not tensor.is_quantized:
        values = min(values, free_values([real(tensor)]))  # rows and columns may follow a rule
    return min(values, free_values([real(whole)])) if values else 0


def _writable() -> list[tuple[int, int]]:
    """Return the ranges of this process's memory that can be written."""
    ranges = []
    for line in _MAPS.read_text().splitlines():
        span, rights = line.split(maxsplit=2)[:2]
        if "w" in rights:
            begin, _, end = span.partition("-")
            ranges.append((int(begin, 16), int(end, 16)))
    return ranges


def _lies_in(table: Tensor, ranges: list[tuple[int, int]]) -> bool:
    """Return whether a table can be written; a device's memory can."""
    place = table.data_ptr()
    return table.device.type != "cpu" or any(begin <= place < end for begin, end in ranges)
