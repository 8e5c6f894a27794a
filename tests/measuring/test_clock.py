"""Whether a worker's clock is believed."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from ntire_bench.client.worker import Call, Worker
from ntire_bench.measuring.clock import agrees, measure_overhead


class NullWorker:
    """A worker whose calls take 2 ms and a microsecond for each LR pixel beside the network."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def null_run(self, lr: np.ndarray[Any, Any]) -> Call:
        pixels = lr.shape[0] * lr.shape[1]
        self.sizes.append(pixels)
        cold = 100.0 if self.sizes.count(pixels) == 1 else 0.0
        return Call(lr, 0.5, 0.5 + 2.0 + 0.001 * pixels + cold)


def test_overhead_is_a_line_between_three_sizes_and_leaves_cold_calls_out():
    worker = NullWorker()
    images = [np.zeros((side, side, 3), np.uint8) for side in (40, 10, 20, 15, 30)]
    overhead = measure_overhead(cast(Worker, worker), images)
    assert set(worker.sizes) == {100, 400, 1600}
    assert overhead.of(900) == pytest.approx(2.9) and overhead.of(100) == pytest.approx(2.1)
    assert overhead.spread(900) == 0.0


def test_the_scatter_of_an_overhead_is_a_standard_deviation():
    class Scattered(NullWorker):
        random = np.random.default_rng(0)

        def null_run(self, lr: np.ndarray[Any, Any]) -> Call:
            return Call(lr, 0.5, 0.5 + 20.0 + self.random.normal(0, 2.0))

    image = np.zeros((10, 10, 3), np.uint8)
    found = [measure_overhead(cast(Worker, Scattered()), [image], "cuda").spread(100) for _ in range(20)]
    assert np.mean(found) == pytest.approx(2.0, rel=0.15)  # what the noise was made with


def test_overhead_of_one_size_is_a_constant():
    overhead = measure_overhead(cast(Worker, NullWorker()), [np.zeros((10, 10, 3), np.uint8)])
    assert overhead.of(100) == pytest.approx(2.1)


@pytest.mark.parametrize(
    ("claimed", "seen", "overhead", "fits"),
    [
        (100.0, 100.0, 5.0, True),
        (100.0, 106.0, 5.0, True),  # 5 % and 0.3 ms, and a quarter of the overhead
        (100.0, 107.0, 5.0, False),
        (100.0, 94.0, 5.0, True),  # the overhead was smaller this time
        (100.0, 93.0, 5.0, False),  # less time than the network is said to take
        (0.01, 0.25, 0.0, True),
        (0.01, 100.0, 0.0, False),
    ],
)
def test_a_claim_fits_the_parents_time_within_the_stated_margins(claimed, seen, overhead, fits):
    assert agrees(claimed, seen, overhead) is fits


@pytest.mark.parametrize(("calls", "fits"), [(1, True), (100, False)])
def test_the_tolerance_follows_from_the_scatter_and_the_number_of_calls(calls, fits):
    """3.6 ms beside 2 ms that scatter by 0.3: a difference of 0.6 ms is nothing for one call."""
    found = agrees(3.6, 4.4, 2.0, spread_ms=0.3, calls=calls, null_calls=100, device="cuda")
    assert found is fits


def test_a_gpus_clock_that_lies_by_ten_percent_is_seen_where_the_overhead_is_steady():
    """A network of 3.6 ms that claims 3.24, 40 calls, beside copies of 1.5 ms that scatter by 0.05 ms."""
    steady = {"spread_ms": 0.05, "calls": 40, "null_calls": 24, "device": "cuda"}
    assert agrees(3.6, 3.6, 1.5, **steady) and not agrees(3.24, 3.66, 1.5, **steady)
