"""White Gaussian noise on an image, as the NTIRE denoising challenge adds it; the same on every machine."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

__all__ = ["mark", "noisy"]

Uint8 = npt.NDArray[np.uint8]
_WORDS = 8  # 32-bit words that the generator is seeded with


def noisy(image: Uint8, sigma: float, seed: int, name: str) -> Uint8:
    """Add noise, clip to 0..255 and round to 8 bits: what the challenge's add_noise and save_image do.

    The draws follow from the seed and the name of the image alone, so that an image is the same whatever else
    lies in its folder. They are those of NumPy's RandomState, whose stream never changes (NEP 19).

    Args:
        image: (H, W, 3) uint8.
        sigma: Standard deviation [8-bit levels].
        seed: At least 0.
        name: Of the image, without a suffix.

    Returns:
        The same shape and type.

    >>> grey = np.full((64, 64, 3), 128, np.uint8)
    >>> again = noisy(grey, 50, 0, "0801")
    >>> bool((again == noisy(grey, 50, 0, "0801")).all()), bool((again == noisy(grey, 50, 0, "0802")).all())
    (True, False)
    """
    random = np.random.RandomState(_words(seed, name))
    values = random.normal(0.0, sigma, image.shape)
    values += image
    np.clip(values, 0, 255, out=values)
    return np.rint(values, out=values).astype(np.uint8)


def _words(seed: int, name: str) -> list[int]:
    digest = hashlib.sha256(f"{seed}\0{name}".encode()).digest()
    return [int(word) for word in np.frombuffer(digest, "<u4", _WORDS)]


def mark(sigma: float) -> str:
    """Return what the names of noisy images and their folders end in.

    >>> mark(50), mark(12.5)
    ('noise50', 'noise12.5')
    """
    return f"noise{sigma:g}"
