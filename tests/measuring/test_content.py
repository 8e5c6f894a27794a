"""LR images composed anew: of the split's own pixels, never the same, with HR that belongs to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import data

from ntire_bench.data.dataset import Pair
from ntire_bench.data.images import matlab_bicubic_down, modcrop
from ntire_bench.measuring.content import compose

Image = np.ndarray[Any, Any]
SCALE = 4


@pytest.fixture(scope="module")
def images() -> dict[str, tuple[Image, Image]]:
    """HR photographs of three sizes, and their LR images by MATLAB's bicubic."""
    photos = {"astronaut": data.astronaut(), "cat": data.chelsea()[:296, :448], "coffee": data.coffee()}
    return {
        name: (modcrop(hr, SCALE), matlab_bicubic_down(modcrop(hr, SCALE), SCALE))
        for name, hr in photos.items()
    }


def pairs_of(images: dict[str, tuple[Image, Image]]) -> list[Pair]:
    return [Pair(name, Path(name), Path(name), *hr.shape[:2]) for name, (hr, _) in images.items()]


def test_every_seed_gives_another_image_and_the_same_one_twice(images) -> None:
    pairs = pairs_of(images)
    drawn = [compose(90, 120, pairs, SCALE, seed).lr(lambda pair: images[pair.name][1]) for seed in range(30)]
    again = compose(90, 120, pairs, SCALE, 7).lr(lambda pair: images[pair.name][1])
    assert all(lr.shape == (90, 120, 3) and lr.dtype == np.uint8 for lr in drawn)
    assert len({lr.tobytes() for lr in drawn}) == 30 and np.array_equal(again, drawn[7])


def test_no_patch_of_an_image_comes_back_flipped_shifted_or_as_it_was(images) -> None:
    """Not one 6x6 patch of 40 composed images is one of the exact images, in any of eight orientations."""
    pairs = pairs_of(images)

    def patches(image: Image, step: int) -> set[bytes]:
        rows, columns = (range(0, side - 6, step) for side in image.shape[:2])
        found = (image[y : y + 6, x : x + 6] for y in rows for x in columns)
        return {patch.tobytes() for patch in found if np.ptp(patch.astype(int)) > 8}  # flat ones tell nothing

    known: set[bytes] = set()
    for _, lr in images.values():
        for turns in range(4):
            known |= patches(np.rot90(lr, turns), 1) | patches(np.rot90(lr, turns)[:, ::-1], 1)
    seen: set[bytes] = set()
    for seed in range(40):
        lr = compose(60, 80, pairs, SCALE, seed).lr(lambda pair: images[pair.name][1])
        new = patches(lr, 5)
        assert not new & known and not new & seen
        seen |= new


@pytest.mark.parametrize("size", [(90, 120), (128, 128), (20, 24), (200, 30)])
def test_hr_of_a_square_is_what_its_lr_is_made_of(images, size) -> None:
    """Downscaled, the HR square is the LR image there, but for rounding, its edges, and clipping."""
    pairs = pairs_of(images)
    for seed in range(25):
        composition = compose(*size, pairs, SCALE, seed)
        lr = composition.lr(lambda pair: images[pair.name][1])
        spot = composition.spot(np.random.default_rng(seed), lambda pair, _: images[pair.name][0], SCALE)
        assert spot.top % SCALE == 0 and spot.left % SCALE == 0
        made = matlab_bicubic_down(spot.hr, SCALE).astype(int)
        top, left = spot.top // SCALE, spot.left // SCALE
        there = lr[top : top + made.shape[0], left : left + made.shape[1]].astype(int)
        assert there.shape == made.shape
        inner = np.abs(made - there)[2:-2, 2:-2]
        assert inner.size == 0 or (np.quantile(inner, 0.75) <= 2 and inner.mean() < 1.5)


def test_the_error_of_a_square_is_that_of_numpy(images) -> None:
    composition = compose(90, 120, pairs_of(images), SCALE, 3)
    spot = composition.spot(np.random.default_rng(0), lambda pair, _: images[pair.name][0], SCALE)
    sr = np.random.default_rng(1).integers(0, 256, (360, 480, 3), np.uint8)
    height, width = spot.hr.shape[:2]
    here = sr[spot.top : spot.top + height, spot.left : spot.left + width].astype(float)
    assert spot.mse(sr) == pytest.approx(float(((here - spot.hr) ** 2).mean()))


def test_composed_images_are_not_told_by_seams_levels_or_places_that_nobody_looks_at(images) -> None:
    """Some have no seam, and span all levels as exact ones do; squares come close to borders and seams."""
    pairs = pairs_of(images)
    drawn = [compose(96, 128, pairs, SCALE, seed) for seed in range(200)]
    whole = [composition for composition in drawn if len(composition.blocks) == 1]
    assert 30 <= len(whole) <= 90
    spans = [int(np.ptp(c.lr(lambda pair: images[pair.name][1]).astype(int))) for c in drawn]
    assert sum(span == 255 for span in spans) >= 40 and min(spans) < 230
    looked_at = np.zeros((384, 512), bool)
    for seed, composition in enumerate(drawn * 3):
        spot = composition.spot(np.random.default_rng(seed), lambda pair, _: images[pair.name][0], SCALE)
        height, width = spot.hr.shape[:2]
        looked_at[spot.top : spot.top + height, spot.left : spot.left + width] = True
    assert looked_at[8:-8, 8:-8].mean() > 0.99
