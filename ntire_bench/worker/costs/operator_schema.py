"""Reads from a torch operator's schema what the operator reads, writes and makes. Worker only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

__all__ = ["Facts", "facts_of", "has_kernel", "tensors_in"]

_NATIVE = frozenset(
    "aten prims prim mkldnn mkldnn_prepacked prepacked mkl onednn quantized _quantized quantized_decomposed "
    "sparse inductor profiler".split()
)
_RANGES = frozenset({"aten::arange", "aten::linspace", "aten::logspace"})
_ROOM = frozenset(
    {"aten::empty", "aten::empty_like", "aten::empty_strided", "aten::new_empty", "aten::new_empty_strided"}
)
_LIKE = _ROOM | {
    f"aten::{name}"
    for name in (
        "zeros_like ones_like full_like rand_like randn_like randint_like new_zeros new_ones new_full"
    ).split()
}
# They write their first argument without reading it.
_OVERWRITES = frozenset(
    f"aten::{name}_"
    for name in (
        "copy fill zero normal uniform random bernoulli exponential geometric log_normal cauchy resize"
    ).split()
)
_BITS = frozenset(
    f"aten::{name}"
    for name in (
        "bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift __and__ "
        "__or__ __xor__ __lshift__ __rshift__ __iand__ __ior__ __ixor__ __ilshift__ __irshift__ remainder "
        "fmod frexp"
    ).split()
)


@dataclass(frozen=True)
class Facts:
    """What is known of an operator.

    Attributes:
        name: As "aten::mm", without the overload.
        native: Whether it is one of torch's own.
        pointwise: Whether torch says that it works element by element.
        composite: Whether torch defines it by other operators.
        view: Whether its result shows its argument's memory, and nothing is computed.
        room: Whether its result is uninitialized memory.
        reads_nothing: Whether only the shape of its argument matters.
        random: Whether it draws random numbers.
        range: Whether it makes a row of numbers from nothing, as arange does.
        bits: Whether it takes numbers apart into bits.
        writes: Places and names of the arguments that it writes.
        overwrites: Whether it does not read what it writes.
        packs: Whether it takes or gives objects that torch packs weights into.
        numbers: Places and names of the arguments that may be plain numbers, or lists of them; no sizes.
    """

    name: str
    native: bool
    pointwise: bool
    composite: bool
    view: bool
    room: bool
    reads_nothing: bool
    random: bool
    range: bool
    bits: bool
    writes: frozenset[int | str]
    overwrites: bool
    packs: bool
    numbers: tuple[tuple[int, str], ...]


def facts_of(operator: OpOverload[..., Any]) -> Facts:
    """Return what an operator's schema says."""
    schema = operator._schema
    name = schema.name
    aliased = [result.alias_info for result in schema.returns]
    writes: set[int | str] = set()
    # Such as detach_ and set_: what the tensor shows changes, and no memory does.
    shows = torch.Tag.inplace_view in operator.tags and name != "aten::resize_"
    for place, argument in enumerate(() if shows else schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            writes |= {argument.name, *(() if argument.kwarg_only else (place,))}
    view = shows or (bool(aliased) and all(alias is not None and not alias.is_write for alias in aliased))
    return Facts(
        name=name,
        native=operator.namespace in _NATIVE,
        pointwise=torch.Tag.pointwise in operator.tags,
        composite=has_kernel(operator, "CompositeImplicitAutograd"),
        view=view and not writes,
        room=name in _ROOM,
        reads_nothing=name in _LIKE,
        random=torch.Tag.nondeterministic_seeded in operator.tags,
        range=name in _RANGES,
        bits=name in _BITS or (name == "aten::view" and operator._overloadname == "dtype"),
        writes=frozenset(writes),
        overwrites=name in _OVERWRITES or any(argument.is_out for argument in schema.arguments),
        packs=any("__torch__" in str(value.type) for value in (*schema.arguments, *schema.returns)),
        numbers=tuple(
            (place, argument.name)
            for place, argument in enumerate(schema.arguments)
            if any(kind in str(argument.type) for kind in ("number", "float", "Tensor"))
        ),
    )


def has_kernel(operator: OpOverload[..., Any], key: str) -> bool:
    """Return whether an operator has an implementation of its own for a dispatch key, such as "CPU"."""
    name = operator.name()  # type: ignore[no-untyped-call]
    return torch._C._dispatch_has_kernel_for_dispatch_key(name, key)


def tensors_in(values: Any) -> Iterator[Tensor]:  # noqa: ANN401 - an operator's arguments, or what it returned
    """Yield the tensors among an operator's arguments or results, those in lists too.

    >>> len(list(tensors_in((torch.zeros(1), [torch.zeros(1), None], 3, "x"))))
    2
    """
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, Mapping):
        for value in values.values():
            yield from tensors_in(value)
    elif isinstance(values, Sequence) and not isinstance(values, str):
        for value in values:
            yield from tensors_in(value)
