"""Threads beside forward: those that work for it are told from those that a library keeps."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from ntire_bench.worker.costs.conduct import Conduct, repeated, watched

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux counts the time of each thread")


def spin(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


@pytest.fixture
def helper() -> Iterator[Callable[[], None]]:
    """A thread that lives throughout, and works for 2 ms whenever it is asked."""
    asked, answered = threading.Semaphore(0), threading.Semaphore(0)
    over = threading.Event()

    def work() -> None:
        while asked.acquire() and not over.is_set():
            spin(0.002)
            answered.release()

    thread = threading.Thread(target=work)
    thread.start()

    def ask() -> None:
        asked.release()
        answered.acquire()

    yield ask
    over.set()
    asked.release()
    thread.join()


def observe(forward: Callable[[], None]) -> tuple[Conduct, int]:
    with watched() as conduct:
        forward()
    return conduct, repeated(conduct, forward)


def test_a_thread_that_works_in_each_pass_counts(helper: Callable[[], None]) -> None:
    conduct, threads = observe(helper)
    assert (conduct.started, conduct.beside, threads) == (0, 1, 1)


def test_a_thread_that_wakes_once_does_not_count(helper: Callable[[], None]) -> None:
    passes = iter([helper, *[lambda: None] * 9])
    conduct, threads = observe(lambda: next(passes)())
    assert (conduct.started, conduct.beside, threads) == (0, 1, 0)


def test_a_thread_that_spares_every_third_pass_counts(
    helper: Callable[[], None],
) -> None:
    passes = iter([helper, lambda: None, helper, helper])
    assert observe(lambda: next(passes)())[1] == 1


def test_a_thread_that_is_started_counts_at_once() -> None:
    runs = []

    def forward() -> None:
        runs.append(threading.Thread(target=lambda: None))
        runs[-1].start()
        runs[-1].join()

    conduct, threads = observe(forward)
    assert (conduct.started, threads, len(runs)) == (1, 1, 1)
    assert repeated(Conduct(), forward) == 0
