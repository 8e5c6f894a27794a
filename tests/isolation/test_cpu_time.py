"""CPU time of all that a worker has started, and standing still, at every level of isolation."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest
from stubs import do

from ntire_bench.client.sandbox import Sandbox
from ntire_bench.isolation import spawn
from ntire_bench.isolation.cgroups import Group
from ntire_bench.isolation.limits import Limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="isolation is made of Linux's system calls")

# A process whose parent is gone before it begins to compute, in a session of its own.
ORPHAN = """
child = os.fork()
if child == 0:
    os.setsid()
    if os.fork() == 0:
        while True: pass
    os._exit(0)
os.waitpid(child, 0)
result = "left"
"""

# The same in lives of 30 ms, each followed by another, of which nobody waits for the one before.
CHAIN = """
child = os.fork()
if child == 0:
    if os.fork() == 0:
        while True:
            os.setsid()
            end = time.monotonic() + 0.03
            while time.monotonic() < end: pass
            if os.fork(): os._exit(0)
    os._exit(0)
os.waitpid(child, 0)
result = "left"
"""
each = pytest.mark.parametrize("left", [ORPHAN, CHAIN], ids=["orphan", "chain"])


def wait_until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


@each
@pytest.mark.parametrize("by", ["control group", "processes"])
def test_an_orphan_counts_as_what_its_worker_used(level, stubs, monkeypatch, by, left) -> None:
    if by == "processes":
        monkeypatch.setattr(spawn.cgroups, "make", lambda _: Group())
    box = stubs.start(level)
    assert do(box, "result = 1") == 1
    if by == "control group" and not box.cpu_time_is_exact:
        pytest.skip("no control group that counts CPU time can be had on this machine")
    assert box.cpu_time_is_exact == (by == "control group")
    do(box, left)
    before = box.cpu_seconds()
    # The worker itself waits for its next request.
    wait_until(lambda: box.cpu_seconds() - before > 0.2)


def still(box: Sandbox) -> None:
    """Skip the test where a worker cannot be had to stand still."""
    with box.paused() as found:
        pass
    if not found:
        pytest.skip("no control group that can be frozen can be had on this machine")


@each
def test_nothing_of_a_worker_that_stands_still_goes_on(level, stubs, left) -> None:
    # One that is stopped for any time at all would be ended.
    box = stubs.start(level, limits=Limits(stopped_s=0.0))
    assert do(box, "result = 1") == 1
    still(box)
    do(box, left)
    before = box.cpu_seconds()
    wait_until(lambda: box.cpu_seconds() > before)
    with box.paused() as paused:
        assert paused
        begin = box.cpu_seconds()
        time.sleep(0.1)
        assert box._watch.look() is None
        assert box.cpu_seconds() == pytest.approx(begin, abs=1e-3)
    wait_until(lambda: box.cpu_seconds() - begin > 0.01)
    assert do(box, "result = 2") == 2


@each
def test_a_worker_can_be_ended_while_it_stands_still(level, stubs, left) -> None:
    box = stubs.start(level)
    assert do(box, "result = 1") == 1
    still(box)
    do(box, left)
    with box.paused() as paused:
        assert paused
        box.close()
        assert stubs.alive() == []
