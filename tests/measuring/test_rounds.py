"""What the rounds hold and when they call: fresh content, fair turns, few images at once, frauds noticed."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from ntire_bench.client.worker import Call, Worker
from ntire_bench.data.dataset import Pair, Split
from ntire_bench.machine.monitor import GpuTrace
from ntire_bench.measuring import outputs, rounds
from ntire_bench.measuring.background import Background
from ntire_bench.measuring.clock import Overhead
from ntire_bench.measuring.conclude import conclude as conclude_session
from ntire_bench.measuring.outputs import Outputs
from ntire_bench.measuring.rounds import Rounds
from ntire_bench.measuring.side import Side, Timeline
from ntire_bench.measuring.timings import Surroundings
from ntire_bench.measuring.warm_up import warm_up
from ntire_bench.records.record import Launch, SubmissionInfo
from ntire_bench.submissions.submission import Submission
from ntire_bench.wire.declaration import Declaration
from ntire_bench.wire.messages import WarmUp

HEIGHT, WIDTH = 80, 96
Image = np.ndarray[Any, Any]


def nearest(lr: Image) -> Image:
    return lr.repeat(4, 0).repeat(4, 1)


class FakeWorker:
    """Gives an enlargement at once, and notes what it was asked."""

    pid = 2**31 - 1  # of no process: what others use is not its own
    threads = 1
    cpu_time_is_exact = True
    stands_still = True  # where it is asked to

    def __init__(self, name: str, log: list[tuple[str, str, Any]], sr: Callable[[Image], Image]) -> None:
        self.name, self.log, self.sr = name, log, sr
        self.calls = 0
        self.excess_ms = 0.0  # by which the bracket is longer than what is claimed

    def warm_up(self, lr: Image, calls: int) -> WarmUp:
        self.log.append(("warm-up", self.name, lr.shape[:2]))
        return WarmUp(1, 7.0 + len(self.log))

    def begin_round(self) -> None:
        self.log.append(("round", self.name, None))

    def cpu_seconds(self) -> float:
        return 0.0

    @contextlib.contextmanager
    def paused(self) -> Iterator[bool]:
        self.log.append(("pause", self.name, None))
        yield self.stands_still
        self.log.append(("go on", self.name, None))

    def run(self, lr: Image) -> Call:
        self.log.append(("run", self.name, lr.copy()))
        self.calls += 1
        return Call(self.sr(lr), 100.0 + self.calls, 100.0 + self.calls + self.excess_ms)

    def flags(self) -> dict[str, bool | int | str]:
        return {"threads": 1}

    def reset_memory(self) -> None:
        self.log.append(("reset", self.name, None))

    def peak_memory_mib(self) -> float | None:
        return 1.0


def side(name: str, log: list[Any], sr: Callable[[Image], Image] = nearest) -> Side:
    file = Path(f"models/team05_{name}.py")
    submission = Submission(
        id=5, name=name, file=file, checkpoint=None, declaration=Declaration(), has_build_model=False
    )
    info = SubmissionInfo(id=5, name=name, file=str(file), file_sha256="0" * 64)
    worker = cast(Worker, FakeWorker(name, log, sr))
    return Side(submission, worker, name == "base", info)


def split(count: int, name: str = "valid") -> Split:
    nowhere = Path("nowhere.png")
    pairs = [Pair(f"{i:04d}", nowhere, nowhere, HEIGHT + 4 * (i % 3), WIDTH) for i in range(count)]
    return Split(name, name, tuple(pairs), "0" * 64, False)


class Calm:
    """A machine on which nothing else is going on."""

    def __init__(self, *_: object) -> None:
        pass

    def look(self) -> Surroundings:
        return Surroundings(load=0.0)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replace decoding by smooth pixels, and count how many HR images are alive at a time."""
    counts: dict[str, Any] = {"alive": 0, "most": 0, "hr": 0}
    generator = np.random.default_rng(0)
    known: dict[str, Image] = {}

    def gone() -> None:
        counts["alive"] -= 1

    def lr(pair: Pair) -> Image:
        if pair.name not in known:
            known[pair.name] = generator.integers(60, 190, (pair.height // 4, pair.width // 4, 3), np.uint8)
        return known[pair.name].copy()

    def hr(pair: Pair, scale: int) -> Image:
        pixels = np.clip(nearest(lr(pair)).astype(int) + 5, 0, 255).astype(np.uint8)
        counts["hr"] += 1
        counts["alive"] += 1
        counts["most"] = max(counts["most"], counts["alive"])
        weakref.finalize(pixels, gone)
        return pixels

    monkeypatch.setattr(rounds, "Watcher", Calm)
    monkeypatch.setattr(rounds, "read_lr", lr)
    monkeypatch.setattr(outputs, "read_hr", hr)
    counts["images"] = known
    return counts


def session(
    sides: list[Side], splits: list[Split], launches: tuple[int, ...], spare: int = 0, device: str = "cpu"
) -> Rounds:
    with Background(spare) as background:
        taken = Outputs(
            submission=sides[-1].submission,
            baseline=len(sides) > 1,
            scale=4,
            border=4,
            ssim=False,
            save_dir=None,
            background=background,
            random=np.random.default_rng(5),
            calls=sum(len(of_split.pairs) for of_split in splits),
        )
        done = Rounds(
            sides,
            splits,
            scale=4,
            device=device,
            outputs=taken,
            background=background,
            timeline=Timeline(None, "x"),
            trace=GpuTrace(None),
        )
        for count in launches:
            for timings in done.timings:
                timings.overheads.append(Overhead.nothing())
            done.begin_launch(count)
            for number in range(count):
                done.round(number, count - number)
        done.finish()
    return done


def conclude(done: Rounds, launches: tuple[int, ...]) -> Any:
    told = [Launch(rounds=count, load_s=0.1, first_call_ms=1.0) for count in launches]
    return conclude_session(done, told, stopped="rounds", precision=0.01, device="cpu", monitor={})


def codes(team: Side) -> set[str]:
    return {finding.code for finding in team.findings} - {"runtime-unstable"}  # the machine's own


@pytest.mark.parametrize("spare", [0, 2])
def test_a_long_split_holds_few_decoded_images_at_a_time(decoded, spare):
    session([side("base", []), side("team", [])], [split(200)], (1,), spare)
    assert decoded["hr"] == 200  # one per image, for both sides
    assert decoded["most"] <= 2 * max(1, spare) + 1


def test_sides_take_turns_on_each_image_and_at_going_first(decoded):
    log: list[Any] = []
    session([side("base", log), side("team", log)], [split(4)], (2,))
    runs = [(name, lr) for what, name, lr in log if what == "run"]
    assert [name for name, _ in runs] == ["base", "team", "team", "base"] * 4
    for (_, first), (_, second) in zip(runs[::2], runs[1::2], strict=True):
        assert np.array_equal(first, second)  # both sides of a turn see the same LR image


@pytest.mark.parametrize(("device", "stands_still"), [("cpu", True), ("cpu", False), ("cuda", True)])
def test_a_side_stands_still_while_the_other_one_is_timed(decoded, device, stands_still):
    log: list[Any] = []
    base, team = side("base", log), side("team", log)
    cast(FakeWorker, base.worker).stands_still = stands_still
    done = session([base, team], [split(2)], (2,), device=device)
    turns = [(what, name) for what, name, _ in log if what in ("pause", "run", "go on")]
    if device == "cuda":
        assert {what for what, _ in turns} == {"run"} and not done.idle_turns
    else:
        order = ["base", "team", "team", "base"] * 2
        other = {"base": "team", "team": "base"}
        expected = [[("pause", other[name]), ("run", name), ("go on", other[name])] for name in order]
        assert turns == [step for steps in expected for step in steps]
    told = conclude(done, (2,)).monitor
    # The baseline does half of the standing still.
    assert told.get("idle_side_frozen") == (None if device == "cuda" else 1.0 if stands_still else 0.5)
    assert told["cpu_time_by"] == "control group"


def test_what_other_threads_and_processes_compute_in_its_turns_is_told(decoded):
    base, team = side("base", []), side("team", [])
    done = session([base, team], [split(4)], (2,))
    for timings in done.timings:
        timings.turns._own_cpu_s, timings.turns._own_wall_s = 19.0, 10.0
    assert conclude(done, (2,)).monitor["cores_in_turn"] == 1.9
    found = [finding for finding in team.findings if finding.code == "busy-beyond-threads"]
    # The baseline is no fault of the submission.
    assert [finding.severity for finding in found] == ["warning", "reject"]
    assert "team used 1.9 cores in its own turns" in found[1].message and "with 1 thread:" in found[1].message


@pytest.mark.parametrize(("images", "launches"), [(1, (1, 1, 1, 1)), (5, (1, 3, 2))])
def test_neither_side_goes_first_more_often_however_many_images_there_are(decoded, images, launches):
    log: list[Any] = []
    session([side("base", log), side("team", log)], [split(images)], launches)
    runs = [name for what, name, _ in log if what == "run"]
    first = runs[::2]
    assert first == ["base" if turn % 2 == 0 else "team" for turn in range(len(first))]


def test_no_call_of_a_launch_has_content_that_was_there_before_and_one_is_the_image_itself(decoded):
    log: list[Any] = []
    session([side("team", log)], [split(3)], (4, 4))
    images = {name: image.tobytes() for name, image in decoded["images"].items()}
    seen = [lr.tobytes() for what, _, lr in log if what == "run"]
    for launch in (seen[:12], seen[12:]):
        assert len(set(launch)) == 12
        assert all(launch.count(image) == 1 for image in images.values())
    # Compositions repeat from launch to launch, so that outputs can be compared.
    assert len(set(seen[:12]) & set(seen[12:])) >= 6


def test_the_image_itself_comes_in_any_round(decoded):
    """Of 40 images and 4 rounds each round has some; all in one has a chance of 4^-39."""
    log: list[Any] = []
    session([side("team", log)], [split(40)], (4,))
    images = {image.tobytes() for image in decoded["images"].values()}
    seen = [lr.tobytes() in images for what, _, lr in log if what == "run"]
    per_round = [sum(seen[40 * number : 40 * number + 40]) for number in range(4)]
    assert sum(per_round) == 40 and min(per_round) > 0


def test_results_are_medians_over_rounds_means_over_images_and_keep_the_order_of_names(decoded):
    team = side("team", [])
    done = session([team], [split(3)], (3, 2))
    conclude(done, (3, 2))
    result = team.splits["valid"]
    assert [image.name for image in result.per_image] == ["0000", "0001", "0002"]
    for image in result.per_image:
        assert len(image.runtime_samples_ms) == 5
        assert image.runtime_ms == np.median(image.runtime_samples_ms)
        assert image.psnr_rgb_db == pytest.approx(20 * np.log10(255 / 5))  # HR is SR + 5 everywhere
    assert result.runtime_ms == np.mean([image.runtime_ms for image in result.per_image])
    # Every call took 1 ms more than the one before: rounds of 3 calls each, whatever their order.
    samples = np.array([image.runtime_samples_ms for image in result.per_image])
    assert samples.sum(axis=0).tolist() == [306.0, 315.0, 324.0, 333.0, 342.0]
    assert result.runtime_ci95_ms is not None
    assert result.runtime_ci95_ms[0] <= result.runtime_ms <= result.runtime_ci95_ms[1]
    assert result.memory_mib == 1.0


def test_an_honest_network_has_no_finding(decoded):
    team = side("team", [])
    done = session([side("base", []), team], [split(6), split(4, "test")], (3, 3, 3))
    timing = conclude(done, (3, 3, 3))
    assert codes(team) == set()
    assert timing.attested is True and timing.monitor["verified_windows"] > 10
    # Both sides' calls become 1 ms longer from one to the next, so that they stay alike.
    assert timing.ratio == pytest.approx(1.0, abs=1e-3)
    assert timing.ratio_ci95[0] <= timing.ratio <= timing.ratio_ci95[1]


def test_a_clock_that_lies_is_not_believed_and_its_figures_are_kept_as_they_were(decoded):
    team = side("team", [])
    cast(FakeWorker, team.worker).excess_ms = 50.0
    done = session([side("base", []), team], [split(6)], (2, 2))
    timing = conclude(done, (2, 2))
    assert timing.attested is False and "timing-unattested" in codes(team)
    assert "machine was busy" in timing.unstable[0]
    # The composed calls of two rounds at most; then it is given up. Exact ones count as they were.
    assert 0 < timing.repeated["clocks"] <= 12
    for image in team.splits["valid"].per_image:
        assert np.subtract(image.brackets_ms, image.runtime_samples_ms) == pytest.approx(50.0)


def test_a_clock_that_fits_at_the_second_try_is_believed(decoded, monkeypatch):
    log: list[Any] = []
    team = side("team", log)
    worker = cast(FakeWorker, team.worker)
    given = worker.run

    def run(lr: Image) -> Call:
        call = given(lr)
        late = 50.0 if worker.calls <= 6 else 0.0  # all of the first round
        return call._replace(claimed_ms=100.0, bracket_ms=100.0 + late)

    monkeypatch.setattr(worker, "run", run)
    timing = conclude(session([side("base", []), team], [split(6)], (4, 4, 4)), (4, 4, 4))
    # What exact images gave in the first round counts as it was, and is little among 18 such calls.
    images = {image.tobytes() for image in decoded["images"].values()}
    exact = sum(lr.tobytes() in images for _, _, lr in [entry for entry in log if entry[0] == "run"][:6])
    assert timing.attested is True and timing.repeated.get("clocks", 0) == 6 - exact
    assert codes(team) == set() and len(team.splits["valid"].per_image[0].runtime_samples_ms) == 12


def test_a_launch_is_judged_by_its_own_calls_and_can_be_forgotten(decoded):
    team = side("team", [])
    worker = cast(FakeWorker, team.worker)
    done = session([side("base", []), team], [split(6)], (1, 1))
    worker.excess_ms = 50.0
    for timings in done.timings:
        timings.overheads.append(Overhead.nothing())
    done.begin_launch(1)
    with Background(0) as background:
        done._background = background
        done.round(0, 1)  # of exact calls alone, which these workers cannot make again
    assert not done.repeated and not done.launch_fits(1)
    assert not done.own.attested("cpu", 1)
    done.drop_launch(1)
    assert len(done.others) <= 2  # what disturbed that launch disturbs the session no more
    assert done.repeated == {"clocks": 6} and done.launch_fits(1) and done.own.attested("cpu")
    assert [len(timings.calls["valid"]) for timings in done.timings] == [2, 2]
    assert [len(timings.overheads) for timings in done.timings] == [2, 2]  # one for each launch that counts


@pytest.mark.parametrize(
    ("alone", "others", "expected"), [(True, 0.0, []), (False, 0.0, ["reject"]), (False, 0.5, ["warning"])]
)
def test_longer_calls_on_exact_images_are_a_finding_where_another_side_tells_what_is_the_machines(
    decoded, monkeypatch, alone, others, expected
):
    """Alone, or beside other programs, the machine may have been busy whenever exact images came."""
    team = side("team", [])
    worker = cast(FakeWorker, team.worker)
    given = worker.run

    def run(lr: Image) -> Call:
        exact = lr.tobytes() in {image.tobytes() for image in decoded["images"].values()}
        taken = 300.0 if exact else 100.0
        return given(lr)._replace(claimed_ms=taken, bracket_ms=taken)

    monkeypatch.setattr(worker, "run", run)
    sides = [team] if alone else [side("base", []), team]
    done = session(sides, [split(4)], (4, 4))
    done.others = [(1.0, others)]
    conclude(done, (4, 4))
    assert [one.severity for one in team.findings if one.code == "content-dependent"] == expected


@pytest.mark.parametrize(("waits", "found"), [(0.02, False), (0.4, True)])
def test_work_that_is_left_on_the_device_is_seen_in_the_baselines_turns(decoded, monkeypatch, waits, found):
    base, team = side("base", []), side("team", [])
    worker = cast(FakeWorker, base.worker)
    given = worker.run
    monkeypatch.setattr(worker, "run", lambda lr: given(lr)._replace(wait_ms=waits))
    done = session([base, team], [split(6)], (2, 2))
    for timings in done.timings:
        timings.overheads = [dataclasses.replace(Overhead.nothing(), wait_ms=0.02)] * 2
    conclude(done, (2, 2))
    assert codes(team) == ({"work-left-on-device"} if found else set())


def test_a_baseline_whose_clock_is_not_believed_is_told_as_well(decoded):
    team, base = side("team", []), side("base", [])
    cast(FakeWorker, base.worker).excess_ms = 50.0
    done = session([base, team], [split(6)], (2, 2))
    timing = conclude(done, (2, 2))
    (finding,) = [one for one in team.findings if one.code == "timing-unattested"]
    assert timing.attested is False and finding.message.startswith("the baseline's worker's runtimes")


def test_runtimes_are_the_calls_as_they_were_and_the_ratio_is_that_of_pairs(decoded):
    team, base = side("team", []), side("base", [])
    timing = conclude(session([base, team], [split(4), split(3, "test")], (3, 2)), (3, 2))
    paired = {}
    for name, own in team.splits.items():
        sums = []
        for mine, theirs in zip(own.per_image, base.splits[name].per_image, strict=True):
            raw, raw_base = np.array(mine.runtime_samples_ms), np.array(theirs.runtime_samples_ms)
            # The fake clock gives whole milliseconds.
            assert np.array_equal(raw, np.round(raw)) and len(raw) == 5
            assert mine.runtime_ms == np.median(raw) and theirs.runtime_ms == np.median(raw_base)
            common = np.sqrt(raw * raw_base / (np.median(raw) * np.median(raw_base)))
            sums.append((np.median(raw / common), np.median(raw_base / common)))
        paired[name] = np.sum(sums, axis=0) / len(sums)
        assert timing.split_ratios[name] == pytest.approx(paired[name][0] / paired[name][1], abs=1e-6)
    totals = sum(paired.values())
    assert timing.ratio == pytest.approx(totals[0] / totals[1])


def test_an_overhead_that_was_measured_in_a_disturbed_moment_changes_no_runtime(decoded):
    team = side("team", [])
    done = session([side("base", []), team], [split(6)], (2, 2))
    done.own.calls["valid"] = [  # 200 ms are taken off a bracket of 100 ms
        [dataclasses.replace(call, overhead_ms=200.0) for call in calls] for calls in done.own.calls["valid"]
    ]
    timing = conclude(done, (2, 2))
    assert timing.attested is False and timing.ratio == pytest.approx(1.0, abs=1e-2)


def test_replayed_outputs_are_noticed(decoded):
    """Recognizes a size, and gives back what it gave before."""
    memory: dict[tuple[int, ...], Image] = {}
    team = side("team", [], lambda lr: memory.setdefault(lr.shape, nearest(lr)))
    conclude(session([team], [split(6)], (3,)), (3,))
    assert "output-stale" in codes(team)


def test_a_table_of_known_images_is_noticed(decoded):
    def memorized(lr: Image) -> Image:
        known = any(np.array_equal(lr, image) for image in decoded["images"].values())
        sr = nearest(lr).astype(int)
        return (sr + 5 if known else sr).clip(0, 255).astype(np.uint8)

    team = side("team", [], memorized)
    conclude(session([side("base", []), team], [split(6)], (3,)), (3,))
    assert {"memorized", "psnr-infinite"} <= codes(team)
    assert team.splits["valid"].psnr_rgb_db is None  # never averaged


def test_a_network_that_does_less_where_an_image_is_composed_is_noticed(decoded):
    """It sees what composed images have and others have not, which is taken from it here for nothing."""

    def lazy(lr: Image) -> Image:
        known = any(np.array_equal(lr, image) for image in decoded["images"].values())
        sr = nearest(lr).astype(int)
        return (sr if known else sr - 2).clip(0, 255).astype(np.uint8)  # HR is SR + 5

    team = side("team", [], lazy)
    conclude(session([side("base", []), team], [split(6)], (3,)), (3,))
    (finding,) = [finding for finding in team.findings if finding.severity == "reject"]
    assert finding.code == "memorized" and "dB higher on the images of the data set" in finding.message


def test_more_calls_of_a_turn_are_of_one_size_and_the_first_does_not_count(decoded, monkeypatch):
    monkeypatch.setitem(rounds.TURN_CALLS, "cpu", 4)
    log: list[Any] = []
    team = side("team", log)
    timing = conclude(session([side("base", []), team], [split(8)], (2,)), (2,))
    runs = [lr for what, _, lr in log if what == "run"]
    # 3, 3 and 2 images of three sizes: three turns a round, each with one call more.
    assert len(runs) == 2 * (8 + 3) == len({lr.tobytes() for lr in runs})  # and nothing twice
    for of_round in (runs[:11], runs[11:]):
        turns = [len(list(turn)) for _, turn in itertools.groupby(of_round, key=lambda lr: lr.shape)]
        assert sorted(turns) == [3, 4, 4]
    assert timing.turn_calls == 4
    assert all(len(image.runtime_samples_ms) == 2 for image in team.splits["valid"].per_image)


def test_a_pair_is_made_again_where_other_programs_disturb_it_and_never_one_side(decoded, monkeypatch):
    busy = [False]

    class Around(Calm):
        def look(self) -> Surroundings:
            return Surroundings(load=0.5 if busy[0] else 0.0)

    monkeypatch.setattr(rounds, "Watcher", Around)
    log: list[Any] = []
    base, team = side("base", log), side("team", log)
    worker = cast(FakeWorker, team.worker)
    given = worker.run

    def run(lr: Image) -> Call:
        call = given(lr)
        busy[0] = worker.calls in (20, 21, 25)
        slow = 300.0 if worker.calls in (20, 25, 28) else 0.0  # the last for a reason of its own
        return call._replace(claimed_ms=100.0 + slow, bracket_ms=100.0 + slow)

    monkeypatch.setattr(worker, "run", run)
    timing = conclude(session([base, team], [split(9)], (3,)), (3,))
    calls = {
        name: sum(1 for what, who, _ in log if what == "run" and who == name) for name in ("base", "team")
    }
    assert calls == {"base": 29, "team": 29} and timing.repeated == {"load": 2}
    samples = [sample for image in team.splits["valid"].per_image for sample in image.runtime_samples_ms]
    assert sorted(samples)[-2:] == [100.0, 400.0] and timing.slow_calls == {"unknown": 1}
    (slow,) = [slow for image in team.splits["valid"].per_image for slow in image.slow_calls]
    assert slow.cause == "unknown"


def test_outputs_that_depend_on_the_order_of_images_are_noticed(decoded):
    before: list[Image] = []

    def carries(lr: Image) -> Image:
        sr = nearest(lr)
        shift = 0 if not before else int(before[-1].mean()) % 7
        before.append(lr)
        return (sr.astype(int) + shift).clip(0, 255).astype(np.uint8)

    team = side("team", [], carries)
    conclude(session([team], [split(9)], (2, 2, 2)), (2, 2, 2))
    assert "output-not-reproducible" in codes(team)


def test_a_good_network_for_the_first_launch_alone_is_noticed(decoded):
    calls = [0]

    def tires(lr: Image) -> Image:
        calls[0] += 1
        return nearest(lr) if calls[0] <= 12 else nearest(lr) // 2

    team = side("team", [], tires)
    conclude(session([team], [split(6)], (2, 2)), (2, 2))
    assert "output-not-reproducible" in codes(team)


def test_an_implausible_gain_over_the_baseline_is_told_with_its_images(decoded):
    team = side("team", [], lambda lr: (nearest(lr) + 4).astype(np.uint8))  # 1 off, the baseline 5
    conclude(session([side("base", []), team], [split(4)], (1,)), (1,))
    (finding,) = [finding for finding in team.findings if finding.code == "gain-over-baseline"]
    assert finding.severity == "warning" and "0000 (+13.98 dB)" in finding.message


def test_every_image_size_is_warmed():
    log: list[Any] = []
    team = side("team", log)
    images = [np.zeros((20 + i, 24, 3), np.uint8) for i in range(3)]
    first_ms = warm_up(team, images, "cpu", Timeline(None, "x"))
    assert [size for _, _, size in log] == [(20, 24), (21, 24), (22, 24)]
    assert first_ms == 8.0  # the very first call's


def test_on_a_gpu_the_largest_size_is_warmed_first():
    """What the largest takes of the GPU's memory does for the others, in calls that count."""
    log: list[Any] = []
    images = [np.zeros((height, width, 3), np.uint8) for height, width in ((20, 24), (30, 24), (10, 80))]
    first_ms = warm_up(side("team", log), images, "cuda", Timeline(None, "x"))
    assert [size for _, _, size in log] == [(10, 80), (30, 24), (20, 24)]
    assert first_ms == 8.0


def test_a_fault_beside_the_calls_is_not_swallowed(decoded, monkeypatch):
    def broken(*_: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr(outputs, "psnr", broken)
    for spare in (0, 2):
        with pytest.raises(KeyError, match="ours"):
            session([side("team", [])], [split(3)], (1,), spare)
