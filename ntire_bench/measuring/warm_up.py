"""Untimed first calls of every image size, and the padding that they show to be needed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ntire_bench.measuring.side import Side, Timeline
from ntire_bench.records.record import Inference
from ntire_bench.text import few

__all__ = ["note_padding", "warm_up"]

Uint8 = npt.NDArray[np.uint8]

WARM_UP_CALLS = {"cuda": 3, "cpu": 1}
_MOST_SIZES = 5


def warm_up(side: Side, images: Sequence[Uint8], device: str, timeline: Timeline) -> float:
    """Run one image of every size, untimed: the first call of a size is slower and must not be averaged in.

    It also shows what images of each size must be padded to.

    Args:
        side: Whose worker runs them; its info gets the padding.
        images: One LR image per size, uint8 HWC; on a GPU the largest is run first.
        device: "cuda" or "cpu".
        timeline: Counts the images.

    Returns:
        How long the very first call took [ms].
    """
    first_ms = 0.0
    pads: dict[tuple[int, int], int] = {}
    if device == "cuda":  # what the largest image takes of the GPU's memory does for the others
        images = sorted(images, key=lambda image: image.size, reverse=True)
    for number, image in enumerate(images):
        found = side.worker.warm_up(image, WARM_UP_CALLS[device])
        pads[image.shape[0], image.shape[1]] = found.pad_to
        first_ms = found.first_ms if number == 0 else first_ms
        timeline.step("warm-up")
    note_padding(side, pads)
    return first_ms


def note_padding(side: Side, pads: Mapping[tuple[int, int], int]) -> None:
    """Note in a side's info what its input is padded to.

    Args:
        side: Its `pad_to` and `inferred` are set.
        pads: The multiple that images are padded to, 1 for none, by their height and width [LR pixels].
    """
    kept = tuple(item for item in side.info.inferred if item.key not in ("pad_to", "padded_sizes"))
    pad_to = side.submission.declaration.pad_to
    told: list[Inference] = []
    largest = max(pads.values())
    if pad_to is None and largest > 1:
        if all(_rounded(size, multiple) == _rounded(size, largest) for size, multiple in pads.items()):
            pad_to = largest
            how = "the smallest multiple with which images of all sizes run"
            told = [Inference(key="pad_to", value=str(pad_to), how=how)]
        else:
            padded = {size: multiple for size, multiple in pads.items() if _rounded(size, multiple) != size}
            each = [f"{h}x{w} to a multiple of {multiple}" for (h, w), multiple in sorted(padded.items())]
            how = "the network fails at these sizes as they are; LR images of all others are run as they are"
            value = few(each, _MOST_SIZES, kind="sizes")
            told = [Inference(key="padded_sizes", value=value, how=how)]
    side.info = dataclasses.replace(side.info, pad_to=pad_to, inferred=(*kept, *told))


def _rounded(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """Return a size with its sides rounded up to multiples of a number.

    >>> _rounded((12, 16), 8)
    (16, 16)
    """
    height, width = size
    return height + -height % multiple, width + -width % multiple
