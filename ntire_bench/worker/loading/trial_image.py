"""How large an image a network can be tried on, and what makes it slow. Worker only.

Loading tries a network several times on a real LR image. One that computes in half precision may be a hundred
times slower on a CPU than in single precision: it is tried on a small part of that image.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ntire_bench.errors import SubmissionError
from ntire_bench.wire.messages import Slow
from ntire_bench.worker.network.pixels import to_tensor
from ntire_bench.worker.network.upscaler import Upscaler

__all__ = ["TrialImage", "reduced", "trial_image"]

Uint8 = npt.NDArray[np.uint8]

_FIRST = 24  # side of the image that is timed [LR pixels]
_SIDES = (96, 64, 48, 32)  # what trials are made on, where the whole image would take too long
_LONG_S = 1.0  # of one run; loading makes about ten, and may take 300 s in all
_TOO_LONG_S = 20.0
_REDUCED = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class TrialImage:
    """What to try a network on.

    Attributes:
        image: The LR image, or a part of it for a slow network, uint8 HWC.
        slow: How slow it is; None for one that is not.
    """

    image: Uint8
    slow: Slow | None = None


def trial_image(
    upscaler: Upscaler, probe: Uint8, clock: Callable[[], float] = time.perf_counter
) -> TrialImage:
    """Return the largest part of an LR image that a network can be tried on in about a second.

    Args:
        upscaler: A network, built and loaded.
        probe: A real LR image, uint8 HWC.
        clock: Returns the time [s].

    Raises:
        SubmissionError: Even the smallest part would take so long that loading could not end in time.
    """
    first = _centre(probe, _FIRST)
    lr = to_tensor(first, upscaler.data_range).to(upscaler.device)
    with torch.inference_mode():
        tried = upscaler.bare(lr)  # untimed: what is done only once, such as compiling
        if tried is None:  # it may be too small; if the whole image fails too, that run says so
            return TrialImage(probe)
        padded = tried[1]
        begin = clock()
        upscaler.network(padded)
        pixel_s = (clock() - begin) / (padded.shape[-2] * padded.shape[-1])
    if pixel_s * probe.shape[0] * probe.shape[1] <= _LONG_S:
        return TrialImage(probe)
    precision = _precision(upscaler, padded) if upscaler.device.type == "cpu" else ""
    runs_s = {side: pixel_s * max(side, *padded.shape[-2:]) ** 2 for side in _SIDES}
    side = next((side for side in _SIDES if runs_s[side] <= _LONG_S), _SIDES[-1])
    foreseen_s = runs_s[side]
    if foreseen_s > _TOO_LONG_S:
        cause = f"it computes in {precision}, which this CPU is slow at" if precision else "it is slow here"
        raise SubmissionError(
            "takes too long to be tried",
            file=upscaler.file,
            expected=f"at most {_TOO_LONG_S:g} s for an LR image of {side}x{side}",
            found=f"about {foreseen_s:.0f} s: {cause}",
            remedy="evaluate it on a GPU" + (", or in float32" if precision else ", or make it faster"),
        )
    return TrialImage(_centre(probe, side), Slow(pixel_s, precision))


def _centre(image: Uint8, side: int) -> Uint8:
    top, left = (max(0, (length - side) // 2) for length in image.shape[:2])
    return np.ascontiguousarray(image[top : top + side, left : left + side])


class _Types(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remembers in which types convolutions and matrix products are computed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: set[torch.dtype] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and any(name in str(func) for name in ("conv", "mm", "linear")):
            self.found.add(result.dtype)
        return result


def _precision(upscaler: Upscaler, lr: Tensor) -> str:
    """Return the types of less than 32 bits that a network computes in."""
    types = _Types()
    with types, torch.inference_mode():
        upscaler.network(lr)
    return reduced(types.found | {tensor.dtype for tensor in upscaler.network.parameters()})


def reduced(types: Iterable[torch.dtype]) -> str:
    """Return the floating-point types of less than 32 bits among some, in words.

    >>> reduced({torch.float32, torch.float16}), reduced([torch.float32])
    ('float16', '')
    """
    found = set(types)
    return " and ".join(str(dtype).removeprefix("torch.") for dtype in _REDUCED if dtype in found)
