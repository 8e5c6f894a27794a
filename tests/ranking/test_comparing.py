"""Two evaluations beside each other: intervals against normal distributions, and what cannot be told."""

from __future__ import annotations

import dataclasses
import math

import pytest
from record_factory import fake_sha256, make_environment, make_record
from timed_records import timed

from ntire_bench.ranking.comparing import compare, compare_session
from ntire_bench.records.record import Finding, Measurement, Record


def test_the_interval_of_a_quotient_is_that_of_two_independent_errors() -> None:
    """Ratios of 0.80 ±0.02 and 0.90 ±0.03: the relative errors add up as squares do."""
    found = compare(timed(1, "A", 0.80, 0.02), timed(2, "B", 0.90, 0.03), "y").runtime
    half = 0.8 / 0.9 * math.hypot(0.02 / 0.80, 0.03 / 0.90) * 1.96 / 2  # timed() has spread / 2 as sigma
    assert found.ratio == pytest.approx(0.8 / 0.9)
    assert found.ci95 is not None
    low, high = found.ci95
    assert low == pytest.approx(0.8 / 0.9 - half, abs=0.15 * half)
    assert high == pytest.approx(0.8 / 0.9 + half, abs=0.15 * half)
    assert found.verdict == "faster" and found.how == "each beside 00_RLFN, in two sessions"


def test_the_other_way_round_it_is_slower_and_within_noise_it_cannot_be_told() -> None:
    fast, slow, close = timed(1, "A", 0.80, 0.02), timed(2, "B", 0.90, 0.03), timed(3, "C", 0.81, 0.02)
    found = compare(slow, fast, "y").runtime
    assert found.verdict == "slower" and found.ci95 is not None and found.ci95[0] > 1
    assert compare(fast, close, "y").runtime.verdict == "cannot be told"


def _beside(record: Record, other: Record) -> Record:
    """Return a record with another submission in the place of the baseline."""
    assert other.complexity is not None
    base = Measurement(submission=other.submission, complexity=other.complexity, splits=other.splits)
    return dataclasses.replace(record, baseline=base)


def test_what_ran_side_by_side_is_compared_in_its_own_session() -> None:
    other = timed(2, "B", 1.0, 0.01)
    pair = _beside(timed(1, "A", 0.70, 0.05), other)
    for found in (compare(pair, other, "y").runtime, compare_session(pair, "y").runtime):
        assert (found.ratio, found.ci95) == (0.70, (0.70 - 0.05, 0.70 + 0.05))
        assert found.verdict == "faster" and found.how == "side by side, in one session"
    swapped = compare(other, pair, "y").runtime
    assert swapped.verdict == "slower" and swapped.ratio == pytest.approx(1 / 0.70)
    assert swapped.ci95 == pytest.approx((1 / 0.75, 1 / 0.65))


def test_a_team_beside_its_baseline_is_compared_in_its_own_session() -> None:
    baseline = timed(0, "RLFN", 1.0)
    found = compare(timed(1, "A", 1.2, 0.01), baseline, "y").runtime
    assert found.ratio == 1.2 and found.verdict == "slower" and "side by side" in found.how


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"environment": make_environment(device_name="NVIDIA A100")}, "measured on"),
        ({"timing": None}, "no baseline beside it"),
        ({"environment": None}, "imported results do not say"),
    ],
)
def test_what_was_not_measured_alike_has_no_verdict(change: dict, why: str) -> None:
    other = dataclasses.replace(timed(2, "B", 0.9, 0.01), **change)
    found = compare(timed(1, "A", 0.5, 0.01), other, "y").runtime
    assert (found.ratio, found.verdict) == (None, "cannot be told") and why in found.how


def test_an_unstable_runtime_or_one_round_gives_no_verdict() -> None:
    shaky = compare(timed(1, "A", 0.5, 0.01, unstable=("its clock fell",)), timed(2, "B", 0.9, 0.01), "y")
    assert shaky.runtime.verdict == "cannot be told" and "its clock fell" in shaky.runtime.how
    once = timed(2, "B", 0.9, 0.01)
    assert once.timing is not None
    bare = dataclasses.replace(once.timing, ratio_resamples=(), ratio_ci95=None)
    found = compare(timed(1, "A", 0.5, 0.01), dataclasses.replace(once, timing=bare), "y").runtime
    assert found.verdict == "cannot be told" and "one round" in found.how and found.ratio is not None


def test_other_images_and_baselines_give_no_verdict_and_no_psnr() -> None:
    a, b = timed(1, "A", 0.5, 0.01), timed(2, "B", 0.9, 0.01)
    assert b.baseline is not None
    own = dataclasses.replace(b.baseline.submission, checkpoint_sha256=fake_sha256("another"))
    other = dataclasses.replace(b, baseline=dataclasses.replace(b.baseline, submission=own))
    assert "different baselines" in compare(a, other, "y").runtime.how
    splits = {name: dataclasses.replace(s, dataset_sha256=fake_sha256("x")) for name, s in b.splits.items()}
    found = compare(a, dataclasses.replace(b, splits=splits), "y")
    assert "different images" in found.runtime.how
    assert found.images == () and found.mean_db == {} and len(found.notes) == 2


def test_psnr_is_compared_image_by_image_and_costs_in_percent() -> None:
    a = make_record(1, "A", psnr={"valid": (28.9, 27.0)}, params=90_000, flops=11_000_000_000, images=2)
    b = make_record(2, "B", psnr={"valid": (28.4, 26.9)}, params=100_000, flops=10_000_000_000, images=2)
    found = compare(a, b, "y")
    assert [one.name for one in found.images] == ["0801", "0802"]
    assert [one.difference_db for one in found.images] == pytest.approx([0.5, 0.5])
    assert compare(a, b, "rgb").mean_db == {"valid": (27.0, 26.9)}
    change = {cost.name: cost.change for cost in found.costs}
    assert change["parameters"] == pytest.approx(-0.1) and change["FLOPs"] == pytest.approx(0.1)


def test_what_a_reader_must_know_is_noted() -> None:
    a = make_record(1, "A", findings=(Finding(code="pixels-remembered", severity="reject", message="x"),))
    assert compare(a, make_record(2, "B"), "y").notes == (
        "The first has findings of severity reject: pixels-remembered.",
    )
    assert compare(a, a, "y").notes[0] == "Both are of the same files: what differs is noise."
