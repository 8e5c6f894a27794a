"""Workers that are started ahead of their time: they import what they need while others load and warm up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ntire_bench.client.workers import Workers

__all__ = ["Ahead"]


class _Start(Protocol):
    def __call__(self, *, alone: bool = False) -> Workers: ...


class Ahead:
    """Holds the workers that were started and not used yet.

    Args:
        start: Starts the workers of a launch, or the submission's alone.
        first: Those of the first launch, if they were started before.
        start_following: Starts those of the next submission, if there is one; called once. Whoever gives this
            function closes them.
    """

    def __init__(
        self,
        start: _Start,
        first: Workers | None,
        start_following: Callable[[], Workers | None] | None,
    ) -> None:
        self._start, self._start_following = start, start_following
        self._launch = first
        self._fresh: Workers | None = None

    def next_launch(self) -> Workers:
        """Return the workers of the next launch, started now if they were not before."""
        workers, self._launch = self._launch, None
        return workers or self._start()

    def fresh(self) -> Workers:
        """Return workers that have run nothing, the submission's last."""
        if self._launch is not None:
            return self.next_launch()
        workers, self._fresh = self._fresh, None
        return workers or self._start(alone=True)

    def start(self, *, last_launch: bool) -> list[Workers]:
        """Start the workers that will be wanted next, as far as that can be foreseen.

        They are those of the next launch. During the last launch they are a fresh one of this submission's to
        compare with, and those of the next submission.

        Args:
            last_launch: Whether no launch is foreseen after this one.

        Returns:
            Those that were started now.
        """
        if not last_launch:
            self._launch = self._start()
            return [self._launch]
        if self._fresh is None:
            self._fresh = self._start(alone=True)
        start_following, self._start_following = self._start_following, None
        following = None if start_following is None else start_following()
        return [workers for workers in (self._fresh, following) if workers is not None]

    def close(self) -> None:
        """End the workers that were not used."""
        for workers in filter(None, (self._launch, self._fresh)):
            workers.close()
