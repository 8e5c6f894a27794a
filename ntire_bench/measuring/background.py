"""Work in the background of the timed calls: PSNR, SSIM and PNG files, in threads of the parent.

Where the workers compute with all cores, the work is done between the calls instead: it must not take a core
from a call that is being timed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from ntire_bench.machine import environment

__all__ = ["Background", "spare_threads"]

Result = TypeVar("Result")

_PENDING_PER_THREAD = 2  # a 2040x1356 pair of SR and HR is 17 MB, and dozens may not pile up
_MOST_THREADS = {"cuda": 14, "cpu": 8}  # beside a CPU, jobs take memory bandwidth from what is timed


def spare_threads(device: str, threads: int) -> int:
    """Return how many threads jobs may have beside workers.

    Args:
        device: "cuda" or "cpu", which the workers compute on.
        threads: CPU threads that each of them computes with.
    """
    # Beside a GPU, the worker whose turn it is not waits with a thread of its own.
    of_others = threads + 1 if device == "cuda" and environment.cores() > threads + 1 else threads
    return max(0, min(environment.cores() - of_others, _MOST_THREADS[device]))


class Background:
    """Runs jobs in threads, or at once where there is no core for them.

    Args:
        threads: How many; see `spare_threads`.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 0 else None
        self._places = threading.BoundedSemaphore(max(1, self.threads) * _PENDING_PER_THREAD)

    def __enter__(self) -> Background:
        """Return the pool."""
        return self

    def __exit__(self, *_: object) -> None:
        """Drop the jobs that have not begun, and wait for the others."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def submit(self, job: Callable[[], Result], *, bounded: bool = True) -> Future[Result]:
        """Run a job; its result or exception is in the future.

        Args:
            job: What to run.
            bounded: Whether to wait where there are already a few such jobs for every thread.
        """
        if self._pool is None:
            future: Future[Result] = Future()
            try:
                future.set_result(job())
            except Exception as error:
                future.set_exception(error)
            return future
        if not bounded:
            return self._pool.submit(job)
        self._places.acquire()
        try:
            future = self._pool.submit(job)
        except BaseException:
            self._places.release()
            raise
        future.add_done_callback(lambda _: self._places.release())
        return future
