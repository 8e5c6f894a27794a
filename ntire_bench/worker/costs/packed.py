"""Weights inside packed objects, as quantized and prepacked operators take them. Worker only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

__all__ = ["packed_tensors"]


def packed_tensors(packed: object) -> list[Tensor]:
    """Return the tensors that a packed object of torch's unpacks to, the weight first.

    Args:
        packed: An argument of an operator, such as what `quantized::conv2d_prepack` gives.

    Returns:
        Nothing for anything else, and where torch cannot unpack it.
    """
    if not isinstance(packed, torch.ScriptObject):
        return []
    for method in ("unpack", "__getstate__"):
        if hasattr(packed, method):
            try:
                found = list(_tensors(getattr(packed, method)()))
            except (RuntimeError, NotImplementedError):  # of a kind that this build cannot unpack
                continue
            if found:
                return sorted(found, key=lambda tensor: -tensor.ndim)
    return []


def _tensors(value: Any) -> Iterator[Tensor]:  # noqa: ANN401 - what such an object is made of
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _tensors(part)
    else:
        yield from packed_tensors(value)
