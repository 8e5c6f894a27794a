"""What else the machine does while calls are timed: load by others, the GPU's clock, other processes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Collection

from ntire_bench.machine.monitor import CpuShare, GpuTrace
from ntire_bench.measuring.timings import Surroundings

__all__ = ["BUSY_SHARE", "Watcher"]

BUSY_SHARE = 0.10  # of all cores; a desktop at rest has 0.01 to 0.03
_LOW_CLOCK = 0.97  # of the usual clock
_FEWEST_SAMPLES, _RECENT = 5, 600  # of the GPU; half a minute
_INTERVAL_S = 0.25  # the kernel counts CPU time in steps of 10 ms, and a look at all processes takes 2 ms


class Watcher:
    """Looks at the machine between turns.

    Args:
        own: Ids of the processes of this evaluation, besides this one; their descendants are no others.
        trace: Samples the GPU.
    """

    def __init__(self, own: Collection[int], trace: GpuTrace) -> None:
        self._own, self._trace = own, trace
        self._share = CpuShare(own)
        self._since = time.perf_counter()
        self._load: float | None = None
        self._looked_at = len(trace.samples)

    def look(self) -> Surroundings:
        """Return what there was since the last look; load over a quarter of a second at least."""
        now = time.perf_counter()
        if now - self._since >= _INTERVAL_S:
            self._load = self._share.others()
            self._share, self._since = CpuShare(self._own), now
        samples = self._trace.samples
        new, self._looked_at = samples[self._looked_at :], len(samples)
        clocks = [sample[0] for sample in samples[-_RECENT:] if new and sample[0] is not None]
        low = False
        if len(clocks) >= _FEWEST_SAMPLES:
            usual = statistics.median(clocks)
            low = any(sample[0] is not None and sample[0] < _LOW_CLOCK * usual for sample in new)
        strangers = any(sample[5] for sample in new if len(sample) > 5)
        return Surroundings(load=self._load, slow_clock=low, other_process=strangers)
