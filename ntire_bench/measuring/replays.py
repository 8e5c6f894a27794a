"""Finds SR images that are memorized or not computed anew: windows, checksums and PSNR are compared.

A timed call never gets content like any that its process has seen (see content.py). Of the first launch's
SR images some windows are compared with those of later launches, and a fresh process computes some again.
It also gets an exact image dithered, which a table of known images does not know.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ntire_bench.records.record import Finding
from ntire_bench.text import few

__all__ = ["Verifier", "Window", "dithered", "window_of"]

Uint8 = npt.NDArray[np.uint8]

_DITHERED = 0.02  # of the pixels, by one level
_WINDOW = 64  # side of what is kept of an SR image [pixels]
_SAME_LEVELS = 1
_SAME_SHARE = 0.999
# How much the mean squared error may grow under a dither [levels squared, share]. The dither itself is an
# error of 0.02, which networks enlarge a little; a table of known images falls back to something far worse.
DITHER_ERROR, DITHER_GROWTH = 0.5, 0.06
_LAUNCH_DB = 0.01
_CHECKED_ROWS = 8  # one row of so many enters a checksum
_FEWEST_KEPT = 20  # windows of the first launch
_KEPT_SHARE = 0.05


def dithered(lr: Uint8, seed: int) -> Uint8:
    """Return an LR image with 2 % of its pixels moved by one level: no table of known images holds it.

    Args:
        lr: uint8 HWC.
        seed: The same seed moves the same pixels.

    >>> flat = np.full((50, 50, 3), 100, np.uint8)
    >>> moved = dithered(flat, 7) != flat
    >>> int(moved.any(axis=2).sum()) in range(40, 51), bool((dithered(flat, 7) != dithered(flat, 8)).any())
    (True, True)
    """
    random = np.random.default_rng(seed)
    height, width, channels = lr.shape
    count = max(1, round(_DITHERED * height * width))
    rows, columns = random.integers(height, size=count), random.integers(width, size=count)
    moved = lr.copy()
    steps = random.integers(0, 2, size=(count, channels), dtype=np.int16) * 2 - 1
    values = lr[rows, columns].astype(np.int16) + steps
    moved[rows, columns] = np.where((values < 0) | (values > 255), values - 2 * steps, values)
    result: Uint8 = moved
    return result


@dataclass(frozen=True)
class Window:
    """A part of an SR image that is kept to compare later ones with: where it begins, and its pixels."""

    top: int
    left: int
    pixels: Uint8

    def of(self, sr: Uint8) -> Uint8:
        """Return the same part of another SR image."""
        side = self.pixels.shape
        return sr[self.top : self.top + side[0], self.left : self.left + side[1]]

    def differs(self, sr: Uint8) -> bool:
        """Say whether an SR image differs here, by more than a level in more than 0.1 % of the values."""
        close = np.abs(self.of(sr).astype(np.int16) - self.pixels) <= _SAME_LEVELS
        return bool(close.mean() < _SAME_SHARE)


def window_of(sr: Uint8, random: np.random.Generator) -> Window:
    """Return a window of an SR image at a place drawn at random, after the image has come back."""
    top, left = (int(random.integers(max(1, side - _WINDOW + 1))) for side in sr.shape[:2])
    return Window(top, left, sr[top : top + _WINDOW, left : left + _WINDOW].copy())


@dataclass
class Verifier:
    """Compares SR images that must be the same, and others that must not be.

    Of the first launch, windows of some SR images are kept; which ones is drawn when an image has come back.
    Later launches run the same LR images, composed ones too, in another order: the pixels must be the same.

    Attributes:
        random: Draws windows.
        calls: How many calls the first launch is expected to have.
        compared: How many windows were compared.
        differing: Images with a window that differed.
        dropping: Images whose PSNR fell when they were dithered, with both values.
        stale: Images whose SR was that of another LR image.
        unsteady: Images whose PSNR differs from launch to launch.
    """

    random: np.random.Generator
    calls: int
    compared: int = 0
    differing: list[str] = field(default_factory=list)
    dropping: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    unsteady: list[str] = field(default_factory=list)
    _windows: dict[tuple[str, str, int | None], Window] = field(default_factory=dict)
    _sums: dict[tuple[tuple[int, ...], bytes], tuple[str, str, int | None]] = field(default_factory=dict)
    _psnr: dict[tuple[str, str], float] = field(default_factory=dict)

    def window(self, split: str, name: str, seed: int | None, sr: Uint8, *, first_launch: bool) -> None:
        """Keep a window of an SR image of the first launch, or compare with the one kept.

        Args:
            split: Of the image.
            name: Of the image.
            seed: Of the composed LR image; None for the exact image.
            sr: What came back.
            first_launch: Whether windows are kept now.
        """
        key = (split, name, seed)
        if first_launch:
            if self.random.random() < max(_KEPT_SHARE, _FEWEST_KEPT / max(1, self.calls)):
                self._windows[key] = window_of(sr, self.random)
        elif key in self._windows:
            self.compared += 1
            if self._windows[key].differs(sr):
                self.differing.append(f"{split} {name}")

    def again(self, split: str, name: str, windows: Sequence[Window], sr: Uint8) -> None:
        """Compare windows of an SR image with what a fresh process gave for the same LR image."""
        self.compared += len(windows)
        if any(window.differs(sr) for window in windows):
            self.differing.append(f"{split} {name}")

    def checksum(self, split: str, name: str, seed: int | None, sr: Uint8) -> None:
        """Note an SR image's checksum, over some of its rows: of another LR image it must differ.

        Args:
            split: Of the image.
            name: Of the image.
            seed: Of the composed LR image; None for the exact image. Two exact images may be the same file.
            sr: What came back.
        """
        rows = np.ascontiguousarray(sr[::_CHECKED_ROWS])
        key = (sr.shape, hashlib.blake2b(rows.data, digest_size=16).digest())
        known = self._sums.setdefault(key, (split, name, seed))
        if known != (split, name, seed) and not (known[2] is None and seed is None):
            self.stale.append(f"{split} {name}")

    def exact_psnr(self, split: str, name: str, rgb_db: float) -> None:
        """Note the PSNR [dB] of an exact image: in a later launch it must be the same."""
        before = self._psnr.setdefault((split, name), rgb_db)
        if abs(rgb_db - before) > _LAUNCH_DB:  # equal infinite values differ by NaN, which is not above
            self.unsteady.append(f"{split} {name}")

    def dither_psnr(self, split: str, name: str, rgb_db: float, exact_db: float) -> None:
        """Compare the PSNR [dB] of a dithered image with that of the exact image."""
        exact, moved = (255.0**2 / 10 ** (db / 10) for db in (exact_db, rgb_db))
        if moved - exact > max(DITHER_ERROR, DITHER_GROWTH * exact):
            self.dropping.append(f"{split} {name} ({exact_db:.2f} to {rgb_db:.2f} dB)")

    def findings(self) -> list[Finding]:
        """Return one finding for each kind of fault, with the images it was seen on."""
        told = []
        for images, code, what in (
            (
                self.differing + self.unsteady,
                "output-not-reproducible",
                "the same LR image gave another SR image when it was run again in a fresh process: an output "
                "must follow from the LR image and the checkpoint alone, so draw no random numbers, and keep "
                "no tensor that is not saved",
            ),
            (
                self.stale,
                "output-stale",
                "SR of one LR image was to the last bit that of another: an output must be computed anew for "
                "every LR image",
            ),
            (
                self.dropping,
                "memorized",
                "PSNR fell when 2 % of the LR pixels changed by one level, as it does where known images are "
                "recognized",
            ),
        ):
            if images:
                unique = list(dict.fromkeys(images))
                message = f"{what}: {few(unique)}"
                told.append(Finding(code=code, severity="reject", message=message))
        return told
