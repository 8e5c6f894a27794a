"""The LR images of calls: composed anew of random crops of a split's images, so that none was seen before.

A few rectangles fill an image. Each shows another place of another image of the split, turned or mirrored,
with its colours exchanged and its values scaled and lifted. Scaling rounds every value anew, so that no crop
is a copy, flip, shift or small change of one that a process has seen, and what it gave then cannot be given
again. The HR image is composed alike where an SR image is to be compared with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntire_bench.data.dataset import Pair

__all__ = ["Block", "Composition", "Spot", "compose"]

Uint8 = npt.NDArray[np.uint8]

_CUT = (0.3, 0.7)  # where an image is cut in two, as a share of its side
_SMALLEST_CUT = 48  # LR pixels; smaller images are one rectangle
_GAIN = (0.78, 0.96)  # below 1, so that lifted values stay in range
_MARGIN = 12  # LR pixels from a rectangle's edge, where its neighbour shows in an SR image
_SPOT = 48  # side of what is compared with HR [LR pixels]


@dataclass(frozen=True, kw_only=True)
class Block:
    """A rectangle of a composed image, and what it shows. Sizes and places are in LR pixels.

    Attributes:
        pair: The image that it shows a part of.
        top: Where the rectangle begins.
        left: Where the rectangle begins.
        height: Of the rectangle.
        width: Of the rectangle.
        from_top: Where the part begins in its image.
        from_left: Where the part begins in its image.
        orientation: 0 to 7: quarter turns, and 4 more if mirrored.
        channels: Which channels of the image become R, G and B.
        gain: What the values of R, G and B are multiplied by.
        lift: What is added then.
    """

    pair: Pair
    top: int
    left: int
    height: int
    width: int
    from_top: int
    from_left: int
    orientation: int
    channels: tuple[int, int, int]
    gain: tuple[float, float, float]
    lift: tuple[float, float, float]

    def part(self, image: Uint8, scale: int) -> Uint8:
        """Return what the rectangle shows, before its values are changed.

        Args:
            image: The LR image (scale 1) or the HR image of `pair`, uint8 HWC.
            scale: HR pixels for each of `image`'s LR pixels.
        """
        height, width = (self.height, self.width) if self.orientation % 2 == 0 else (self.width, self.height)
        top, left, height, width = (scale * value for value in (self.from_top, self.from_left, height, width))
        part = image[top : top + height, left : left + width]
        missing = [(0, height - part.shape[0]), (0, width - part.shape[1]), (0, 0)]
        if any(after for _, after in missing):  # an image that is smaller than the rectangle is mirrored
            part = np.pad(part, missing, mode="symmetric")
        part = np.rot90(part, self.orientation % 4)
        return part[:, ::-1] if self.orientation >= 4 else part

    def recoloured(self, part: Uint8) -> Uint8:
        """Return a part with channels exchanged, values scaled, lifted and rounded."""
        result = np.empty(part.shape, np.uint8)
        levels = np.arange(256, dtype=np.float64)
        for channel, (source, gain, lift) in enumerate(zip(self.channels, self.gain, self.lift, strict=True)):
            table = np.rint(gain * levels + lift).astype(np.uint8)
            result[..., channel] = table[part[..., source]]
        return result


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A square of an SR image that lies inside one rectangle, and the same place of the composed HR image.

    Attributes:
        pair: The image that the rectangle shows.
        top: Where it begins [SR pixels].
        left: Where it begins [SR pixels].
        hr: uint8 HWC.
    """

    pair: Pair
    top: int
    left: int
    hr: Uint8

    def mse(self, sr: Uint8) -> float:
        """Return the mean squared error of an SR image here, over R, G and B [levels squared]."""
        height, width = self.hr.shape[:2]
        here = sr[self.top : self.top + height, self.left : self.left + width]
        difference = here.astype(np.int32) - self.hr
        return float(np.square(difference).mean())


@dataclass(frozen=True, kw_only=True)
class Composition:
    """How an LR image is composed.

    Attributes:
        height: Of the LR image.
        width: Of the LR image.
        blocks: They fill it.
    """

    height: int
    width: int
    blocks: tuple[Block, ...]

    def lr(self, read: Callable[[Pair], Uint8]) -> Uint8:
        """Return the LR image, uint8 HWC.

        Args:
            read: Returns the LR image of a pair.
        """
        image = np.empty((self.height, self.width, 3), np.uint8)
        for block in self.blocks:
            part = block.recoloured(block.part(read(block.pair), 1))
            image[block.top : block.top + block.height, block.left : block.left + block.width] = part
        return image

    def spot(self, random: np.random.Generator, read: Callable[[Pair, int], Uint8], scale: int) -> Spot:
        """Return a square to compare an SR image in, at a place drawn at random.

        It is drawn when the SR image has come back, and never twice for an image.

        Args:
            random: Draws.
            read: Returns the HR image of a pair at a scale.
            scale: Enlargement factor.
        """
        block = self.blocks[int(random.integers(len(self.blocks)))]
        (top, height), (left, width) = (_inside(side, random) for side in (block.height, block.width))
        part = block.part(read(block.pair, scale), scale)
        rows = slice(scale * top, scale * (top + height))
        columns = slice(scale * left, scale * (left + width))
        return Spot(
            pair=block.pair,
            top=scale * (block.top + top),
            left=scale * (block.left + left),
            hr=block.recoloured(part[rows, columns]),
        )


def compose(
    height: int, width: int, pairs: Sequence[Pair], scale: int, seed: int, *, whole: bool = False
) -> Composition:
    """Draw the composition of an LR image.

    Args:
        height: Of the LR image.
        width: Of the LR image.
        pairs: Of the split, whose images are shown.
        scale: Enlargement factor, by which HR sizes of pairs are larger than LR sizes.
        seed: The same seed draws the same.
        whole: Whether one rectangle is to fill the image.

    >>> from pathlib import Path
    >>> pairs = [Pair("a", Path("a"), Path("b"), 400, 800), Pair("c", Path("c"), Path("d"), 800, 400)]
    >>> drawn = compose(100, 200, pairs, 4, 7)
    >>> sum(block.height * block.width for block in drawn.blocks), drawn == compose(100, 200, pairs, 4, 7)
    (20000, True)
    """
    random = np.random.default_rng(seed)
    if whole:
        rows, columns = [(0, height)], [(0, width)]
    else:
        rows, columns = _cut(height, random), _cut(width, random)
    blocks = []
    for top, bottom in rows:
        for left, right in columns:
            pair = pairs[int(random.integers(len(pairs)))]
            blocks.append(_block(pair, (top, left, bottom - top, right - left), scale, random))
    return Composition(height=height, width=width, blocks=tuple(blocks))


def _inside(side: int, random: np.random.Generator) -> tuple[int, int]:
    """Return where a square begins along a side, and how long it is, away from the side's ends."""
    margin = min(_MARGIN, side // 4)
    length = min(_SPOT, side - 2 * margin)
    return int(random.integers(margin, side - margin - length + 1)), length


def _cut(side: int, random: np.random.Generator) -> list[tuple[int, int]]:
    if side < _SMALLEST_CUT:
        return [(0, side)]
    low, high = (round(share * side) for share in _CUT)
    at = int(random.integers(low, high + 1))
    return [(0, at), (at, side)]


def _block(pair: Pair, place: tuple[int, int, int, int], scale: int, random: np.random.Generator) -> Block:
    top, left, height, width = place
    orientation = int(random.integers(8))
    wanted = (height, width) if orientation % 2 == 0 else (width, height)
    there = pair.height // scale, pair.width // scale
    begins = [int(random.integers(max(1, have - want + 1))) for have, want in zip(there, wanted, strict=True)]
    gain = random.uniform(*_GAIN, size=3)
    lift = random.uniform(0.0, 255.0 * (1.0 - gain))
    first, second, third = map(int, random.permutation(3))
    return Block(
        pair=pair,
        top=top,
        left=left,
        height=height,
        width=width,
        from_top=begins[0],
        from_left=begins[1],
        orientation=orientation,
        channels=(first, second, third),
        gain=(float(gain[0]), float(gain[1]), float(gain[2])),
        lift=(float(lift[0]), float(lift[1]), float(lift[2])),
    )
