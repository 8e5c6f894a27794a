"""Runs a loop once with a stand-in for the network, to see which way it takes and what it hands over."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from ntire_bench.worker.checkout.loop import MAKE, Loop
from ntire_bench.worker.checkout.script import Absent, Script

__all__ = ["Probe", "arguments_of", "define_step", "resembles"]


def arguments_of(loop: Loop, roles: dict[str, Any]) -> dict[str, Any]:
    """Return what a loop is given: by the names that it has for the roles."""
    return {
        own: roles[role] if role in roles else Absent(own, f"only the loop in {loop.function}() has it")
        for own, role in loop.roles.items()
    }


def define_step(script: Script, loop: Loop, given: dict[str, Any]) -> Callable[[Tensor], Any]:
    """Return the function that a loop runs on an LR tensor."""
    script.define(loop.code)
    step: Callable[[Tensor], Any] = script.namespace[MAKE](**given)
    return step


class Probe:
    """One run of a loop with a network that costs nothing: which way it takes, what the network is given."""

    def __init__(self, script: Script, loop: Loop, roles: dict[str, Any], scale: int, lr: Tensor) -> None:
        self.loop = loop
        self.lines: set[int] = set()
        network = _StandIn(scale)
        given = {
            own: network if loop.roles[own] == "model" else v for own, v in arguments_of(loop, roles).items()
        }
        code = None

        def note(frame: FrameType, event: str, _: object) -> None:
            outer = frame.f_back
            if event == "call" and outer is not None and outer.f_code is code:
                self.lines.add(outer.f_lineno)

        try:
            step = define_step(script, loop, given)
            code = getattr(step, "__code__", None)
            sys.setprofile(note)
            with torch.inference_mode():
                step(lr)
        except Exception:  # it asks more of the network than a stand-in has: all the ways are told then
            self.lines.clear()
        finally:
            sys.setprofile(None)
        self.seen = network.seen

    def taken(self) -> str:
        """Return the calls that were made, or all there are where that cannot be told."""
        lines = {text: range(first, last + 1) for text, (first, last) in self.loop.lines.items()}
        made = [text for text in self.loop.calls if any(line in lines[text] for line in self.lines)]
        return " or ".join(made or self.loop.calls)

    def sees_as(self, other: Probe) -> bool:
        """Return whether the network is given the same as in another loop."""
        one, two = self.seen, other.seen
        if one is None or two is None or one.shape != two.shape:
            return False
        return torch.allclose(one.float(), two.float(), rtol=1e-4, atol=1e-4)


def resembles(seen: Tensor, lr: Tensor) -> bool:
    """Return whether what reaches a network has four dimensions and the range of the LR tensor."""
    return seen.dim() == 4 and 0.5 <= float(seen.float().abs().max() / lr.max()) <= 2.0


class _StandIn(nn.Module):
    """A network that costs nothing, to see which way a loop takes and what it is given first."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.seen: Tensor | None = None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a method that the real network may have
        """Return a method that does nothing, such as model.fuse()."""
        return lambda *_, **__: self

    def forward(self, lr: Tensor, *_: object, **__: object) -> Tensor:
        self.seen = lr.clone() if self.seen is None else self.seen
        return lr.new_zeros(*lr.shape[:-2], self.scale * lr.shape[-2], self.scale * lr.shape[-1])
