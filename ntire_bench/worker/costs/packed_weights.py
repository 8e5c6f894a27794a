"""Weights that torch packs into objects of its own, as those of quantized layers. Worker only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["objects_in", "values_in"]


def objects_in(values: Any) -> Iterator[torch.ScriptObject]:  # noqa: ANN401 - an operator's arguments or results
    """Yield the packed objects among an operator's arguments or results, those in lists too."""
    if isinstance(values, torch.ScriptObject):
        yield values
    elif isinstance(values, Mapping):
        for value in values.values():
            yield from objects_in(value)
    elif isinstance(values, Sequence) and not isinstance(values, str):
        for value in values:
            yield from objects_in(value)


def values_in(packed: torch.ScriptObject) -> list[Tensor]:
    """Return the tensors that a packed object holds, as it gives them when it is saved; none if it does not.

    A weight of eight bits comes back as a tensor of as many elements as it had.
    """
    if not hasattr(packed, "__getstate__"):
        return []
    try:
        state = packed.__getstate__()
    except (RuntimeError, AttributeError):  # a class that cannot be saved
        return []
    # Strides, paddings and the like come as whole numbers; weights are floats, or quantized.
    return [tensor for tensor in _tensors(state) if tensor.is_floating_point() or tensor.is_quantized]


def _tensors(state: Any) -> Iterator[Tensor]:  # noqa: ANN401 - whatever a class keeps
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, Mapping):
        for value in state.values():
            yield from _tensors(value)
    elif isinstance(state, Sequence) and not isinstance(state, str):
        for value in state:
            yield from _tensors(value)
