"""How much time is left, and whether a measurement still fits into it."""

from __future__ import annotations

import time

__all__ = ["Budget", "OutOfTimeError"]


class OutOfTimeError(Exception):
    """The time was up while something was being measured."""


class Budget:
    """A number of minutes from now on.

    Args:
        minutes: How many.
    """

    def __init__(self, minutes: float) -> None:
        self.total_s = 60 * minutes
        self._begin = time.monotonic()

    @property
    def spent_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begin

    @property
    def left_s(self) -> float:
        """Seconds that are left; below 0 where the time is up."""
        return self.total_s - self.spent_s

    def refuses(self, expected_s: float) -> str | None:
        """Say why something is not begun that will take about so long; None where it may be."""
        if self.left_s > expected_s:
            return None
        left, total = max(0.0, self.left_s), self.total_s
        return f"{left:.0f} of {total:.0f} s were left, and it takes about {expected_s:.0f}"

    def check(self, *_: object) -> None:
        """Raise where the time is up; takes the place of a session's progress display.

        Raises:
            OutOfTimeError: It is.
        """
        if self.left_s < 0:
            raise OutOfTimeError(f"stopped when {self.total_s:.0f} s were over")
