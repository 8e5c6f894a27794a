"""What else the machine did while it was measured: load by other programs, clocks, temperature, power."""

from __future__ import annotations

import os
import statistics
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ntire_bench.machine import processes

__all__ = ["CpuShare", "GpuTrace"]

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_INTERVAL_S = 0.05  # between samples of a GPU: 20 a second
# Reasons for which a GPU lowers its clocks that mean it did not run as it can: thermal and power brakes.
_THROTTLES = {
    0x8: "hardware slowdown",
    0x20: "software thermal limit",
    0x40: "hardware thermal limit",
    0x80: "power brake",
}


class CpuShare:
    """Measures how much of the machine other programs use, from when it is made.

    Args:
        own: Ids of the processes of this evaluation, besides this one. Their descendants are not others.
    """

    def __init__(self, own: Collection[int]) -> None:
        self._own = {os.getpid(), *own}
        self._begin = self._now()

    def others(self) -> float | None:
        """Return the share of all cores that others have used so far; None without /proc/stat."""
        if self._begin is None or (now := self._now()) is None:
            return None
        busy, own, total = (b - a for a, b in zip(self._begin, now, strict=True))
        return None if total <= 0 else max(0.0, min(1.0, (busy - own) / total))

    def _now(self) -> tuple[float, float, float] | None:
        """Return CPU seconds of the machine in use, those of this evaluation, and all that there were."""
        try:
            line = (_PROC / "stat").read_text().split("\n", 1)[0]
        except OSError:
            return None
        times = [int(value) / _TICKS for value in line.split()[1:9]]
        idle = times[3] + times[4]
        return sum(times) - idle, processes.cpu_seconds(processes.family(self._own)), sum(times)


class GpuTrace:
    """Samples a GPU by NVML while rounds run; does nothing where there is no GPU, or no NVML.

    Args:
        uuid: Of the GPU, as torch gives it; None for no GPU.

    Attributes:
        samples: At each moment: SM and memory clock [MHz], temperature [C], power [W], throttle reasons, and
            how many processes of other programs were on it. None for what the GPU does not report.
        others: The most processes of other programs that were on it at once; None where that is not known.
        missing: Why something cannot be sampled; None where all can be, or where there is no GPU.
    """

    def __init__(self, uuid: str | None) -> None:
        self.samples: list[tuple[float | None, ...]] = []
        self.others: int | None = None
        self.missing: str | None = None
        self._handle: Any = None
        self._stop = threading.Event()
        if uuid is None:
            return
        import pynvml  # type: ignore[import-untyped]

        self._nvml = pynvml
        try:
            pynvml.nvmlInit()
            self._handle = pynvml.nvmlDeviceGetHandleByUUID(
                uuid if uuid.startswith("GPU-") else f"GPU-{uuid}"
            )
        except pynvml.NVMLError as error:
            self.missing = str(error)

    @contextmanager
    def sampling(self, workers: Collection[int]) -> Iterator[None]:
        """Sample in a thread of its own while the body runs.

        Args:
            workers: Process ids of this evaluation that may be on the GPU.
        """
        if self._handle is None:
            yield
            return
        self._stop.clear()
        thread = threading.Thread(
            target=self._sample, args=(processes.family(workers), len(workers)), daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _sample(self, own: set[int], workers: int) -> None:
        nvml, gpu = self._nvml, self._handle
        queries: tuple[Callable[[], float], ...] = (
            lambda: nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM),
            lambda: nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_MEM),
            lambda: nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU),
            lambda: nvml.nvmlDeviceGetPowerUsage(gpu) / 1000,
            lambda: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu),
        )
        while not self._stop.wait(_INTERVAL_S):
            others = self._asked(lambda: self._strangers(own, workers))
            self.samples.append((*(self._asked(query) for query in queries), others))
            if others is not None:
                self.others = max(self.others or 0, int(others))

    def _asked(self, query: Callable[[], float]) -> float | None:
        """Return what NVML answers; None, with the reason in `missing`, for what the GPU does not report."""
        try:
            return query()
        except self._nvml.NVMLError as error:
            self.missing = str(error)
            return None

    def _strangers(self, own: set[int], workers: int) -> int:
        """Return how many processes of other programs are on the GPU.

        In a container, NVML gives the ids that processes have outside of it. Where none of our own ids is
        among them, processes can only be counted: all but as many as there are workers are others.
        """
        present = {
            int(process.pid) for process in self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle)
        }
        return len(present - own) if present & own else max(0, len(present) - workers)

    def summary(self) -> dict[str, Any]:
        """Return median, lowest and highest of what was sampled, and why clocks were lowered."""
        if not self.samples:
            return {} if self.missing is None else {"nvml": self.missing}
        names = ("sm_clock_mhz", "memory_clock_mhz", "temperature_c", "power_w")
        found: dict[str, Any] = {"samples": len(self.samples)}
        for column, name in enumerate(names):
            values = [value for sample in self.samples if (value := sample[column]) is not None]
            found[name] = [min(values), statistics.median(values), max(values)] if values else None
        found["throttles"] = self.throttles()
        found["other_processes"] = self.others
        if self.missing is not None:
            found["nvml"] = self.missing
        return found

    def throttles(self) -> list[str]:
        """Return the reasons for lowered clocks that were seen."""
        seen = 0
        for sample in self.samples:
            seen |= int(sample[4] or 0)
        return [name for bit, name in _THROTTLES.items() if seen & bit]
