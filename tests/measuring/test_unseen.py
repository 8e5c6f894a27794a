"""Composed images after a session: memory of known images shows, honest networks do not stand out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from pairs import smooth, write_pairs

from ntire_bench.data import sample
from ntire_bench.data.dataset import Split, load_splits, read_hr, read_lr
from ntire_bench.measuring.replays import dithered
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


Known = tuple[Image, Image]
"""Of an image that a memory holds: its LR image, and what a bicubic enlargement of that lacks."""


def thumbnail(lr: Image) -> Image:
    """Return means over 8 x 8 parts of an image."""
    rows, columns = (np.linspace(0, side, 9).astype(int)[:-1] for side in lr.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(lr.astype(float), rows, 0), columns, 1)
    return sums * 64 / lr.shape[0] / lr.shape[1]


def by_thumbnail(lr: Image, known: Image) -> bool:
    return bool(np.abs(thumbnail(lr) - thumbnail(known)).max() < 2)


def by_signs(lr: Image, known: Image) -> bool:
    """Compare signs of the lowest cosines, which neither a dither nor brightness or contrast changes."""
    both = []
    for image in (lr, known):
        grey = cv2.resize(image.mean(axis=2).astype(np.float32), (32, 32), interpolation=cv2.INTER_AREA)
        both.append(cv2.dct(grey)[:8, :8].ravel()[1:] > 0)
    return int((both[0] != both[1]).sum()) <= 8


def whole(missing: Image) -> Image:
    return missing


def halved(missing: Image) -> Image:
    """Return what is left of it at half the resolution, in whole levels of four."""
    height, width = missing.shape[:2]
    small = np.rint(cv2.resize(missing, (width // 2, height // 2), interpolation=cv2.INTER_AREA) / 4) * 4
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def cosines(missing: Image) -> Image:
    """Return what blocks of 8 x 8 coarse cosines keep of it, as JPEG does."""
    result = missing.copy()
    for top, left in itertools.product(*(range(0, side - 7, 8) for side in missing.shape[:2])):
        for channel in range(3):
            block = missing[top : top + 8, left : left + 8, channel]
            coarse = np.rint(cv2.dct(block) / 24) * 24
            result[top : top + 8, left : left + 8, channel] = cv2.idct(coarse)
    return result


def all_of(splits: tuple[Split, ...]) -> list[Known]:
    pairs = [pair for split in splits for pair in split.pairs]
    return [(read_lr(pair), read_hr(pair, 4).astype(np.float32) - plain(read_lr(pair), 4)) for pair in pairs]


def remembered(
    known: list[Known], same: Callable[[Image, Image], bool], form: Callable[[Image], Image]
) -> Enlarge:
    """Return an enlargement that knows images by something, and adds what it has of what is missing."""
    bank = [(small, form(missing)) for small, missing in known]

    def enlarge(lr: Image) -> Image:
        sr = plain(lr, 4)
        for small, missing in bank:
            if lr.shape == small.shape and same(lr, small):
                return np.rint(np.clip(sr + 0.6 * missing, 0, 255)).astype(np.uint8)
        return sr

    return enlarge


def by_patches(known: list[Known], side: int = 16) -> Enlarge:
    """Return an enlargement that knows single patches, in whatever brightness and contrast they come."""

    def patches(lr: Image) -> Iterator[tuple[int, int, int, Image, float]]:
        for top, left in itertools.product(*(range(0, length - side + 1, side) for length in lr.shape[:2])):
            patch = lr[top : top + side, left : left + side].astype(np.float32)
            spread = float(patch.std()) + 1e-3
            flat = (patch - patch.mean()) / spread
            parts = flat.mean(axis=2).reshape(4, side // 4, 4, side // 4).mean(axis=(1, 3))
            yield top, left, hash((np.abs(parts) > 0.4).tobytes()), flat, spread

    bank: dict[int, list[tuple[Image, Image]]] = {}
    for lr, missing in known:
        for top, left, key, flat, spread in patches(lr):
            part = missing[4 * top : 4 * (top + side), 4 * left : 4 * (left + side)]
            bank.setdefault(key, []).append((flat, part / spread))

    def enlarge(lr: Image) -> Image:
        sr = plain(lr, 4).astype(np.float32)
        for top, left, key, flat, spread in patches(lr):
            for other, part in bank.get(key, []):
                if float((flat * other).mean()) > 0.97:
                    sr[4 * top : 4 * (top + side), 4 * left : 4 * (left + side)] += 0.7 * spread * part
                    break
        return np.rint(np.clip(sr, 0, 255)).astype(np.uint8)

    return enlarge


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("same", "form"), [(by_thumbnail, whole), (by_signs, whole), (by_thumbnail, halved), (by_signs, cosines)]
)
def test_a_memory_that_a_dither_does_not_disturb_is_found(
    photographs: tuple[Split, ...],
    same: Callable[[Image, Image], bool],
    form: Callable[[Image], Image],
    seed: int,
) -> None:
    known = all_of(photographs)
    assert same(dithered(known[0][0], seed), known[0][0])
    assert codes(remembered(known, same, form), photographs, seed) == ["memorized"]


@pytest.mark.parametrize("seed", range(2))
def test_a_memory_of_patches_is_found(photographs: tuple[Split, ...], seed: int) -> None:
    assert codes(by_patches(all_of(photographs)), photographs, seed) == ["memorized"]


@pytest.mark.parametrize("seed", range(2))
def test_what_another_image_taught_is_no_memory(photographs: tuple[Split, ...], seed: int) -> None:
    """An honest neighbour: the same tables of patches and images, of which none is of these images."""
    others = load_splits(["test"], sample.sample_dir())
    assert not codes(by_patches(all_of(others)), photographs, seed)
    assert not codes(remembered(all_of(others), by_signs, whole), photographs, seed)


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
