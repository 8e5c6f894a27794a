"""Findings on SR images: exact ones, too good ones, ones that do not follow from their LR image."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ntire_bench.measuring.clock import Window, window_of
from ntire_bench.records.record import Finding, ImageResult
from ntire_bench.text import few

__all__ = ["Verifier", "exact_images", "gains"]

Uint8 = npt.NDArray[np.uint8]

GAIN_DB = 3.0  # over the baseline on one image; entries of the 2026 challenge stay within 1.10 dB of theirs
# How much the mean squared error may grow under a dither [levels squared, share]. The dither itself is an
# error of 0.02, which networks enlarge a little; a table of known images falls back to something far worse.
DITHER_ERROR, DITHER_GROWTH = 0.5, 0.06
_LAUNCH_DB = 0.01
_FEWEST_KEPT = 20  # windows of the first launch
_KEPT_SHARE = 0.05


def exact_images(split: str, results: Sequence[ImageResult]) -> list[Finding]:
    """Return a finding where SR equals HR: an infinite PSNR never enters a mean."""
    exact = [result.name for result in results if result.psnr_y_db is None or result.psnr_rgb_db is None]
    if not exact:
        return []
    return [
        Finding(code="psnr-infinite", severity="reject", message=f"SR equals HR in {split}: {few(exact)}")
    ]


def gains(split: str, own: Sequence[ImageResult], baseline: Sequence[ImageResult]) -> list[Finding]:
    """Return a finding where an image is over 3 dB better than the baseline's."""
    far = []
    for mine, other in zip(own, baseline, strict=True):
        if mine.psnr_y_db is not None and other.psnr_y_db is not None:
            gain = mine.psnr_y_db - other.psnr_y_db
            if gain > GAIN_DB:
                far.append(f"{mine.name} (+{gain:.2f} dB)")
    if not far:
        return []
    message = (
        f"over {GAIN_DB:.0f} dB better than the baseline in {split}: {few(far)}; no network of this kind "
        "is, so a person must see how these images were made"
    )
    return [Finding(code="gain-over-baseline", severity="warning", message=message)]


@dataclass
class Verifier:
    """Compares what a submission gives in timed calls with what it gives for the same LR elsewhere.

    Windows of some SR images of the first launch are kept, drawn after the image has come back. Later
    launches see the same LR images, dithered ones too, in another order: the same pixels must come back.

    Attributes:
        random: To draw with.
        calls: Expected calls of the first launch.
        compared: How many windows were compared.
        differing: Images of which a window differed.
        dropping: Images whose PSNR fell under a dither, with the drop.
        stale: Images whose SR stayed the same when LR changed.
        unsteady: Images whose PSNR differs from launch to launch.
    """

    random: np.random.Generator
    calls: int
    compared: int = 0
    differing: list[str] = field(default_factory=list)
    dropping: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    unsteady: list[str] = field(default_factory=list)
    _windows: dict[tuple[str, str, int], Window] = field(default_factory=dict)
    _sums: dict[tuple[str, str], dict[int, int]] = field(default_factory=dict)
    _psnr: dict[tuple[str, str], float] = field(default_factory=dict)

    def window(self, split: str, name: str, seed: int, sr: Uint8, *, first_launch: bool) -> None:
        """Keep a window of an SR image of the first launch, or compare with the one kept.

        Args:
            split: Of the image.
            name: Of the image.
            seed: Of the dither; -1 for the image as it is.
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

    def fresh(self, split: str, name: str, sr: Uint8, again: Uint8) -> None:
        """Compare a whole SR image with that of a fresh process for the same LR image."""
        self.compared += 1
        if Window(0, 0, sr).differs(again):
            self.differing.append(f"{split} {name}")

    def checksum(self, split: str, name: str, seed: int, sr: Uint8) -> None:
        """Note an SR image's sum; two of one image with different dithers must not be the same."""
        total = zlib.crc32(np.ascontiguousarray(sr).data)
        known = self._sums.setdefault((split, name), {})
        if any(seed != other and total == value for other, value in known.items()):
            self.stale.append(f"{split} {name}")
        known[seed] = total

    def exact_psnr(self, split: str, name: str, rgb_db: float) -> None:
        """Note the PSNR of an image as it is; that of a later launch must be the same."""
        before = self._psnr.setdefault((split, name), rgb_db)
        if abs(rgb_db - before) > _LAUNCH_DB:  # equal infinite values differ by NaN, which is not above
            self.unsteady.append(f"{split} {name}")

    def dither_psnr(self, split: str, name: str, rgb_db: float, exact_db: float) -> None:
        """Compare the PSNR [dB] of a dithered image with that of the image as it is."""
        exact, moved = (255.0**2 / 10 ** (db / 10) for db in (exact_db, rgb_db))
        if moved - exact > max(DITHER_ERROR, DITHER_GROWTH * exact):
            self.dropping.append(f"{split} {name} ({exact_db:.2f} to {rgb_db:.2f} dB)")

    def findings(self) -> list[Finding]:
        """Return what was found, each kind once, with the images."""
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
                "SR stayed the same to the last bit when 2 % of the LR pixels changed by one level: "
                "an output must be computed anew for every LR image",
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
