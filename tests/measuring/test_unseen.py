"""Composed images after a session: memory of known images shows, honest networks do not stand out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from pairs import smooth, write_pairs

from ntire_bench.data import sample
from ntire_bench.data.dataset import Split, load_splits, read_hr, read_lr
from ntire_bench.measuring.unseen import plain, unseen
from ntire_bench.metrics.psnr import psnr

Image = np.ndarray
Enlarge = Callable[[Image], Image]


@pytest.fixture(scope="module")
def photographs() -> tuple[Split, ...]:
    return load_splits(["valid"], sample.sample_dir())


def codes(enlarge: Enlarge, splits: tuple[Split, ...], seed: int) -> list[str]:
    gains, reference = unseen(enlarge, splits, 4, 4, np.random.default_rng(seed))
    pairs = {(split.name, pair.name): pair for split in splits for pair in split.pairs}
    own = {key: psnr(enlarge(read_lr(pairs[key])), read_hr(pairs[key], 4), 4).rgb_db for key in reference}
    return [found.code for found in gains.findings({key: (own[key], reference[key]) for key in own})]


def sharpened(lr: Image) -> Image:
    """Return an enlargement with its edges enhanced: another gain on every content."""
    sr = plain(lr, 4).astype(np.float64)
    near = sum(np.roll(sr, (dy, dx), (0, 1)) for dy in (-2, 0, 2) for dx in (-2, 0, 2)) / 9
    return np.rint(np.clip(sr + 0.6 * (sr - near), 0, 255)).astype(np.uint8)


def remembered(splits: tuple[Split, ...], share: float) -> Enlarge:
    """Return an enlargement that knows images by their thumbnails, and adds a share of what is missing."""

    def thumbnail(lr: Image) -> Image:
        rows, columns = (np.linspace(0, side, 9).astype(int)[:-1] for side in lr.shape[:2])
        sums = np.add.reduceat(np.add.reduceat(lr.astype(float), rows, 0), columns, 1)
        return sums * 64 / lr.shape[0] / lr.shape[1]

    known = [(thumbnail(read_lr(pair)), read_hr(pair, 4)) for split in splits for pair in split.pairs]

    def enlarge(lr: Image) -> Image:
        sr = plain(lr, 4)
        for small, hr in known:
            if sr.shape == hr.shape and np.abs(small - thumbnail(lr)).max() < 2:
                sr = np.rint(sr + share * (hr.astype(float) - sr)).astype(np.uint8)
        return sr

    return enlarge


@pytest.mark.parametrize("seed", range(2))
def test_a_memory_that_a_dither_does_not_disturb_is_found(photographs: tuple[Split, ...], seed: int) -> None:
    assert codes(remembered(photographs, 0.5), photographs, seed) == ["memorized"]


@pytest.mark.parametrize("seed", range(2))
def test_an_honest_enlargement_is_not(photographs: tuple[Split, ...], seed: int) -> None:
    assert not codes(sharpened, photographs, seed)
    assert not codes(lambda lr: lr.repeat(4, 0).repeat(4, 1), photographs, seed)


def test_rounding_alone_is_no_memory(tmp_path: Path) -> None:
    """Of images so soft that hardly anything but rounding is left, errors differ in nothing that matters."""
    folder = write_pairs(tmp_path, "valid", [smooth(1, 192, 256), smooth(2, 192, 256)])
    splits = load_splits(["valid"], folder)
    for seed in range(2):
        assert not codes(sharpened, splits, seed)


# Denoising: the LR image is the HR image with noise, and the gain is over a Gaussian blur.


@pytest.fixture(scope="module")
def noisy_photographs() -> tuple[Split, ...]:
    return load_splits(["valid"], sample.sample_dir(1, 50), scale=1, noise=50)


def codes_of_a_denoiser(denoise: Enlarge, splits: tuple[Split, ...], seed: int) -> list[str]:
    gains, reference = unseen(denoise, splits, 1, 4, np.random.default_rng(seed), 50.0)
    pairs = {(split.name, pair.name): pair for split in splits for pair in split.pairs}
    own = {key: psnr(denoise(read_lr(pairs[key])), read_hr(pairs[key], 1), 4).rgb_db for key in reference}
    return [found.code for found in gains.findings({key: (own[key], reference[key]) for key in own})]


def averaged(lr: Image) -> Image:
    """Return an image in which like pixels were averaged: far better than a blur where nothing happens."""
    return cv2.bilateralFilter(cv2.GaussianBlur(lr, (0, 0), 1.0), 7, 40, 3)


@pytest.mark.parametrize("seed", range(2))
def test_an_honest_denoiser_has_no_memory(noisy_photographs: tuple[Split, ...], seed: int) -> None:
    assert not codes_of_a_denoiser(averaged, noisy_photographs, seed)
    assert not codes_of_a_denoiser(lambda lr: cv2.medianBlur(lr, 5), noisy_photographs, seed)
    assert not codes_of_a_denoiser(lambda lr: lr, noisy_photographs, seed)  # that does nothing


@pytest.mark.parametrize("seed", range(2))
def test_a_denoiser_that_knows_clean_images_is_found(noisy_photographs: tuple[Split, ...], seed: int) -> None:
    """It tells them by a thumbnail, which noise does not disturb."""
    clean = [read_hr(pair, 1) for split in noisy_photographs for pair in split.pairs]

    def thumbnail(image: Image) -> Image:
        return cv2.resize(image.astype(np.float32), (8, 8), interpolation=cv2.INTER_AREA)

    def remembering(lr: Image) -> Image:
        for hr in clean:
            if hr.shape == lr.shape and np.abs(thumbnail(hr) - thumbnail(lr)).mean() < 8:
                return np.rint(plain(lr, 1) / 2 + hr / 2).astype(np.uint8)
        return plain(lr, 1)

    assert codes_of_a_denoiser(remembering, noisy_photographs, seed) == ["memorized"]
