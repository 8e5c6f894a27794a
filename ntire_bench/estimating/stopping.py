"""When an evaluation has enough rounds: a precision to reach, and limits on rounds and time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ntire_bench.errors import UsageError
from ntire_bench.estimating.bootstrap import Samples, bootstrap
from ntire_bench.estimating.defaults import MAX_ROUNDS, MAX_TIME_S
from ntire_bench.estimating.steadiness import PRECISION, drifts
from ntire_bench.records.record import LAUNCHES

__all__ = [
    "LAUNCHES",
    "PRECISION",
    "StopReason",
    "StopRule",
    "fixed_rounds",
    "more_rounds",
    "pilot_rounds",
    "rounds_per_launch",
]

StopReason = Literal["precision", "max-rounds", "max-time", "rounds"]

# On a CPU, launches differ as much as rounds do, so that more of them are worth more than longer ones.
MOST_PER_LAUNCH = {"cpu": 4, "cuda": 20}
_PILOT = 3  # rounds that the number of rounds is planned from
_RESAMPLES = 200  # while rounds run; a record's interval comes from `bootstrap.RESAMPLES`


@dataclass(frozen=True, kw_only=True)
class StopRule:
    """When there are enough rounds.

    Attributes:
        rounds: Exactly so many; None decides by the other attributes.
        min_rounds: At least so many rounds, unless the time is up.
        precision: Half of the width of the 95 % interval, divided by the estimate, that is enough; None takes
            the default of the device.
        max_rounds: At most so many rounds.
        max_time_s: No round begins that would probably end later than this after the first round began [s].
    """

    rounds: int | None = None
    min_rounds: int = LAUNCHES
    precision: float | None = None
    max_rounds: int = MAX_ROUNDS
    max_time_s: float = MAX_TIME_S

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UsageError: One is out of range.
        """
        if self.rounds is not None and self.rounds < 1:
            raise UsageError(
                "there must be a round", found=str(self.rounds), remedy="give --rounds 1 or more"
            )
        if self.precision is not None and not 0 < self.precision < 1:
            raise UsageError(
                "the precision is not between 0 and 1",
                found=str(self.precision),
                remedy="give --precision 0.01 for 1 %",
            )
        if self.max_rounds < 1 or not self.max_time_s > 0:
            raise UsageError(
                "the limits leave no time for a round", remedy="give a larger --max-rounds or --max-time"
            )

    def target(self, device: str) -> float:
        """Return the precision to reach on a device, "cuda" or "cpu"."""
        return PRECISION[device] if self.precision is None else self.precision

    def after_round(self, rounds: int, elapsed_s: float, lost_s: float = 0.0) -> StopReason | None:
        """Say whether the limits forbid another round.

        Args:
            rounds: Done so far.
            elapsed_s: What they took.
            lost_s: What rounds took that do not count, as they were made again.

        >>> StopRule(max_rounds=4).after_round(4, 10.0)
        'max-rounds'
        >>> StopRule(max_time_s=100).after_round(9, 95.0)  # another would take about 10.6 s
        'max-time'
        """
        if self.rounds is not None:
            return "rounds" if rounds >= self.rounds else None
        if rounds >= self.max_rounds:
            return "max-rounds"
        return "max-time" if lost_s + elapsed_s * (rounds + 1) / rounds > self.max_time_s else None

    def after_launch(self, samples: Samples, device: str) -> StopReason | None:
        """Say whether the samples are enough, at the end of a launch."""
        if self.rounds is not None or len(samples.launches) < LAUNCHES or samples.rounds < self.min_rounds:
            return None
        found = bootstrap(samples, resamples=_RESAMPLES)
        enough = found.half_width is not None and found.half_width <= self.target(device)
        return "precision" if enough and not drifts(samples, self.target(device)) else None


def pilot_rounds(rule: StopRule) -> int:
    """Return how many rounds the first launch begins with; the rest is planned from what they show.

    >>> [pilot_rounds(StopRule(rounds=count)) for count in (1, 2, 5, 60)], pilot_rounds(StopRule())
    ([1, 1, 2, 20], 3)
    """
    if rule.rounds is not None:
        return fixed_rounds(rule.rounds, 0, 0)
    return max(1, min(_PILOT, rule.max_rounds // LAUNCHES))


def fixed_rounds(rounds: int, done: int, launches: int) -> int:
    """Return the rounds of the next launch where their number in all launches is given.

    >>> fixed_rounds(4, 0, 0), fixed_rounds(4, 2, 1), fixed_rounds(4, 3, 2)
    (2, 1, 1)
    """
    return math.ceil((rounds - done) / max(1, LAUNCHES - launches))


def rounds_per_launch(rule: StopRule, pilot: Samples, elapsed_s: float, device: str) -> int:
    """Return how many rounds each launch should have, from those of the first one so far.

    Args:
        rule: The rule.
        pilot: Samples of the first launch.
        elapsed_s: How long they took.
        device: "cuda" or "cpu".
    """
    planned = pilot_rounds(rule)
    if rule.rounds is not None:
        return planned
    found = bootstrap(pilot, resamples=_RESAMPLES)
    wanted = max(LAUNCHES, rule.min_rounds)
    if found.half_width is not None:  # the interval shrinks with the square root of the rounds
        wanted = max(wanted, math.ceil(pilot.rounds * (found.half_width / rule.target(device)) ** 2))
    affordable = min(rule.max_rounds, int(rule.max_time_s / max(elapsed_s / pilot.rounds, 1e-9)))
    # A launch with more than a third of the rounds that there is time for would leave none for the others.
    return max(1, min(math.ceil(wanted / LAUNCHES), affordable // LAUNCHES, MOST_PER_LAUNCH[device]))


def more_rounds(rule: StopRule, samples: Samples, device: str, planned: int) -> int:
    """Return the rounds of the next launch, once all planned launches were not enough.

    Half of what seems to be missing: the first estimate of a spread is a rough one.
    """
    found = bootstrap(samples, resamples=_RESAMPLES)
    if rule.rounds is not None or found.half_width is None:
        return planned
    missing = samples.rounds * ((found.half_width / rule.target(device)) ** 2 - 1)
    most = min(rule.max_rounds - samples.rounds, 4 * planned, MOST_PER_LAUNCH[device])
    return max(planned, min(math.ceil(missing / 2), most))
