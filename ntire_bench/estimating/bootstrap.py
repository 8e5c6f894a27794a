"""Runtime, its ratio to the baseline's, and their 95 % intervals, by a paired bootstrap.

A round is one timed pass of both sides over all images of all splits. A launch is a start of both workers,
with a memory layout of its own, and some rounds. Launches are resampled, then rounds within each; the spread
of the resamples is then scaled to what the differences between launches say (see `_Draws.around`). The images
are a fixed set and are never resampled. Both sides of a round are drawn together. In a round, the two calls
of an image follow each other at once; what slowed both of them is taken out before medians are formed (see
`Samples.steadied`), so that it cancels out of the ratio.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "RESAMPLES",
    "Estimate",
    "Samples",
    "bootstrap",
    "interval",
    "medians",
    "runtime_ms",
    "small_sample_factor",
    "student_t",
]

Floats = npt.NDArray[np.float64]

RESAMPLES = 1000
_LEVEL = 0.95
_LAUNCH_RESAMPLES = 300
# 97.5 % quantiles of Student's t for 1, 2, ... degrees of freedom, and of the normal distribution.
_T = tuple(
    map(
        float,
        "12.706 4.303 3.182 2.776 2.571 2.447 2.365 2.306 2.262 2.228 2.201 2.179 2.160 2.145 2.131".split(),
    )
)
_T_LIMIT = 1.959964


@dataclass(frozen=True, kw_only=True)
class Samples:
    """All timed calls of one side or both.

    Attributes:
        launches: Rounds of each launch, in order; all above 0.
        own: Per split, (images, rounds) [ms]; rounds of all launches one after the other.
        baseline: The same of the baseline; None where the submission is the baseline.
    """

    launches: tuple[int, ...]
    own: Mapping[str, Floats]
    baseline: Mapping[str, Floats] | None = None

    @property
    def rounds(self) -> int:
        """Rounds of all launches."""
        return sum(self.launches)

    def steadied(self) -> Samples:
        """Return the samples without what both calls of an image had in common in a round.

        With t and b the times of a pair of calls over their images' medians, both are divided by sqrt(t b):
        the machine's state, which the two share. Their quotient stays as it was, so the ratio of an image's
        medians becomes the median of its rounds' quotients. The medians themselves move towards that, each
        by half. With one round, or without another baseline, nothing changes; and with an odd number of
        rounds nothing changes a second time.

        >>> own, base = np.array([[10.0, 30.0, 11.0]]), np.array([[20.0, 40.0, 20.0]])
        >>> calm = Samples(launches=(3,), own={"valid": own}, baseline={"valid": base}).steadied()
        >>> round(runtime_ms(calm.own["valid"]) / runtime_ms(calm.baseline["valid"]), 4)  # of .5, .75, .55
        0.55
        """
        if self.baseline is None:
            return self
        own, baseline = {}, {}
        for split, values in self.own.items():
            other = self.baseline[split]
            both = values * other
            common = np.sqrt(both / (medians(values)[:, None] * medians(other)[:, None]))
            own[split], baseline[split] = values / common, other / common
        return Samples(launches=self.launches, own=own, baseline=baseline)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What follows from the samples.

    Attributes:
        ratio: Runtime over the baseline's; 1 where the submission is the baseline.
        ratios: The same of every resample; empty where there is one round only.
        own_ms: Per split, the mean over images of the median over rounds, of every resample [ms]: of the
            calls as they were.
        baseline_ms: The same of the baseline; None where the submission is the baseline.
        split_ratios: `ratio` of each split alone.
        half_width: Half of the width of the 95 % interval, divided by the estimate: of the ratio, or of the
            runtime where the submission is the baseline. None where there is one round only.
    """

    ratio: float
    ratios: Floats
    own_ms: Mapping[str, Floats]
    baseline_ms: Mapping[str, Floats] | None
    split_ratios: Mapping[str, float]
    half_width: float | None


def medians(samples: Floats) -> Floats:
    """Return the median of each row, as np.median does, which takes four times as long for small arrays.

    Args:
        samples: (images, rounds), all finite.

    >>> medians(np.array([[3.0, 1.0, 2.0], [9.0, 1.0, 5.0]])), medians(np.array([[1.0, 4.0, 2.0, 9.0]]))
    (array([2., 5.]), array([3.]))
    """
    upper = samples.shape[1] // 2
    lower = upper if samples.shape[1] % 2 else upper - 1
    parted = np.partition(samples, (lower, upper) if lower < upper else upper, axis=1)
    result: Floats = parted[:, upper] if lower == upper else (parted[:, lower] + parted[:, upper]) / 2
    return result


def runtime_ms(samples: Floats) -> float:
    """Return the mean over images of the image's median over rounds [ms].

    Args:
        samples: (images, rounds) [ms].

    >>> runtime_ms(np.array([[1.0, 2.0, 9.0], [4.0, 4.0, 4.0]]))
    3.0
    """
    return float(medians(samples).mean())


def interval(resamples: Floats, estimate: float) -> tuple[float, float] | None:
    """Return the 95 % interval of an estimate: quantiles of its resamples.

    Args:
        resamples: Of the bootstrap; may be empty.
        estimate: From all samples.

    >>> low, high = interval(np.linspace(0, 100, 1001), 50.0)
    >>> round(low, 1), round(high, 1)
    (2.5, 97.5)
    """
    if len(resamples) == 0:
        return None
    low, high = np.quantile(resamples, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    # A skewed bootstrap may leave the estimate outside its own quantiles.
    return min(estimate, float(low)), max(estimate, float(high))


def student_t(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t distribution.

    Args:
        freedom: Degrees of freedom, at least 1.

    >>> student_t(2), round(student_t(120), 3)
    (4.303, 1.98)
    """
    if freedom <= len(_T):
        return _T[freedom - 1]
    z = _T_LIMIT  # the first terms of its expansion (Abramowitz and Stegun, 26.7.5)
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def small_sample_factor(count: int) -> float:
    """Return the factor by which an interval must be widened that was resampled from a few values only.

    Resampling n values with replacement gives a variance that is (n - 1) / n of the true one on average, and
    what is estimated from n values has Student's distribution.

    >>> round(small_sample_factor(3), 3), round(small_sample_factor(15), 3)  # 1.225 * 4.303 / 1.96
    (2.689, 1.133)
    """
    return math.sqrt(count / (count - 1)) * student_t(count - 1) / _T_LIMIT if count > 1 else 1.0


def bootstrap(samples: Samples, *, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Estimate runtime and ratio, and resample launches, then rounds within each.

    Args:
        samples: Of a session.
        resamples: How many.
        seed: The same samples and seed give the same resamples.

    Returns:
        The estimate; without resamples where there is one round only.

    >>> both = {"valid": np.array([[10.0, 11.0, 10.0, 11.0]])}
    >>> half = {"valid": both["valid"] / 2}
    >>> found = bootstrap(Samples(launches=(2, 2), own=half, baseline=both), resamples=50)
    >>> found.ratio, float(found.ratios.min()), float(found.ratios.max())
    (0.5, 0.5, 0.5)
    """
    calm = samples.steadied()
    own = {split: runtime_ms(values) for split, values in calm.own.items()}
    base = None if calm.baseline is None else {s: runtime_ms(v) for s, v in calm.baseline.items()}
    ratio = 1.0 if base is None else _ratio(own, base)
    drawn = _Draws.of(samples.launches, resamples, seed)
    own_ms = _resampled(drawn, samples.own)
    baseline_ms = None if samples.baseline is None else _resampled(drawn, samples.baseline)
    ratios = np.ones(len(drawn.both))
    if calm.baseline is not None:
        ratios = drawn.around(ratio, _ratio_of(calm.own, calm.baseline))
    zeros = np.zeros(len(drawn.both))
    judged, point = (
        (ratios, ratio) if base is not None else (sum(own_ms.values(), zeros), math.fsum(own.values()))
    )
    limits = interval(judged, point)
    return Estimate(
        ratio=ratio,
        ratios=ratios,
        own_ms=own_ms,
        baseline_ms=baseline_ms,
        split_ratios={split: 1.0 if base is None else own[split] / base[split] for split in own},
        half_width=None if limits is None else (limits[1] - limits[0]) / 2 / point,
    )


Rounds = npt.NDArray[np.intp]


@dataclass(frozen=True)
class _Draws:
    """The rounds of each resample.

    Attributes:
        launches: Rounds of each launch.
        both: Of launches, then of rounds within each; empty where there is nothing to resample.
        whole: Of launches with all their rounds; empty where there is one launch.
    """

    launches: Sequence[int]
    both: list[Rounds]
    whole: list[Rounds]

    @classmethod
    def of(cls, launches: Sequence[int], resamples: int, seed: int) -> _Draws:
        if sum(launches) < 2 or resamples == 0:
            return cls(launches, [], [])
        random = np.random.default_rng(seed)
        ends = np.cumsum(launches)
        rounds = [np.arange(end - count, end) for end, count in zip(ends, launches, strict=True)]

        def drawn() -> list[Rounds]:
            return [rounds[launch] for launch in random.integers(len(rounds), size=len(rounds))]

        both = [
            np.concatenate([random.choice(part, len(part)) for part in drawn()]) for _ in range(resamples)
        ]
        whole = [np.concatenate(drawn()) for _ in range(min(resamples, _LAUNCH_RESAMPLES))]
        return cls(launches, both, whole if len(launches) > 1 else [])

    def around(self, point: float, figure: Callable[[Rounds], float]) -> Floats:
        """Return resamples of an estimate, spread as far as it is uncertain.

        Resampling rounds within resampled launches counts the noise of rounds twice, as launches differ by it
        already. So these resamples, of which there are many different ones, give the shape of the
        distribution. Launches alone give its width, enlarged because they are few (see
        `small_sample_factor`).

        Args:
            point: The estimate from all rounds.
            figure: Computes the same from some rounds.
        """
        values = np.array([figure(rounds) for rounds in self.both], dtype=np.float64)
        if len(values) == 0:
            return values
        values *= point / figure(np.arange(sum(self.launches)))
        factor = small_sample_factor(len(self.launches) if self.whole else sum(self.launches))
        spread = float(values.std())
        launches = float(np.std([figure(rounds) for rounds in self.whole])) if self.whole else 0.0
        if launches > 0 and spread > 0:
            factor *= launches / spread
        result: Floats = np.maximum(point + (values - point) * factor, 0.0)
        return result


def _resampled(drawn: _Draws, side: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return resamples of a side's runtime on each split [ms]."""
    return {
        split: drawn.around(runtime_ms(values), _mean_of_medians(values)) for split, values in side.items()
    }


def _mean_of_medians(values: Floats) -> Callable[[Rounds], float]:
    return lambda rounds: float(medians(values[:, rounds]).mean())


def _ratio_of(own: Mapping[str, Floats], baseline: Mapping[str, Floats]) -> Callable[[Rounds], float]:
    mine, theirs = ([_mean_of_medians(v) for v in side.values()] for side in (own, baseline))
    return lambda rounds: sum(one(rounds) for one in mine) / sum(one(rounds) for one in theirs)


def _ratio(own: Mapping[str, float], base: Mapping[str, float]) -> float:
    # A team's runtime is the mean of its splits', so the ratio is that of the sums.
    return math.fsum(own.values()) / math.fsum(base.values())
