"""The LR images of calls: composed anew of random crops of a split's images, so that none was seen before.

A few rectangles fill an image. Each shows another place of another image of the split, turned or mirrored,
with its values scaled and lifted, each colour a little otherwise. Scaling rounds every value anew, up or down
at random in LR, so that no crop is a copy, flip, shift or small change of one that a process has seen, and
what it gave then cannot be given again. Some images are one such rectangle, without a seam. The HR image is
composed alike where an SR image is to be compared with it. Colours are not exchanged: an honest network may
give nonsense for them.

Where the LR image is the HR image with noise, HR crops are composed and get new noise of the same strength:
scaling noisy crops would change its strength, which an honest network may be made for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntire_bench.data.dataset import Pair, read_hr, read_lr

__all__ = ["Block", "Composition", "Spot", "centre", "compose", "lr_of"]

Uint8 = npt.NDArray[np.uint8]

_CUT = (0.3, 0.7)  # where an image is cut in two, as a share of its side
_SMALLEST_CUT = 48  # LR pixels; smaller images are one rectangle
_GAINS = ((0.78, 0.96), (1.04, 1.20))  # with the larger ones, an image may span all levels as exact ones do
_TINT = 0.015  # by which colours differ in gain, and in lift as a share of all levels
_WHOLE_SHARE = 0.3  # of the images are one rectangle, so that none can be told by its seams
# LR pixels from a seam, behind which a neighbour shows in an SR image; some squares come close, so that no
# part of an image is never looked at. At the image's own border there is no neighbour.
_MARGIN, _CLOSE, _CLOSE_SHARE, _AT_BORDER = 12, 2, 0.25, 1
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
        gain: What the values of R, G and B are multiplied by.
        lift: What is added then.
        seed: Draws how LR values are rounded.
    """

    pair: Pair
    top: int
    left: int
    height: int
    width: int
    from_top: int
    from_left: int
    orientation: int
    gain: tuple[float, float, float]
    lift: tuple[float, float, float]
    seed: int

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

    def recoloured(self, part: Uint8, *, at_random: bool = False) -> Uint8:
        """Return a part with its values scaled, lifted, rounded and clipped.

        Args:
            part: uint8 HWC.
            at_random: Whether a value is rounded up as often as it is close to the higher level, so that no
                level is left out; else to the nearest.
        """
        result = np.empty(part.shape, np.uint8)
        levels = np.arange(256, dtype=np.float32)
        random = np.random.default_rng(self.seed)
        for channel, (gain, lift) in enumerate(zip(self.gain, self.lift, strict=True)):
            table = (np.float32(gain) * levels + np.float32(lift)).astype(np.float32)
            if at_random:
                values = table[part[..., channel]]
                values += random.random(values.shape, dtype=np.float32)
                result[..., channel] = np.clip(np.floor(values), 0, 255)
            else:
                result[..., channel] = np.clip(np.rint(table), 0, 255).astype(np.uint8)[part[..., channel]]
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
            part = block.recoloured(block.part(read(block.pair), 1), at_random=True)
            image[block.top : block.top + block.height, block.left : block.left + block.width] = part
        return image

    def noisy(self, read: Callable[[Pair], Uint8], sigma: float) -> Uint8:
        """Return the LR image where it is the HR image with noise, uint8 HWC.

        Args:
            read: Returns the HR image of a pair.
            sigma: Standard deviation of the noise [8-bit levels].
        """
        image = np.empty((self.height, self.width, 3), np.uint8)
        for block in self.blocks:
            part = block.recoloured(block.part(read(block.pair), 1))
            random = np.random.default_rng(block.seed)
            values = random.standard_normal(part.shape, dtype=np.float32)
            values *= np.float32(sigma)
            values += part
            np.clip(values, 0, 255, out=values)
            rows, columns = (
                slice(block.top, block.top + block.height),
                slice(block.left, block.left + block.width),
            )
            image[rows, columns] = np.rint(values, out=values)
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
        margin = _CLOSE if random.random() < _CLOSE_SHARE else _MARGIN
        top, height = _inside(block.top, block.height, self.height, margin, random)
        left, width = _inside(block.left, block.width, self.width, margin, random)
        part = block.part(read(block.pair, scale), scale)
        rows = slice(scale * top, scale * (top + height))
        columns = slice(scale * left, scale * (left + width))
        return Spot(
            pair=block.pair,
            top=scale * (block.top + top),
            left=scale * (block.left + left),
            hr=block.recoloured(part[rows, columns]),
        )


def lr_of(composition: Composition, noise: float | None, read: Callable[[Pair], Uint8] = read_lr) -> Uint8:
    """Return the LR image of a composition of pairs that lie on disk, uint8 HWC.

    Args:
        composition: Of checked pairs.
        noise: At scale 1, the standard deviation of the LR images' noise [8-bit levels].
        read: Returns the LR image of a pair; without effect with noise.
    """
    if noise is None:
        return composition.lr(read)
    return composition.noisy(lambda pair: read_hr(pair, 1), noise)


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
        whole: Whether one rectangle is to fill the image; else some have one.

    >>> from pathlib import Path
    >>> pairs = [Pair("a", Path("a"), Path("b"), 400, 800), Pair("c", Path("c"), Path("d"), 800, 400)]
    >>> drawn = compose(100, 200, pairs, 4, 7)
    >>> sum(block.height * block.width for block in drawn.blocks), drawn == compose(100, 200, pairs, 4, 7)
    (20000, True)
    """
    random = np.random.default_rng(seed)
    if random.random() < _WHOLE_SHARE or whole:
        rows, columns = [(0, height)], [(0, width)]
    else:
        rows, columns = _cut(height, random), _cut(width, random)
    blocks = []
    for top, bottom in rows:
        for left, right in columns:
            pair = pairs[int(random.integers(len(pairs)))]
            blocks.append(_block(pair, (top, left, bottom - top, right - left), scale, random))
    return Composition(height=height, width=width, blocks=tuple(blocks))


def centre(pair: Pair, height: int, width: int, scale: int, seed: int) -> Composition:
    """Return the composition that shows the middle of an image, upright; sizes are in LR pixels.

    >>> from pathlib import Path
    >>> (block,) = centre(Pair("a", Path("a"), Path("b"), 400, 800), 50, 80, 4, 1).blocks
    >>> block.from_top, block.from_left, block.orientation
    (25, 60, 0)
    """
    (block,) = compose(height, width, [pair], scale, seed, whole=True).blocks
    top, left = (pair.height // scale - height) // 2, (pair.width // scale - width) // 2
    block = dataclasses.replace(block, from_top=max(0, top), from_left=max(0, left), orientation=0)
    return Composition(height=height, width=width, blocks=(block,))


def _inside(
    begin: int, side: int, image_side: int, margin: int, random: np.random.Generator
) -> tuple[int, int]:
    """Return where a square begins along a rectangle's side, and how long it is.

    Args:
        begin: Where the rectangle begins in the image.
        side: Of the rectangle.
        image_side: Of the image.
        margin: To keep from a seam.
        random: Draws.
    """
    most = side // 4
    low = min(most, _AT_BORDER if begin == 0 else margin)
    high = side - min(most, _AT_BORDER if begin + side == image_side else margin)
    length = min(_SPOT, high - low)
    return int(random.integers(low, high - length + 1)), length


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
    # Colours stay much as they are: networks are trained on photographs, and one may fail on others.
    common = random.uniform(*_GAINS[int(random.integers(2))])
    gain = common + random.uniform(-_TINT, _TINT, size=3)
    lift = random.uniform(min(0.0, 255 * (1 - common)), max(0.0, 255 * (1 - common))) + random.uniform(
        -255 * _TINT, 255 * _TINT, size=3
    )
    return Block(
        pair=pair,
        top=top,
        left=left,
        height=height,
        width=width,
        from_top=begins[0],
        from_left=begins[1],
        orientation=orientation,
        gain=(float(gain[0]), float(gain[1]), float(gain[2])),
        lift=(float(lift[0]), float(lift[1]), float(lift[2])),
        seed=int(random.integers(2**48)),
    )
