"""Applies the stop rule of estimating/stopping.py after every round and launch.

The first launch goes on until every image has been scored.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ntire_bench.estimating.bootstrap import Samples
from ntire_bench.estimating.stopping import (
    LAUNCHES,
    StopReason,
    StopRule,
    fixed_rounds,
    more_rounds,
    pilot_rounds,
    rounds_per_launch,
)

__all__ = ["Plan"]


class Plan:
    """Decides after every round and every launch what comes next, by a stop rule.

    The first launch begins with a few rounds; what they show decides how many rounds a launch has.

    Args:
        rule: When to stop.
        images: Images of a round.
        sizes: How many different sizes they have: so many images are run in a warm-up.

    Attributes:
        rounds: How many rounds this launch is to have.
        done: How many of them are done.
        launches: Rounds of each launch that is done.
        stopped: Why no more rounds are made; None as long as there are to be more.
    """

    def __init__(self, rule: StopRule, *, images: int, sizes: int) -> None:
        self.rounds = pilot_rounds(rule)
        self.done = 0
        self.launches: list[int] = []
        self.stopped: StopReason | None = None
        self._rule, self._images, self._sizes = rule, images, sizes
        self._elapsed_s = self._launch_s = self._lost_s = 0.0
        self._made_again = False

    @property
    def goes_on(self) -> bool:
        """Whether this launch has another round."""
        return self.stopped is None and self.done < self.rounds

    @property
    def total(self) -> int:
        """Rounds that are done in all launches."""
        return sum(self.launches) + self.done

    @property
    def foreseen_launches(self) -> int:
        """How many launches there will be at least, unless a limit is reached."""
        return LAUNCHES if self._rule.rounds is None else min(LAUNCHES, self._rule.rounds)

    def foreseen_images(self, warm_ups: int) -> int:
        """Return how many images each side will still be run on, so many warm-ups being done."""
        wanted = self._rule.rounds or max(self.rounds * LAUNCHES, self._rule.min_rounds)
        left = max(1, wanted - self.total) * self._images
        return left + max(0, self.foreseen_launches - warm_ups) * self._sizes

    def after_warm_up(self, took_s: float) -> None:
        """Plan fewer rounds for the first launch where the others would find no time left.

        Args:
            took_s: What the warm-up took, which ran one image of every size.
        """
        if self.launches or self._rule.rounds is not None:
            return
        round_s = took_s * self._images / self._sizes
        self.rounds = min(self.rounds, max(1, int(self._rule.max_time_s / round_s / LAUNCHES)))

    def left(self) -> int:
        """Return how many rounds this launch has left for certain, the next one included."""
        if self.total:
            elapsed_s = self._elapsed_s * (self.total + 1) / self.total
            if self._rule.after_round(self.total + 1, elapsed_s, self._lost_s):
                return 1  # a limit will be reached
        return self.rounds - self.done

    def after_round(
        self, took_s: float, *, incomplete: bool, samples: Callable[[], Samples], device: str
    ) -> None:
        """Decide whether this launch has another round.

        Args:
            took_s: What the round took.
            incomplete: Whether an image has not been scored yet in this launch.
            samples: Gives all runtimes so far.
            device: "cuda" or "cpu".
        """
        self.done += 1
        self._elapsed_s += took_s
        self._launch_s += took_s
        first = not self.launches
        self.stopped = self._rule.after_round(self.total, self._elapsed_s, self._lost_s)
        if first and incomplete:
            self.stopped = None  # the first launch scores every image before it ends
        if first and self.done == self.rounds and self.stopped is None:
            wanted = rounds_per_launch(self._rule, samples(), self._elapsed_s, device)
            self.rounds = max(self.done, wanted)

    def end_launch(self) -> None:
        """Note that the rounds of this launch are done."""
        self.launches.append(self.done)
        self.done, self._launch_s = 0, 0.0

    @property
    def may_make_again(self) -> bool:
        """Whether the launch that has ended may be made again: once a session, where the time allows it."""
        limit_s = math.inf if self._rule.rounds is not None else self._rule.max_time_s
        return not self._made_again and self._lost_s + self._elapsed_s + self._launch_s <= limit_s

    def drop_launch(self) -> None:
        """Have the launch that has ended made again; what it gave does not count."""
        self._made_again = True
        self._elapsed_s -= self._launch_s
        self._lost_s += self._launch_s
        self.done, self._launch_s, self.stopped = 0, 0.0, None

    def after_launch(self, samples: Callable[[], Samples], device: str) -> None:
        """Decide whether there is another launch, and of how many rounds.

        Args:
            samples: Gives all runtimes so far.
            device: "cuda" or "cpu".
        """
        if self._rule.rounds is not None:
            self.rounds = (
                0 if self.stopped else fixed_rounds(self._rule.rounds, self.total, len(self.launches))
            )
            return
        known = samples()
        # At a limit the precision may have been reached all the same.
        self.stopped = self._rule.after_launch(known, device) or self.stopped
        if self.stopped is None and len(self.launches) >= LAUNCHES:
            self.rounds = more_rounds(self._rule, known, device, self.rounds)
