"""Jobs in the background of the calls."""

from __future__ import annotations

import pytest

from ntire_bench.machine import environment
from ntire_bench.measuring.background import Background, spare_threads


def test_jobs_run_beside_or_at_once_and_keep_what_they_raise():
    for spare in (0, 3):
        with Background(spare) as background:
            done = [background.submit(lambda i=i: i * i) for i in range(40)]
            broken = background.submit(lambda: 1 / 0)
            assert [future.result() for future in done] == [i * i for i in range(40)]
            with pytest.raises(ZeroDivisionError):
                broken.result()


@pytest.mark.parametrize(
    ("device", "cores", "threads", "expected"),
    [
        ("cpu", 2, 1, 1),
        ("cpu", 2, 2, 0),
        ("cpu", 64, 32, 8),
        ("cuda", 16, 1, 14),
        ("cuda", 64, 1, 14),
        ("cuda", 16, 4, 11),
        ("cuda", 2, 1, 1),
        ("cuda", 1, 1, 0),
        ("cuda", 2, 4, 0),
    ],
)
def test_jobs_get_the_cores_that_no_worker_computes_with(monkeypatch, device, cores, threads, expected):
    monkeypatch.setattr(environment, "cores", lambda: cores)
    assert spare_threads(device, threads) == expected
