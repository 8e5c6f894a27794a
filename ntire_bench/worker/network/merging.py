"""Finds and calls the methods that merge the branches a network has only for training. Worker only.

The convention: a network with a training form has a method `fuse()` that merges every branch in place, after
which its state dict is that of the inference form. Where its class takes an argument `deploy`, that is the
form that `deploy=True` builds. Other names of such a method are found too, and so are methods of single
blocks where the network itself has none.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator

from torch import nn

__all__ = ["NAMES", "merging_methods"]

NAMES = ("fuse", "switch_to_deploy", "switch_deploy", "reparameterize", "reparameterise", "rep")
"""What authors call it, the likeliest first; on the network, else on each of its blocks."""

# As in merge_branches, fuseConvs, re_parameterize, switchToDeploy, convert_to_inference, to_deploy, deploy.
_FORM = r"(deploy|inference)"
_OTHER = re.compile(
    rf"_?(merge\w*|fuse\w*|collapse|re_?param\w*|((switch|convert|change|turn|set)_?)?(to|2)_?{_FORM}\w*|"
    rf"(switch|convert)_?{_FORM}|deploy)",
    re.IGNORECASE,
)


def merging_methods(network: nn.Module) -> list[Callable[[], object]]:
    """Return the methods that merge a network's branches: one of its own, else those of its blocks.

    >>> merging_methods(nn.Identity())
    []
    """
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
    others = [name for name in dir(type(module)) if _OTHER.fullmatch(name) and name not in NAMES]
    others.sort(key=lambda name: name.startswith("_"))  # a helper is a method of the method that is meant
    # Looking at a property runs it, and it may raise.
    names = [name for name in (*NAMES, *others) if not _is_property(type(module), name)]
    found = [getattr(module, name, None) for name in names]
    return [method for method in found if inspect.ismethod(method) and _needs_nothing(method)]


def _is_property(cls: type, name: str) -> bool:
    static = inspect.getattr_static(cls, name, None)
    return isinstance(static, (property, functools.cached_property))


def _needs_nothing(method: Callable[..., object]) -> bool:
    parameters = inspect.signature(method).parameters.values()
    return all(p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)
