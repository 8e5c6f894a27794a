"""Weights that change the output although no operator was seen to use them, and their cost. Worker only.

Only inputs and outputs are used here, so nothing that computes out of sight can hide from it: a weight that
matters changes the SR image when it changes.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from ntire_bench.worker.network.upscaler import Upscaler

__all__ = ["Output", "hidden_work", "rounded", "shuffled"]

_BUDGET_S = 5.0
# Of the range. Where memory lies otherwise, sums may be taken in another order, which two equal calls need
# not show; a constant that is of use changes an SR image by far more.
_ROUNDING = 1e-5
_OF_MEMORY = re.compile(r"OutOfMemoryError|MemoryError|bad_alloc|[Cc]an(no|')t allocate memory")
_MOST_TENSORS = 64
_FEWEST_FLAT = 1000  # elements of all tensors with one dimension; fewer are biases and scales


def hidden_work(output: Output, unread: Mapping[str, Tensor]) -> tuple[tuple[str, ...], int]:
    """Return which of some parameters change the output, and the least work that they cost.

    The largest of a weight tensor's elements that were not read is changed, and the LR pixels are counted
    whose SR pixels change: each of these elements is used once for each of them. The estimate is too high
    where work is done at a lower resolution or once for the image, by 4 to 6 % for RLFN's attention, and too
    low where it is done at a higher one.

    Args:
        output: The SR image; of a small LR image, as that is run once for each parameter.
        unread: Parameters that no operator was seen to use, each with a map (bool, of its shape) of the
            elements in question. A few in tensors of one dimension are left out.

    Returns:
        Names, and multiply-accumulates on this image, an estimate: of as many as could be tried in a few
        seconds, the largest first.
    """
    known = dict(output.upscaler.network.named_parameters())
    weights = [(name, known[name], int(left.sum())) for name, left in unread.items() if name in known]
    if sum(elements for _, weight, elements in weights if weight.ndim < 2) <= _FEWEST_FLAT:
        weights = [one for one in weights if one[1].ndim >= 2]
    weights = sorted((one for one in weights if one[2]), key=lambda one: -one[2])
    if not weights:
        return (), 0
    output.take()
    with torch.inference_mode():
        with contextlib.ExitStack() as stack:
            for name, weight, _ in weights:
                stack.enter_context(_changed(weight, unread[name]))
            if not output.differences().any():  # training branches, not run
                return (), 0
        found, work = [], 0
        end = time.monotonic() + _BUDGET_S
        for name, weight, elements in weights[:_MOST_TENSORS]:
            with _changed(weight, unread[name]):
                cells = _cells(output.differences(), output.upscaler.scale)
            if cells:
                found.append(name)
                work += elements * cells
            if time.monotonic() > end:
                break
    return tuple(found), work


class Output:
    """The SR image of an LR image, to see what changes it; computed when it is first asked for.

    Attributes:
        upscaler: The loaded network.
        image: The LR image, float 1CHW in [0, data_range].
    """

    def __init__(self, upscaler: Upscaler, image: Tensor) -> None:
        self.upscaler, self.image = upscaler, image
        self._taken: tuple[Tensor, Tensor] | None = None

    def take(self) -> tuple[Tensor, Tensor]:
        """Compute the SR image, unless that is done; to be called before anything is changed.

        Returns:
            The SR image, and by how much two equal calls may differ: by noise that the network adds, or by
            another order of sums.
        """
        if self._taken is None:
            with torch.inference_mode():
                first = self.upscaler.forward(self.image)
                self._taken = first, 4 * (self.upscaler.forward(self.image) - first).abs().max()
        return self._taken

    def kept(self) -> Sequence[Tensor]:
        """Return the tensors that this keeps in memory."""
        return self.image, *(self._taken or ())

    def differences(self, least: float = 0.0) -> Tensor:
        """Return which SR values are others now, as a mask; of differences above `least`."""
        before, noise = self.take()
        least = max(least, _ROUNDING * self.upscaler.data_range)
        after = self.upscaler.forward(self.image)
        return ~((after - before).abs() <= noise.clamp_min(least))  # NaN counts as different

    def changes(self, changes: Sequence[AbstractContextManager[None]], least: float = 0.0) -> bool:
        """Return whether changes of memory change it.

        Args:
            changes: Each changes memory as it is entered, and puts it back.
            least: The smallest difference that is one, in [0, data_range].

        Raises:
            SubmissionError: The network has run out of memory.
        """
        self.take()
        with torch.inference_mode(), contextlib.ExitStack() as stack:
            for change in changes:
                stack.enter_context(change)
            try:
                return bool(self.differences(least).any())
            except Exception as error:  # whatever a stranger's forward raises without its table
                if _OF_MEMORY.search(f"{type(error).__name__}: {error}"):  # of the machine, and no sign
                    raise self.upscaler.failure(error, self.image) from error
                return True


@contextlib.contextmanager
def shuffled(table: Tensor) -> Iterator[None]:
    """Put the values of a flat tensor into another order, all of them values that were there before."""
    kept = table.clone()
    table.copy_(kept.roll(kept.numel() // 3 + 1))
    try:
        yield
    finally:
        table.copy_(kept)


@contextlib.contextmanager
def rounded(weight: Tensor) -> Iterator[None]:
    """Take from numbers of 64 bits what 32 bits do not hold."""
    values = weight.detach()
    kept = values.clone()
    values.copy_(kept.to(torch.complex64 if kept.is_complex() else torch.float32))
    try:
        yield
    finally:
        values.copy_(kept)


@contextlib.contextmanager
def _changed(weight: Tensor, left: Tensor) -> Iterator[None]:
    """Change the largest of some elements of a tensor, in place, and put it back."""
    values = weight.detach()
    sizes = torch.where(left.to(values.device), values.abs().float(), -1.0)
    place = tuple(int(index) for index in torch.unravel_index(sizes.argmax(), sizes.shape))
    kept = values[place].clone()
    values[place] = kept * -2 - 1
    try:
        yield
    finally:
        values[place] = kept


def _cells(changed: Tensor, scale: int) -> int:
    """Return how many LR pixels have a changed value among their SR pixels.

    >>> changed = torch.zeros(1, 3, 8, 8, dtype=torch.bool)
    >>> changed[0, 1, 5, 2] = True
    >>> _cells(changed, 4)
    1
    """
    rows, columns = changed.shape[-2] // scale, changed.shape[-1] // scale
    blocks = changed.reshape(-1, rows, scale, columns, scale)
    return int(blocks.any(dim=4).any(dim=2).any(dim=0).sum())
