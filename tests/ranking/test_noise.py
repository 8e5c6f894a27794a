"""Ranks within noise: ties, shares of ranks, and unstable runtimes."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from record_factory import make_record
from timed_records import timed

from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking import board as leaderboard
from ntire_bench.ranking import noise, ranks
from ntire_bench.ranking.entry import entry_from_record
from ntire_bench.records.record import ProtocolInfo, Record
from ntire_bench.records.store import Stored
from ntire_bench.reporting import render

RULES = protocols.load("ntire2024")


def rows(*records: Record) -> dict[str, ranks.Row]:
    ranked = ranks.rank([entry_from_record(record, RULES, "y") for record in records], RULES)
    return {row.entry.name: row for row in ranked}


def test_teams_whose_intervals_overlap_are_tied_and_keep_their_ranks():
    found = rows(
        timed(1, "A", 0.50, 0.02),
        timed(2, "B", 0.53, 0.02),
        timed(3, "C", 0.56, 0.02),
        timed(4, "D", 0.8, 0.01),
    )
    assert [found[name].rank for name in "ABCD"] == [1, 2, 3, 4]
    assert found["A"].tied == ("02_B",) and found["D"].tied == ()
    assert set(found["B"].tied) == {"01_A", "03_C"}  # A and C are not tied with each other


def test_shares_of_ranks_are_those_of_independent_normal_scores():
    """P(A before B) of two normal ratios 0.5 and 0.51 with sd 0.01 each: Phi(0.01 / 0.01414) = 0.76."""
    found = rows(timed(1, "A", 0.50, 0.02), timed(2, "B", 0.51, 0.02))
    expected = 0.5 * (1 + math.erf(0.01 / (0.01 * math.sqrt(2)) / math.sqrt(2)))
    assert found["A"].rank_shares[1] == pytest.approx(expected, abs=0.06)
    assert found["A"].rank_shares[1] == pytest.approx(found["B"].rank_shares[2], abs=1e-9)
    assert sum(found["A"].rank_shares.values()) == pytest.approx(1.0)


def test_without_an_interval_there_are_no_ties_and_no_shares():
    found = rows(timed(1, "A", 0.50, 0.02), make_record(2, "B", runtime_ms={"valid": 7.0, "test": 5.0}))
    assert all(row.tied == () and row.rank_shares == {} for row in found.values())


def test_an_unstable_runtime_is_not_ranked_against_stable_ones():
    shaky = timed(2, "B", 0.4, 0.1, unstable=("the second half of the rounds differs from the first by 9%",))
    found = rows(timed(0, "RLFN", 1.0), timed(1, "A", 0.5, 0.01), shaky)
    assert (found["B"].status, found["B"].rank) == ("unstable", None)
    assert (found["A"].rank, found["RLFN"].rank) == (1, 2)


def test_a_runtime_that_is_not_believed_is_behind_all_that_are_also_after_one_round():
    def once(number: int, name: str, ratio: float, attested: bool) -> Record:
        record = timed(number, name, ratio)
        why = () if attested else ("the worker's clock does not fit this program's",)
        timing = dataclasses.replace(
            record.timing, half_width=None, ratio_ci95=None, attested=attested, unstable=why
        )
        return dataclasses.replace(record, timing=timing)

    found = rows(timed(0, "RLFN", 1.0), once(1, "Liar", 0.02, False), once(2, "B", 0.6, True))
    assert (found["Liar"].status, found["Liar"].rank) == ("unstable", None) and found["B"].rank == 1
    # Where no team's clock is believed, as on a machine that is busy, they are ranked all the same.
    found = rows(timed(0, "RLFN", 1.0), once(1, "A", 0.5, False), once(2, "B", 0.6, False))
    assert [found[name].rank for name in "AB"] == [1, 2]


def test_a_demonstration_keeps_its_rows_in_order_on_a_busy_machine():
    demo = protocols.load("demo")
    why = ("other programs used 60% of the machine",)
    records = [
        dataclasses.replace(record, protocol=ProtocolInfo(name="demo", sha256=demo.sha256))
        for record in (
            timed(0, "RLFN", 1.0),
            timed(1, "A", 0.5, 0.01, unstable=why),
            timed(2, "B", 0.6, 0.01),
        )
    ]
    stored = [Stored(path=Path(f"{r.submission.name}.json"), record=r) for r in records]
    shown = leaderboard.build(stored, demo)
    assert [(row.entry.name, row.rank) for row in shown.rows] == [("A", 1), ("B", 2), ("RLFN", 3)]
    text = " ".join(render.render(shown, "table").split())
    assert "01_A: not known to be stable: the ranks are not to be relied on" in text


def test_one_round_is_no_stable_runtime_to_rank_others_against():
    why = ("the second half of the rounds differs from the first by 9%",)
    once = timed(3, "Once", 2.0)
    once = dataclasses.replace(
        once,
        timing=dataclasses.replace(
            once.timing,
            half_width=None,
            ratio_ci95=None,
            score_ci95=None,
            ratio_resamples=(),
            launches=once.timing.launches[:1],
        ),
    )
    few = timed(2, "Few", 0.6, 0.01)
    few = dataclasses.replace(few, timing=dataclasses.replace(few.timing, launches=few.timing.launches[:2]))
    found = rows(timed(0, "RLFN", 1.0), timed(1, "A", 0.5, 0.01, unstable=why), once)
    assert [found[name].rank for name in ("A", "RLFN", "Once")] == [1, 2, 3]
    board = leaderboard.build(
        [Stored(path=Path(f"{r.submission.name}.json"), record=r) for r in (few, once)], RULES
    )
    text = " ".join(render.render(board, "table").split())
    assert "Measured in one round, which tells nothing of noise: 03_Once." in text
    assert "Measured in fewer than 3 launches, which differ by more than the intervals say: 02_Few." in text


def test_another_split_makes_no_runtime_stable_and_no_interval():
    shaky = timed(1, "A", 0.5, 0.01, unstable=("other programs used 60% of the machine",))
    more = dataclasses.replace(shaky, splits={**shaky.splits, "Set5": shaky.splits["valid"]})
    entry = entry_from_record(more, RULES, "y")
    assert entry.unstable == shaky.timing.unstable and entry.score_ci95 is None


def test_unstable_runtimes_among_themselves_are_ranked_and_it_is_said():
    why = ("other programs used 60% of the machine",)
    # The baseline's ratio to itself is exact, so its own runtime says nothing of the others.
    records = [
        timed(0, "RLFN", 1.0),
        timed(1, "A", 0.5, 0.01, unstable=why),
        timed(2, "B", 0.6, 0.01, unstable=why),
    ]
    found = rows(*records)
    assert [found[name].rank for name in ("A", "B", "RLFN")] == [1, 2, 3]
    board = leaderboard.build(
        [Stored(path=Path(f"{r.submission.name}.json"), record=r) for r in records], RULES
    )
    assert "No runtime here is known to be stable" in render.render(board, "table")


def test_the_board_shows_intervals_ties_and_who_has_no_rank():
    records = [
        timed(0, "RLFN", 1.0),
        timed(1, "A", 0.50, 0.02),
        timed(2, "B", 0.51, 0.02),
        timed(3, "C", 0.4, 0.1, unstable=("it drifts",)),
    ]
    board = leaderboard.build(
        [Stored(path=Path(f"{r.submission.name}.json"), record=r) for r in records], RULES
    )
    text = render.render(board, "table", width=130)
    assert "0.500±4.0%" in text and "1≈" in text and "2≈" in text
    assert "≈ Tied within noise, the intervals of the final scores overlap: 01_A and 02_B." in text
    assert "No rank, an unstable runtime is not ranked against stable ones: 03_C." in text
    assert "Most likely other programs kept the machine busy: run these again when it is idle." in " ".join(
        text.split()
    )
    latex = render.render(board, "latex")
    assert r"\textbf{6.00} & \textbf{0.500}$\pm$4.0\%" in latex and "±" not in latex and "≈" not in latex
    document = json.loads(render.render(board, "json"))
    first = document["rows"][0]
    assert first["tied_with"] == ["02_B"] and first["runtime_half_width"] == pytest.approx(0.04)
    assert first["runtime_ratio"] == 0.5
    assert first["score_ci95"][0] < first["score"]["final"] < first["score_ci95"][1]
    assert sum(first["rank_shares"].values()) == pytest.approx(1.0)
    assert document["rows"][-1]["unstable"] == ["it drifts"]


def test_a_chain_of_many_overlaps_is_found_by_its_sweep():
    """Against the definition itself: every pair compared."""
    random = np.random.default_rng(0)
    records = [
        timed(i, f"T{i}", float(random.uniform(0.3, 1.2)), float(random.uniform(0, 0.1)))
        for i in range(1, 40)
    ]
    entries = [entry_from_record(record, RULES, "y") for record in records]
    found = noise.ties(entries)
    for entry, tied in zip(entries, found, strict=True):
        low, high = entry.score_ci95
        expected = {
            o.label for o in entries if o is not entry and o.score_ci95[0] <= high and low <= o.score_ci95[1]
        }
        assert set(tied) == expected


def test_shares_of_ranks():
    finals = [np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 2.0, 2.0, 2.0]), np.array([9.0] * 4)]
    shares = noise.rank_shares(finals)
    assert shares[0] == {1: 0.5, 2: 0.5}  # first at 1 < 2 and at the tie 2 = 2
    assert shares[1] == {1: 0.75, 2: 0.25}
    assert shares[2] == {3: 1.0}
