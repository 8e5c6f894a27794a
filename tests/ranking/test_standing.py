"""A network's place in a published table: what the table itself prints of its own teams."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ntire_bench.errors import UsageError
from ntire_bench.ranking.standing import standing

BASELINE_MS, BASELINE_G, BASELINE_M = 11.77, 19.67, 0.317  # the table's last row


@pytest.fixture(scope="module")
def printed(root: Path) -> list[dict[str, str]]:
    with (root / "leaderboard" / "reference" / "ntire2024.csv").open(newline="") as file:
        return [line for line in csv.DictReader(file) if line["rank"]]


def placed(line: dict[str, str], **more: tuple[float, float]):
    return standing(
        "ntire2024",
        flops=float(line["flops_g"]) * 1e9,
        params=float(line["params_m"]) * 1e6,
        ratio=float(line["runtime_ms"]) / BASELINE_MS,
        **more,
    )


def test_a_teams_own_costs_give_its_printed_rank_and_score(printed):
    assert len(printed) > 20
    for line in printed:
        found = placed(line)
        # A team of the same costs shares the place with it, and no published score equals another's.
        assert found.place == int(line["rank"]), line["team"]
        assert found.of == len(printed) + 1
        # The printed runtime is rounded to 0.01 ms, which the exponential enlarges.
        assert found.score == pytest.approx(float(line["score_final"]), rel=0.01), line["team"]


def test_neighbours_are_those_of_the_table(printed):
    by_rank = {int(line["rank"]): line["team"] for line in printed}
    between = placed(
        {"flops_g": "19.67", "params_m": "0.317", "runtime_ms": str(BASELINE_MS)}
    )  # the baseline's own costs: e^2
    assert between.score == pytest.approx(7.389, abs=0.001)
    assert between.above == by_rank[between.place - 1] and between.below == by_rank[between.place]
    first = standing("ntire2024", flops=1e9, params=1e4, ratio=0.1)
    assert (first.place, first.above, first.below) == (1, None, by_rank[1])
    last = standing("ntire2024", flops=1e15, params=1e9, ratio=1000.0)
    assert (last.place, last.below, last.score) == (len(printed) + 1, None, float("inf"))


def test_the_interval_of_the_ratio_gives_an_interval_of_places(printed):
    middle = next(line for line in printed if line["rank"] == "10")
    ratio = float(middle["runtime_ms"]) / BASELINE_MS
    found = placed(middle, ratio_ci95=(ratio * 0.8, ratio * 1.2))
    low, high = found.place_ci95
    assert low < 10 < high
    assert found.score_ci95[0] < found.score < found.score_ci95[1]
    assert placed(middle).place_ci95 is None


def test_a_table_that_is_not_there():
    with pytest.raises(UsageError, match="no reference table"):
        standing("ntire1999", flops=1.0, params=1.0, ratio=1.0)
