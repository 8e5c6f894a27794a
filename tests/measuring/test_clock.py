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
