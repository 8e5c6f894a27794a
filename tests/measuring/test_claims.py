"""Claims of many calls against the parent's clock: a few lies are found, and disturbed calls are no lies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ntire_bench.measuring.claims import (
    Claims,
    images_agree,
    medians_agree,
    none_are_short,
    sums_agree,
)

Floats = np.ndarray[Any, np.dtype[np.float64]]
Change = Callable[[Floats, Floats], None]
SIZES = (10_000, 20_000, 40_000)  # LR pixels; a hundredth of a ms each


def claims(images: int, rounds: int, change: Change = lambda claimed, seen: None, seed: int = 0) -> Claims:
    """Return honest calls of a network that takes 100 to 400 ms, as changed afterwards.

    Both clocks scatter by 1 %, and the brackets of 3 % of the calls are longer by up to a half.
    """
    random = np.random.default_rng(seed)
    shape = images, rounds
    pixels = np.repeat(np.resize(SIZES, images)[:, None], rounds, axis=1).astype(float)
    claimed = pixels * 0.01 * random.normal(1, 0.01, shape)
    seen = claimed * random.normal(1.005, 0.01, shape)
    seen *= np.where(random.random(shape) < 0.03, random.uniform(1, 1.5, shape), 1)
    change(claimed, seen)
    overhead, spread = np.full(shape, 2.0), np.full(shape, 0.2)
    return Claims(claimed, seen, overhead, spread, pixels, null_calls=8, device="cpu")


def verdicts(found: Claims) -> tuple[bool, bool, bool]:
    return medians_agree(found), sums_agree(found), none_are_short(found)


@pytest.mark.parametrize(("images", "rounds"), [(1, 1), (3, 1), (3, 3), (6, 4), (100, 1), (100, 12)])
def test_honest_calls_agree_by_every_measure_at_any_number_of_rounds(images: int, rounds: int) -> None:
    found = [verdicts(claims(images, rounds, seed=seed)) for seed in range(200)]
    by_medians, by_sums, by_calls = np.mean(found, axis=0)
    # Of a few calls nothing says which was disturbed: then no measure is surer than medians were before.
    assert min(by_sums, by_calls) >= (0.99 if images * rounds >= 9 else by_medians - 0.005)


def of_largest(claimed: Floats, seen: Floats) -> None:
    claimed[2::3] *= 0.5


def of_largest_twice(claimed: Floats, seen: Floats) -> None:
    claimed[2::3, : 2 * claimed.shape[1] // 3] *= 0.5


def of_few_calls(claimed: Floats, seen: Floats) -> None:
    claimed.flat[::20] *= 0.5


def by_a_tenth(claimed: Floats, seen: Floats) -> None:
    claimed *= 0.9


@pytest.mark.parametrize(
    ("change", "rounds", "found"),
    [
        (of_largest, 1, (True, False, False)),
        (of_largest, 4, (True, False, False)),
        (of_largest_twice, 3, (True, False, False)),
        (of_few_calls, 1, (True, True, False)),  # 2.5 % of the time
        (of_few_calls, 4, (True, True, False)),
        (by_a_tenth, 1, (False, False, True)),
        (by_a_tenth, 4, (False, False, True)),
    ],
)
def test_too_little_that_is_claimed_of_some_calls_is_found(
    change: Change, rounds: int, found: tuple[bool, bool, bool]
) -> None:
    assert verdicts(claims(30, rounds, change)) == found


def test_calls_that_took_long_for_the_parent_alone_are_no_lies() -> None:
    """One in ten comes back twice as late, as where another program takes the core from the parent."""

    def late(claimed: Floats, seen: Floats) -> None:
        seen.flat[::10] *= 2

    assert verdicts(claims(30, 4, late)) == (True, True, True)


def test_calls_that_were_slow_by_both_clocks_are_no_lies() -> None:
    def slow(claimed: Floats, seen: Floats) -> None:
        claimed.flat[::5] *= 3
        seen.flat[::5] *= 3

    assert verdicts(claims(30, 4, slow)) == (True, True, True)


def late(share: float, seed: int) -> Change:
    """Return what has so many calls come back up to half as late, as where other programs want the cores."""

    def change(claimed: Floats, seen: Floats) -> None:
        random = np.random.default_rng(seed)
        seen *= np.where(random.random(seen.shape) < share, random.uniform(1.25, 1.5, seen.shape), 1)

    return change


def test_late_calls_on_single_images_are_no_lies_on_a_busy_machine() -> None:
    """Of a hundred images with five calls, one in eight late, some image has three late ones."""
    found = [claims(100, 5, late(0.12, seed), seed) for seed in range(30)]
    every_call = np.ones(5, dtype=bool)
    by_all_calls = [
        all(medians_agree(of.of(image, every_call), tolerance=2.0) for image in range(100)) for of in found
    ]
    assert np.mean(by_all_calls) < 0.5  # by chance alone
    assert all(images_agree(of) and verdicts(of) == (True, True, True) for of in found)


def of_one_image(claimed: Floats, seen: Floats) -> None:
    claimed[7] *= 0.75


def of_many_images_and_late(claimed: Floats, seen: Floats) -> None:
    """Claim too little of every third image, and be late there so that it looks disturbed."""
    claimed[2::3] *= 0.75
    seen[2::3] *= 1.25


@pytest.mark.parametrize("rounds", [5, 12])
def test_too_little_that_is_claimed_of_single_images_is_found(rounds: int) -> None:
    found = claims(100, rounds, of_one_image)
    assert not images_agree(found) and sums_agree(found)
    assert not sums_agree(claims(100, rounds, of_many_images_and_late))
    assert images_agree(claims(100, rounds))
