"""How many rounds and launches there are, and what a progress display is told of them."""

from __future__ import annotations

import numpy as np
import pytest

from ntire_bench.estimating.bootstrap import Samples
from ntire_bench.estimating.stopping import LAUNCHES, StopRule
from ntire_bench.measuring.plan import Plan

ROUND_S = 2.0


def samples(plan: Plan, *, noise: float) -> Samples:
    """Return runtimes of all rounds so far; the submission takes half as long as the baseline."""
    launches = tuple(count for count in (*plan.launches, plan.done) if count)
    random = np.random.default_rng(sum(launches))
    base = np.full((3, sum(launches)), 10.0)
    own = base / 2 * (1 + noise * random.standard_normal(base.shape))
    return Samples(launches=launches, own={"valid": own}, baseline={"valid": base})


def follow(rule: StopRule, *, noise: float = 0.0, incomplete: int = 0) -> Plan:
    """Do what a plan says, until it stops; the first launch is complete after so many rounds."""
    plan = Plan(rule, images=3, sizes=2)
    while plan.stopped is None:
        assert len(plan.launches) < 100
        while plan.goes_on:
            assert plan.left() >= 1
            plan.after_round(
                ROUND_S,
                incomplete=not plan.launches and plan.done + 1 < incomplete,
                samples=lambda: samples(plan, noise=noise),
                device="cpu",
            )
        plan.end_launch()
        plan.after_launch(lambda: samples(plan, noise=noise), "cpu")
    return plan


@pytest.mark.parametrize(
    ("rounds", "launches"), [(1, [1]), (2, [1, 1]), (4, [2, 1, 1]), (7, [3, 2, 2]), (60, [20, 20, 20])]
)
def test_a_fixed_number_of_rounds_is_made_in_up_to_three_launches(rounds, launches):
    plan = follow(StopRule(rounds=rounds))
    assert (plan.launches, plan.stopped) == (launches, "rounds") and LAUNCHES == 3


def test_a_steady_runtime_is_known_after_the_fewest_rounds():
    plan = follow(StopRule(min_rounds=6))
    assert plan.stopped == "precision" and len(plan.launches) == LAUNCHES and plan.total >= 6


def test_a_noisy_runtime_takes_more_rounds_up_to_the_limit():
    steady, noisy = (follow(StopRule(max_rounds=24), noise=noise) for noise in (0.0, 0.3))
    assert noisy.stopped == "max-rounds" and noisy.total == 24 > steady.total


def test_no_round_begins_that_would_end_after_the_time_is_up():
    plan = follow(StopRule(max_time_s=5 * ROUND_S, max_rounds=60), noise=0.3)
    assert plan.stopped == "max-time" and plan.total == 5


def test_the_first_launch_goes_on_until_every_image_is_scored():
    plan = Plan(StopRule(max_rounds=1), images=3, sizes=2)
    plan.rounds = 3
    for incomplete in (True, True, False):
        assert plan.goes_on
        plan.after_round(ROUND_S, incomplete=incomplete, samples=lambda: samples(plan, noise=0), device="cpu")
    assert plan.stopped == "max-rounds"


def test_a_round_before_a_limit_is_the_last_one_of_its_launch():
    plan = Plan(StopRule(max_rounds=9), images=3, sizes=2)
    plan.launches, plan.rounds, plan._elapsed_s = [4], 5, 4 * ROUND_S
    seen = []
    while plan.goes_on:
        seen.append(plan.left())
        plan.after_round(ROUND_S, incomplete=False, samples=lambda: samples(plan, noise=0), device="cpu")
    assert seen == [5, 4, 3, 2, 1] and plan.stopped == "max-rounds"
    plan = Plan(StopRule(max_rounds=6), images=3, sizes=2)
    plan.launches, plan.rounds, plan._elapsed_s = [5], 4, 5 * ROUND_S
    assert plan.left() == 1  # four are planned, but one more reaches the limit


def test_a_slow_warm_up_leaves_time_for_all_launches():
    plan = Plan(StopRule(max_time_s=90.0), images=4, sizes=2)
    assert plan.rounds == 3
    plan.after_warm_up(10.0)  # a round of 4 images takes about 20 s: 4 fit into 90 s, and one into a third
    assert plan.rounds == 1


def test_calls_that_are_left_are_foreseen():
    plan = Plan(StopRule(rounds=4), images=3, sizes=2)
    assert plan.foreseen_images(0) == 4 * 3 + 3 * 2
    plan.launches = [2]
    assert plan.foreseen_images(2) == 2 * 3 + 1 * 2


def made(plan: Plan, rounds: int) -> None:
    """Do so many rounds of a launch."""
    for _ in range(rounds):
        plan.after_round(ROUND_S, incomplete=False, samples=lambda: samples(plan, noise=0), device="cpu")


def test_a_launch_is_made_again_once_and_its_time_counts_towards_the_limit():
    plan = Plan(StopRule(max_time_s=6 * ROUND_S, max_rounds=60), images=3, sizes=2)
    plan.rounds = 2
    made(plan, 2)
    assert plan.may_make_again
    plan.drop_launch()
    assert plan.goes_on and plan.total == 0
    made(plan, plan.rounds)
    assert not plan.may_make_again
    plan.end_launch()
    while plan.stopped is None:
        made(plan, 1)
    assert plan.stopped == "max-time" and plan.total == 4  # two of the six rounds do not count


def test_no_launch_is_made_again_that_would_end_after_the_time_is_up():
    plan = Plan(StopRule(max_time_s=3 * ROUND_S, max_rounds=60), images=3, sizes=2)
    plan.rounds = 2
    made(plan, 2)
    assert not plan.may_make_again and plan.total == 2


def test_where_the_number_of_rounds_is_given_a_launch_is_made_again_however_long_it_took():
    plan = Plan(StopRule(rounds=1, max_time_s=ROUND_S / 2), images=3, sizes=2)
    made(plan, 1)
    assert plan.stopped == "rounds" and plan.may_make_again
    plan.drop_launch()
    assert plan.stopped is None and plan.goes_on
