"""Fixed transforms: wavelets, Fourier and cosine transforms, pyramids, edges."""

from __future__ import annotations

import math

import torch
from honest import COST_SIDE, SCALE, WIDTH, enlarged, honest, joined, padded, windows
from torch import Tensor, nn
from torch.nn import functional

FULL = 9 * WIDTH * WIDTH
POINT = WIDTH * WIDTH


def haar() -> Tensor:
    """The four kernels of the Haar wavelet: 4 x 1 x 2 x 2."""
    signs = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
    return signs.reshape(4, 1, 2, 2) / 2


WIDE = 80


# Four kernels of 2x2 for each of 80 channels, at a quarter of the pixels; there and back.
@honest(WIDTH * WIDE + 2 * 4 * 4 * WIDE / 4 + 4 * WIDE * 9 / 4 + WIDE * WIDTH)
class WaveletInBuffer(nn.Module):
    """Haar wavelets as convolutions: their 16 values, repeated for every channel, lie in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("wavelet", haar().repeat(WIDE, 1, 1, 1))
        self.open, self.close = nn.Conv2d(WIDTH, WIDE, 1), nn.Conv2d(WIDE, WIDTH, 1)
        self.local = nn.Conv2d(4 * WIDE, 4 * WIDE, 3, padding=1, groups=4 * WIDE)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        bands = functional.conv2d(padded(self.open(x), 2), self.wavelet, stride=2, groups=WIDE)
        bands = bands + torch.relu(self.local(bands))
        back = functional.conv_transpose2d(bands, self.wavelet, stride=2, groups=WIDE)
        return self.close(back)[..., :height, :width]


@honest(4 * WIDTH * 4 * WIDTH / 4)
class WaveletSliced(nn.Module):
    """The same wavelets, as sums and differences of every second pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(4 * WIDTH, 4 * WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        y = padded(x, 2)
        a, b, c, d = (y[..., row::2, column::2] for row in (0, 1) for column in (0, 1))
        bands = torch.cat((a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d), 1) / 2
        return functional.pixel_shuffle(torch.relu(self.mix(bands)), 2)[..., :height, :width]


FOURIER = 2.5 * math.log2(COST_SIDE**2)  # of a transform, for each pixel and channel


# 1x1 on real and imaginary parts of half of the frequencies: one column more than half of them.
@honest(
    (2 * WIDTH) ** 2 * (COST_SIDE // 2 + 1) / COST_SIDE + FULL + 2 * WIDTH * FOURIER,
    by_hand=2 * WIDTH * FOURIER,
    warns="flops-by-hand",
)
class FourierUnit(nn.Module):
    """A 1x1 convolution of frequencies beside one of pixels, as in FFC."""

    def __init__(self) -> None:
        super().__init__()
        self.local = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.spectral = nn.Conv2d(2 * WIDTH, 2 * WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(x, norm="ortho")
        mixed = torch.relu(self.spectral(torch.cat((spectrum.real, spectrum.imag), 1)))
        back = torch.fft.irfft2(torch.complex(*mixed.chunk(2, 1)), s=x.shape[-2:], norm="ortho")
        return self.local(x) + back


BLOCK = 8


def cosines() -> Tensor:
    """The matrix of the cosine transform of 8 values."""
    rows, columns = torch.arange(BLOCK)[:, None], torch.arange(BLOCK)
    matrix = torch.cos(math.pi * (columns + 0.5) * rows / BLOCK) * math.sqrt(2 / BLOCK)
    matrix[0] /= math.sqrt(2)
    return matrix


# Four products by a matrix of 8x8 for each value.
@honest(4 * BLOCK * WIDTH + FULL)
class CosineBlocks(nn.Module):
    """Frequencies of blocks of 8x8 are weighted, by learned gains."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("matrix", cosines())
        self.gain = nn.Parameter(torch.randn(BLOCK, BLOCK, 1) * 0.1)
        self.mix = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        y = padded(self.mix(x), BLOCK)
        blocks = windows(y, BLOCK, BLOCK).reshape(-1, BLOCK, BLOCK, WIDTH)
        spectrum = torch.einsum("ur,brsc,vs->buvc", self.matrix, blocks, self.matrix) * torch.sigmoid(
            self.gain
        )
        back = torch.einsum("ur,buvc,vs->brsc", self.matrix, spectrum, self.matrix)
        return joined(back, BLOCK, BLOCK, *y.shape[-2:])[..., :height, :width]


def gauss(side: int = 5) -> Tensor:
    row = torch.exp(-((torch.arange(side) - side // 2) ** 2) / 2.0)
    return (row[:, None] * row / row.sum() ** 2)[None, None]


@honest(25 * WIDTH + 2 * FULL)
class BandSplit(nn.Module):
    """Low and high frequencies, split by a Gaussian in a buffer, go separate ways."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("gauss", gauss().repeat(WIDTH, 1, 1, 1))
        self.low, self.high = (nn.Conv2d(WIDTH, WIDTH, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        smooth = functional.conv2d(x, self.gauss, padding=2, groups=WIDTH)
        return self.low(smooth) + self.high(x - smooth)


# Two filters on the grey image; head of five channels, of which two are edges.
@honest(3 + 9 * 2 + 9 * 5 * WIDTH + 9 * WIDTH * 3 * SCALE**2, whole=True)
class EdgeBranch(nn.Module):
    """Edges of the grey image, by Sobel filters in a buffer, are two more channels."""

    def __init__(self) -> None:
        super().__init__()
        sobel = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
        self.register_buffer("sobel", torch.stack((sobel, sobel.T))[:, None])
        self.register_buffer("grey", torch.tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1))
        self.head = nn.Conv2d(5, WIDTH, 3, padding=1)
        self.tail = nn.Conv2d(WIDTH, 3 * SCALE**2, 3, padding=1)

    def forward(self, lr: Tensor) -> Tensor:
        edges = functional.conv2d(functional.conv2d(lr, self.grey), self.sobel, padding=1)
        detail = self.tail(torch.relu(self.head(torch.cat((lr, edges), 1))))
        return enlarged(lr) + 0.1 * functional.pixel_shuffle(detail, SCALE)


# All at a quarter of the pixels; the tail makes 8x8 of each.
@honest((9 * 12 * 32 + 9 * 32 * 32 + 9 * 32 * 3 * 64) / 4, whole=True)
class Unshuffled(nn.Module):
    """The image is folded into channels first."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.mix = nn.Conv2d(12, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1)
        self.tail = nn.Conv2d(32, 3 * 64, 3, padding=1)

    def forward(self, lr: Tensor) -> Tensor:
        height, width = (SCALE * side for side in lr.shape[-2:])
        x = functional.pixel_unshuffle(padded(lr, 2), 2)
        detail = functional.pixel_shuffle(self.tail(torch.relu(self.mix(self.head(x)))), 8)
        return enlarged(lr) + 0.1 * detail[..., :height, :width]
