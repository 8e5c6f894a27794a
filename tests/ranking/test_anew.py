"""Stored records ranked by other rules: against published ranks, by hand, and refused where they must be."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from boards import RULES, ranked
from imported_results import published, published_text, records
from own_rules import write_rules
from record_factory import make_record
from timed_records import timed

from ntire_bench.challenge_results import to_records
from ntire_bench.errors import UsageError
from ntire_bench.protocols import protocol as protocols
from ntire_bench.protocols.protocol import Weights
from ntire_bench.ranking.anew import Changes
from ntire_bench.ranking.board import Board
from ntire_bench.ranking.rules import info_of
from ntire_bench.ranking.stored import board_of_records, protocols_with_records
from ntire_bench.records import store
from ntire_bench.records.record import Audit, Finding, Record
from ntire_bench.reporting import captions


def keep(folder: Path, *records: Record) -> Path:
    for record in records:
        store.save(record, folder)
    return folder


def under(record: Record, rules: protocols.Protocol) -> Record:
    return dataclasses.replace(record, protocol=info_of(rules))


def moves(board: Board) -> list[str]:
    assert board.anew is not None
    return [str(move) for move in board.anew.moves]


@pytest.fixture(scope="module")
def table_1(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """The published table of 2024, imported as the challenge's own results file."""
    folder = tmp_path_factory.mktemp("table")
    (folder / "results.txt").write_text(published_text(root), encoding="utf-8")
    to_records.keep(records(folder / "results.txt"), folder / "kept")
    return folder / "kept"


@pytest.mark.parametrize("cost", ["runtime", "flops", "params"])
def test_by_one_cost_alone_the_order_is_that_of_its_published_ranks(
    table_1: Path, root: Path, cost: str
) -> None:
    weights = Weights(**{**dict.fromkeys(("runtime", "flops", "params"), 0.0), cost: 1.0})
    board = board_of_records(table_1, changes=Changes(weights=weights))
    printed = {
        line["team"]: int(line[f"rank_{cost}"]) for line in published(root) if line[f"rank_{cost}"].isdigit()
    }
    assert len(printed) > 20
    assert {row.entry.name: row.rank for row in board.rows if row.rank} == printed


def test_a_lower_threshold_ranks_those_that_it_lets_pass(table_1: Path, root: Path) -> None:
    board = board_of_records(table_1, changes=Changes(thresholds={"test": 26.98}))
    before = {line["team"] for line in published(root) if line["rank"].isdigit()}
    now = {line["team"] for line in published(root) if not line["team"].startswith("RLFN (")}
    now = {
        line["team"]
        for line in published(root)
        if line["team"] in now
        and float(line["psnr_valid_db"]) >= 26.9
        and float(line["psnr_test_db"]) >= 26.98
    }
    assert set(ranked(board)) == now and now - before == {"SPAN-T"}
    assert any("SPAN-T no rank to" in move for move in moves(board))
    assert board.anew is not None and board.anew.changed == ("threshold on test 26.98 dB, not 26.99 dB",)


def test_the_same_rules_move_nobody_and_say_nothing(table_1: Path) -> None:
    board = board_of_records(table_1, "ntire2024")
    assert board.anew is None
    same = board_of_records(table_1, changes=Changes(weights=RULES.weights))
    assert not any("anew" in text for text in captions.captions(same))


def test_scores_and_intervals_follow_the_new_weights(tmp_path: Path) -> None:
    keep(tmp_path, timed(1, "A", 0.5, 0.01), timed(2, "B", 0.9, 0.01))
    board = board_of_records(tmp_path, changes=Changes(weights=Weights(runtime=1.0, flops=0.0, params=0.0)))
    first = board.rows[0]
    assert first.score is not None and first.score.final == pytest.approx(math.exp(1.0))
    assert first.entry.score_ci95 == pytest.approx((math.exp(2 * 0.49), math.exp(2 * 0.51)))


def test_official_costs_are_those_of_the_challenge(tmp_path: Path) -> None:
    plain, more = make_record(1, "A", flops=11 * 10**9), make_record(2, "B", flops=10**10)
    assert more.complexity is not None
    audit = Audit(flops=12 * 10**9, params=more.complexity.params)
    costs = dataclasses.replace(more.complexity, audit=audit)
    why = Finding(code="flops-undercounted", severity="warning", message="more than fvcore counts")
    more = dataclasses.replace(more, complexity=costs, findings=(why,))
    keep(tmp_path, plain, more)
    audited, official = (
        board_of_records(tmp_path),
        board_of_records(tmp_path, changes=Changes(which="official")),
    )
    assert (ranked(audited), ranked(official)) == (["A", "B"], ["B", "A"])
    assert moves(official) == ["02_B 2 to 1", "01_A 1 to 2"]
    told = " ".join(captions.captions(audited))
    assert (
        "02_B (FLOPs 12.0000 G, by fvcore 10.0000 G). The other count is ranked with --costs official."
        in told
    )
    told = " ".join(captions.captions(official))
    assert "FLOPs are fvcore's" in told and "the audit found more for 02_B" in told


def test_another_edition_divides_by_its_own_baseline(tmp_path: Path) -> None:
    # SPAN takes 0.8 of RLFN's runtime and A takes 0.6 of it: A takes 0.75 of SPAN's.
    keep(tmp_path, timed(1, "A", 0.6, 0.006), timed(38, "SPAN", 0.8, 0.008))
    board = board_of_records(tmp_path, "ntire2026")
    rows = {row.entry.name: row.entry for row in board.rows}
    assert rows["SPAN"].is_baseline and rows["SPAN"].ratio == 1.0 and not rows["A"].is_baseline
    assert rows["A"].ratio == pytest.approx(0.75) and rows["A"].half_width == pytest.approx(
        0.01 * math.sqrt(2)
    )
    # A has the FLOPs and parameters of SPAN.
    score = next(row.score for row in board.rows if row.entry.name == "A")
    assert score is not None
    assert score.final == pytest.approx(0.8 * math.exp(1.5) + 0.2 * math.exp(2.0))
    assert board.anew is not None and "costs divided by those of SPAN, not RLFN" in board.anew.changed


def test_a_baseline_that_was_not_evaluated_is_said(tmp_path: Path) -> None:
    board = board_of_records(keep(tmp_path, timed(1, "A", 0.6)), "ntire2026")
    told = "costs divided by those of RLFN still, as SPAN was not evaluated as a submission here"
    assert board.anew is not None and told in board.anew.changed
    assert any(told in text for text in captions.for_paper(board, captions.layout.PLAIN))


def test_hidden_images_under_a_name_of_their_own_are_ranked(tmp_path: Path) -> None:
    rules = protocols.load(write_rules(tmp_path))
    psnr = {"Night": (28.6, 27.0), "Fog": (27.1, 26.0), "Set5": (32.0, 30.0)}
    runtime = {"Night": 8.0, "Fog": 6.0, "Set5": 99.0}
    low = {**psnr, "Fog": (26.9, 25.0)}
    keep(
        tmp_path / "kept",
        under(make_record(1, "A", psnr=psnr, runtime_ms=runtime), rules),
        under(make_record(2, "B", psnr=low), rules),
    )
    assert protocols_with_records(tmp_path / "kept") == ["mine2027"]
    # The records keep the rules: nothing is named.
    board = board_of_records(tmp_path / "kept")
    assert board.protocol == rules and ranked(board) == ["A"]
    first = board.rows[0]
    assert first.entry.costs is not None and first.entry.costs.runtime_ms == 7.0  # of Night and Fog alone
    assert [verdict.split for verdict in first.verdicts] == ["Night", "Fog"]
    assert board_of_records(tmp_path / "kept", "mine2027").rows == board.rows


def test_an_own_file_that_was_changed_ranks_its_records_anew(tmp_path: Path) -> None:
    rules = protocols.load(write_rules(tmp_path))
    record = make_record(1, "A", psnr={"Night": (28.6, 27.0), "Fog": (27.1, 26.0)})
    keep(tmp_path / "kept", under(record, rules))
    later = write_rules(tmp_path, ("Fog = 27.00", "Fog = 27.20"))
    board = board_of_records(tmp_path / "kept", str(later))
    assert moves(board) == ["01_A 1 to no rank"]
    assert board.anew is not None and board.anew.changed == ("threshold on Fog 27.20 dB, not 27.00 dB",)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("border = 4", "border = 0"), "border 4, not 0"),
        (("scale = 4", "scale = 2"), "scale 4, not 2"),
        (("[1, 3, 256, 256]", "[1, 3, 180, 320]"), "cost input 1x3x256x256, not 1x3x180x320"),
    ],
)
def test_records_that_were_measured_otherwise_are_refused(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    keep(tmp_path / "kept", make_record(1, "A"))
    with pytest.raises(UsageError, match=told) as caught:
        board_of_records(tmp_path / "kept", str(write_rules(tmp_path, change)))
    assert "the records of ntire2024 cannot be ranked by mine2027" in str(caught.value)
    # The same, record by record, where an own file was changed.
    rules = protocols.load(write_rules(tmp_path))
    record = make_record(1, "A", psnr={"Night": (28.6, 27.0), "Fog": (27.1, 26.0)})
    keep(tmp_path / "own", under(record, rules))
    board = board_of_records(tmp_path / "own", str(write_rules(tmp_path, change)))
    assert not board.rows and told in board.left_out[0].reason


def test_records_of_the_sample_set_are_not_ranked_by_thresholds_in_db(tmp_path: Path) -> None:
    keep(tmp_path, make_record(1, "A", protocol="sample", sample=True))
    board = board_of_records(tmp_path, "ntire2024")
    assert not board.rows and "on the sample set" in board.left_out[0].reason


def test_records_of_one_edition_can_be_named(tmp_path: Path) -> None:
    keep(tmp_path, make_record(1, "A"), make_record(2, "B", protocol="ntire2025"))
    assert ranked(board_of_records(tmp_path, "ntire2025")) == ["B"]
    assert ranked(board_of_records(tmp_path, "ntire2025", records_of="ntire2024")) == ["A"]
    with pytest.raises(UsageError, match="no records of ntire2026"):
        board_of_records(tmp_path, records_of="ntire2026")


@pytest.mark.parametrize(
    ("protocol", "threshold", "told"),
    [
        ("ntire2024", "Night", "ntire2024 judges no split Night"),
        ("sample", "valid", "the thresholds of sample lie below the baseline's PSNR"),
    ],
)
def test_thresholds_that_make_no_sense_are_refused(protocol: str, threshold: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Changes(thresholds={threshold: 26.0}).applied_to(protocols.load(protocol))
