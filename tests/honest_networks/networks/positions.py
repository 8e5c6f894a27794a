"""Networks that know where a pixel is: sines, coordinates, tables of positions, kernels out of positions."""

from __future__ import annotations

import math

import numpy as np
import torch
from honest import SCALE, WIDTH, honest
from torch import Tensor, nn
from torch.nn import functional

BANDS = 8


def sines(height: int, width: int) -> Tensor:
    """Sines and cosines of both coordinates in octaves: height x width x 4 BANDS."""
    grid = torch.stack(
        torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij"), -1
    )
    angles = grid[..., None] * 2.0 ** torch.arange(BANDS)
    return torch.cat((angles.sin(), angles.cos()), -1).flatten(-2)


@honest(4 * BANDS * WIDTH)
class SinesInForward(nn.Module):
    """Positions are made for the image's size, and put through a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Linear(4 * BANDS, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.place(sines(*x.shape[-2:])).movedim(-1, 0)[None]


@honest(WIDTH * WIDTH)
class SinesAdded(nn.Module):
    """Positions are added to the features as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(x + 0.1 * sines(*x.shape[-2:])[..., :WIDTH].movedim(-1, 0)[None])


@honest(WIDTH * WIDTH)
class SinesInBuffer(nn.Module):
    """Positions up to 384x384 are made once, and each image takes its corner of them."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("places", sines(384, 384)[..., :WIDTH].movedim(-1, 0)[None].contiguous())
        self.mix = nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(x + 0.1 * self.places[..., : x.shape[-2], : x.shape[-1]])


@honest(WIDTH * 64 + 64 * WIDTH)
class SinesOfNumpy(nn.Module):
    """Wide positions of a 64x64 image, made by NumPy: a corner of them, or resized."""

    def __init__(self) -> None:
        super().__init__()
        at = np.arange(64)[:, None] / 100.0 ** (np.arange(16) / 16)
        row = np.concatenate((np.sin(at), np.cos(at)), 1)
        both = (np.repeat(row[:, None], 64, 1), np.repeat(row[None], 64, 0))
        places = np.concatenate(both, -1).astype(np.float32).transpose(2, 0, 1)
        self.register_buffer("places", torch.from_numpy(places.copy())[None], persistent=False)
        self.open, self.close = nn.Conv2d(WIDTH, 64, 1), nn.Conv2d(64, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        places = self.places[..., :height, :width]
        if height > 64 or width > 64:
            places = functional.interpolate(self.places, size=(height, width), mode="bilinear")
        return self.close(self.open(x) + 0.1 * places)


@honest(4 * BANDS * WIDTH)
class SinesKept(SinesInForward):
    """Positions of every size are kept in an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[int, ...], Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        size = tuple(x.shape[-2:])
        if size not in self.kept:
            self.kept[size] = sines(*size)
        return x + self.place(self.kept[size]).movedim(-1, 0)[None]


@honest(WIDTH * WIDTH)
class SinesResized(nn.Module):
    """Positions of a 32x32 image in a buffer, resized to the image."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("places", sines(32, 32)[..., :WIDTH].movedim(-1, 0)[None].contiguous())
        self.mix = nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        places = functional.interpolate(self.places, size=x.shape[-2:], mode="bilinear")
        return self.mix(x + 0.1 * places)


@honest(WIDTH * WIDTH)
class LearnedPlaces(nn.Module):
    """A learned map of 16x16 positions, resized to the image."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.randn(1, WIDTH, 16, 16) * 0.02)
        self.mix = nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(x + functional.interpolate(self.places, size=x.shape[-2:], mode="bicubic"))


@honest(9 * (WIDTH + 2) * WIDTH)
class Coordinates(nn.Module):
    """Two more channels say where a pixel is, as in CoordConv."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(WIDTH + 2, WIDTH, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        rows = torch.linspace(-1, 1, x.shape[-2])[:, None].expand(x.shape[-2:])
        columns = torch.linspace(-1, 1, x.shape[-1]).expand(x.shape[-2:])
        return self.mix(torch.cat((x, torch.stack((rows, columns))[None]), 1))


@honest(2 * 8 + WIDTH * WIDTH)
class RandomFourier(nn.Module):
    """Sines of random combinations of the coordinates; the 16 random numbers are in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mixture", torch.randn(2, 8) * 4)
        self.place = nn.Linear(16, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        steps = [torch.linspace(0, 1, size) for size in x.shape[-2:]]
        angles = 2 * math.pi * torch.stack(torch.meshgrid(*steps, indexing="ij"), -1) @ self.mixture
        return x + self.place(torch.cat((angles.sin(), angles.cos()), -1)).movedim(-1, 0)[None]


KERNEL = 11


# The kernel is made once: 121 positions through three layers.
@honest(KERNEL**2 * WIDTH, once=KERNEL**2 * (2 * 16 + 16 * 16 + 16 * WIDTH))
class ContinuousKernel(nn.Module):
    """A small network gives the value of a kernel at every position."""

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Linear(2, 16), nn.GELU(), nn.Linear(16, 16), nn.GELU(), nn.Linear(16, WIDTH)]
        self.value = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        steps = torch.linspace(-1, 1, KERNEL)
        grid = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1)
        kernel = self.value(grid).movedim(-1, 0)[:, None] / KERNEL
        return functional.conv2d(x, kernel, padding=KERNEL // 2, groups=WIDTH)


# For each of 16 HR pixels.
@honest(9 * 3 * WIDTH + SCALE**2 * ((WIDTH + 4) * 16 + 16 * 3), whole=True)
class Implicit(nn.Module):
    """A small network gives the colour at every place, from near features and the offset, as in LIIF."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, WIDTH, 3, padding=1)
        self.colour = nn.Sequential(nn.Linear(WIDTH + 4, 16), nn.ReLU(), nn.Linear(16, 3))

    def forward(self, lr: Tensor) -> Tensor:
        height, width = (SCALE * side for side in lr.shape[-2:])
        steps = [(torch.arange(side) + 0.5) / side * 2 - 1 for side in (height, width)]
        places = torch.stack(torch.meshgrid(*steps, indexing="ij"), -1)[None]
        near = functional.grid_sample(self.head(lr), places.flip(-1), mode="nearest", align_corners=False)
        offset = torch.cat((places % (2 / height), places % (2 / width)), -1)
        detail = self.colour(torch.cat((near.movedim(1, -1), offset), -1)).movedim(-1, 1)
        return functional.interpolate(lr, scale_factor=SCALE, mode="bicubic") + 0.1 * detail
