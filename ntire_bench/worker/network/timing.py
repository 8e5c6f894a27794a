"""Runtime of one forward pass: CUDA events on a GPU, a monotonic clock on a CPU. Worker only."""

from __future__ import annotations

import dataclasses
import resource
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ntire_bench.wire.messages import Timed

__all__ = ["device_allocations", "timed"]


def timed(forward: Callable[[Tensor], Tensor], image: Tensor) -> tuple[Tensor, Timed]:
    """Run a forward pass once and return its output and its runtime.

    The image lies on the device before the clock starts, and the device is idle then; the clock stops when
    the device has finished. Copies to and from the device are not part of it, as in the challenge. Neither is
    what is counted beside: memory taken from the driver, and interruptions of this thread.

    Args:
        forward: What is timed.
        image: Its argument, on the device it computes on.

    Returns:
        The output, and what the call was like.
    """
    before = _switches()
    if image.device.type == "cuda":
        output, told = _on_gpu(forward, image)
        return output, dataclasses.replace(told, switches=_switches() - before)
    begin = time.perf_counter_ns()
    output = forward(image)
    runtime_ms = (time.perf_counter_ns() - begin) / 1e6
    return output, Timed(runtime_ms, switches=_switches() - before)


def _on_gpu(forward: Callable[[Tensor], Tensor], image: Tensor) -> tuple[Tensor, Timed]:
    """Run a forward pass on a GPU; return its output, and what the call was like on the device."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    allocations = device_allocations(image.device)
    torch.cuda.synchronize(image.device)
    asked = time.perf_counter()
    end.record()  # an event is made when it is first recorded; this one not while the clock runs
    torch.cuda.synchronize(image.device)  # work that another process has left on the device is waited for
    wait_ms = (time.perf_counter() - asked) * 1e3
    begin = time.perf_counter()
    start.record()
    output = forward(image)
    end.record()
    host_ms = (time.perf_counter() - begin) * 1e3
    torch.cuda.synchronize(image.device)
    allocations = device_allocations(image.device) - allocations
    told = Timed(start.elapsed_time(end), host_ms, max(0, allocations), wait_ms=wait_ms)
    return output, told


def device_allocations(device: torch.device) -> int:
    """Return how often torch has taken memory of a GPU from the driver so far."""
    # The flat form of the same figures, torch.cuda.memory_stats, takes ten times as long to make.
    told: dict[str, Any] = torch.cuda.memory_stats_as_nested_dict(device)
    if "num_device_alloc" in told:
        return int(told["num_device_alloc"])
    return int(told.get("segment", {}).get("all", {}).get("allocated", 0))


def _switches() -> int:
    """Return how often this thread was interrupted so far: involuntary context switches."""
    thread = getattr(resource, "RUSAGE_THREAD", None)  # Linux has it
    return 0 if thread is None else resource.getrusage(thread).ru_nivcsw
