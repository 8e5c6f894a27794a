"""benchmarks/gpu.py on tiny images: its measurements give their rows; and the figures that it is made of."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ntire_bench.data.images import read_png
from ntire_bench.machine.environment import cores
from ntire_bench.records import store
from ntire_bench.worker.network import transfer

ALL = {"runtime_ms", "baseline_runtime_ms", "ratio", "seconds", "slow_calls", "baseline_slow_calls"}
FIGURES = ALL | {"cv", "bias", "goal_s"}
ESTIMATORS = ["paired medians", "medians", "20 % quantile", "minimum", "mean"]


@pytest.fixture
def modules(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(root / "benchmarks"))


def run(root: Path, folder: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    out = folder / "gpu.json"
    words = [sys.executable, str(root / "benchmarks" / "gpu.py"), "--device", "cpu", "--quick"]
    done = subprocess.run(
        [*words, "--out", str(out), *options],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=7200,
        check=False,
    )
    return done, json.loads(out.read_text()) if out.exists() else {}


def only_record(folder: Path) -> Any:
    (path,) = folder.rglob("*.json")
    return store.load(path)


def table(markdown: str) -> list[list[str]]:
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


# One arm of each kind, and one run of each kind; the others are the same code with another number.
ARMS = ["as-run", "threads-all", "waiting-sleep", "conversions-cpu", "content-exact", "turn-4"]
TIMES = ["prepare", "first", "half-width-0.5", "branch"]


@pytest.mark.slow
def test_measurements_give_their_rows(root: Path, tmp_path: Path) -> None:
    work, only = tmp_path / "work", ",".join([*TIMES, "networks", "invocations", "naive", *ARMS])
    done, document = run(root, tmp_path, "--minutes", "100", "--work", str(work), "--only", only)
    assert done.returncode == 0, done.stderr
    assert "no measurement" in done.stdout.splitlines()[0]
    assert document["environment"]["device"] == "cpu" and document["environment"]["torch"]
    rows = document["rows"]
    assert [row for row in rows if row["left_out"]] == []
    assert {key for row in rows for key in row} == {"part", "name", "what", "said", "left_out"} | FIGURES
    for row in rows:
        for key in FIGURES:
            assert row[key] is None or (math.isfinite(row[key]) and (key == "bias" or row[key] >= 0)), row

    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_name.setdefault(row["name"], []).append(row)
    assert set(by_name) == {*TIMES, *ARMS, "networks", "invocations", "naive"}
    for name in TIMES:
        (row,) = by_name[name]
        assert row["seconds"] > 0 and row["goal_s"] > 0
    for name in ARMS:
        (row,) = by_name[name]
        assert all(row[key] is not None for key in ALL)
    labels = [row["what"] for row in by_name["networks"][:-1]]
    assert labels == ["00_RLFN", "38_SPAN"]
    assert [row["what"] for row in by_name["invocations"]] == ESTIMATORS
    assert all(row["cv"] is not None and row["bias"] is not None for row in by_name["invocations"])
    assert len(by_name["naive"]) == 2 and by_name["naive"][0]["ratio"] == 1

    lines = table(done.stdout)
    assert len(lines) == 2 + len(rows) and len({len(line) for line in lines}) == 1
    assert [line[:2] for line in lines[2:]] == [[row["part"], row["what"]] for row in rows]
    said = {name: only_record(work / "results" / "arms" / name) for name in ARMS}
    for name, record in said.items():
        assert record.timing is not None and [launch.rounds for launch in record.timing.launches] == [3]
        (row,) = by_name[name]
        assert row["ratio"] == record.timing.ratio
        assert row["runtime_ms"] == pytest.approx(record.splits["valid"].runtime_ms)
        assert row["baseline_runtime_ms"] == pytest.approx(record.baseline.splits["valid"].runtime_ms)
    assert said["turn-4"].timing.turn_calls == 4 and said["as-run"].timing.turn_calls == 1
    assert said["content-exact"].timing.exact_over_composed is None
    assert said["threads-all"].environment.threads == max(1, cores() - 1)
    flags = {name: record.environment.flags for name, record in said.items()}
    assert flags["waiting-sleep"]["omp_wait_policy"] == "PASSIVE"
    assert flags["waiting-sleep"]["gomp_spincount"] == "0"
    assert flags["as-run"]["omp_wait_policy"] == flags["as-run"]["gomp_spincount"] == ""
    psnr = {record.splits["valid"].psnr_rgb_db for record in said.values()}
    assert max(psnr) - min(psnr) < 0.001  # whatever differs, the images are the same

    # The images were made by this project's own code, as a data set of the challenge's lies.
    for hr in (work / "all" / "DIV2K_LSDIR_valid_HR").iterdir():
        lr = read_png(hr.parent.with_name("DIV2K_LSDIR_valid_LR") / f"{hr.stem}x4.png")
        assert (4 * lr.shape[0], 4 * lr.shape[1]) == read_png(hr).shape[:2]


def test_on_a_gpu_all_shipped_networks_are_measured(modules: None, root: Path) -> None:
    from gpu_parts.scale import FULL

    shipped = [int(path.stem[4:6]) for path in sorted((root / "model_zoo").glob("team*.pth"))]
    assert list(FULL.ids) == shipped and FULL.pairs == 200 and FULL.invocations == 10


@pytest.mark.slow
def test_what_there_is_no_time_for_is_in_the_table(root: Path, tmp_path: Path) -> None:
    done, document = run(root, tmp_path, "--minutes", "0.001", "--only", "arms,times")
    assert done.returncode == 0, done.stderr
    assert len(document["rows"]) > 10 and len(table(done.stdout)) == 2 + len(document["rows"])
    for row in document["rows"]:
        assert row["left_out"] and row["seconds"] is None
    assert "left out: " in done.stdout


def test_no_kind_of_arm_is_left_out(modules: None) -> None:
    from gpu_parts.arms import ARMS as every

    def kind(name: str) -> str:
        return "as-run" if name.startswith("as-run") else name.split("-")[0]

    assert {kind(name) for name in every} == {kind(name) for name in ARMS}


def test_an_unknown_measurement_is_named(root: Path, tmp_path: Path) -> None:
    done, _ = run(root, tmp_path, "--only", "networks,nonsense")
    assert done.returncode == 2 and done.stdout == ""
    assert "'nonsense'" in done.stderr and "threads-1" in done.stderr


def test_an_arm_converts_on_the_cpu_what_others_convert_on_the_device(
    modules: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gpu_parts import arms

    monkeypatch.setattr(transfer, "transfer_for", transfer.transfer_for)  # put back afterwards
    exec(arms._CONVERT_ON_CPU, {})
    random = np.random.default_rng(3)
    lr = random.integers(0, 256, 5 * 7 * 3, dtype=np.uint8)
    sr = torch.zeros(9, dtype=torch.uint8)
    made: Any = transfer.transfer_for(torch.device("meta"), lr, sr)  # a device that only has shapes
    assert made.take(5, 7, 255.0).device.type == "meta"
    made = transfer.transfer_for(torch.device("cpu"), lr, sr)
    expected = lr.reshape(1, 5, 7, 3).transpose(0, 3, 1, 2).astype(np.float32)
    assert np.array_equal(made.take(5, 7, 255.0).numpy(), expected)
    output = torch.tensor([-3.0, 0.4, 1.5, 2.5, 254.6, 300.0, 7.0, 8.0, 9.0]).reshape(1, 3, 1, 3)
    made.give(output, 255.0)
    assert sr.tolist() == [0, 0, 2, 2, 255, 255, 7, 8, 9]


# --- figures --------------------------------------------------------------------------------------


@pytest.mark.shared
def test_estimators_are_those_of_the_first_gpu_runs(modules: None, shared: Path) -> None:
    """What ../shared/gpu_h100/README.md says of the same records, to the digits that it has."""
    import estimators

    if not (shared / "gpu_h100" / "rep").is_dir():
        pytest.skip("the records of the first run on a GPU are not in ../shared")
    records = [store.load(path) for path in sorted((shared / "gpu_h100" / "rep").rglob("*.json"))]
    sessions = [estimators.calls_of(record) for record in records]
    assert len(sessions) == 4 and None not in sessions
    for name, ratios, cv in (
        ("minimum", [0.7450, 0.7459, 0.7449, 0.7476], 0.0017),
        ("20 % quantile", [0.7448, 0.7448, 0.7459, 0.7486], 0.0024),
        ("medians", [0.7504, 0.7378, 0.7468, 0.7628], 0.014),
    ):
        assert [estimators.ratio(each, name) for each in sessions] == pytest.approx(ratios, abs=6e-5)
        assert estimators.figures_of(sessions)[name].cv == pytest.approx(cv, rel=0.04)


@pytest.mark.shared
def test_slow_calls_are_those_of_the_first_gpu_runs(modules: None, shared: Path) -> None:
    """6 % of ESPAN's and 12 % of RLFN's calls, in one round, says ../shared/gpu_h100/README.md."""
    from gpu_parts import sessions

    folder = shared / "gpu_h100" / "big" / "ntire2024" / "36_ESPAN"
    if not folder.is_dir():
        pytest.skip("the records of the first run on a GPU are not in ../shared")
    (path,) = folder.glob("*.json")
    record = store.load(path)
    assert record.baseline is not None
    assert sessions.slow_share(record.splits) == pytest.approx(0.06, abs=0.005)
    assert sessions.slow_share(record.baseline.splits) == pytest.approx(0.12, abs=0.005)


def test_paired_medians_take_out_what_both_calls_of_a_pair_share(modules: None) -> None:
    import estimators

    drift = np.random.default_rng(5).uniform(1, 9, (1, 31))
    calls = estimators.Calls({"valid": 3 * drift}, {"valid": 4 * drift})
    assert estimators.ratio(calls, "paired medians") == pytest.approx(0.75, rel=1e-12)
    unequal = estimators.Calls({"valid": 3 * drift}, {"valid": 4 * drift[:, ::-1]})
    assert estimators.ratio(unequal, "medians") == pytest.approx(0.75, rel=1e-12)
    assert estimators.ratio(unequal, "minimum") == pytest.approx(0.75, rel=1e-12)


def test_bias_is_told_from_scatter(modules: None) -> None:
    """Sessions of one call each: the mean of their minima is above the minimum of all."""
    import estimators

    def session(own: float) -> Any:
        return estimators.Calls({"valid": np.array([[own]])}, {"valid": np.array([[10.0]])})

    found = estimators.figures_of([session(10.0), session(12.0), session(14.0)])
    assert found["minimum"].mean == pytest.approx(1.2) and found["minimum"].bias == pytest.approx(0.2)
    assert found["medians"].bias == pytest.approx(0.0) and found["medians"].cv == pytest.approx(1 / 6)
    assert found["minimum"].off_medians == pytest.approx(0.0)


def test_pairs_of_two_sizes_are_chosen(modules: None) -> None:
    from gpu_parts import sessions

    from ntire_bench.data.dataset import Pair, Split

    heights = [40, 80, 40, 44, 40, 80, 40, 48]
    pairs = tuple(Pair(f"{n}", Path("l"), Path("h"), height, 80) for n, height in enumerate(heights))
    split = Split("valid", "valid", pairs, "", False)
    assert [pair.name for pair in sessions.of_two_sizes(split, 4).pairs] == ["0", "1", "2", "5"]
    assert [pair.name for pair in sessions.of_two_sizes(split, 6).pairs] == ["0", "1", "2", "4", "5", "6"]
    alone = Split("valid", "valid", pairs[:1], "", False)
    assert [pair.name for pair in sessions.of_two_sizes(alone, 4).pairs] == ["0"]
