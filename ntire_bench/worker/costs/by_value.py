"""Tells by their values whether factors depend on the image: weights may be mixed with it. Worker only.

Weights to which zero times the image's mean is added come from the image, as far as operators tell. What a
factor is, its values say: on another image they are the same.
"""

from __future__ import annotations

from collections import defaultdict
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

__all__ = ["Factors", "factors_of"]

_FEWEST = 512  # elements of a factor that is looked at: pooled features are fewer, and hardly change
_SAMPLED = 256  # of them
_ALIKE = 1e-3  # of their norm


class Factors:
    """Factors of products in all looks at one network, so far as they come from the image."""

    def __init__(self) -> None:
        self._before: dict[int, list[Tensor]] = defaultdict(list)
        self._now: dict[int, list[Tensor]] = defaultdict(list)

    def next_image(self) -> None:
        """Begin with another image."""
        for elements, samples in self._now.items():
            self._before[elements] += samples
        self._now.clear()

    def is_constant(self, factor: Tensor) -> bool:
        """Say whether there was the same factor on another image, whatever it was multiplied by as a whole.

        Args:
            factor: Of a convolution or matrix product.
        """
        if factor.numel() < _FEWEST:
            return False
        sample = _sample(factor)
        if sample is None:
            return False
        if any(float((sample - other).norm()) <= _ALIKE for other in self._before[factor.numel()]):
            return True
        self._now[factor.numel()].append(sample)
        return False


_known: WeakKeyDictionary[nn.Module, Factors] = WeakKeyDictionary()


def factors_of(network: nn.Module) -> Factors:
    """Return what earlier looks at a network have gathered."""
    return _known.setdefault(network, Factors())


def _sample(factor: Tensor) -> Tensor | None:
    """Return elements of a tensor, as a vector of length 1 with a fixed sign; None where all are equal.

    >>> _sample(torch.arange(4.0) * -5).tolist() == _sample(torch.arange(4.0)).tolist()
    True
    >>> _sample(torch.ones(4)) is None
    True
    """
    values = torch.view_as_real(factor) if factor.is_complex() else factor
    values = values.detach().flatten()
    values = values[:: max(1, len(values) // _SAMPLED)].double().cpu()
    norm = values.norm()
    if not torch.isfinite(norm) or values.amax() == values.amin():
        return None
    largest = values[values.abs().argmax()]
    sample: Tensor = values / (norm * largest.sign())
    return sample
