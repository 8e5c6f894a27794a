"""What a campaign is said to take, against what evaluations on this program's machines did take."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from record_factory import make_record
from timed_records import timed

from ntire_bench.data.dataset import Pair, Split
from ntire_bench.estimating.stopping import StopRule
from ntire_bench.machine import environment, installed
from ntire_bench.measuring.options import Options
from ntire_bench.records import store
from ntire_bench.records.record import Record
from ntire_bench.submissions.submission import Submission
from ntire_bench.wire.declaration import Declaration
from ntire_bench.workflows import estimate as module
from ntire_bench.workflows.estimate import Work, estimate, told, work_of
from ntire_bench.workflows.speed import Speed, pair_seconds, speed_of_records

SLOW = Speed(device="cpu", pair_s=1e-5, start_s=3.0, own={}, source="timed", baseline="00_RLFN")

# Sessions of `make demo` on two cores: 6 images (54,509 and 41,744 LR pixels, 5 sizes), --precision 0.1 and
# --max-time 10. Launches, rounds, seconds by phase, and in all.
DEMO = Work(images=6, lr_pixels=96_253, size_pixels=79_000, largest=23_125, scale=4)
SESSIONS = {
    "AGDN-S": (4, 4, 13.66, 9.83, 41.25),
    "ESPAN": (3, 6, 6.90, 8.79, 22.98),
    "SPAN": (3, 6, 4.90, 8.66, 21.14),
    "LKDN-S": (4, 5, 9.43, 9.37, 30.79),
    "EFDN": (3, 5, 4.31, 9.18, 22.04),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_what_sessions_took_lies_within_what_is_foreseen(name: str) -> None:
    launches, rounds, load_s, run_s, total_s = SESSIONS[name]
    pair_s = run_s / rounds / DEMO.lr_pixels
    speed = Speed(
        device="cpu", pair_s=pair_s, start_s=load_s / launches, own={}, source="records", baseline="00_RLFN"
    )
    found = estimate([name], DEMO, StopRule(precision=0.1, max_time_s=10), speed, keep_images=False)
    assert 0.75 * found.low_s < total_s < 1.35 * found.high_s, found
    assert found.high_s < 3 * total_s  # a range that says something


def test_twice_the_submissions_or_images_take_twice_the_time_of_rounds() -> None:
    work = Work(images=100, lr_pixels=10**7, size_pixels=10**6, largest=10**5, scale=4)
    rule = StopRule(rounds=4)
    one = estimate(["a"], work, rule, SLOW, keep_images=True)
    two = estimate(["a", "b"], work, rule, SLOW, keep_images=True)
    assert two.low_s == pytest.approx(2 * one.low_s) and one.low_s == one.high_s
    assert one.low_s > 4 * 10**7 * 1e-5  # four rounds alone
    assert two.disk.images_bytes == 2 * 3 * 16 * 10**7  # as large as the HR images are decoded


def test_a_submission_that_was_slow_before_is_foreseen_to_be() -> None:
    work = Work(images=10, lr_pixels=10**6, size_pixels=10**5, largest=10**5, scale=4)
    slow = dataclasses.replace(SLOW, own={"b": 1e-4})
    usual, slower = (
        estimate([name], work, StopRule(rounds=1), slow, keep_images=False).low_s for name in "ab"
    )
    assert 9 < (slower - 1.5 * 3.0) / (usual - 1.5 * 3.0) <= 10.001


def test_work_is_counted_in_lr_pixels() -> None:
    pairs = [
        Pair(name, Path(name), Path(name), h, w)
        for name, h, w in (("a", 64, 80), ("b", 64, 80), ("c", 40, 40))
    ]
    work = work_of([Split("valid", "D", tuple(pairs), "0" * 64, False)], 4)
    assert work == Work(images=3, lr_pixels=2 * 320 + 100, size_pixels=420, largest=320, scale=4)


def _here(record: Record, run_s: float) -> Record:
    """Return a record as if it had been measured on this machine."""
    build = installed.torch_build()
    assert build is not None and record.environment is not None
    own = dataclasses.replace(
        record.environment,
        device="cpu",
        device_name=environment.cpu_model(),
        cpu=environment.cpu_model(),
        threads=environment.compute_threads(),
        torch=build.version,
    )
    return dataclasses.replace(record, environment=own, wall_s={"load": 9.0, "run": run_s})


def test_records_of_this_machine_tell_the_speed_and_others_nothing(tmp_path: Path) -> None:
    baseline = Submission(
        id=0,
        name="RLFN",
        file=Path("x.py"),
        checkpoint=None,
        declaration=Declaration(),
        has_build_model=False,
    )
    options = Options(psnr_channel="y", device="cpu")
    other = timed(9, "Elsewhere", 0.5)
    store.save(other, tmp_path)
    assert speed_of_records(store.load_all(tmp_path)[0], options, baseline, 4) is None
    for id_, run_s in ((3, 60.0), (4, 20.0)):
        store.save(_here(timed(id_, f"Team{id_}", 0.5), run_s), tmp_path)
    found = speed_of_records(store.load_all(tmp_path)[0], options, baseline, 4)
    assert found is not None and found.start_s == 3.0  # nine seconds of loading in three launches
    # 12 rounds over two splits of 200 images of 2040x1356.
    pixels = 2 * 200 * 1356 * 2040 / 16
    assert found.own == {"03_Team3": pytest.approx(5 / pixels), "04_Team4": pytest.approx(20 / 12 / pixels)}
    assert found.pair_s == pytest.approx((5 + 20 / 12) / 2 / pixels)
    someone = dataclasses.replace(baseline, name="Another")
    assert speed_of_records(store.load_all(tmp_path)[0], options, someone, 4) is None


def test_a_record_without_rounds_tells_no_speed() -> None:
    record = make_record()
    assert pair_seconds(dataclasses.replace(record, rounds=0), 4) is None
    assert pair_seconds(dataclasses.replace(record, wall_s={}), 4) is None


def test_a_disk_that_has_no_room_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    work = Work(images=1, lr_pixels=10**6, size_pixels=10**6, largest=10**6, scale=4)
    found = estimate(["a"], work, StopRule(rounds=1), SLOW, keep_images=True)
    monkeypatch.setattr(module, "free_bytes", lambda folder: 40 * 10**6)
    lines = told(found, tmp_path / "records", tmp_path / "sr")
    assert len(lines) == 2 and "SR images take at most 46 MiB" in lines[0]
    assert "no room for the SR images: 38 MiB are free, and up to 46 MiB are needed" in lines[1]
    monkeypatch.setattr(module, "free_bytes", lambda folder: 10**9)
    assert len(told(found, tmp_path / "records", tmp_path / "sr")) == 1
