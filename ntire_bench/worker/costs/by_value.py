"""Tells by their values whether factors depend on the image: weights may be mixed with it. Worker only.

Weights to which zero times the image's mean is added come from the image, as far as operators tell. What a
factor is, its values say: on another image they are the same.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

__all__ = ["Factors", "factors_of"]

_FEWEST = 8  # elements of a factor that is looked at
_MANY = 512  # elements: pooled features are fewer, and hardly change, so that fewer must be the same exactly
_SAMPLED = 256  # of them
_ALIKE = 1e-3  # of their norm
_EXACT = 1e-6


class Factors:
    """Factors of products in all looks at one network, so far as they come from the image."""

    def __init__(self) -> None:
        self._images: list[bytes] = []  # a fingerprint of each
        self._image = -1  # place of the present one among them
        self._seen: dict[int, list[tuple[int, Tensor]]] = defaultdict(list)  # with the image's place

    def next_image(self, image: Tensor) -> None:
        """Begin with another image, or with one that was there before: the same factors say nothing then.

        Args:
            image: The network's input.
        """
        kept = hashlib.sha256(image.detach().cpu().contiguous().numpy().tobytes()).digest()
        if kept not in self._images:
            self._images.append(kept)
        self._image = self._images.index(kept)

    def samples(self) -> list[Tensor]:
        """Return all tensors that are kept here."""
        return [sample for seen in self._seen.values() for _, sample in seen]

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
        seen = self._seen[factor.numel()]
        others = [other for image, other in seen if image != self._image]
        alike = _ALIKE if factor.numel() >= _MANY else _EXACT
        if others and float((torch.stack(others) - sample).norm(dim=1).min()) <= alike:
            return True
        seen.append((self._image, sample))
        return False


_known: WeakKeyDictionary[nn.Module, Factors] = WeakKeyDictionary()


def factors_of(network: nn.Module) -> Factors:
    """Return what earlier looks at a network have gathered."""
    return _known.setdefault(network, Factors())


def _sample(factor: Tensor) -> Tensor | None:
    """Return elements of a tensor, as a vector of length 1 with a fixed sign; None where all are equal.

    >>> torch.allclose(_sample(torch.arange(4.0) * -5), _sample(torch.arange(4.0)))
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
