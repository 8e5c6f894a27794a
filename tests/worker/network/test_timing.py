"""One timed call: what is inside its clock and what is not. A fake GPU notes what it is asked."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ntire_bench.worker.network import timing

GPU = SimpleNamespace(device=SimpleNamespace(type="cuda"))


class FakeGpu:
    """Has a clock of its own [s], that every step moves, and counts allocations."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **counters: object) -> None:
        self.now, self.steps, self.counters = 0.0, [], counters
        gpu = self

        class Event:
            def __init__(self, *, enable_timing: bool) -> None:
                assert enable_timing
                self.at = 0.0

            def record(self) -> None:
                gpu.step("record", 0.001)
                self.at = gpu.now

            def elapsed_time(self, end: Event) -> float:
                return 1000 * (end.at - self.at)

        monkeypatch.setattr(torch.cuda, "Event", Event)
        monkeypatch.setattr(torch.cuda, "synchronize", lambda _: self.step("synchronize", 0.5))
        monkeypatch.setattr(torch.cuda, "memory_stats_as_nested_dict", self.stats)
        monkeypatch.setattr(timing.time, "perf_counter", lambda: self.now)

    def step(self, name: str, seconds: float) -> None:
        self.steps.append(name)
        self.now += seconds

    def stats(self, _: object) -> dict[str, object]:
        self.step("stats", 0.2)
        return dict(self.counters)

    def forward(self, image: object) -> str:
        self.step("forward", 0.010)
        self.counters = {key: value + 3 for key, value in self.counters.items()}
        return "SR"


def test_nothing_but_the_forward_pass_lies_between_the_events(monkeypatch):
    gpu = FakeGpu(monkeypatch, num_device_alloc=5)
    output, told = timing.timed(gpu.forward, GPU)
    assert output == "SR"
    assert gpu.steps == [
        "stats",
        "synchronize",
        "record",
        "synchronize",
        "record",
        "forward",
        "record",
        "synchronize",
        "stats",
    ]
    assert told.runtime_ms == pytest.approx(11.0)  # to the end of the last record
    assert told.host_ms == pytest.approx(12.0)  # from before the first to after the last, without the wait
    assert told.wait_ms == pytest.approx(501.0)  # of the record and the synchronization before
    assert told.allocations == 3


def test_allocations_are_counted_by_segments_where_torch_has_no_better_figure(monkeypatch):
    for told, count in (({}, 0), ({"segment": {"all": {"allocated": 8}}}, 8), ({"num_device_alloc": 4}, 4)):
        monkeypatch.setattr(torch.cuda, "memory_stats_as_nested_dict", lambda _, told=told: told)
        assert timing.device_allocations(torch.device("cuda")) == count


def test_on_a_cpu_there_is_no_time_until_the_last_kernel():
    output, told = timing.timed(lambda image: image + 1, torch.zeros(1))
    assert output.tolist() == [1.0] and told.runtime_ms > 0
    assert (told.host_ms, told.allocations) == (None, 0) and told.switches >= 0


@pytest.mark.skipif(not Path("/proc/thread-self/status").exists(), reason="needs Linux's /proc")
def test_interruptions_are_those_that_the_kernel_tells():
    def told() -> int:
        lines = Path("/proc/thread-self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("nonvoluntary")).split()[1])

    before, found, after = told(), timing._switches(), told()
    assert before <= found <= after
