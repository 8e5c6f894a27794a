"""The parent's clock against a worker's, and what the machine did beside."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from ntire_bench.client.worker import Call, Worker
from ntire_bench.machine import environment, monitor
from ntire_bench.measuring.background import Beside
from ntire_bench.measuring.clock import agrees, measure_overhead
from ntire_bench.measuring.replays import Verifier, Window, dithered, window_of
from ntire_bench.worker.network import device


class NullWorker:
    """A worker whose calls take 2 ms and a microsecond for each LR pixel beside the network."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def null_run(self, lr: np.ndarray[Any, Any]) -> Call:
        pixels = lr.shape[0] * lr.shape[1]
        self.sizes.append(pixels)
        cold = 100.0 if self.sizes.count(pixels) == 1 else 0.0
        return Call(lr, 0.5, 0.5 + 2.0 + 0.001 * pixels + cold)


def test_overhead_is_a_line_through_two_sizes_and_leaves_cold_calls_out():
    worker = NullWorker()
    images = [np.zeros((side, side, 3), np.uint8) for side in (40, 10, 20)]
    overhead = measure_overhead(cast(Worker, worker), images)
    assert set(worker.sizes) == {100, 1600}
    assert overhead.of(900) == pytest.approx(2.9)


def test_overhead_of_one_size_is_a_constant():
    overhead = measure_overhead(cast(Worker, NullWorker()), [np.zeros((10, 10, 3), np.uint8)])
    assert overhead.of(100) == pytest.approx(2.1)


@pytest.mark.parametrize(
    ("claimed", "bracket", "overhead", "fits"),
    [
        (100.0, 105.0, 5.0, True),
        (100.0, 111.0, 5.0, True),  # 5 % and 0.3 ms, and a quarter of the overhead
        (100.0, 112.0, 5.0, False),
        (100.0, 99.0, 5.0, True),  # the overhead was smaller this time
        (100.0, 98.0, 5.0, False),  # less time than the network is said to take
        (0.01, 0.25, 0.0, True),
        (0.01, 100.0, 0.0, False),
    ],
)
def test_a_claim_fits_the_bracket_within_the_stated_margins(claimed, bracket, overhead, fits):
    assert agrees(claimed, bracket, overhead) is fits


def test_a_dither_moves_about_two_percent_of_the_pixels_by_one_level_and_stays_in_range():
    lr = np.random.default_rng(0).choice(np.array([0, 7, 255], np.uint8), (100, 200, 3))
    moved = dithered(lr, 3)
    difference = np.abs(moved.astype(int) - lr)
    assert set(np.unique(difference)) == {0, 1}
    assert 0.018 <= (difference.max(axis=2) > 0).mean() <= 0.02
    assert np.array_equal(moved, dithered(lr, 3)) and not np.array_equal(moved, dithered(lr, 4))


def test_a_window_tells_other_pixels_and_forgives_one_level():
    random = np.random.default_rng(1)
    sr = random.integers(2, 250, (80, 300, 3), np.uint8)
    window = window_of(sr, random)
    assert window.pixels.shape == (64, 64, 3)
    assert not window.differs(sr) and not window.differs(sr + np.uint8(1))
    assert window.differs(sr + np.uint8(2))
    few = sr.copy()
    few[window.top, window.left : window.left + 2] += np.uint8(2)  # 2 of 4,096 pixels
    assert not window.differs(few)
    assert window_of(sr[:20, :30], random).pixels.shape == (20, 30, 3)
    assert Window(0, 0, sr[:4, :4]).differs(sr[::-1])


def test_a_dither_may_cost_a_little_even_where_an_image_is_almost_right():
    verifier = Verifier(np.random.default_rng(0), 1)
    for exact, moved in ((30.0, 29.99), (60.0, 55.0), (float("inf"), 62.0), (30.0, 31.0)):
        verifier.dither_psnr("valid", "a", moved, exact)
    assert verifier.findings() == []
    for exact, moved in ((30.0, 29.7), (60.0, 38.0), (float("inf"), 38.1)):
        verifier = Verifier(np.random.default_rng(0), 1)
        verifier.dither_psnr("valid", "a", moved, exact)
        assert [finding.code for finding in verifier.findings()] == ["memorized"]


def wait_until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_cpu_time_of_a_family_and_of_others():
    burn = "import os, time\nif os.fork() == 0: pass\nend = time.time() + 60\nwhile time.time() < end: pass\n"
    share = monitor.CpuShare([])
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as idle:
        with subprocess.Popen([sys.executable, "-c", burn], start_new_session=True) as busy:
            try:
                wait_until(lambda: monitor.cpu_seconds(monitor.family([busy.pid])) > 0.5)
                assert len(monitor.family([busy.pid])) == 2
                assert monitor.cpu_seconds([idle.pid]) < 0.5
                assert {busy.pid, idle.pid} <= monitor.family([os.getpid()])
                others = share.others()
                # What children of this process burn is its own.
                assert others is not None and 0 <= others <= 1
            finally:
                os.killpg(busy.pid, 9)
                idle.kill()
    assert monitor.cpu_seconds([busy.pid]) == 0.0  # gone


def test_a_machine_without_nvml_or_without_that_gpu_is_told_so():
    trace = monitor.GpuTrace(None)
    with trace.sampling([1, 2]):
        pass
    assert trace.summary() == {} and trace.missing is None
    absent = monitor.GpuTrace("GPU-00000000-0000-0000-0000-000000000000")
    with absent.sampling([1, 2]):
        pass
    assert absent.missing is not None and absent.summary() == {"nvml": absent.missing}


class FakeNvml:
    """An NVML with one GPU that throttles once and that a third process joins."""

    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0

    class NVMLError(Exception):
        """NVML's own."""

    def __init__(self, pids: tuple[int, ...] = (1, 2, 3)) -> None:
        self.asked = 0
        self.pids = pids

    def nvmlDeviceGetClockInfo(self, _: object, kind: int) -> int:
        self.asked += kind == 1
        return 1000 + self.asked if kind == 1 else 2000

    def nvmlDeviceGetTemperature(self, *_: object) -> int:
        return 60

    def nvmlDeviceGetPowerUsage(self, _: object) -> int:
        return 250_000

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, _: object) -> int:
        return 0x40 if self.asked == 2 else 0x1  # hardware thermal limit; idle

    def nvmlDeviceGetComputeRunningProcesses(self, _: object) -> list[object]:
        return [SimpleNamespace(pid=pid) for pid in self.pids[: 3 if self.asked > 1 else 2]]


@pytest.mark.parametrize("pids", [(7001, 7002, 7003), (os.getpid(), 2**31 - 2, 7003)])
def test_a_gpu_is_sampled_and_strangers_on_it_are_counted(pids):
    """From within a container no process has the number it has here; else ours are known by it."""
    trace = monitor.GpuTrace(None)
    trace._nvml, trace._handle = FakeNvml(pids), object()
    with trace.sampling([os.getpid(), 2**31 - 2]):
        wait_until(lambda: len(trace.samples) >= 4)
    told = trace.summary()
    assert told["samples"] >= 3 and told["sm_clock_mhz"][0] == 1001
    assert told["power_w"] == [250.0, 250.0, 250.0] and told["temperature_c"][1] == 60
    assert told["throttles"] == ["hardware thermal limit"] and told["other_processes"] == 1


def test_what_a_gpu_does_not_tell_keeps_nothing_else_from_being_sampled():
    class Silent(FakeNvml):
        def nvmlDeviceGetPowerUsage(self, _: object) -> int:
            raise self.NVMLError("Not Supported")

    trace = monitor.GpuTrace(None)
    trace._nvml, trace._handle = Silent(), object()
    with trace.sampling([1, 2]):
        wait_until(lambda: len(trace.samples) >= 4)
    told = trace.summary()
    assert told["power_w"] is None and told["nvml"] == "Not Supported"
    assert told["temperature_c"][1] == 60 and told["throttles"] == ["hardware thermal limit"]


def test_a_worker_on_a_gpu_names_it_and_the_record_does_not(monkeypatch):
    properties = SimpleNamespace(uuid="12345678-1234-1234-1234-123456789abc")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "A GPU")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    told = device.describe(torch.device("cuda"))
    assert told["gpu_uuid"] == properties.uuid
    assert environment.describe(told).device_name == "A GPU"


def test_jobs_run_beside_or_at_once_and_keep_what_they_raise():
    for spare in (0, 3):
        with Beside(spare) as beside:
            done = [beside.submit(lambda i=i: i * i) for i in range(40)]
            broken = beside.submit(lambda: 1 / 0)
            assert [future.result() for future in done] == [i * i for i in range(40)]
            with pytest.raises(ZeroDivisionError):
                broken.result()
