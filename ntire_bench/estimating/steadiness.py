"""Whether the timed calls of a session can be relied on: drift, outliers, an interval that is too wide."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ntire_bench.estimating.bootstrap import Estimate, Samples, runtime_ms, student_t

__all__ = ["PRECISION", "drift", "drifts", "outlier_share", "reasons"]

Floats = npt.NDArray[np.float64]

PRECISION = {"cpu": 0.01, "cuda": 0.0025}  # half of the width of the 95 % interval, divided by the estimate
_WIDE = 4.0  # times the precision: an interval that is wider is no measurement
_DRIFT = 2.0  # times the precision: the halves of a session may differ by that
_SIGMAS = 3.0  # standard errors: the halves may differ by that
_FEWEST_LAUNCHES = 4  # to tell a drift over launches from launches that merely differ
_OUTLIER_MADS = 5.0
# A median is not moved by a few outliers; it may be by more than this share. A CPU runs other programs too.
_OUTLIER_SHARE = {"cpu": 0.25, "cuda": 0.02}
_FEWEST_MAD = 0.02  # of the median: without noise the deviation is next to nothing, and all are outliers


def drift(samples: Samples) -> float | None:
    """Return by how much the second half of the rounds differs from the first, as a share.

    That is of the ratio to the baseline, or of the runtime where the submission is the baseline. None where
    there are less than 4 rounds.

    >>> base = {"valid": np.full((2, 4), 10.0)}
    >>> slower = {"valid": np.array([[5.0, 5.0, 6.0, 6.0]] * 2)}
    >>> round(drift(Samples(launches=(2, 2), own=slower, baseline=base)), 2)
    0.2
    """
    rounds = samples.rounds
    if rounds < 4:
        return None
    calm = samples.steadied()
    first, second = (
        _figure(calm, part) for part in (slice(0, rounds // 2), slice(rounds - rounds // 2, rounds))
    )
    return abs(second / first - 1)


def _figure(samples: Samples, part: slice) -> float:
    def total(side: Mapping[str, Floats]) -> float:
        return sum(runtime_ms(values[:, part]) for values in side.values())

    return total(samples.own) / (1.0 if samples.baseline is None else total(samples.baseline))


def drifts(samples: Samples, precision: float) -> bool:
    """Say whether the halves differ by more than twice the precision, and by more than noise explains."""
    difference = drift(samples)
    if difference is None or difference <= _DRIFT * precision:
        return False
    halves = _halves(samples)
    sizes = [len(half) for half in halves]
    freedom = sum(sizes) - 2
    if freedom < 1 or min(sizes) == 0:
        return False
    scatter = sum(float(((half - half.mean()) ** 2).sum()) for half in halves) / freedom
    error = math.sqrt(scatter * sum(1 / size for size in sizes))
    limit = _SIGMAS * student_t(freedom) / student_t(10**6)
    return abs(float(halves[0].mean() - halves[1].mean())) > limit * error


def _halves(samples: Samples) -> tuple[Floats, Floats]:
    """Return independent figures of the first half and of the second, to compare their means.

    They are those of whole launches where there are enough of them. Else they are those of rounds, each
    divided by the mean of its launch, and each launch is halved: launches differ without any drift.
    """
    calm = samples.steadied()
    ends = np.cumsum(samples.launches)
    parts = [slice(end - count, end) for end, count in zip(ends, samples.launches, strict=True)]
    if len(parts) >= _FEWEST_LAUNCHES:
        figures = np.array([_figure(calm, part) for part in parts])
        half = len(parts) // 2
        return figures[:half], figures[len(parts) - half :]
    first: list[float] = []
    second: list[float] = []
    for part in parts:
        rounds = np.array([_figure(calm, slice(at, at + 1)) for at in range(part.start, part.stop)])
        rounds /= rounds.mean()
        half = len(rounds) // 2
        first += list(rounds[:half])
        second += list(rounds[len(rounds) - half :])
    return np.array(first), np.array(second)


def outlier_share(samples: Samples) -> float:
    """Return the share of the submission's calls that are over 5 median absolute deviations off their median.

    >>> calm = np.full((1, 10), 10.0)
    >>> disturbed = calm.copy(); disturbed[0, 3] = 30.0
    >>> outlier_share(Samples(launches=(10,), own={"valid": disturbed}))
    0.1
    """
    off, calls = 0, 0
    for values in samples.own.values():
        median = np.median(values, axis=1, keepdims=True)
        mad = np.median(np.abs(values - median), axis=1, keepdims=True)
        limit = _OUTLIER_MADS * np.maximum(mad, _FEWEST_MAD * median)
        off += int((np.abs(values - median) > limit).sum())
        calls += values.size
    return off / calls


def reasons(samples: Samples, found: Estimate, precision: float, device: str) -> list[str]:
    """Return why a runtime is unstable, in words; empty where it is stable.

    Args:
        samples: Of the session.
        found: Their estimate.
        precision: The half width that rounds were to reach. Where it is finer than the device's default, the
            default counts; where it is coarser, the organizer has chosen so.
        device: "cuda" or "cpu".
    """
    told = []
    precision = max(precision, PRECISION[device])
    if found.half_width is not None and found.half_width > _WIDE * precision:
        told.append(
            f"its 95 % interval is wider than ±{_WIDE * precision:.0%}"
        )  # its width is shown beside it
    if drifts(samples, precision):
        told.append(f"the second half of the rounds differs from the first by {drift(samples):.1%}")
    share = outlier_share(samples)
    if samples.rounds >= 4 and share > _OUTLIER_SHARE[device]:
        told.append(f"{share:.0%} of the calls are far from their image's median")
    return told
