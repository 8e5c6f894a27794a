"""Runs a loop once with a stand-in for the network: which calls it makes, and what the network gets."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from ntire_bench.worker.checkout.loop import MAKE, Loop
from ntire_bench.worker.checkout.script import Absent, Script

__all__ = ["Probe", "define_step"]


def define_step(
    script: Script, loop: Loop, roles: dict[str, Any], *, network: nn.Module | None = None
) -> Callable[[Tensor], Any]:
    """Return the function that a loop runs on an LR tensor.

    Args:
        script: The file that the loop is in.
        loop: The loop.
        roles: What is known for each role.
        network: Takes the place of the network, if given.
    """
    given = {
        own: roles[role]
        if role in roles
        else Absent(own, f"only the loop in {loop.place(script.path.name)} has it")
        for own, role in loop.roles.items()
    }
    if network is not None:
        given |= {own: network for own, role in loop.roles.items() if role == "model"}
    script.define(loop.code)
    step: Callable[[Tensor], Any] = script.namespace[MAKE](**given)
    return step


class Probe:
    """One run of a loop with a stand-in for the network.

    Attributes:
        seen: What the network was given first; None if it was not called.
    """

    def __init__(self, script: Script, loop: Loop, roles: dict[str, Any], scale: int, lr: Tensor) -> None:
        self.loop = loop
        self.lines: set[int] = set()
        network = _StandIn(scale)
        code = None

        def note(frame: FrameType, event: str, _: object) -> None:
            outer = frame.f_back
            if event == "call" and outer is not None and outer.f_code is code:
                self.lines.add(outer.f_lineno)

        try:
            step = define_step(script, loop, roles, network=network)
            code = getattr(step, "__code__", None)
            sys.setprofile(note)
            with torch.inference_mode():
                step(lr)
        except Exception:  # it asks for something that a stand-in lacks: which calls it makes is not known
            self.lines.clear()
        finally:
            sys.setprofile(None)
        self.seen = network.seen

    def calls(self) -> str:
        """Return the calls that were made, as text; all that the loop has where that is not known."""
        made = [
            text
            for text, (first, last) in self.loop.calls.items()
            if any(first <= line <= last for line in self.lines)
        ]
        return " or ".join(made or self.loop.calls)

    def sees_as(self, other: Probe) -> bool:
        """Return whether the network got the same as in the run of another loop."""
        one, two = self.seen, other.seen
        if one is None or two is None or one.shape != two.shape:
            return False
        return torch.allclose(one.float(), two.float(), rtol=1e-4, atol=1e-4)

    def sees_images(self, lr: Tensor) -> bool:
        """Return whether the network got what looks like the LR tensor, or was not called.

        A tensor does that has four dimensions and about the same largest value.
        """
        if self.seen is None:
            return True
        return self.seen.dim() == 4 and 0.5 <= float(self.seen.float().abs().max() / lr.max()) <= 2.0


class _StandIn(nn.Module):
    """Gives zeros of the size of the SR image, and keeps what it was given first."""

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
