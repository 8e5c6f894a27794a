"""Runtime of one forward pass: CUDA events on a GPU, a monotonic clock on a CPU. Worker only."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["timed"]


def timed(forward: Callable[[Tensor], Tensor], image: Tensor) -> tuple[Tensor, float]:
    """Run a forward pass once and return its output and its runtime.

    The image lies on the device before the clock starts, and the device is idle then; the clock stops when
    the device has finished. Copies to and from the device are not part of it, as in the challenge.

    Args:
        forward: What is timed.
        image: Its argument, on the device it computes on.

    Returns:
        The output and the runtime [ms].
    """
    if image.device.type == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        torch.cuda.synchronize(image.device)
        start.record()
        output = forward(image)
        end.record()
        torch.cuda.synchronize(image.device)
        return output, start.elapsed_time(end)
    begin = time.perf_counter_ns()
    output = forward(image)
    return output, (time.perf_counter_ns() - begin) / 1e6
