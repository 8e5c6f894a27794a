"""Merges the branches that a network has only for training, and measures what that changes. Worker only.

The convention: a network with a training form has a method `fuse()` that merges every branch in place, after
which its state dict is that of the inference form. Where its class takes an argument `deploy`, that is the
form that `deploy=True` builds. Other names of such a method are found too, and so are methods of single
blocks where the network itself has none.
"""

from __future__ import annotations

import functools
import inspect
import io
import re
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ntire_bench.errors import SubmissionError
from ntire_bench.wire.messages import FuseReply
from ntire_bench.worker.costs import count
from ntire_bench.worker.network.pixels import to_tensor
from ntire_bench.worker.network.upscaler import Upscaler, blame, ready

__all__ = ["can_fuse", "fuse"]


# What authors call it, the likeliest first; on the network, else on each of its blocks.
_NAMES = ("fuse", "switch_to_deploy", "switch_deploy", "reparameterize", "reparameterise", "rep")
_OTHER = re.compile(r"(merge|fuse|reparam)\w*")


def can_fuse(network: nn.Module) -> bool:
    """Return whether a network has a method such as fuse() that needs no arguments, or its blocks have one.

    >>> can_fuse(nn.Identity())
    False
    """
    return bool(_merging(network))


def _merging(network: nn.Module) -> list[Callable[[], object]]:
    """Return the methods that merge a network's branches: one of its own, else those of its blocks."""
    own = _methods(network)
    if own:
        return own[:1]
    return list(_of_blocks(network, set()))


def _of_blocks(module: nn.Module, seen: set[nn.Module]) -> Iterator[Callable[[], object]]:
    """Yield the methods of the outermost blocks that have one: such a method merges what is inside."""
    for block in module.children():
        if block in seen:
            continue
        seen.add(block)
        if methods := _methods(block):
            yield methods[0]
        else:
            yield from _of_blocks(block, seen)


def _methods(module: nn.Module) -> list[Callable[[], object]]:
    """Return a module's own methods of such a name; a submodule of that name is none."""
    others = [name for name in dir(type(module)) if _OTHER.fullmatch(name) and name not in _NAMES]
    # Looking at a property runs it, and it may raise.
    names = [name for name in (*_NAMES, *others) if not _is_property(type(module), name)]
    found = [getattr(module, name, None) for name in names]
    return [method for method in found if inspect.ismethod(method) and _needs_nothing(method)]


def _is_property(cls: type, name: str) -> bool:
    static = inspect.getattr_static(cls, name, None)
    return isinstance(static, (property, functools.cached_property))


def _needs_nothing(method: Callable[..., object]) -> bool:
    parameters = inspect.signature(method).parameters.values()
    return all(p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)


def fuse(
    upscaler: Upscaler, probe: npt.NDArray[np.uint8], input_shape: tuple[int, int, int, int]
) -> tuple[FuseReply, bytes]:
    """Merge a network in place.

    Args:
        upscaler: The loaded network, in eval mode.
        probe: A real LR image, uint8 HWC, that both forms are run on.
        input_shape: (N, C, H, W) that costs are counted on.

    Returns:
        What that changes, and the merged state dict as torch.save writes it.

    Raises:
        SubmissionError: The network has no such method, or it fails.
    """
    network = upscaler.network
    methods = _merging(network)
    if not methods:
        raise SubmissionError(
            "has nothing to fuse",
            file=upscaler.file,
            expected="a network, or blocks of it, with a method that merges the training branches in place: "
            f"{', '.join(f'{name}()' for name in _NAMES)} or merge...()",
            remedy="write one, or submit the network as it is",
        )
    image = to_tensor(probe, upscaler.data_range).to(upscaler.device)
    before = count.measure(upscaler, input_shape).costs
    with torch.no_grad():
        first = upscaler.checked(image)
        name = ""
        try:
            for method in methods:
                name = getattr(method, "__name__", "fuse")
                method()
        except Exception as error:
            remedy = "mend the method"
            raise SubmissionError(
                f"{name}() fails", file=upscaler.file, found=blame(error, upscaler.file), remedy=remedy
            ) from error
        ready(network, upscaler.file, upscaler.device)
        second = upscaler.checked(image)
    after = count.measure(upscaler, input_shape).costs
    difference = float((first.double() - second.double()).abs().max())
    buffer = io.BytesIO()
    torch.save({name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}, buffer)
    checkpoint = buffer.getvalue()
    reply = FuseReply(
        before=before,
        after=after,
        difference_levels=difference * 255.0 / upscaler.data_range,
        relative=difference / max(float(first.abs().max()), 1e-12),
        size=len(checkpoint),
    )
    return reply, checkpoint
