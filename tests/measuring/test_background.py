"""Jobs in the background of the calls."""

from __future__ import annotations

import pytest

from ntire_bench.measuring.background import Background


def test_jobs_run_beside_or_at_once_and_keep_what_they_raise():
    for spare in (0, 3):
        with Background(spare) as background:
            done = [background.submit(lambda i=i: i * i) for i in range(40)]
            broken = background.submit(lambda: 1 / 0)
            assert [future.result() for future in done] == [i * i for i in range(40)]
            with pytest.raises(ZeroDivisionError):
                broken.result()
