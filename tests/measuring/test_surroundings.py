"""What is seen of the machine between turns: the GPU's clock, other processes, other programs' load."""

from __future__ import annotations

import pytest

from ntire_bench.machine.monitor import GpuTrace
from ntire_bench.measuring import surroundings
from ntire_bench.measuring.surroundings import Watcher


def sample(clock: float | None, strangers: int | None = 0) -> tuple[float | None, ...]:
    return clock, 1593.0, 40.0, 300.0, 0, strangers


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch) -> GpuTrace:
    monkeypatch.setattr(surroundings, "_INTERVAL_S", float("inf"))  # load is looked at below
    found = GpuTrace(None)
    found.samples = [sample(1980.0) for _ in range(10)]
    return found


def test_a_clock_below_its_usual_is_seen_in_the_turn_in_which_it_was(trace: GpuTrace) -> None:
    watcher = Watcher([], trace)
    assert not watcher.look().slow_clock
    trace.samples += [sample(1980.0), sample(1755.0)]
    assert watcher.look().slow_clock
    trace.samples += [sample(1965.0)]  # within 3 %
    assert not watcher.look().slow_clock


def test_nothing_is_said_of_a_clock_that_is_not_told_or_hardly_known(trace: GpuTrace) -> None:
    trace.samples = [sample(1980.0)] * 3
    watcher = Watcher([], trace)
    trace.samples += [sample(900.0)]
    assert not watcher.look().slow_clock
    trace.samples += [sample(None) for _ in range(20)]
    assert not watcher.look().slow_clock


def test_another_process_on_the_gpu_is_seen(trace: GpuTrace) -> None:
    watcher = Watcher([], trace)
    trace.samples += [sample(1980.0, None)]
    assert not watcher.look().other_process
    trace.samples += [sample(1980.0, 1)]
    assert watcher.look().other_process and not watcher.look().other_process


def test_load_is_that_of_the_last_stretch_of_time(trace: GpuTrace, monkeypatch: pytest.MonkeyPatch) -> None:
    shares = iter([0.4, 0.02])

    class Share:
        def __init__(self, own: object) -> None:
            pass

        def others(self) -> float | None:
            return next(shares)

    monkeypatch.setattr(surroundings, "CpuShare", Share)
    watcher = Watcher([], trace)
    assert watcher.look().load is None  # too little time for a figure
    monkeypatch.setattr(surroundings, "_INTERVAL_S", 0.0)
    assert watcher.look().load == 0.4 and watcher.look().load == 0.02
