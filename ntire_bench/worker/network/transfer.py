"""Pixels between the buffers that a worker shares with its parent and the device. Worker only.

On a GPU an LR image goes up as uint8 and becomes float32 there, and an SR image is rounded there and comes
back as uint8: a quarter of the bytes, through memory that the GPU copies from and to by itself (pinned), and
nothing for the CPU to compute. Nothing here is timed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ntire_bench.worker.network.pixels import from_table, level_table, to_planes, to_tensor, write_planes

__all__ = ["DeviceTransfer", "HostTransfer", "transfer_for"]

Uint8 = npt.NDArray[np.uint8]


class HostTransfer:
    """For networks on the CPU.

    Args:
        lr: The buffer of LR pixels; it may be read-only.
        sr: The buffer of SR pixels.
    """

    def __init__(self, lr: Uint8, sr: Tensor) -> None:
        self._lr, self._sr = lr, sr

    def take(self, height: int, width: int, data_range: float) -> Tensor:
        """Return the LR image that lies in the buffer, as a network takes it."""
        return to_tensor(_image(self._lr, height, width), data_range)

    def give(self, output: Tensor, data_range: float) -> None:
        """Put an SR image into the buffer, one colour after the other."""
        write_planes(output, data_range, self._sr)


class DeviceTransfer:
    """For networks on a GPU.

    Args:
        lr: The buffer of LR pixels; it may be read-only, so that it cannot be pinned itself.
        sr: The buffer of SR pixels.
        device: Where the network lies.
        pinned: Whether what lies between is pinned memory; tests have none.
    """

    def __init__(self, lr: Uint8, sr: Tensor, device: torch.device, *, pinned: bool = True) -> None:
        self._lr, self._sr, self._device = lr, sr, device
        # Both once and for all, and no tensors of inference mode: audits run out of it.
        self._up, self._down = (
            torch.empty(size, dtype=torch.uint8, pin_memory=pinned) for size in (lr.size, sr.numel())
        )
        self._tables = {data_range: level_table(data_range).to(device) for data_range in (1.0, 255.0)}

    def take(self, height: int, width: int, data_range: float) -> Tensor:
        """Return the LR image that lies in the buffer, as a network takes it."""
        image = _image(self._lr, height, width)
        staged = self._up[: image.size]
        staged.numpy()[:] = image.reshape(-1)
        return from_table(staged.to(self._device).view(height, width, 3), self._tables[data_range])

    def give(self, output: Tensor, data_range: float) -> None:
        """Put an SR image into the buffer, one colour after the other."""
        planes = to_planes(output, data_range)
        staged = self._down[: planes.numel()]
        staged.copy_(planes.view(-1))  # waits until it is there
        self._sr[: planes.numel()].copy_(staged)


def transfer_for(device: torch.device, lr: Uint8, sr: Tensor) -> HostTransfer | DeviceTransfer:
    """Return what carries pixels to and from a device; for a GPU it pins memory of the buffers' size."""
    return HostTransfer(lr, sr) if device.type == "cpu" else DeviceTransfer(lr, sr, device)


def _image(buffer: Uint8, height: int, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return buffer[: height * width * 3].reshape(height, width, 3)
