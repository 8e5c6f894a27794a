"""What a row's numbers say, and what there is to say about them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from challenge_files import model, text, write_json, write_text
from imported_results import (
    findings,
    imported,
    row,
)

from ntire_bench.ranking.entry import Costs


def test_names_without_a_number_stay_as_they_are(tmp_path: Path, results: Path) -> None:
    models = {"Cao Group": model(), "5_X": model(), "007_Y": model(), "123_Z z": model()}
    board = imported(write_json(tmp_path / "r.json", models), results)
    assert {row_.entry.label for row_ in board.rows} == {*models, "00_RLFN_baseline"}
    assert {row_.entry.id for row_ in board.rows} == {None, 0, 123}
    assert (results / "ntire2024" / "Cao_Group").is_dir()


def test_averages_alone_are_enough(tmp_path: Path, results: Path) -> None:
    short = model(valid_runtime=None, valid_psnr=None, test_runtime=[], test_psnr=None)
    models = {"07_A": short, "08_B": short, "09_C": short, "10_D": model(9.0)}
    board = imported(write_json(tmp_path / "r.json", models), results)
    # How many images a row is over may be unknown: it fits the others, even where most rows are such.
    assert len(board.rows) == 5 and board.left_out == ()
    got = row(board, "07_A")
    assert got.status == "ranked" and got.entry.costs is not None and got.entry.costs.runtime_ms == 10.0


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
