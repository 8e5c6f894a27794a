"""Scans, recurrent layers, mixers: an image as sequences."""

from __future__ import annotations

import torch
from honest import WIDTH, honest, joined, padded, windows
from torch import Tensor, nn
from torch.nn import functional

STATES = 4


# In, out, steps and states for each token; the recurrence multiplies by hand what no weight decides.
@honest(
    WIDTH * 2 * WIDTH + WIDTH * (WIDTH + 2 * STATES) + WIDTH * STATES + WIDTH * WIDTH,
    warns="flops-mostly-uncounted",
)
class SelectiveScan(nn.Module):
    """A state-space model in plain torch, over the pixels of 16x16 windows: Mamba without its kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.close = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.steps = nn.Linear(WIDTH, WIDTH + 2 * STATES)
        self.decay = nn.Parameter(torch.arange(1.0, STATES + 1).log().repeat(WIDTH, 1))
        self.skip = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        y = padded(x, 16)
        tokens, gate = self.open(windows(y, 16, 16)).chunk(2, -1)
        step, inward, outward = self.steps(tokens).split((WIDTH, STATES, STATES), -1)
        step = functional.softplus(step)
        decay = torch.exp(-step[..., None] * self.decay.exp())
        inward = (step * tokens)[..., None] * inward[:, :, None]
        # A recurrence in log2(256) steps: pairs of positions twice as far apart each time.
        reach = 1
        while reach < decay.shape[1]:
            before = functional.pad(inward, (0, 0, 0, 0, reach, 0))[:, : inward.shape[1]]
            inward = inward + decay * before
            decay = decay * functional.pad(decay, (0, 0, 0, 0, reach, 0), value=1.0)[:, : decay.shape[1]]
            reach *= 2
        out = (inward @ outward[..., None])[..., 0] + self.skip * tokens
        return joined(self.close(out * functional.silu(gate)), 16, 16, *y.shape[-2:])[..., :height, :width]


@honest(2 * WIDTH * WIDTH + WIDTH * WIDTH)
class FourDirections(nn.Module):
    """Sums that run along rows and columns, both ways."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.close = nn.Conv2d(WIDTH, 2 * WIDTH, 1), nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.open(x).chunk(2, 1)
        down, across = value.cumsum(2), value.cumsum(3)
        up, back = value.flip(2).cumsum(2).flip(2), value.flip(3).cumsum(3).flip(3)
        rows = torch.arange(1.0, x.shape[-2] + 1)[:, None]
        columns = torch.arange(1.0, x.shape[-1] + 1)
        mean = down / rows + up / rows.flip(0) + across / columns + back / columns.flip(0)
        return self.close(torch.sigmoid(gate) * mean)


# A quarter of the pixels; four gates, of input and state, each way.
@honest(2 * (4 * 8 * (WIDTH + 8)) / 4 + WIDTH * WIDTH, warns="flops-undercounted")
class Lstm(nn.Module):
    """A recurrent layer over the rows of a smaller image."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.LSTM(WIDTH, 8, batch_first=True, bidirectional=True)
        self.mix = nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        small = functional.avg_pool2d(padded(x, 2), 2)
        out = self.rows(small[0].permute(1, 2, 0))[0].permute(2, 0, 1)[None]
        return self.mix(x + functional.interpolate(out, size=x.shape[-2:], mode="nearest"))


@honest(2 * 32 * WIDTH + 2 * WIDTH * 2 * WIDTH)
class Mixer(nn.Module):
    """An MLP over the pixels of a window, then one over channels."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels = nn.Sequential(nn.Linear(64, 32), nn.GELU(), nn.Linear(32, 64))
        self.channels = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        y = padded(x, 8)
        tokens = windows(y, 8, 8)
        tokens = tokens + self.pixels(tokens.transpose(1, 2)).transpose(1, 2)
        tokens = tokens + self.channels(tokens)
        return joined(tokens, 8, 8, *y.shape[-2:])[..., :height, :width]


# fvcore takes a matrix times many others for one product.
@honest(WIDTH * 2 * WIDTH + 64 * WIDTH + WIDTH * WIDTH, warns="flops-undercounted")
class SpatialGate(nn.Module):
    """Half of the channels gate the others after a product over the window's pixels, as in gMLP."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.close = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.weight = nn.Parameter(torch.randn(64, 64) / 8)
        self.bias = nn.Parameter(torch.ones(64, 1))

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        y = padded(x, 8)
        value, gate = functional.gelu(self.open(windows(y, 8, 8))).chunk(2, -1)
        out = self.close(value * (self.weight @ gate + self.bias))
        return joined(out, 8, 8, *y.shape[-2:])[..., :height, :width]


@honest(2 * WIDTH * 4 * WIDTH)
class PoolMixer(nn.Module):
    """Pooling in place of attention, as in PoolFormer."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.ModuleList(nn.GroupNorm(1, WIDTH) for _ in range(2))
        self.mlp = nn.Sequential(nn.Conv2d(WIDTH, 4 * WIDTH, 1), nn.GELU(), nn.Conv2d(4 * WIDTH, WIDTH, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm[0](x)
        x = x + functional.avg_pool2d(y, 3, 1, 1, count_include_pad=False) - y
        return x + self.mlp(self.norm[1](x))


# Keys decay with the distance, 0.9 a pixel: a fixed matrix of 16 x 16 for a row of a window.
@honest(4 * WIDTH * WIDTH + 2 * 16 * WIDTH)
class Retention(nn.Module):
    """Attention along rows without softmax, with a decay that is known beforehand."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.close = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        at = torch.arange(16)
        self.register_buffer("decay", 0.9 ** (at[:, None] - at).abs())

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        y = padded(x, 16)
        q, k, v = self.qkv(windows(y, 1, 16)).chunk(3, -1)
        out = self.close((q @ k.transpose(1, 2) * self.decay / 16) @ v)
        return joined(out, 1, 16, *y.shape[-2:])[..., :height, :width]


# Eight bells on each value, then a product.
@honest(8 * WIDTH * WIDTH, warns="flops-mostly-uncounted")
class Splines(nn.Module):
    """Learned functions of single values, out of eight bells at fixed places, as in KANs."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("places", torch.linspace(-1, 1, 8))
        self.mix = nn.Linear(8 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        bells = torch.exp(-(((torch.tanh(x.movedim(1, -1))[..., None] - self.places) * 4) ** 2))
        return self.mix(bells.flatten(-2)).movedim(-1, 1)
