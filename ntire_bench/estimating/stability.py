"""How steady a stored runtime is: by round and call, which calls were slow, how its interval narrowed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntire_bench.errors import RecordError
from ntire_bench.estimating.bootstrap import Samples, bootstrap
from ntire_bench.records.record import SLOW, Record, SplitResult

__all__ = ["SlowRounds", "Stability", "samples_from", "stability"]

Floats = npt.NDArray[np.float64]
SlowRounds = Mapping[str, tuple[int, ...]]
"""By cause, how many calls of each round were slow; without the causes that no call had."""

_RESAMPLES = 300
_MOST_MOMENTS = 15
_FEWEST_ROUNDS = 3  # of which a median says that one of them is slow
_NO_CAUSE = "cause not stored"


@dataclass(frozen=True, kw_only=True)
class Stability:
    """How steady the runtime of a record is, as numbers to draw.

    Attributes:
        launches: Rounds of each launch.
        runtime_ms: Per round, the mean over images, the mean of the splits [ms].
        baseline_ms: The same of the baseline; None where the submission is the baseline.
        deviations: Of every call of the submission from its image's median, as a share, round by round.
        half_widths: Number of rounds, from the first on, and half of the interval from them, as a share.
        calls: How many calls of the submission count.
        slow: Those of them that were slow.
        baseline_slow: Those of the baseline, of which as many count; empty where the submission is the
            baseline.
        host_ms: Time of a call until its last kernel is queued, averaged as the runtime is [ms]; None on a
            CPU.
    """

    launches: tuple[int, ...]
    runtime_ms: Floats
    baseline_ms: Floats | None
    deviations: Floats
    half_widths: tuple[tuple[int, float], ...]
    calls: int
    slow: SlowRounds
    baseline_slow: SlowRounds
    host_ms: float | None

    @property
    def ratio(self) -> Floats:
        """Per round, the runtime over the baseline's; over its own median where there is no other."""
        base = float(np.median(self.runtime_ms)) if self.baseline_ms is None else self.baseline_ms
        result: Floats = self.runtime_ms / base
        return result

    def document(self) -> dict[str, object]:
        """Return all of it as plain values."""
        return {
            "launches": list(self.launches),
            "runtime_ms": self.runtime_ms.tolist(),
            "baseline_ms": None if self.baseline_ms is None else self.baseline_ms.tolist(),
            "ratio": self.ratio.tolist(),
            "deviations": self.deviations.tolist(),
            "half_widths": [{"rounds": rounds, "half_width": width} for rounds, width in self.half_widths],
            "calls": self.calls,
            "slow_calls": {cause: list(counts) for cause, counts in self.slow.items()},
            "baseline_slow_calls": {cause: list(counts) for cause, counts in self.baseline_slow.items()},
            "host_ms": self.host_ms,
        }


def samples_from(record: Record) -> Samples:
    """Return the timed calls of a record.

    Raises:
        RecordError: It holds none, or does not say which launch they belong to.
    """
    if record.status != "ok" or not record.splits:
        raise RecordError(
            f"the record of {record.submission.label} holds no runtimes",
            remedy="evaluate the submission again",
        )
    own = {name: _matrix(result) for name, result in record.splits.items()}
    rounds = {values.shape[1] for values in own.values()}
    launches = tuple(launch.rounds for launch in record.timing.launches) if record.timing else (min(rounds),)
    baseline = record.baseline
    other = None
    if baseline is not None and baseline.submission != record.submission:
        other = {name: _matrix(baseline.splits[name]) for name in own if name in baseline.splits}
    if rounds != {sum(launches)} or (other is not None and {v.shape[1] for v in other.values()} != rounds):
        raise RecordError(
            f"the record of {record.submission.label} is not of one number of rounds",
            found=", ".join(f"{name}: {values.shape[1]}" for name, values in own.items()),
            remedy="evaluate the submission again",
        )
    return Samples(launches=launches, own=own, baseline=other or None)


def stability(record: Record, *, narrowing: bool = True) -> Stability:
    """Return how steady the runtime of a record is.

    Args:
        record: Whole, with its images.
        narrowing: Whether to find out how the interval narrowed, which takes by far the longest; without it,
            `half_widths` is empty.

    Raises:
        RecordError: See `samples_from`.
    """
    samples = samples_from(record)
    own = _per_round(samples.own)
    deviations = np.concatenate(
        [values / np.median(values, axis=1, keepdims=True) - 1 for values in samples.own.values()]
    )
    widths = []
    for rounds in _moments(samples.launches) if narrowing else ():
        found = bootstrap(_first(samples, rounds), resamples=_RESAMPLES)
        if found.half_width is not None:
            widths.append((rounds, found.half_width))
    baseline = None if samples.baseline is None else record.baseline
    return Stability(
        launches=samples.launches,
        runtime_ms=own,
        baseline_ms=None if samples.baseline is None else _per_round(samples.baseline),
        deviations=deviations.T.ravel(),
        half_widths=tuple(widths),
        calls=len(deviations) * samples.rounds,
        slow=_slow(record.schema_version, record.splits, samples.own),
        baseline_slow=_slow(record.schema_version, baseline.splits, samples.baseline or {})
        if baseline
        else {},
        host_ms=_host_ms(record.splits),
    )


def _slow(version: int, splits: Mapping[str, SplitResult], calls: Mapping[str, Floats]) -> SlowRounds:
    """Return the slow calls of a side; version 1 stored none, and they are found among its calls."""
    found: dict[str, list[int]] = {}
    rounds = next((values.shape[1] for values in calls.values()), 0)
    for split in calls:
        if version > 1:
            slow = [
                (one.call, str(one.cause)) for image in splits[split].per_image for one in image.slow_calls
            ]
        elif rounds < _FEWEST_ROUNDS:
            slow = []
        else:
            over = calls[split] > SLOW * np.median(calls[split], axis=1, keepdims=True)
            slow = [(int(place), _NO_CAUSE) for place in np.nonzero(over)[1]]
        for place, cause in slow:
            if place < rounds:
                found.setdefault(cause, [0] * rounds)[place] += 1
    return {cause: tuple(counts) for cause, counts in sorted(found.items())}


def _host_ms(splits: Mapping[str, SplitResult]) -> float | None:
    means = []
    for result in splits.values():
        known = [image.host_ms for image in result.per_image if image.host_ms is not None]
        if len(known) != len(result.per_image):
            return None
        means.append(float(np.mean(known)))
    return float(np.mean(means)) if means else None


def _moments(launches: Sequence[int]) -> list[int]:
    """Return after how many rounds the interval is computed, at most 15 times: at the ends of launches.

    Where there is one launch, it is computed after any round from the second on. With more launches that will
    not do: the first rounds of a launch would be taken for a whole one.

    >>> _moments((3, 4, 4)), _moments((4,)), len(_moments((4,) * 40))
    ([3, 7, 11], [2, 3, 4], 15)
    """
    ends = [*itertools.accumulate(launches)] if len(launches) > 1 else [*range(2, sum(launches) + 1)]
    ends = [end for end in ends if end > 1]
    if len(ends) <= _MOST_MOMENTS:
        return ends
    last = len(ends) - 1
    return [ends[round(place * last / (_MOST_MOMENTS - 1))] for place in range(_MOST_MOMENTS)]


def _matrix(result: SplitResult) -> Floats:
    rows = [image.calls_ms or image.runtime_samples_ms for image in result.per_image]
    if len({len(row) for row in rows}) != 1:
        raise RecordError(
            "a record's images have different numbers of samples", remedy="evaluate the submission again"
        )
    return np.array(rows, dtype=np.float64)


def _per_round(side: Mapping[str, Floats]) -> Floats:
    matrices = list(side.values())
    result: Floats = np.mean([values.mean(axis=0) for values in matrices], axis=0)
    return result


def _first(samples: Samples, rounds: int) -> Samples:
    """Return the samples of the first rounds alone."""
    launches, left = [], rounds
    for count in samples.launches:
        if left > 0:
            launches.append(min(count, left))
            left -= count
    return Samples(
        launches=tuple(launches),
        own={name: values[:, :rounds] for name, values in samples.own.items()},
        baseline=None
        if samples.baseline is None
        else {name: values[:, :rounds] for name, values in samples.baseline.items()},
    )
