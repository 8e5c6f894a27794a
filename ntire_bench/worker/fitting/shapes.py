"""Compares a network's tensors with a checkpoint's, by names and shapes. Worker only."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import torch  # noqa: F401 - the example below
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ntire_bench.worker.network.state_dict import StateDict

__all__ = [
    "COUNTER",
    "Shapes",
    "difference",
    "leftovers",
    "likeness",
    "loosely",
    "mismatch",
    "shapes_of",
]

Shapes = dict[str, "tuple[int, ...] | None"]  # None: a lazy parameter, which takes any shape
COUNTER = (
    "num_batches_tracked"  # of training steps; older checkpoints lack it, and eval mode does not read it
)
_SHOWN = 3  # names of each kind in a message


def shapes_of(network: nn.Module) -> Shapes:
    """Return the shape of each tensor in a network's state dict."""
    tensors = {k: v for k, v in network.state_dict().items() if isinstance(v, Tensor)}
    return {name: None if is_lazy(tensor) else tuple(tensor.shape) for name, tensor in tensors.items()}


def likeness(shapes: Shapes, wanted: dict[str, tuple[int, ...]]) -> float:
    """Return the share of tensors in common; one of another shape counts 0.5 and up to 0.4 for equal sides.

    >>> likeness({"a": (3, 3), "b": (4,)}, {"a": (3, 3), "c": (4,)})
    0.3333333333333333
    """
    total = 0.0
    for name in shapes.keys() & wanted.keys():
        own, other = shapes[name], wanted[name]
        if own is None or own == other:
            total += 1.0
        elif len(own) == len(other):
            total += 0.5 + 0.4 * sum(a == b for a, b in zip(own, other, strict=True)) / len(own)
        else:
            total += 0.3
    return total / max(len(shapes.keys() | wanted.keys()), 1)


def mismatch(network: nn.Module, state: StateDict) -> str | None:
    """Return why a network cannot take a state dict strictly, or None if it can."""
    return difference(shapes_of(network), state)


def difference(shapes: Shapes, state: StateDict) -> str | None:
    """Return why tensors of these shapes are not those of a state dict, or None if they are."""
    missing = [name for name in shapes if name not in state.shapes and not name.endswith(COUNTER)]
    unexpected = [name for name in state.shapes if name not in shapes]
    differing = [name for name, shape in shapes.items() if shape not in (None, state.shapes.get(name, shape))]
    parts = []
    if missing:
        parts.append(f"{len(missing)} missing in the checkpoint (first {_few(missing)})")
    if unexpected:
        parts.append(f"{len(unexpected)} unknown to the network (first {_few(unexpected)})")
    if differing:
        each = [
            f"{name}: checkpoint {_size(state.shapes[name])}, network {_size(shapes[name] or ())}"
            for name in differing
        ]
        parts.append(f"{len(differing)} of another shape (first {_few(each, '; ')})")
    return ", ".join(parts) or None


def _few(names: Sequence[str], between: str = ", ") -> str:
    return between.join(names[:_SHOWN]) + (f"{between}..." if len(names) > _SHOWN else "")


def leftovers(shapes: Shapes, state: StateDict) -> tuple[str, ...] | None:
    """Return what a checkpoint holds beyond a network, if none of it can be a further part of the network.

    Tensors that both have must have the same shapes. What else the checkpoint holds must not continue a
    numbered row of blocks: else a network with too few blocks would take it, too.

    >>> state = StateDict({k: torch.ones(1) for k in ("rep.conv", "rep.branch", "body.0", "body.1")}, "")
    >>> leftovers({"rep.conv": (1,), "body.0": (1,), "body.1": (1,)}, state)
    ('rep.branch',)
    >>> leftovers({"rep.conv": (1,), "rep.branch": (1,), "body.0": (1,)}, state) is None
    True
    """
    if any(shape not in (None, state.shapes.get(name, shape)) for name, shape in shapes.items()):
        return None
    children: dict[str, set[str]] = {}
    for name in shapes:
        parts = name.split(".")
        for depth in range(len(parts)):
            below = _numberless(parts[depth])
            children.setdefault(".".join(parts[:depth]), set()).update({below} - {parts[depth]})
    extra = tuple(name for name in state.tensors if name not in shapes)
    for name in extra:
        parts = name.split(".")
        inside = max(depth for depth in range(len(parts)) if ".".join(parts[:depth]) in children)
        if _numberless(parts[inside]) in children[".".join(parts[:inside])]:
            return None
    return extra


def loosely(shapes: Shapes, state: StateDict) -> StateDict | None:
    """Return a state dict cut down to what a network has, or None if the two do not belong together.

    What the checkpoint holds beyond the network becomes `dropped` (see `leftovers`), and what it lacks
    `missing`, which must be less than half of the network. Whether that is needed, its output must show.
    """
    extra = leftovers(shapes, state)
    missing = tuple(name for name in shapes if name not in state.shapes and not name.endswith(COUNTER))
    if extra is None or not 2 * len(missing) < len(shapes):
        return None
    kept = {name: tensor for name, tensor in state.tensors.items() if name not in extra}
    return dataclasses.replace(state, tensors=kept, dropped=state.dropped + extra, missing=missing)


def _numberless(part: str) -> str:
    return re.sub(r"\d+", "#", part)


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
