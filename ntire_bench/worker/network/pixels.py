"""Pixels of uint8 to a network's input, and its output to pixels of uint8. Worker only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["from_table", "level_table", "to_planes", "to_tensor", "to_uint8", "write_planes"]

_BLOCK = 2**17  # values; a block and its copies stay in a core's second-level cache


def to_tensor(image: npt.NDArray[np.uint8], data_range: float) -> Tensor:
    """Return a uint8 HWC image as a float32 1CHW tensor in [0, data_range].

    >>> to_tensor(np.full((1, 1, 3), 255, np.uint8), 1.0).flatten().tolist()
    [1.0, 1.0, 1.0]
    """
    tensor = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1).unsqueeze(0).contiguous()
    return tensor if data_range == 255.0 else tensor.div_(255.0).mul_(data_range)


def level_table(data_range: float) -> Tensor:
    """Return what `to_tensor` makes of each of the 256 levels.

    A GPU divides by multiplying with the reciprocal, which rounds otherwise: with a table made on the CPU, a
    network gets the same input on both.

    >>> level_table(255.0)[254].item()
    254.0
    """
    levels = np.arange(256, dtype=np.uint8).reshape(256, 1, 1).repeat(3, axis=2)
    return to_tensor(levels, data_range)[0, 0, :, 0].contiguous()


def from_table(image: Tensor, table: Tensor) -> Tensor:
    """Return a uint8 HWC image as `to_tensor` does, on the device it lies on.

    Args:
        image: uint8, (H, W, 3).
        table: What `level_table` returned, on the same device.

    >>> from_table(torch.full((1, 1, 3), 255, dtype=torch.uint8), level_table(1.0)).flatten().tolist()
    [1.0, 1.0, 1.0]
    """
    planes = image.permute(2, 0, 1).to(torch.int32, memory_format=torch.contiguous_format)
    return table.index_select(0, planes.flatten()).view(1, *planes.shape)


def to_planes(output: Tensor, data_range: float) -> Tensor:
    """Return a float 1CHW tensor as uint8 CHW on its device: the values of `to_uint8`.

    >>> to_planes(torch.tensor([-1.0, 0.5, 1.5]).reshape(1, 3, 1, 1), 1.0).flatten().tolist()
    [0, 128, 255]
    """
    planes = output.detach()[0].clamp(0.0, data_range)  # a copy: the rest is in place
    if data_range != 255.0:
        planes.mul_(255.0 / data_range)
    return planes.round_().to(torch.uint8, memory_format=torch.contiguous_format)


def to_uint8(output: Tensor, data_range: float) -> Tensor:
    """Return a float 1CHW tensor in [0, data_range] as a uint8 HWC tensor: clamped, scaled, rounded once.

    Halves round to even, as NumPy's round and therefore the challenge's own code do.

    >>> to_uint8(torch.tensor([-1.0, 0.5, 1.5]).reshape(1, 3, 1, 1), 1.0).flatten().tolist()
    [0, 128, 255]
    """
    image = output.detach().squeeze(0).permute(1, 2, 0).clamp(0.0, data_range)  # a copy: the rest is in place
    if data_range != 255.0:
        image.mul_(255.0 / data_range)
    return image.round_().to(torch.uint8)


def write_planes(output: Tensor, data_range: float, buffer: Tensor) -> None:
    """Write a float SR image as uint8: clamped, scaled, rounded once, one colour after the other.

    The values are those of `to_uint8`. Blocks that stay in the cache, and a detour by
    int16, take a quarter of the time of whole images (docs/PERFORMANCE.md). The parent interleaves the
    colours when it copies them.

    Args:
        output: Float (1, 3, H, W) in [0, data_range], on the CPU; stays as it is.
        data_range: 1 or 255.
        buffer: uint8, on the CPU, of 3 * H * W elements or more.

    >>> buffer = torch.zeros(3, dtype=torch.uint8)
    >>> write_planes(torch.tensor([-1.0, 0.5, 1.5]).reshape(1, 3, 1, 1), 1.0, buffer)
    >>> buffer.tolist()
    [0, 128, 255]
    """
    image = output.detach()[0]
    planes = buffer[: image.numel()].view(image.shape)
    scale = 255.0 / data_range
    height, width = image.shape[1:]
    rows = max(1, _BLOCK // width)
    values = torch.empty((rows, width))
    whole = torch.empty((rows, width), dtype=torch.int16)
    for source, plane in zip(image, planes, strict=True):
        for top in range(0, height, rows):
            part = source[top : top + rows]
            count = len(part)
            block, integers = values[:count], whole[:count]
            torch.clamp(part, 0.0, data_range, out=block)
            if data_range != 255.0:
                block.mul_(scale)
            integers.copy_(block.round_())
            plane[top : top + count].copy_(integers)
