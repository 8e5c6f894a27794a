"""Rows as records: ranked by the rule, kept apart from what was measured, and stored once."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from challenge_files import BASELINE, model, write_json, write_text
from imported_results import (
    RULES,
    board_of,
    call,
    findings,
    imported,
    published,
    published_text,
    records,
    row,
)
from record_factory import make_record

from ntire_bench.challenge_results import file as results_file
from ntire_bench.challenge_results import to_records
from ntire_bench.errors import RecordError, UsageError
from ntire_bench.ranking.entry import Costs
from ntire_bench.records import store
from ntire_bench.reporting import captions, layout
from ntire_bench.reporting.render import render


def test_published_table_is_ranked_as_it_was(root: Path, tmp_path: Path, results: Path) -> None:
    board = imported(write_text(tmp_path / "results.txt", published_text(root)), results)
    lines = {f"{number:02d}_{line['team']}": line for number, line in enumerate(published(root), 1)}
    ranked = [row for row in board.rows if row.status == "ranked"]
    assert len(board.rows) == 35 and len(ranked) == 26
    for row_ in ranked:
        line = lines[row_.entry.label]
        own = (row_.rank, row_.rank_runtime, row_.rank_params, row_.rank_flops)
        assert own == tuple(int(line[f"rank{of}"]) for of in ("", "_runtime", "_params", "_flops"))
    assert {row_.status for row_ in board.rows if row_.entry.id in range(27, 35)} == {"below threshold"}
    assert row(board, "00_RLFN_baseline").status == "baseline"


def test_published_scores_follow(root: Path, tmp_path: Path, results: Path) -> None:
    board = imported(write_text(tmp_path / "results.txt", published_text(root)), results)
    for number, line in enumerate(published(root)[:26], 1):
        score = row(board, f"{number:02d}_{line['team']}").score
        assert score is not None
        # The printed costs are rounded: to 0.005 ms, 0.005 G, 0.0005 M of the team's and of the baseline's.
        for what, half, base in (
            ("runtime", 0.005, 11.77),
            ("flops", 0.005, 19.67),
            ("params", 0.0005, 0.317),
        ):
            cost = float(line[{"runtime": "runtime_ms", "flops": "flops_g", "params": "params_m"}[what]])
            known = float(line[f"score_{what}"])
            slack = 2 * half / base * (1 + cost / base) + 0.0051 / min(known, 100)
            own = getattr(score, what)
            assert own == pytest.approx(math.exp(2 * cost / base), rel=1e-9)
            assert abs(math.log(own / known)) < slack, (line["team"], what)


def test_published_scores_by_hand(root: Path, tmp_path: Path, results: Path) -> None:
    """XiaomiMM: exp(2 * 5.59 / 11.77) and so on, by bc(1); the report prints 2.59, 2.72, 2.59: 2.61."""
    board = imported(write_text(tmp_path / "results.txt", published_text(root)), results)
    score = row(board, "01_XiaomiMM").score
    assert score is not None
    assert (score.runtime, score.flops, score.params) == pytest.approx((2.58538015, 2.71690024, 2.59265225))
    assert score.final == pytest.approx(0.7 * 2.58538015 + 0.15 * (2.71690024 + 2.59265225))


def test_json_is_scored_by_the_rule(tmp_path: Path, results: Path) -> None:
    path = write_json(tmp_path / "results.json", {"07_A": model([6.0, 8.0, 7.0, 7.0]), "08_B": model(9.0)})
    board = imported(path, results)
    assert [(row_.entry.label, row_.rank) for row_ in board.rows] == [
        ("07_A", 1),
        ("08_B", 2),
        ("00_RLFN_baseline", None),
    ]
    first = row(board, "07_A")
    assert first.entry.costs == Costs(runtime_ms=7.0, flops=12e9, params=200_000)
    assert first.entry.baseline == Costs(runtime_ms=12.0, flops=19_674_859_520, params=317_218)
    assert first.score is not None
    parts = [math.exp(2 * 7 / 12), math.exp(2 * 12 / 19.67485952), math.exp(2 * 0.2 / 0.317218)]
    assert first.score.final == pytest.approx(0.7 * parts[0] + 0.15 * parts[1] + 0.15 * parts[2])
    assert first.entry.psnr_db == pytest.approx({"valid": 26.93, "test": 27.02})


def test_record_says_what_nobody_knows(tmp_path: Path, results: Path) -> None:
    path = write_json(tmp_path / "results.json", {"07_A": model(activations=None, num_conv=None)})
    (record,) = [r for r in records(path) if r.submission.id == 7]
    assert record.environment is None and record.isolation is None
    assert (record.submission.file, record.submission.file_sha256) == ("unknown", "unknown")
    assert record.splits["valid"].psnr_y_db is None and record.splits["valid"].dataset == "unknown"
    assert record.psnr_channel == "rgb"
    assert record.imported is not None
    unknown = {
        "environment",
        "submission.file_sha256",
        "splits.valid.psnr_y_db",
        "splits.test.dataset_sha256",
    }
    assert unknown | {"complexity.activations", "complexity.convs"} <= set(record.imported.unknown)
    assert record.imported.values["valid_runtime"] == [10.0] * 4
    stored = store.load(store.save(record, results))
    assert stored == record
    entry = row(imported(path, results), "07_A").entry
    assert (entry.activations, entry.convs, entry.memory_mib) == (None, None, 467.7041015625)


def test_protocol_decides_the_weights(tmp_path: Path) -> None:
    path = write_json(
        tmp_path / "results.json", {"00_SPAN_baseline": BASELINE, "07_A": model(6.0)}, baseline=False
    )
    (record,) = [r for r in records(path, protocol="ntire2026") if r.submission.id == 7]
    assert record.score is not None
    parts = [math.exp(2 * 6 / 12), math.exp(2 * 12 / 19.67485952), math.exp(2 * 0.2 / 0.317218)]
    assert record.score.final == pytest.approx(0.8 * parts[0] + 0.1 * parts[1] + 0.1 * parts[2])


def test_split_test_may_be_missing(tmp_path: Path, results: Path) -> None:
    models = {f"{k:02d}_A": model(10.0 + k, splits=["valid"]) for k in (1, 2, 3)}
    path = write_json(tmp_path / "results.json", models | {"00_RLFN_baseline": model(12.0, splits=["valid"])})
    board = imported(path, results)
    assert [row_.rank for row_ in board.rows] == [1, 2, 3, None]
    assert "Every team: judged on valid alone." in board.notes  # once, and not three times


def test_baseline_without_a_split_leaves_others_unjudged_and_says_so(tmp_path: Path, results: Path) -> None:
    base = model(12.0, splits=["valid"])
    board = imported(write_json(tmp_path / "r.json", {"00_RLFN_baseline": base, "07_A": model()}), results)
    assert row(board, "07_A").status == "not judged"
    assert "07_A: not judged: the baseline was not measured on test." in board.notes


def rows_named(*names: str) -> results_file.ResultsFile:
    rows = tuple(results_file.ResultsRow(model=name, where=name, values={}) for name in names)
    return results_file.ResultsFile(path=Path("results.json"), sha256="", format="json", rows=rows)


@pytest.mark.parametrize(
    "name",
    [
        "00_RLFN_baseline",
        "RLFN",
        "00_RLFN",
        "rlfn_Baseline",
        "RLFN (baseline)",
        "baseline_RLFN",
        "team00_RLFN",
    ],
)
def test_protocols_baseline_is_found_by_its_name(name: str) -> None:
    file = rows_named("01_RLFN-T", "02_MyRLFN", name, "03_RLFN_baseline_v2")
    assert to_records.find_baseline(file, RULES).model == name


@pytest.mark.parametrize("named", ["05_SPAN", "05_span", "SPAN", " span "])
def test_baseline_can_be_named(named: str) -> None:
    assert (
        to_records.find_baseline(rows_named("00_RLFN", "05_SPAN", "06_SPAN-T"), RULES, named).model
        == "05_SPAN"
    )


def test_exact_name_wins() -> None:
    assert to_records.find_baseline(rows_named("A", "a"), RULES, "a").model == "a"


@pytest.mark.parametrize(
    ("names", "named", "message"),
    [
        (
            ("01_A", "02_B"),
            None,
            r"no row is RLFN, the baseline of ntire2024; found 01_A, 02_B\. Remedy: name the baseline's row",
        ),
        (
            ("00_RLFN_baseline", "07_RLFN", "08_C"),
            None,
            r"2 rows may be RLFN, the baseline of ntire2024; found 00_RLFN_baseline, 07_RLFN\.",
        ),
        (("01_A", "02_B"), "C", r"no row is the baseline 'C'; found 01_A, 02_B\. Remedy: name one of these"),
        (("01_A", "02_A"), "A", r"2 rows may be the baseline 'A'; found 01_A, 02_A\."),
    ],
)
def test_none_or_several_baselines_are_told(names: tuple[str, ...], named: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        to_records.find_baseline(rows_named(*names), RULES, named)


def test_named_baseline_is_the_baseline_whatever_the_protocol_says(tmp_path: Path, results: Path) -> None:
    path = write_json(tmp_path / "r.json", {"05_SPAN": model(5.0)})
    to_records.keep(records(path, "05_SPAN"), results)
    board = board_of(results)
    assert [(r.entry.label, r.status) for r in board.rows] == [
        ("00_RLFN_baseline", "ranked"),
        ("05_SPAN", "baseline"),
    ]
    assert "05_SPAN (baseline)" in render(board, "table")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"flops": None}, "no FLOPs"),
        ({"num_parameters": 0}, "params of 0"),
        ({"valid_runtime": [0.0, 1.0]}, "a runtime of 0 ms for image 1 of valid"),
        ({"num_parameters": math.nan, "flops": -1.0}, "parameters of nan, FLOPs of -1"),
    ],
)
def test_baseline_without_costs_is_refused(tmp_path: Path, change: dict[str, Any], found: str) -> None:
    path = write_json(tmp_path / "r.json", {"00_RLFN_baseline": model(**change), "07_A": model()})
    with pytest.raises(RecordError, match="the baseline 00_RLFN_baseline cannot be used") as caught:
        records(path)
    assert f"found {found}." in str(caught.value)


def test_other_images_than_most_are_left_out(tmp_path: Path, results: Path) -> None:
    models = {"07_A": model(), "08_B": model(), "09_C": model(images=2)}
    board = imported(write_json(tmp_path / "r.json", models), results)
    assert [r.entry.label for r in board.rows] == ["07_A", "08_B", "00_RLFN_baseline"]
    assert [(item.team, item.kind) for item in board.left_out] == [("09_C", "other images")]
    assert findings(tmp_path / "r.json", "09_C")[0].code == "images-differ"
    assert "valid: the threshold is for 200 images; the file lists 4." in board.notes


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"flops": None}, "no FLOPs"),
        ({"num_parameters": math.inf}, "parameters of inf"),
        ({"num_parameters": 1e300}, "parameters of 1e\\+300"),
        ({"valid_runtime": [5.0, math.nan]}, "a runtime of nan ms for image 2 of valid"),
        ({"valid_runtime": None, "valid_ave_runtime": 0}, "an average runtime of 0 ms on valid"),
        (
            {f"{split}_{what}": None for split in ("valid", "test") for what in ("runtime", "ave_runtime")},
            "no runtime of valid or test",
        ),
    ],
)
def test_row_without_a_result_is_a_failure_and_the_others_are_ranked(
    tmp_path: Path, results: Path, change: dict[str, Any], problem: str
) -> None:
    board = imported(write_json(tmp_path / "r.json", {"07_A": model(**change), "08_B": model()}), results)
    assert [r.entry.label for r in board.rows] == ["08_B", "00_RLFN_baseline"]
    (item,) = board.left_out
    assert item.kind == "failed" and re.search(rf"r\.json, '07_A': {problem}", item.reason)


def test_imported_rows_never_meet_measured_ones(tmp_path: Path, results: Path) -> None:
    store.save(make_record(7, "A"), results)
    store.save(make_record(9, "C"), results)
    path = write_json(
        tmp_path / "results.json", {f"{k:02d}_{n}": model(1.0) for k, n in enumerate("XYABCD", 5)}
    )
    board = imported(path, results)
    assert {r.entry.label for r in board.rows} == {"07_A", "09_C", "00_RLFN"}  # RLFN: of the session
    assert board.device_name == "NVIDIA GeForce RTX 3090"
    assert {item.kind for item in board.left_out} == {"imported"} and len(board.left_out) == 7
    (line,) = [line for line in captions.captions(board) if line.startswith("Left out")]
    match = re.fullmatch(
        r"Left out: 7 teams imported from results.json \(session (\w{8})\), device unknown "
        r"\(--device \1 ranks them\)\.",
        line,
    )
    assert match
    for device in (match[1], "results.json", "imported"):
        other = board_of(results, device=device)
        assert other.device_name == f"unknown, imported from results.json (session {match[1]})"
        assert len(other.rows) == 7
        assert {item.kind for item in other.left_out} == {"other device"}


def test_failed_row_of_a_file_does_not_take_a_measured_row_away(tmp_path: Path, results: Path) -> None:
    store.save(make_record(7, "A"), results)
    board = imported(write_json(tmp_path / "r.json", {"07_A": model(flops=None)}), results)
    assert row(board, "07_A").status == "ranked"
    assert not any("fail" in note or "changed" in note for note in board.notes)
    assert {item.kind for item in board.left_out} == {"imported"}


def test_two_files_never_meet(tmp_path: Path, results: Path) -> None:
    one = write_json(tmp_path / "a" / "results.json", {"07_A": model(), "08_B": model(), "09_C": model()})
    # The same name in another folder, and its baseline took other times: maybe another machine.
    two = write_json(tmp_path / "b" / "results.json", {"07_A": model(1.0), "00_RLFN_baseline": model(2.0)})
    imported(one, results)
    board = imported(two, results)  # the last import is shown
    assert [r.entry.label for r in board.rows] == ["07_A", "00_RLFN_baseline"]
    assert {item.team for item in board.left_out} == {"00_RLFN_baseline", "07_A", "08_B", "09_C"}
    got = row(board, "07_A").entry
    assert got.costs is not None and got.baseline is not None
    assert (got.costs.runtime_ms, got.baseline.runtime_ms) == (1.0, 2.0)


def test_same_file_twice_writes_nothing(tmp_path: Path, results: Path) -> None:
    path = write_json(
        tmp_path / "results.json", {"07_A": model([90.0, 10, 10, 10.1]), "08_B": model(flops=None)}
    )
    first = to_records.keep(records(path), results)
    again = to_records.keep(records(path), results)
    assert [item.new for item in first + again] == [True] * 3 + [False] * 3
    assert [item.path for item in first] == [item.path for item in again]
    assert len(list(results.rglob("*.json"))) == 3
    assert board_of(results).superseded == 0


def test_grown_file_adds_and_replaces_rows(tmp_path: Path, results: Path) -> None:
    """The challenge's script adds a model to its results.json at every run."""
    path = write_json(tmp_path / "results.json", {"07_A": model(), "08_B": model()})
    to_records.keep(records(path), results)
    write_json(path, {"07_A": model(), "08_B": model(8.0), "09_C": model(9.0)})
    later = [r for r in records(path)]
    outcomes = to_records.keep(later, results)
    assert {item.record.submission.label: item.new for item in outcomes} == {
        "00_RLFN_baseline": False,
        "07_A": False,
        "08_B": True,
        "09_C": True,
    }
    board = board_of(results)
    assert [r.entry.label for r in board.rows] == ["08_B", "09_C", "07_A", "00_RLFN_baseline"]
    assert board.left_out == () and board.superseded == 1


def test_row_that_is_put_back_is_the_newest_again(tmp_path: Path, results: Path) -> None:
    path = write_json(tmp_path / "results.json", {"07_A": model(8.0)})
    for runtime in (8.0, 9.0, 8.0):
        write_json(path, {"07_A": model(runtime)})
        to_records.keep(records(path), results)
    entry = row(board_of(results), "07_A").entry
    assert entry.costs is not None and entry.costs.runtime_ms == 8.0


def test_rgb_judges_and_it_is_said(tmp_path: Path, results: Path) -> None:
    models = {"07_A": model(), "08_B": model(1.0, (26.894, 27.02)), "09_C": model(1.5, (26.896, 26.986))}
    board = imported(write_json(tmp_path / "r.json", models), results)
    assert board.channel == "rgb" and "PSNR on RGB" in layout.title(board)
    assert any(note.startswith("Judged by RGB PSNR: the file gives no other") for note in board.notes)
    # 26.896 and 26.986 are printed as 26.90 and 26.99, which pass; 26.894 does not.
    assert [(r.entry.label, r.status) for r in board.rows] == [
        ("09_C", "ranked"),
        ("07_A", "ranked"),
        ("08_B", "below threshold"),
        ("00_RLFN_baseline", "baseline"),
    ]


def test_y_is_unknown_and_the_way_out_is_said(tmp_path: Path, results: Path) -> None:
    models = {f"{k:02d}_A": model() for k in (7, 8, 9)}
    board = imported(write_json(tmp_path / "r.json", models), results, channel="y")
    assert {r.status for r in board.rows if r.entry.competes} == {"not judged"}
    unknown = "imported results give RGB PSNR alone (--psnr-channel rgb)"
    assert f"Every team: not judged on valid: {unknown}." in board.notes
    document = json.loads(render(board, "json"))
    assert document["rows"][0]["splits"]["valid"]["psnr_rgb_db"] == pytest.approx(26.93)
    assert document["rows"][0]["splits"]["valid"]["psnr_y_db"] is None


def test_gate_judges_an_imported_record_in_rgb(tmp_path: Path, results: Path) -> None:
    outcomes = to_records.keep(
        records(write_json(tmp_path / "r.json", {"07_A": model(), "08_B": model(psnr_db=(26.5, 27.0))})),
        results,
    )
    paths = {item.record.submission.label: item.path for item in outcomes}
    assert call("gate", "--record", paths["07_A"]).exit_code == 0
    assert call("gate", "--record", paths["08_B"]).exit_code == 1
    assert call("gate", "--record", paths["07_A"], "--psnr-channel", "y").exit_code == 2
