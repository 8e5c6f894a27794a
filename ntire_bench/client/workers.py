"""The workers of one launch: started together, so that their imports overlap, and closed together."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ntire_bench.client.worker import Worker
from ntire_bench.errors import NtireBenchError
from ntire_bench.records.record import Isolation
from ntire_bench.submissions.submission import Submission

__all__ = ["Workers"]


class Workers:
    """One worker for each side; use as a context manager.

    The processes start at once and import what they need while others work; `hello` waits for one of them.
    So workers that are started during an untimed phase, and have settled before the next timed one, cost no
    time.

    Args:
        sides: What they will run: the baseline and the submission, or one of them alone.
        scale: Enlargement factor.
        largest_lr: (height, width) of the largest LR image that will be sent.
        device: "auto", "cpu", "cuda", "cuda:N".
        threads: CPU threads that each computes with; see `Worker`.
        isolation: What `isolation.isolation_for` returned; None for the best there is.
        hidden: Folders that they must not see, even inside what they may read.
        tell: Called with a sentence before kernels are built, which may take minutes.

    Attributes:
        workers: In the order of the sides.
    """

    def __init__(
        self,
        sides: Sequence[Submission],
        *,
        scale: int,
        largest_lr: tuple[int, int],
        device: str = "auto",
        threads: int | None = None,
        isolation: Isolation | None = None,
        hidden: Sequence[Path] = (),
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.workers: list[Worker] = []
        self._hello: dict[int, dict[str, Any]] = {}
        self._stack = contextlib.ExitStack()
        try:
            for side in sides:
                worker = Worker(
                    side,
                    scale=scale,
                    largest_lr=largest_lr,
                    device=device,
                    threads=threads,
                    isolation=isolation,
                    hidden=hidden,
                    tell=tell,
                )
                self.workers.append(self._stack.enter_context(worker))
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Workers:
        """Return the workers."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all workers."""
        self.close()

    def close(self) -> None:
        """End all workers; may be called twice."""
        self._stack.close()

    def hello(self, number: int) -> dict[str, Any]:
        """Wait until a worker has started, and return what it knows of the environment.

        Raises:
            UsageError: No worker comes up, or not on that device.
            MeasurementError: It was killed.
        """
        if number not in self._hello:
            self._hello[number] = self.workers[number].hello()
        return self._hello[number]

    def settle(self) -> None:
        """Wait until all have started or failed to: what imports beside a timed call disturbs it."""
        for number in range(len(self.workers)):
            with contextlib.suppress(NtireBenchError):  # raised again by `hello`, when it is this one's turn
                self.hello(number)
