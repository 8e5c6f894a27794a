"""Intervals of runtimes: exact where they can be worked out, and covering the truth as often as they say."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap
from scipy.stats import t as scipy_t

from ntire_bench.estimating.bootstrap import (
    Samples,
    bootstrap,
    interval,
    medians,
    runtime_ms,
    small_sample_factor,
    student_t,
)


def session(launches: tuple[int, ...], *, noise: float = 0.02, common: float = 0.2, seed: int = 0) -> Samples:
    """Return samples whose common disturbances are much larger than those of each side."""
    random = np.random.default_rng(seed)
    images, rounds = 8, sum(launches)
    base = random.uniform(5, 20, (images, 1))
    disturbed = base * (1 + common * random.random((1, rounds)))

    def side(scale: float) -> np.ndarray:
        return scale * disturbed * (1 + noise * random.standard_normal((images, rounds)))

    return Samples(launches=launches, own={"valid": side(0.8)}, baseline={"valid": side(1.0)})


def test_the_point_estimates_are_medians_then_means():
    samples = Samples(
        launches=(2, 1),
        own={"valid": np.array([[1.0, 2.0, 9.0], [4.0, 4.0, 4.0]]), "test": np.array([[3.0, 3.0, 3.0]])},
        baseline={"valid": np.array([[2.0, 2.0, 2.0]] * 2), "test": np.array([[4.0, 4.0, 4.0]])},
    )
    found = bootstrap(samples, resamples=20)
    # A team's runtime is the mean of both splits: ((2 + 4) / 2 + 3) / 2 over (2 + 4) / 2.
    assert found.ratio == pytest.approx(3.0 / 3.0)
    assert runtime_ms(samples.own["valid"]) == 3.0


@pytest.mark.parametrize("rounds", [1, 2, 3, 8, 17])
def test_medians_are_those_of_numpy_to_the_last_bit(rounds):
    samples = np.random.default_rng(rounds).lognormal(2, 1, (50, rounds))
    assert np.array_equal(medians(samples), np.median(samples, axis=1))


def test_the_interval_of_rounds_is_that_of_an_independent_bootstrap():
    """One launch, one image: the textbook bootstrap of a median, which scipy has too."""
    values = np.random.default_rng(3).normal(100, 5, 25)
    found = bootstrap(Samples(launches=(25,), own={"valid": values[None, :]}), resamples=4000)
    ours = interval(found.own_ms["valid"], float(np.median(values)))
    theirs = scipy_bootstrap(
        (values,), np.median, n_resamples=4000, method="percentile", random_state=np.random.default_rng(4)
    ).confidence_interval
    wider = [ours_one - float(np.median(values)) for ours_one in ours]  # for 25 being few
    assert wider == pytest.approx(
        [small_sample_factor(25) * (limit - float(np.median(values))) for limit in (theirs.low, theirs.high)],
        abs=0.35,
    )


def test_what_disturbs_both_sides_together_cancels_out():
    paired = session((5, 5, 5))
    assert paired.baseline is not None
    found = bootstrap(paired)
    swapped = Samples(
        launches=paired.launches,
        own=paired.own,
        baseline={"valid": np.random.default_rng(9).permutation(paired.baseline["valid"], axis=1)},
    )
    alone = bootstrap(swapped)
    assert found.half_width is not None and alone.half_width is not None
    assert found.half_width < alone.half_width / 2
    assert found.ratio == pytest.approx(0.8, rel=0.02)


def test_the_ratio_of_an_image_is_the_median_of_its_rounds_quotients():
    random = np.random.default_rng(2)
    own, base = (np.exp(random.normal(size=(3, 7))) for _ in range(2))
    samples = Samples(launches=(7,), own={"valid": own}, baseline={"valid": base})
    calm = samples.steadied()
    assert calm.baseline is not None
    medians = np.median(calm.own["valid"], axis=1), np.median(calm.baseline["valid"], axis=1)
    assert medians[0] / medians[1] == pytest.approx(np.median(own / base, axis=1))
    # Both move to meet: what one median gains the other loses.
    product = np.median(own, axis=1) * np.median(base, axis=1)
    assert medians[0] * medians[1] == pytest.approx(product)
    again = calm.steadied()
    assert again.baseline is not None
    assert np.allclose(again.own["valid"], calm.own["valid"])
    assert np.allclose(again.baseline["valid"], calm.baseline["valid"])
    assert bootstrap(samples).ratio == pytest.approx(medians[0].sum() / medians[1].sum())


def test_the_state_of_a_machine_that_changes_from_call_to_call_cancels_out():
    """A machine that is slow half of the time: pairs of calls share its state, rounds and images do not."""

    def ratios(seed):
        random = np.random.default_rng(seed)
        state = np.where(random.random((4, 30)) < 0.5, 1.3, 1.0)
        own, base = (
            time * state * np.exp(0.02 * random.standard_normal(state.shape)) for time in (8.0, 10.0)
        )
        samples = Samples(launches=(30,), own={"valid": own}, baseline={"valid": base})
        return bootstrap(samples, resamples=2).ratio, runtime_ms(own) / runtime_ms(base)

    ours, apart = np.array([ratios(seed) for seed in range(60)]).T
    assert ours.mean() == pytest.approx(0.8, abs=0.002)
    assert ours.std() < 0.75 * apart.std()


@pytest.mark.slow
@pytest.mark.parametrize("launches", [(4, 4, 4), (4,) * 8])
@pytest.mark.parametrize("apart", [0.0, 0.02])
def test_intervals_cover_the_truth(launches, apart):
    """Of 100 sessions, those of a nominal 95 % that hold the true ratio; a binomial would scatter by 2 %.

    Launches differ by `apart`, from nothing to much more than what single rounds scatter.
    """
    hits = 0
    for seed in range(100):
        samples = session(launches, seed=seed)
        random = np.random.default_rng(1000 + seed)
        differ = np.repeat(1 + apart * random.standard_normal(len(launches)), launches)
        samples = dataclasses.replace(samples, own={"valid": samples.own["valid"] * differ})
        found = bootstrap(samples, resamples=100, seed=seed)
        limits = interval(found.ratios, found.ratio)
        assert limits is not None
        hits += limits[0] <= 0.8 <= limits[1]
    assert 0.88 <= hits / 100 <= 1.0


def test_students_quantiles_are_those_of_scipy():
    for freedom in (*range(1, 31), 59, 200):
        assert student_t(freedom) == pytest.approx(scipy_t.ppf(0.975, freedom), abs=6e-4)


@pytest.mark.slow
def test_more_rounds_make_a_narrower_interval():
    widths = [bootstrap(session((count,) * 3, common=0.0)).half_width for count in (2, 20)]
    assert None not in widths and widths[1] < widths[0] / 2  # type: ignore[operator]


def test_one_round_has_no_interval():
    found = bootstrap(Samples(launches=(1,), own={"valid": np.array([[3.0]])}))
    assert found.half_width is None and len(found.ratios) == 0
    assert interval(found.ratios, 1.0) is None


def test_the_baseline_alone_has_a_ratio_of_one_and_an_interval_of_its_runtime():
    found = bootstrap(Samples(launches=(2, 2, 2), own=session((2, 2, 2)).own))
    assert found.ratio == 1.0 and set(found.ratios) == {1.0}
    assert found.half_width is not None and found.half_width > 0


def test_the_same_samples_give_the_same_interval():
    first, second = (bootstrap(session((3, 3, 3)), seed=5).ratios for _ in range(2))
    assert np.array_equal(first, second)


def test_an_estimate_outside_its_own_quantiles_is_still_inside_its_interval():
    low, high = interval(np.array([1.0, 1.1, 1.2]), 2.0)  # type: ignore[misc]
    assert low <= 2.0 <= high


def test_the_factor_of_small_samples_is_an_unbiased_variance_with_students_quantile():
    assert small_sample_factor(3) == pytest.approx(
        math.sqrt(3 / 2) * scipy_t.ppf(0.975, 2) / 1.959964, rel=1e-3
    )
    assert small_sample_factor(1) == 1.0 and small_sample_factor(10_000) == pytest.approx(1.0, abs=1e-3)
