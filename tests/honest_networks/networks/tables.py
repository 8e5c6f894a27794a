"""Look-up tables and code books."""

from __future__ import annotations

import torch
from honest import SCALE, WIDTH, enlarged, honest
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 17


class FourPixelTable(nn.Module):
    """SR-LUT: 4x4 HR values for every combination of four LR pixels, of which 17 levels each are known.

    Only two of the pixels are looked up here, so that the table stays small.
    """

    def table(self) -> Tensor:
        raise NotImplementedError

    def forward(self, lr: Tensor) -> Tensor:
        level = (lr.clamp(0, 1) * (LEVELS - 1)).round().long()
        right = torch.roll(level, -1, -1)
        found = self.table()[level * LEVELS + right]  # 1 x 3 x H x W x 16
        return enlarged(lr) + functional.pixel_shuffle(found.permute(0, 1, 4, 2, 3).flatten(1, 2), SCALE)


TABLE = LEVELS**2 * SCALE**2


# No products at all: what the tables replace, a person must judge.
@honest(0, whole=True, warns="flops-lookup-table flops-mostly-uncounted")
class LearnedTable(FourPixelTable):
    """The table is a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.randn(LEVELS**2, SCALE**2) * 0.01)

    def table(self) -> Tensor:
        return self.values


@honest(0, whole=True, undeclared=TABLE, warns="flops-lookup-table flops-mostly-uncounted params-undeclared")
class StoredTable(FourPixelTable):
    """The table is a buffer, and so is not in parameters()."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("values", torch.randn(LEVELS**2, SCALE**2) * 0.01)

    def table(self) -> Tensor:
        return self.values


CODES = 64


# Distances to all codes.
@honest(CODES * WIDTH + WIDTH * WIDTH, warns="flops-lookup-table")
class CodeBook(nn.Module):
    """Every pixel's features are replaced by the nearest of 64 learned codes."""

    def __init__(self) -> None:
        super().__init__()
        self.codes = nn.Embedding(CODES, WIDTH)
        self.mix = nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.movedim(1, -1)
        distance = self.codes.weight.pow(2).sum(1) - 2 * tokens @ self.codes.weight.T
        return self.mix(self.codes(distance.argmin(-1)).movedim(-1, 1) + x)


@honest(9 * 3 * WIDTH + 9 * WIDTH * 3 * SCALE**2, whole=True, warns="flops-lookup-table")
class ColourTable(nn.Module):
    """Colours go through a table of 9x9x9 colours, read in between its entries."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, WIDTH, 3, padding=1)
        self.tail = nn.Conv2d(WIDTH, 3 * SCALE**2, 3, padding=1)
        self.colours = nn.Parameter(torch.randn(1, 3, 9, 9, 9) * 0.1)

    def forward(self, lr: Tensor) -> Tensor:
        places = lr.movedim(1, -1)[:, None] * 2 - 1
        changed = lr + functional.grid_sample(self.colours, places, align_corners=True)[:, :, 0]
        return enlarged(lr) + 0.1 * functional.pixel_shuffle(self.tail(self.head(changed)), SCALE)
