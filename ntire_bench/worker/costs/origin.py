"""The kinds of origin that a tensor may have, and the tensors that were there before. Worker only."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ntire_bench.worker.costs.structure import FEWEST, different_rows, free_values

__all__ = [
    "Kind",
    "Origin",
    "Source",
    "Use",
    "View",
    "distinct",
    "has_storage",
    "print_of",
    "real",
    "room_of",
    "view_of",
    "without_positions",
]

View = tuple[int, torch.Size, tuple[int, ...]]


class Kind(enum.Flag):
    """What a tensor was computed from, and how."""

    NOTHING = 0
    IMAGE = enum.auto()
    WEIGHT = enum.auto()  # a parameter, or any other tensor that was there before
    RANDOM = enum.auto()  # random numbers drawn in forward
    RANGE = enum.auto()  # arange and its like, which a generator of weights begins with
    BITS = enum.auto()  # bits read as another type, whole numbers taken apart
    PRODUCT = enum.auto()  # the direct result of an element-wise multiplication
    REPEATED = enum.auto()  # the same values several times
    OUTER = enum.auto()  # one value for each pair of a feature and a weight


class Use(enum.Flag):
    """What a source is used for."""

    NOTHING = 0
    WEIGHT = enum.auto()  # a factor of convolutions or matrix products, or a table of values
    PLACE = enum.auto()  # says where to read
    STATISTIC = enum.auto()  # running mean or variance of a norm
    OTHER = enum.auto()


@dataclass(frozen=True)
class Origin:
    """What the values of a storage were computed from.

    Attributes:
        kind: The union over all that they were computed from.
        sources: Numbers of the sources; a product with the image leaves none of them.
    """

    kind: Kind = Kind.NOTHING
    sources: frozenset[int] = frozenset()


def without_positions(origin: Origin) -> Origin:
    """Return the origin of a product of positions and weights: its values are learned ones."""
    learned = Kind.WEIGHT in origin.kind
    return Origin(origin.kind & ~Kind.RANGE, origin.sources) if learned else origin


@dataclass
class Source:
    """A storage that the computation reads and that no operator of it made.

    Attributes:
        names: Parameters that lie in it; none if it is undeclared.
        declared: Elements of these parameters.
        room: Bytes of the storage.
        itemsize: Bytes of an element, of the parameters or of the tensor that was met first.
        recast: Whether it is read as a type of smaller elements.
        use: All that it is used for.
        print: A fingerprint of the contents, for undeclared sources; None until they are read.
        shown: The parts that are read, for undeclared sources.
    """

    names: tuple[str, ...]
    declared: int
    room: int
    itemsize: int
    recast: bool = False
    use: Use = Use.NOTHING
    print: tuple[int, str, str] | None = None
    views: dict[View, int] = field(default_factory=dict)
    shown: list[Tensor] = field(default_factory=list)

    @property
    def read(self) -> int:
        """Elements that are read; views that overlap count at most as often as there is room."""
        return min(self.room // self.itemsize, sum(self.views.values()))

    @property
    def undeclared(self) -> int:
        """Elements that are read beyond those that are declared."""
        return max(0, self.read - self.declared)

    def name(self) -> str | None:
        """Return a name for the contents of the whole storage that is read; None where it is not known."""
        if not self.shown or not has_storage(self.shown[0]) or self.shown[0].is_quantized:
            return None
        first = self.shown[0]
        whole = first.as_strided((self.room // first.element_size(),), (1,), 0)
        return ":".join(map(str, (first.dtype, *print_of(whole))))

    def weights(self) -> int:
        """Return how many weights these are: a kernel that is the same for many channels counts once."""
        if self.declared or self.undeclared <= FEWEST:
            return self.undeclared
        different = sum(different_rows(real(tensor)) for tensor in self.shown)
        return different if 2 * different <= self.undeclared else self.undeclared

    def constants(self) -> int:
        """Return how many constants these are, beside those that follow from structure."""
        if self.declared or self.undeclared <= FEWEST:
            return self.undeclared
        return free_values([real(tensor) for tensor in self.shown], self.undeclared)


def distinct(tensor: Tensor) -> int:
    """Return how many elements of memory a tensor shows: an expanded dimension shows one.

    >>> distinct(torch.zeros(3, 1).expand(3, 5))
    3
    """
    if not has_storage(tensor):
        return tensor.numel()
    return math.prod(size for size, step in zip(tensor.shape, tensor.stride(), strict=True) if step != 0)


def print_of(tensor: Tensor) -> tuple[int, str, str]:
    """Return a fingerprint of a tensor's contents: how many elements, their sum, the sum of their squares.

    >>> print_of(torch.tensor([1.0, 2.0]))
    (2, '3.0', '5.0')
    """
    values = real(tensor).double()
    return tensor.numel(), repr(float(values.sum())), repr(float((values * values).sum()))


def real(tensor: Tensor) -> Tensor:
    """Return a tensor's values as real numbers: both parts of complex ones, what quantized ones stand for."""
    values = tensor.detach()
    if values.is_quantized:
        return values.dequantize()
    return torch.view_as_real(values.resolve_conj()) if values.is_complex() else values


def room_of(tensor: Tensor) -> int:
    """Return the bytes of a tensor's storage."""
    return (
        tensor.untyped_storage().nbytes() if has_storage(tensor) else tensor.numel() * tensor.element_size()
    )


def view_of(tensor: Tensor) -> View:
    """Return what part of memory a tensor shows: where it begins, its shape and its steps."""
    if has_storage(tensor):
        return tensor.data_ptr(), tensor.shape, tensor.stride()
    return id(tensor), tensor.shape, ()


def has_storage(tensor: Tensor) -> bool:
    """Return whether a tensor lies in plain memory: sparse ones and those of other libraries do not."""
    return tensor.layout == torch.strided and tensor.device.type != "meta"
