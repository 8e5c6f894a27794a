"""Whether the timed calls of a session can be relied on: drift, outliers, a stop rule that was not met."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ntire_bench.estimate import Estimate, Samples, runtime_ms

__all__ = ["drift", "drifts", "outlier_share", "reasons"]

Floats = npt.NDArray[np.float64]

_WIDE = 4.0  # an interval so many times as wide as asked for is no measurement
_DRIFT = 2.0  # halves may differ by so many times the precision
_SIGMAS = 3.0  # of the scatter of single rounds
_OUTLIER_MADS = 5.0
# A median does not mind them; this many mean that it may. CPUs have other programs to serve.
_OUTLIER_SHARE = {"cpu": 0.25, "cuda": 0.02}
_FEWEST_MAD = 0.02  # of the median: on a machine without noise the deviation itself is next to nothing


def drift(samples: Samples) -> float | None:
    """Return by how much the second half of the rounds differs from the first, as a share.

    Judged is the ratio to the baseline, or the runtime where the submission is the baseline. None under 4
    rounds.

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
    """Say whether the halves differ by more than twice the precision, and more than their rounds do."""
    difference = drift(samples)
    if difference is None or difference <= _DRIFT * precision:
        return False
    calm = samples.steadied()
    rounds = [_figure(calm, slice(index, index + 1)) for index in range(samples.rounds)]
    half = samples.rounds // 2
    halves = np.array(rounds[:half]), np.array(rounds[samples.rounds - half :])
    error = math.sqrt(sum(float(values.var(ddof=1)) / half for values in halves))
    return difference * float(np.mean(rounds)) > _SIGMAS * error


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
        precision: That was to be reached.
        device: "cuda" or "cpu".
    """
    told = []
    if found.half_width is not None and found.half_width > _WIDE * precision:
        told.append(
            f"the 95 % interval is {found.half_width:.1%} wide to each side, {precision:.2%} was wanted"
        )
    if drifts(samples, precision):
        told.append(f"the second half of the rounds differs from the first by {drift(samples):.1%}")
    share = outlier_share(samples)
    if samples.rounds >= 4 and share > _OUTLIER_SHARE[device]:
        told.append(f"{share:.0%} of the calls are far from their image's median")
    return told
