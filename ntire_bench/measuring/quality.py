"""Findings where an SR image equals its HR image, or is over 3 dB better than the baseline's."""

from __future__ import annotations

from collections.abc import Sequence

from ntire_bench.records.record import Finding, ImageResult
from ntire_bench.text import few

__all__ = ["exact_images", "gains"]

GAIN_DB = 3.0  # over the baseline on one image; entries of the 2026 challenge stay within 1.10 dB of theirs


def exact_images(split: str, results: Sequence[ImageResult]) -> list[Finding]:
    """Return a finding where SR equals HR: an infinite PSNR must not enter a mean."""
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
