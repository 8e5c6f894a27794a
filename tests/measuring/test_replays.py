"""LR images that nobody has seen before, and outputs that do not follow from theirs."""

from __future__ import annotations

import numpy as np

from ntire_bench.measuring.replays import Verifier, Window, dithered, window_of


def test_a_dither_moves_about_two_percent_of_the_pixels_by_one_level_and_stays_in_range():
    lr = np.random.default_rng(0).choice(np.array([0, 7, 255], np.uint8), (100, 200, 3))
    moved = dithered(lr, 3)
    difference = np.abs(moved.astype(int) - lr)
    assert set(np.unique(difference)) == {0, 1}
    assert 0.018 <= (difference.max(axis=2) > 0).mean() <= 0.02
    assert np.array_equal(moved, dithered(lr, 3)) and not np.array_equal(moved, dithered(lr, 4))


def test_a_window_tells_other_pixels_and_forgives_one_level():
    random = np.random.default_rng(1)
    sr = random.integers(2, 250, (80, 300, 3), np.uint8)
    window = window_of(sr, random)
    assert window.pixels.shape == (64, 64, 3)
    assert not window.differs(sr) and not window.differs(sr + np.uint8(1))
    assert window.differs(sr + np.uint8(2))
    few = sr.copy()
    few[window.top, window.left : window.left + 2] += np.uint8(2)  # 2 of 4,096 pixels
    assert not window.differs(few)
    assert window_of(sr[:20, :30], random).pixels.shape == (20, 30, 3)
    assert Window(0, 0, sr[:4, :4]).differs(sr[::-1])


def test_a_dither_may_cost_a_little_even_where_an_image_is_almost_right():
    verifier = Verifier(np.random.default_rng(0), 1)
    for exact, moved in ((30.0, 29.99), (60.0, 55.0), (float("inf"), 62.0), (30.0, 31.0)):
        verifier.dither_psnr("valid", "a", moved, exact)
    assert verifier.findings() == []
    for exact, moved in ((30.0, 29.7), (60.0, 38.0), (float("inf"), 38.1)):
        verifier = Verifier(np.random.default_rng(0), 1)
        verifier.dither_psnr("valid", "a", moved, exact)
        assert [finding.code for finding in verifier.findings()] == ["memorized"]
