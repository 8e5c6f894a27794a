"""Limits on what a change may cost: exceeded, kept, and not decided."""

from __future__ import annotations

import dataclasses

import pytest
from record_factory import make_record
from timed_records import timed

from ntire_bench.ranking.growth import growth_of, not_compared
from ntire_bench.ranking.limits import Limits
from ntire_bench.records.record import Measurement, Record


def session(ratio: float, spread: float, *, params: int = 100_000, psnr: float = 28.55) -> Record:
    """Return an evaluation beside an earlier version of 100,000 parameters, 12 G FLOPs and 28.55 dB."""
    record, before = timed(5, "Net", ratio, spread), make_record(5, "Net", version="0", params=100_000)
    assert record.complexity is not None and before.complexity is not None
    base = Measurement(submission=before.submission, complexity=before.complexity, splits=before.splits)
    splits = {name: dataclasses.replace(split, psnr_y_db=psnr) for name, split in record.splits.items()}
    costs = dataclasses.replace(record.complexity, params=params)
    return dataclasses.replace(record, baseline=base, complexity=costs, splits=splits)


@pytest.mark.parametrize(
    ("params", "limit", "kept"), [(102_000, 0.02, True), (102_001, 0.02, False), (90_000, 0.0, True)]
)
def test_a_limit_is_a_share_of_the_earlier_count(params: int, limit: float, kept: bool) -> None:
    found = growth_of(session(1.0, 0.01, params=params), "base", "y", Limits(params=limit))
    assert (found.exit_code == 0) is kept and found.params == (params, 100_000)


def test_a_runtime_is_over_its_limit_where_its_whole_interval_is() -> None:
    slower = session(1.10, 0.02)
    assert growth_of(slower, "base", "y", Limits(runtime=0.05)).exit_code == 1
    assert growth_of(slower, "base", "y", Limits(runtime=0.09)).exit_code == 0  # 1.08 to 1.12
    (told,) = growth_of(slower, "base", "y", Limits(runtime=0.05)).exceeded
    assert told == "the runtime grew by 10.0%, at least 8.0%, of which 5.0% are allowed"


def test_a_limit_inside_of_the_interval_counts_as_kept_and_is_told() -> None:
    for ratio in (1.04, 1.06):  # 1.02 to 1.06, and 1.04 to 1.08
        found = growth_of(session(ratio, 0.02), "base", "y", Limits(runtime=0.05))
        (told,) = found.unproven
        assert found.exit_code == 0 and f"ratio is {ratio:.3f}" in told and "1.05 is allowed" in told
    for ratio in (1.02, 1.08):  # wholly below, and wholly above
        assert growth_of(session(ratio, 0.02), "base", "y", Limits(runtime=0.05)).unproven == ()


def test_without_an_interval_a_limit_on_the_runtime_is_not_decided() -> None:
    record = session(1.0, 0.02)
    assert record.timing is not None
    once = dataclasses.replace(record, timing=dataclasses.replace(record.timing, ratio_ci95=None))
    found = growth_of(once, "base", "y", Limits(runtime=0.05))
    assert found.exit_code == 2 and "one round" in found.undecided[0]
    assert growth_of(once, "base", "y", Limits(params=0.05)).exit_code == 0
    other_clock = dataclasses.replace(record, timing=dataclasses.replace(record.timing, attested=False))
    doubted = growth_of(other_clock, "base", "y", Limits(runtime=0.05))
    assert doubted.exit_code == 2 and "clock is not believed" in doubted.undecided[0]
    shaky = dataclasses.replace(record, timing=dataclasses.replace(record.timing, unstable=("busy",)))
    assert growth_of(shaky, "base", "y", Limits(runtime=0.05)).exit_code == 0


def test_psnr_that_fell_and_several_limits() -> None:
    worse = session(1.0, 0.01, psnr=28.50)  # its splits had 28.55 and 28.66 dB before
    found = growth_of(worse, "base", "y", Limits(psnr_db=0.1))
    assert found.exceeded == ("PSNR on test fell by 0.160 dB, of which 0.1 dB are allowed",)
    assert growth_of(worse, "base", "y", Limits(psnr_db=0.2)).exit_code == 0
    assert len(growth_of(worse, "base", "y", Limits(psnr_db=0.01, flops=0.0)).exceeded) == 2


def test_what_is_new_keeps_its_limits_and_what_cannot_be_compared_does_not() -> None:
    assert not_compared("base", "y", "it is new").exit_code == 0
    assert not_compared("base", "y", "it is broken", undecided=("nothing to compare with",)).exit_code == 2
    assert not Limits().any and Limits(flops=0.0).any
