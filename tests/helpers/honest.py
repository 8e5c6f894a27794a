"""What the honest networks have in common: a residual on a bicubic enlargement, and what is known of each.

A network is written as its body, from 16 features to 16 features; head, tail and enlargement are added here.
What it costs is written beside it, as a formula of the textbook: never read from a program of this project.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 16
COST_SIDE = 128  # of the image that costs are counted on [LR pixels]
SCALE = 4
AROUND = 9 * 3 * WIDTH + 9 * WIDTH * 3 * SCALE**2  # of the head and the tail, for each LR pixel
Built = TypeVar("Built", bound=Callable[[], nn.Module])


@dataclass(frozen=True, kw_only=True)
class Honest:
    """One honest network, and what the audit may say of it.

    Attributes:
        name: For people.
        build: Makes the network, with random weights.
        macs: Multiply-accumulates of convolutions, products and attention for each LR pixel.
        once: The same, for each image.
        by_hand: Of `macs`, what is computed outside of such operators, by the table in docs/INTEGRITY.md.
        undeclared: Weights that an SR image depends on and parameters() does not have.
        warns: Codes of the warnings that are true.
    """

    name: str
    build: Callable[[], nn.Module]
    macs: float
    once: int = 0
    by_hand: float = 0
    undeclared: int = 0
    warns: frozenset[str] = frozenset()


NETWORKS: list[Honest] = []


class Residual(nn.Module):
    """Adds what a body makes of features to a bicubic enlargement."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, WIDTH, 3, padding=1)
        self.body = body
        self.tail = nn.Conv2d(WIDTH, 3 * SCALE**2, 3, padding=1)

    def forward(self, lr: Tensor) -> Tensor:
        shallow = self.head(lr)
        detail = functional.pixel_shuffle(self.tail(shallow + self.body(shallow)), SCALE)
        return enlarged(lr) + 0.1 * detail


def enlarged(lr: Tensor) -> Tensor:
    return functional.interpolate(lr, scale_factor=SCALE, mode="bicubic", align_corners=False)


def honest(
    macs: float,
    *,
    once: int = 0,
    by_hand: float = 0,
    undeclared: int = 0,
    warns: str = "",
    whole: bool = False,
) -> Callable[[Built], Built]:
    """Add the decorated class to the collection.

    Args:
        macs: Multiply-accumulates of the body for each LR pixel; head and tail are added.
        once: For each image.
        by_hand: What the body computes outside of convolutions and products, for each LR pixel.
        undeclared: Weights that are no parameters.
        warns: Codes of true warnings, with spaces.
        whole: Whether it is a whole network, and `macs` are all of it.
    """

    def add(build: Built) -> Built:
        network = Honest(
            name=build.__name__,
            build=build if whole else lambda: Residual(build()),
            macs=macs if whole else AROUND + macs,
            once=once,
            by_hand=by_hand,
            undeclared=undeclared,
            warns=frozenset(warns.split()),
        )
        NETWORKS.append(network)
        return build

    return add


def padded(x: Tensor, multiple: int) -> Tensor:
    """Continue features to the right and below, so that the sides are multiples of a number."""
    height, width = x.shape[-2:]
    return functional.pad(x, (0, -width % multiple, 0, -height % multiple), mode="reflect")


def windows(x: Tensor, rows: int, columns: int) -> Tensor:
    """Cut 1CHW into windows of rows x columns pixels: windows x pixels x channels."""
    _, channels, height, width = x.shape
    parts = x.reshape(channels, height // rows, rows, width // columns, columns)
    return parts.permute(1, 3, 2, 4, 0).reshape(-1, rows * columns, channels)


def joined(parts: Tensor, rows: int, columns: int, height: int, width: int) -> Tensor:
    """Undo `windows`."""
    whole = parts.reshape(height // rows, width // columns, rows, columns, -1)
    return whole.permute(4, 0, 2, 1, 3).reshape(1, -1, height, width)


def heads(tokens: Tensor, count: int) -> Tensor:
    """Split windows x pixels x channels into windows x heads x pixels x channels of a head."""
    return tokens.reshape(*tokens.shape[:2], count, -1).transpose(1, 2)


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | float = 0.0) -> Tensor:
    """Attention, written out."""
    scores = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
    return torch.softmax(scores + bias, -1) @ value
