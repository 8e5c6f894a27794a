"""Builds networks without memory for weights, only for the shapes of their tensors. Worker only."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ntire_bench.worker.fitting.shapes import Shapes, shapes_of
from ntire_bench.worker.fitting.signature import NoNetwork, Signature

__all__ = ["WeightlessNetworks"]

MAX_S = 40.0  # of computing, for one class; a constructor that runs the network is slow
# On the meta device, torch fills with normal noise by way of its compiler, and importing that takes a second.
# There are no values there: uniform noise makes the same checks.
_NORMAL: set[object] = {torch.Tensor.normal_, nn.init.normal_}
_BY_FAN: dict[object, Callable[..., torch.Tensor]] = {
    nn.init.kaiming_normal_: nn.init.kaiming_uniform_,
    nn.init.xavier_normal_: nn.init.xavier_uniform_,
}
_WEIGHTS = {torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn}


_BEGUN = "Can't redefine method"
_LONGEST_S = 3.0  # of one network, where others of the same class took a tenth of that
_USUAL_SHARE = 0.1


class _TooLarge(Exception):
    """A network that takes far longer to build than others of its class."""


class WeightlessNetworks:
    """Builds networks of one signature, and remembers their shapes by their arguments.

    Args:
        signature: Of the class or function.
    """

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self.known: dict[str, Shapes | None] = {}
        self.quickest_s = float("inf")
        self.more_time()

    @property
    def late(self) -> bool:
        """Whether the time for building is over."""
        return time.process_time() > self.until

    def more_time(self) -> None:
        """Start the time for building again."""
        self.until = time.process_time() + MAX_S

    def shapes(self, args: dict[str, Any]) -> Shapes:
        """Return the shapes of a network's tensors.

        Raises:
            NoNetwork: What was built is no network.
            Exception: What the constructor raises.
        """
        key = repr(sorted(args.items()))
        known = self.known.get(key)
        if known is not None:
            return known
        self.known[key] = None
        begin = time.process_time()
        usual = self.quickest_s < _USUAL_SHARE * _LONGEST_S
        try:
            with _Weightless(begin + _LONGEST_S if usual else float("inf")):
                network = self.signature.call(args)
            self.quickest_s = min(self.quickest_s, time.process_time() - begin)
        except _TooLarge:
            raise
        except (
            Exception
        ) as first:  # such as .item() in a constructor; if it is not for the device, it raises again
            try:
                network = self.signature.call(args)
            except Exception as second:
                # What torch.jit has begun to compile it does not compile again: the first error is the cause.
                if _BEGUN in str(second):
                    raise RuntimeError(f"torch.jit cannot script it: {_cause(first)}") from None
                raise
        if not isinstance(network, nn.Module):
            raise NoNetwork(f"gives a {type(network).__name__}, not an nn.Module")
        self.known[key] = found = shapes_of(network)
        return found

    def shapes_or_none(self, args: dict[str, Any]) -> Shapes | None:
        """Return the shapes; None where these arguments build no network, or where the time is over."""
        key = repr(sorted(args.items()))
        if key in self.known or self.late:
            return self.known.get(key)
        try:
            return self.shapes(args)
        except Exception:
            return None


def _cause(error: Exception) -> str:
    r"""Return what torch.jit says is wrong, out of many lines.

    >>> _cause(RuntimeError("\nArguments for call are not valid.\nThese are:\n  Expected a list.\n  f()"))
    'Arguments for call are not valid. Expected a list.'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [*lines[:1], *[line for line in lines[1:] if line.startswith("Expected ")][:1]]
    return " ".join(told) or type(error).__name__


class _Weightless(TorchFunctionMode):
    """Makes what may be weights on torch's meta device, without memory; other tensors are real.

    Args:
        until: The process time at which building is given up.
    """

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        kwargs = dict(kwargs or {})
        if time.process_time() > self.until:
            raise _TooLarge("takes too long to build")
        if func in _WEIGHTS and kwargs.get("device") is None:
            kwargs["device"] = "meta"
        if func in _NORMAL or func in _BY_FAN:
            tensor = args[0] if args else kwargs.get("tensor")
            if isinstance(tensor, torch.Tensor) and tensor.is_meta:
                return tensor if func in _NORMAL else _BY_FAN[func](*args, **kwargs)
        return func(*args, **kwargs)
