"""What else the machine did while it was measured: load by other programs, and what a GPU tells."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from ntire_bench.machine import monitor, processes


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
                wait_until(lambda: processes.cpu_seconds(processes.family([busy.pid])) > 0.5)
                assert len(processes.family([busy.pid])) == 2
                assert processes.cpu_seconds([idle.pid]) < 0.5
                assert {busy.pid, idle.pid} <= processes.family([os.getpid()])
                others = share.others()
                # What children of this process burn is its own.
                assert others is not None and 0 <= others <= 1
            finally:
                os.killpg(busy.pid, 9)
                idle.kill()
    assert processes.cpu_seconds([busy.pid]) == 0.0  # gone


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
