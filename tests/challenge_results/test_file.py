"""The challenge's own results files: read, ranked, kept apart from what was measured, and written again."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from challenge_files import BASELINE, HEADER, HEADER_VALID, model, text, write_json, write_text
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from record_factory import make_record

from ntire_bench.challenge_results import file as results_file
from ntire_bench.challenge_results import table, to_records
from ntire_bench.cli import group
from ntire_bench.errors import RecordError, UsageError
from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking.board import Board, build
from ntire_bench.ranking.entry import Costs, Entry
from ntire_bench.ranking.scoring import Row, rank
from ntire_bench.records import store
from ntire_bench.records.record import Finding, Record
from ntire_bench.reporting import layout
from ntire_bench.reporting.render import render

RULES = protocols.load("ntire2024")
DAY = "2026-12-24T10:00:00.000000Z"  # after what record_factory makes


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def records(path: Path, baseline: str | None = None, protocol: str = "ntire2024") -> list[Record]:
    rules = protocols.load(protocol)
    file = results_file.read(path)
    return to_records.to_records(file, rules, to_records.find_baseline(file, rules, baseline), DAY)


def imported(path: Path, results: Path, **options: Any) -> Board:
    """The board of a file that was imported into an empty or filled results folder."""
    to_records.keep(records(path), results)
    return board_of(results, **options)


def board_of(results: Path, **options: Any) -> Board:
    return build(store.load_all(results, "ntire2024")[0], RULES, **options)


def row(board: Board, name: str) -> Row:
    (found,) = [row for row in board.rows if row.entry.label == name]
    return found


def findings(path: Path, name: str) -> list[Finding]:
    (record,) = [record for record in records(path) if record.submission.label == name]
    return list(record.findings)


def call(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(group.main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


# --- what the 2024 report printed -------------------------------------------------------------------------


def published(root: Path) -> list[dict[str, str]]:
    """Table 1 of the NTIRE 2024 Efficient Super-Resolution report, as printed."""
    with (root / "leaderboard" / "reference" / "ntire2024.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def published_text(root: Path) -> str:
    cells = []
    for number, line in enumerate(published(root), 1):
        name = f"{number:02d}_{line['team']}"
        if line["team"] == "RLFN (baseline)":
            name = "00_RLFN_baseline"
        costs = (line["runtime_ms"], line["params_m"], line["flops_g"], "80.05", "467.70", "39")
        psnr, times = (
            [line[f"{what}_{split}_{unit}"] for split in ("valid", "test")]
            for what, unit in (("psnr", "db"), ("runtime", "ms"))
        )
        cells.append((name, *psnr, *times, *costs))
    return text(cells)


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


def test_published_table_comes_out_as_it_went_in(root: Path, tmp_path: Path, results: Path) -> None:
    content = published_text(root)
    board = imported(write_text(tmp_path / "results.txt", content), results)
    written = render(board, "challenge")
    assert written.splitlines()[0] == content.splitlines()[0]
    assert sorted(written.splitlines()) == sorted(content.splitlines())


# --- results.json -----------------------------------------------------------------------------------------


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


def test_averages_alone_are_enough(tmp_path: Path, results: Path) -> None:
    short = model(valid_runtime=None, valid_psnr=None, test_runtime=[], test_psnr=None)
    models = {"07_A": short, "08_B": short, "09_C": short, "10_D": model(9.0)}
    board = imported(write_json(tmp_path / "r.json", models), results)
    # How many images a row is over may be unknown: it fits the others, even where most rows are such.
    assert len(board.rows) == 5 and board.left_out == ()
    got = row(board, "07_A")
    assert got.status == "ranked" and got.entry.costs is not None and got.entry.costs.runtime_ms == 10.0


def test_names_without_a_number_stay_as_they_are(tmp_path: Path, results: Path) -> None:
    models = {"Cao Group": model(), "5_X": model(), "007_Y": model(), "123_Z z": model()}
    board = imported(write_json(tmp_path / "r.json", models), results)
    assert {row_.entry.label for row_ in board.rows} == {*models, "00_RLFN_baseline"}
    assert {row_.entry.id for row_ in board.rows} == {None, 0, 123}
    assert (results / "ntire2024" / "Cao_Group").is_dir()


# --- the baseline -----------------------------------------------------------------------------------------


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


# --- findings ---------------------------------------------------------------------------------------------


def test_cold_first_image_is_a_finding_with_both_averages(tmp_path: Path, results: Path) -> None:
    path = write_json(tmp_path / "r.json", {"07_A": model([50.0, 10.0, 9.0, 11.0])})
    (finding,) = findings(path, "07_A")
    assert (finding.code, finding.severity) == ("first-image-slow", "warning")
    # Median of 9, 10, 11, 50 is 10.5; mean 20 with and 10 without the first.
    once = "4.8 times the median on {} (average 20.00 ms with it, 10.00 ms without it)"
    both = f"{once.format('valid')} and {once.format('test')}"
    assert finding.message == f"the first image took {both}; the averages with it count"
    board = imported(path, results)
    assert f"07_A: warning (first-image-slow): {finding.message}." in board.notes
    assert row(board, "07_A").entry.costs == Costs(runtime_ms=20.0, flops=12e9, params=200_000)


@pytest.mark.parametrize(("first", "told"), [(30.0, False), (30.01, True)])
def test_three_times_the_median_is_the_limit(tmp_path: Path, first: float, told: bool) -> None:
    path = write_json(tmp_path / "r.json", {"07_A": model([first, 10.0, 10.0, 9.0])})
    assert bool(findings(path, "07_A")) is told


def test_another_slow_image_is_none(tmp_path: Path) -> None:
    path = write_json(tmp_path / "r.json", {"07_A": model([10.0, 50.0, 10.0, 10.0])})
    assert findings(path, "07_A") == []


def test_wrong_averages_are_told_and_the_images_count(tmp_path: Path, results: Path) -> None:
    wrong = model(10.0, valid_ave_runtime=9.0, test_ave_psnr=27.5)
    path = write_json(tmp_path / "r.json", {"07_A": wrong})
    assert [(f.code, f.severity, f.message) for f in findings(path, "07_A")] == [
        (
            "average-differs",
            "warning",
            "valid: the average runtime is given as 9.00 ms, but its 4 images have the mean 10.00 ms, "
            "which counts",
        ),
        (
            "average-differs",
            "warning",
            "test: the average PSNR is given as 27.50 dB, but its 4 images have the mean 27.02 dB, "
            "which counts",
        ),
    ]
    got = row(imported(path, results), "07_A").entry
    assert got.costs is not None and got.costs.runtime_ms == 10.0
    assert got.psnr_db["test"] == pytest.approx(27.02)


def test_rounded_averages_are_no_finding(tmp_path: Path) -> None:
    rounded = model([10.004] * 4, valid_ave_runtime=10.0, valid_ave_psnr=26.93)
    assert findings(write_json(tmp_path / "r.json", {"07_A": rounded}), "07_A") == []


def test_average_of_both_splits_is_checked(tmp_path: Path, results: Path) -> None:
    baseline = ("RLFN", "26.96", "27.07", "14.35", "9.20", "11.77", "0.317", "19.67", "80.05", "467.70", "39")
    good = ("A", "26.96", "27.07", "14.00", "9.00", "11.51", "0.317", "19.67", "80.05", "467.70", "39")
    bad = ("B", *good[1:5], "11.40", *good[6:])
    path = write_text(tmp_path / "results.txt", text([baseline, good, bad]))
    board = imported(path, results)
    runtimes = {r.entry.label: r.entry.costs.runtime_ms for r in board.rows if r.entry.costs is not None}
    assert runtimes == {"RLFN": 11.77, "A": 11.51, "B": 11.5}
    assert {r.entry.baseline and r.entry.baseline.runtime_ms for r in board.rows} == {11.77}
    (finding,) = findings(path, "B")
    assert (
        "the average runtime is given as 11.40 ms, but valid and test have the mean 11.50 ms"
        in finding.message
    )


@pytest.mark.parametrize(
    ("values", "code", "message", "reason"),
    [
        (
            [27.0, math.inf, 27.0, 27.0],
            "psnr-infinite",
            "SR equals HR in valid, an infinite PSNR: image 2",
            "the PSNR of an image is infinite",
        ),
        (
            [27.0, math.nan, 27.0, math.nan],
            "psnr-not-a-number",
            "valid: the PSNR of image 2, 4 is not a number, so the split has no mean",
            "the PSNR of image 2, 4 is not a number",
        ),
    ],
)
def test_psnr_that_is_not_finite_is_judged_by_nobody(
    tmp_path: Path, results: Path, values: list[float], code: str, message: str, reason: str
) -> None:
    ave = sum(values) / 4
    path = write_json(tmp_path / "r.json", {"07_A": model(valid_psnr=values, valid_ave_psnr=ave)})
    (finding,) = findings(path, "07_A")
    assert (finding.code, finding.severity, finding.message) == (code, "reject", message)
    board = imported(path, results)
    assert row(board, "07_A").status == "not judged"
    assert any(note.startswith(f"07_A: not judged on valid: {reason}") for note in board.notes)


def test_average_psnr_that_is_not_finite_in_a_text(tmp_path: Path) -> None:
    line = ("A", "inf", "nan", "14.35", "9.19", "11.77", "0.317", "19.67", "80.05", "467.70", "39")
    path = write_text(tmp_path / "results.txt", text([("RLFN", "26.96", "27.07", *line[3:]), line]))
    assert [f.code for f in findings(path, "A")] == ["psnr-infinite", "psnr-not-a-number"]


def test_missing_psnr_is_not_taken_for_an_infinite_one(tmp_path: Path, results: Path) -> None:
    path = write_json(tmp_path / "r.json", {"07_A": model(valid_psnr=None, valid_ave_psnr=None)})
    board = imported(path, results)
    assert "07_A: not judged on valid: the file gives no PSNR." in board.notes


def test_psnr_without_runtime_is_told(tmp_path: Path) -> None:
    path = write_json(tmp_path / "r.json", {"07_A": model(test_runtime=None, test_ave_runtime=None)})
    (finding,) = findings(path, "07_A")
    assert finding.message == "test: PSNR 27.02 dB and no runtime, so the split does not count"


def test_lists_of_other_lengths_are_told(tmp_path: Path) -> None:
    path = write_json(tmp_path / "r.json", {"07_A": model(valid_psnr=[26.93] * 3)})
    assert [f.message for f in findings(path, "07_A")] == ["valid: runtimes of 4 images and PSNR of 3"]


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


def test_side_values_that_are_impossible_are_unknown(tmp_path: Path, results: Path) -> None:
    odd = model(activations=-1.0, valid_memory=math.nan, num_conv=math.inf, flops=0.0)
    path = write_json(tmp_path / "r.json", {"07_A": odd})
    assert [f.message for f in findings(path, "07_A")] == [
        "FLOPs of 0",
        "activations of -1, taken as unknown",
        "convolutions of inf, taken as unknown",
        "valid: memory of nan MiB, taken as unknown",
    ]
    entry = row(imported(path, results), "07_A").entry
    assert (entry.activations, entry.convs) == (None, None)


# --- malformed files --------------------------------------------------------------------------------------

GOOD = ("A", "26.96", "27.07", "14.00", "9.00", "11.50", "0.317", "19.67", "80.05", "467.70", "39")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.json", "", "r.json: the results file is not JSON; .*; found an empty file"),
        ("r.json", '{"00_RLFN": ', "r.json: the results file is not JSON; .*line 1 column"),
        ("r.json", "[" * 100_000, "not JSON"),
        (
            "r.json",
            "[1, 2]",
            "the results file is no dict; expected a dict of model names.*found a list of 2",
        ),
        ("r.json", "3", "the results file is no dict; .*found 3"),
        ("r.json", "{}", "the results file holds no model"),
        ("r.json", '{"A": [1]}', "'A' is no dict of results; .*found a list of 1"),
        ("r.json", '{"valid_runtime": [1.0]}', "'valid_runtime' is no dict of results"),
        ("r.json", '{"A": {}, "A": {}}', "'A' is there twice in one dict"),
        ("r.json", '{"A": {"flops": 1, "flops": 2}}', "'flops' is there twice in one dict"),
        ("r.json", '{" ": {}}', "a model has no name"),
        ("r.json", '{"A": {}, "A ": {}}', "'A' is there twice; found 'A' and 'A '"),
        ("r.json", '{"A": {"flops": [1, 2]}}', "A: flops is no number; expected a number; found a list of 2"),
        ("r.json", '{"A": {"flops": "1"}}', "A: flops is no number; .*found the text '1'"),
        ("r.json", '{"A": {"num_conv": true}}', "A: num_conv is no number; .*found true"),
        ("r.json", '{"A": {"valid_psnr": 27.0}}', "A: valid_psnr is no list; .*found 27.0"),
        ("r.json", '{"A": {"valid_runtime": [1, {}]}}', r"A: valid_runtime\[1\] is no number; .*a dict of 0"),
        ("r.txt", "", "the results file is empty"),
        (
            "r.txt",
            "Model only\nA\n",
            "line 1 is no header with Model, Params .*Val Time .*found 'Model only'",
        ),
        ("r.txt", text([GOOD]).replace("\t", "  "), "line 1 is no header with Model, Params"),
        ("r.txt", text([]), "the results file holds no model"),
        (
            "r.txt",
            text([GOOD]) + "B\t26.9\n",
            r"line 3 does not fit the header; expected 11 cells.*found 2: 'B",
        ),
        (
            "r.txt",
            text([GOOD]) + "\n" + "\t".join([*GOOD, "x"]),
            "line 4 does not fit the header; .*found 12",
        ),
        (
            "r.txt",
            text([(*GOOD[:3], "fast", *GOOD[4:])]),
            r"line 2: Val Time \[ms\] is no number; found 'fast'",
        ),
        ("r.txt", text([(*GOOD[:3], "1_0", *GOOD[4:])]), "line 2: Val Time .* is no number; found '1_0'"),
        ("r.txt", text([("", *GOOD[1:])]), "line 2 has no name under Model"),
        ("r.txt", text([GOOD, GOOD]), "'A' is there twice; found line 2 and line 3"),
        (
            "r.txt",
            text([GOOD]).replace("Val Time [ms]", "Val Time [s] "),
            r"another unit; expected Val Time \[ms\]",
        ),
        ("r.txt", text([GOOD]).replace("Test PSNR", "Val PSNR "), "the column Val PSNR is there twice"),
    ],
)
def test_malformed_file_is_one_plain_message(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = write_text(tmp_path / name, content)
    done = call("import", path, "--protocol", "ntire2024", "--results", tmp_path / "kept")
    assert done.exit_code == 2 and done.stdout == ""
    assert re.search(message, done.stderr), done.stderr
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    assert not (tmp_path / "kept").exists()


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    for path, message in (
        (tmp_path / "none.json", "No such file"),
        (tmp_path, "Is a directory"),
        (tmp_path / "binary.txt", "is not text"),
    ):
        done = call("import", path, "--protocol", "ntire2024")
        assert done.exit_code == 2 and message in done.stderr


def test_header_tells_which_column_is_which(tmp_path: Path) -> None:
    content = (
        "\ufeff\n flops \tVal Time[ms]\tNote\tMODEL\tParams\tVal PSNR [dB]\r\n"
        "19.67\t14.0\tthe baseline\tRLFN\t0.317\t26.96\t\r\n"
        "12\t7.0\t\tmy net\t0.2\t-\r\n"
    )
    file = results_file.read(write_text(tmp_path / "table", content))
    assert file.format == "text" and file.ignored == ("Note",)
    assert [(r.model, r.where, dict(r.values)) for r in file.rows] == [
        (
            "RLFN",
            "line 3",
            {"flops": 19.67, "valid_ave_runtime": 14.0, "num_parameters": 0.317, "valid_ave_psnr": 26.96},
        ),
        ("my net", "line 4", {"flops": 12.0, "valid_ave_runtime": 7.0, "num_parameters": 0.2}),
    ]


def test_json_may_be_called_otherwise_and_hold_more(tmp_path: Path) -> None:
    path = write_json(tmp_path / "results", {"07_A": model(valid_ssim=[0.8], note="x")})
    file = results_file.read(path)
    assert file.format == "json" and file.ignored == ("valid_ssim", "note")


def test_names_cannot_break_a_line_or_a_terminal(tmp_path: Path, results: Path) -> None:
    path = write_json(tmp_path / "r.json", {"07_A\n\x1b[31m\ud800B": model()})
    board = imported(path, results)
    assert board.rows[0].entry.label == "07_A [31m B"
    assert len(render(board, "challenge").splitlines()) == 3


# --- apart from what was measured, and twice --------------------------------------------------------------


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
    (line,) = [line for line in layout.captions(board) if line.startswith("Left out")]
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


# --- the channel ------------------------------------------------------------------------------------------


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


# --- written ----------------------------------------------------------------------------------------------


def told(board: Board) -> list[tuple[Any, ...]]:
    """All that a table shows of its rows."""
    style = layout.Style(place=str, below=str, missing="", note="", escape=str)
    return [tuple(layout.cells(board, row_, layout.FULL, style)) for row_ in board.rows]


def test_round_trip_gives_the_same_board(tmp_path: Path) -> None:
    models = {
        "07_A": model([6.123456789, 8.1, 7.7, 7.123], (26.8951234, 26.99123)),
        "08_B c d": model([9.87654321, 9.1, 9.2, 9.3], num_parameters=0.1512345, flops=9.832119999),
        "No number": model(10.1, (26.1, 27.0)),
        "09_RLFN-T": model(10.1, activations=None, num_conv=None, valid_memory=None),
    }
    first = imported(write_json(tmp_path / "results.json", models), tmp_path / "one")
    path = write_text(tmp_path / "results.txt", render(first, "challenge"))
    second = imported(path, tmp_path / "two")
    third = imported(write_text(tmp_path / "again.txt", render(second, "challenge")), tmp_path / "three")
    assert told(first) == told(second) == told(third)
    assert render(second, "challenge") == render(third, "challenge")
    for a, b in zip(first.rows, second.rows, strict=True):
        assert (a.rank, a.rank_runtime, a.rank_flops, a.rank_params, a.status) == (
            b.rank, b.rank_runtime, b.rank_flops, b.rank_params, b.status,
        )  # fmt: skip
        assert a.score is not None and b.score is not None and a.entry.costs is not None
        assert vars(b.score) == pytest.approx(vars(a.score), rel=1e-6)
        assert (b.entry.activations, b.entry.convs) == (a.entry.activations, a.entry.convs)
        assert b.entry.costs is not None and b.entry.costs.flops == a.entry.costs.flops
        assert b.entry.costs.params == a.entry.costs.params


def test_without_the_split_test_its_columns_are_left_out(tmp_path: Path, results: Path) -> None:
    models = {"07_A": model(9.0, splits=["valid"]), "00_RLFN_baseline": model(12.0, splits=["valid"])}
    board = imported(write_json(tmp_path / "r.json", models), results)
    cells = [
        ("07_A", "26.93", "9.00", "0.200", "12.00", "80.05", "467.704102", "39"),
        ("00_RLFN_baseline", "26.93", "12.00", "0.200", "12.00", "80.05", "467.704102", "39"),
    ]
    assert render(board, "challenge") == text(cells, HEADER_VALID)
    again = imported(write_text(tmp_path / "r.txt", render(board, "challenge")), tmp_path / "again")
    assert told(again) == told(board)


def test_measured_board_is_written_with_rgb_psnr(tmp_path: Path, results: Path) -> None:
    store.save(make_record(7, "A", psnr={"valid": (28.55, 26.931), "test": (28.66, 27.02)}), results)
    board = board_of(results)
    assert board.channel == "y"
    cells = [
        ("07_A", "26.931", "27.02", "10.00", "10.00", "10.00", "0.200", "12.00", "80.05", "512.00", "39"),
        (
            "00_RLFN",
            "26.96",
            "27.07",
            "14.00",
            "10.00",
            "12.00",
            "0.317218",
            "19.6749312",
            "80.05",
            "512.00",
            "39",
        ),
    ]
    assert render(board, "challenge") == text(cells)
    done = call("leaderboard", "--results", results, "--format", "challenge")
    assert done.stdout == text(cells)
    assert "PSNR in this file is on RGB" in done.stderr
    call("leaderboard", "--results", results, "--format", "challenge", "--output", tmp_path / "results.txt")
    assert (tmp_path / "results.txt").read_text(encoding="utf-8") == text(cells)
    # What was measured here can be imported elsewhere, and ranks the same.
    again = imported(tmp_path / "results.txt", tmp_path / "again")
    first, second = row(board, "07_A").score, row(again, "07_A").score
    assert first is not None and second is not None
    assert second.final == pytest.approx(first.final)


def test_reference_table_can_be_written_and_read(root: Path, tmp_path: Path, results: Path) -> None:
    done = call(
        "leaderboard", "--reference", "ntire2024", "--format", "challenge", "-o", tmp_path / "table.txt"
    )
    assert done.exit_code == 0
    board = imported(tmp_path / "table.txt", results)
    assert [r.entry.name for r in board.rows if r.rank] == [line["team"] for line in published(root)[:26]]


def test_empty_board_is_a_header() -> None:
    assert render(build([], RULES), "challenge") == text([])


NUMBERS = st.floats(min_value=1e-3, max_value=1e6)


@given(psnr=st.floats(min_value=1.0, max_value=99.0), runtime=NUMBERS, params=st.integers(1, 10**9))
def test_what_is_written_reads_the_same(psnr: float, runtime: float, params: int) -> None:
    entry = Entry(
        id=7,
        name="A b",
        channel="rgb",
        psnr_db={"valid": psnr},
        runtime_by_split_ms={"valid": runtime},
        costs=Costs(runtime_ms=runtime, flops=params * 3, params=params),
        baseline=None,
    )
    board = Board(protocol=RULES, channel="rgb", device_name=None, rows=tuple(rank([entry], RULES)))
    (got,), ignored = table.read_table(table.write_table(board), "results.txt")
    assert (got.model, got.line, ignored) == ("07_A b", 2, [])
    assert got.values["valid_ave_psnr"] == pytest.approx(psnr, abs=5.1e-7)
    assert got.values["valid_ave_runtime"] == pytest.approx(runtime, abs=5.1e-7)
    assert round(got.values["num_parameters"] * 1e6) == params
    assert round(got.values["flops"] * 1e9) == params * 3


# --- the command ------------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "results.json", {"07_A": model(valid_ssim=[0.8]), "08_B b": model(8.0)})
    return lambda *words: call(
        "import", "results.json", "--protocol", "ntire2024", "--results", "kept", *words
    )


def test_import_shows_the_board_and_says_what_it_stored(here: Callable[..., Result]) -> None:
    done = here()
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert "device unknown, imported from results.json (session " in lines[0]
    assert [line.split()[0] for line in lines if re.search(r" \d\.\d\d.* (\d|–) *$", line)] == [
        "08_B",
        "07_A",
        "00_RLFN_baseline",
    ]
    assert done.stderr.splitlines() == [
        "results.json: 3 rows, baseline 00_RLFN_baseline; 3 records written to kept",
        "Not read: valid_ssim",
    ]
    again = here()
    assert again.stdout == done.stdout
    assert again.stderr.splitlines()[0].endswith("all were imported before and are the same: nothing written")


def test_import_shows_its_own_rows_beside_measured_ones(here: Callable[..., Result]) -> None:
    store.save(make_record(7, "A"), Path("kept"))
    assert "imported from results.json" in here().stdout.splitlines()[0]
    assert "RTX 3090" in call("leaderboard", "--results", "kept").stdout.splitlines()[0]


def test_rows_that_the_file_holds_no_more_are_named(here: Callable[..., Result]) -> None:
    assert json.loads(here("--json").stdout)["left_over"] == []
    rows = json.loads(Path("results.json").read_text())
    del rows["08_B b"]
    Path("results.json").write_text(json.dumps(rows))
    done = here()
    assert "08_B" in done.stdout  # nothing that was stored is removed
    (line,) = [line for line in done.stderr.splitlines() if "still ranked" in line]
    assert line.startswith("Not in the file any more, and still ranked: 08_B b (kept")
    assert len(json.loads(here("--json").stdout)["left_over"]) == 1


@pytest.mark.parametrize(
    ("key", "told"), [("valid_runtime", "a runtime of 1e+308 ms"), ("valid_psnr", "a PSNR of 1e+308 dB")]
)
def test_numbers_that_nobody_measured_are_a_failed_row(
    here: Callable[..., Result], key: str, told: str
) -> None:
    rows = json.loads(Path("results.json").read_text())
    rows["08_B b"][key] = [1e308] * len(rows["08_B b"][key])
    Path("results.json").write_text(json.dumps(rows))
    done = here()
    assert done.exit_code == 1 and told in done.stderr and "07_A" in done.stdout


def test_import_for_programs(here: Callable[..., Result]) -> None:
    document = json.loads(here("--json").stdout)
    assert document["baseline"] == "00_RLFN_baseline" and document["format"] == "json"
    assert document["ignored"] == ["valid_ssim"]
    assert [item["new"] for item in document["records"]] == [True, True, True]
    assert document["records"][1]["record"]["imported"]["model"] == "07_A"
    assert [r["rank"] for r in document["leaderboard"]["rows"]] == [1, 2, None]
    again = json.loads(here("--json").stdout)
    assert [item["new"] for item in again["records"]] == [False, False, False]
    assert again["records"][0]["record"] == document["records"][0]["record"]


def test_import_with_a_row_that_holds_no_result(here: Callable[..., Result]) -> None:
    write_json(Path("results.json"), {"07_A": model(flops=None)})
    done = here()
    assert done.exit_code == 1
    assert "07_A  failed in phase import: results.json, '07_A': no FLOPs" in done.stderr
    assert "Failed: 07_A" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["results.json"], "does not say by which rules .*--protocol ntire2024"),
        (["results.json", "--protocol", "ntire1999"], "there is no protocol 'ntire1999'"),
        (
            ["results.json", "--protocol", "ntire2025"],
            "no row is EFDN, .*found 00_RLFN_baseline, 07_A, 08_B b",
        ),
        (["results.json", "--protocol", "ntire2024", "--baseline", "x"], "no row is the baseline 'x'"),
        ([], "Missing argument"),
    ],
)
def test_wrong_use(here: Callable[..., Result], words: list[str], message: str) -> None:
    done = call("import", *words)
    assert done.exit_code == 2 and done.stderr.count("\n") == 1
    assert re.search(message, done.stderr), done.stderr
    document = json.loads(call("import", *words, "--json").stdout)
    assert re.search(message, document["error"]["message"])


def test_header_is_the_challenges() -> None:
    assert tuple(column.title for column in table.COLUMNS) == HEADER
