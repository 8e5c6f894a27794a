"""Which of the things that a network returns is the SR image. Worker only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ntire_bench.errors import SubmissionError
from ntire_bench.inference import PAD_CANDIDATES, Upscaler, to_tensor
from ntire_bench.records import Inference

__all__ = ["settle_output"]


def settle_output(upscaler: Upscaler, probe: npt.NDArray[np.uint8]) -> Inference | None:
    """Find the SR image where a network returns several things, and set `upscaler.output`.

    Args:
        upscaler: A loaded network.
        probe: A real LR image, uint8 HWC.

    Returns:
        How it was found; None where the network returns one tensor, or fails, which is told elsewhere.

    Raises:
        SubmissionError: Several of them have the size of the SR image and differ.
    """
    if upscaler.output is not None:
        return None
    with torch.inference_mode():
        lr = to_tensor(probe, upscaler.data_range).to(upscaler.device)
        returned, height, width = _run(upscaler, lr)
        if isinstance(returned, Tensor) or not isinstance(returned, (Mapping, Sequence)):
            return None
        items = returned.items() if isinstance(returned, Mapping) else enumerate(returned)
        size = (1, 3, height * upscaler.scale, width * upscaler.scale)
        fitting = {key: v for key, v in items if isinstance(v, Tensor) and tuple(v.shape) == size}
        if not fitting:
            return None
        first = next(iter(fitting))
        if any(not torch.equal(fitting[first], other) for other in fitting.values()):
            several = " or ".join(f"output = {key!r}" for key in fitting)
            raise SubmissionError(
                f"returns a {type(returned).__name__} with {len(fitting)} images of the SR image's size",
                file=upscaler.file,
                expected="the SR image alone, or one of that size",
                found=f"those at {', '.join(repr(key) for key in fitting)}, which differ",
                remedy=f"declare which one it is, in SUBMISSION or the TOML file: {several}",
            )
    upscaler.output = first
    how = f"of the {type(returned).__name__} that the network returns, the one of the SR image's size"
    return Inference(key="output", value=repr(first), how=how)


def _run(upscaler: Upscaler, lr: Tensor) -> tuple[Any, int, int]:
    """Return what the network itself returns, and the size that its input was padded to."""
    before = upscaler.pad_to
    for multiple in (before or 1, *(() if upscaler.pad_declared else PAD_CANDIDATES)):
        upscaler.pad_to = multiple
        padded = upscaler.pad(lr)
        upscaler.pad_to = before
        try:
            return upscaler.network(padded), padded.shape[-2], padded.shape[-1]
        except Exception:  # the next multiple may do; if none does, the reason is told when it is run
            continue
    return None, 0, 0
