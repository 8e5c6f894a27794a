"""Makes a function of the part that `loop` has cut out of a checkout's loop, and tries it once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ntire_bench.worker.checkout.loop import Loop
from ntire_bench.worker.checkout.probe import Probe, define_step
from ntire_bench.worker.checkout.script import Script

__all__ = ["Step", "follow", "left_out"]

_LEAST_SIDE, _MOST_SIDE = 67, 509  # of the image a loop is tried on; no multiples of what a loop may pad to


@dataclass(frozen=True)
class Step:
    """The function from LR tensor to output tensor.

    Attributes:
        run: The loop's own code.
        calls: The calls in it that run the network, as text.
        loop: The loop that it was cut out of.
    """

    run: Callable[[Tensor], Any]
    calls: str
    loop: Loop

    def __call__(self, lr: Tensor) -> Tensor:
        """Return the output as float and of four dimensions; the challenge's tensor2uint takes others too."""
        output: Tensor = self.run(lr)
        if isinstance(output, Tensor):
            output = output.float()
            output = output.unsqueeze(0) if output.dim() == 3 else output
        return output  # what is no tensor is refused where outputs are checked


def follow(script: Script, loop: Loop | None, roles: dict[str, Any], scale: int) -> Step | None:
    """Return what a checkout's loop runs on an LR tensor, or None where the loop cannot be followed.

    Args:
        script: The file that the loop is in.
        loop: What was found in it.
        roles: What select_model returned and was given, by role.
        scale: Enlargement factor.
    """
    if loop is None:
        return None
    sides = roles["tile"] if isinstance(roles["tile"], (list, tuple)) else [roles["tile"] or 0]
    side = min(_MOST_SIDE, max(_LEAST_SIDE, 2 * max(sides, default=0) + 1))
    pixels = torch.randint(0, 256, (1, 3, side, side + 6), device=roles["device"])
    lr = pixels.float() / 255 * roles["data_range"]
    probe = Probe(script, loop, roles, scale, lr)
    if loop.whole is not None:
        whole = Probe(script, loop.whole, roles, scale, lr)
        if whole.seen is not None and not probe.sees_as(whole):  # the image is changed before it is a tensor
            probe, loop = whole, loop.whole
    if loop.surmised and not probe.sees_images(lr):
        return None
    return Step(define_step(script, loop, roles), probe.calls(), loop)


def left_out(script: Script, loop: Loop, roles: dict[str, Any]) -> list[str]:
    """Return what a loop does to this branch's SR images after their conversion, and is not done here."""
    names = {own: roles.get(role) for own, role in loop.roles.items()} | {"args": roles["args"]}
    found = []
    for condition, statement in loop.dropped:
        try:  # a stranger's expression, in the process made for it
            applies = bool(eval(condition, script.namespace, names))
        except Exception:  # it needs something that only the loop knows
            applies = True
        found += [statement] if applies else []
    return found
