"""One evaluation, from files to a record: right numbers, the order of phases, and every way to fail."""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import math
import re
import socket
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import toys
from pairs import noise, smooth, write_pairs
from PIL import Image
from record_factory import make_complexity
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from ntire_bench.client import workers as module
from ntire_bench.client.worker import Call
from ntire_bench.data.dataset import Split, load_splits
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.estimating.stopping import LAUNCHES, StopRule
from ntire_bench.isolation import choose
from ntire_bench.measuring import resolve, rounds
from ntire_bench.measuring.unseen import calls as composed_calls
from ntire_bench.protocols import protocol as protocols
from ntire_bench.records import store
from ntire_bench.records.record import Audit, Record
from ntire_bench.submissions.models_folder import find
from ntire_bench.submissions.submission import Submission
from ntire_bench.wire.messages import Counted, LoadReply, WarmUp
from ntire_bench.wire.observation import Observation
from ntire_bench.workflows.evaluate import Options, evaluate

RULES = protocols.load("ntire2024")
ROUNDS = 3
LOADED = 'SUBMISSION = {"model": "Toy", "data_range": 1}'


class Log:
    """A Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, int]] = []

    def __call__(self, what: str, done: int, total: int) -> None:
        self.calls.append((what, done, total))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    # Sizes differ between images and splits; one HR image is not a multiple of 4.
    write_pairs(folder, "valid", [smooth(1), smooth(2, 98, 135), noise(3)])
    write_pairs(folder, "test", [smooth(4, 64, 80)])
    return folder


@pytest.fixture(scope="module")
def splits(data_dir) -> tuple[Split, ...]:
    return load_splits(("valid", "test"), data_dir)


@pytest.fixture(scope="module")
def one_split(splits) -> tuple[Split, ...]:
    valid = splits[0]
    return (dataclasses.replace(valid, pairs=valid.pairs[:2]),)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("submissions")
    weights = toys.state_dict(channels=8)
    # Every size must be warm before anything is timed: a size that is new to it takes this toy 0.3 s.
    head = f"{LOADED}\nimport time\nSEEN = set()\n"
    first = "lr.shape in SEEN or (SEEN.add(lr.shape), time.sleep(0.3))"
    toys.write_toy(folder, 0, "RLFN", body=toys.toy(head=LOADED), checkpoint=weights)
    toys.write_toy(folder, 5, "Toy", body=toys.toy(first, head="import torch\n" + head), checkpoint=weights)
    return folder


@pytest.fixture(scope="module")
def get(folder) -> Callable[[int], Submission]:
    return lambda id_: find(folder / "models", folder / "model_zoo").get(id_)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("sr")


@pytest.fixture(scope="module")
def evaluation(get, splits, saved) -> tuple[Record, Log]:
    """Both splits, three rounds, SSIM, SR images: what most tests below look at."""
    log = Log()
    options = Options(stop=StopRule(rounds=ROUNDS), psnr_channel="y", device="cpu", ssim=True, save_dir=saved)
    with pytest.MonkeyPatch.context() as patch:  # no launch is made again, whatever else runs here
        patch.setattr(rounds.Rounds, "launch_fits", lambda *_: True)
        return evaluate(get(5), get(0), splits, RULES, options, log), log


@pytest.fixture(scope="module")
def record(evaluation) -> Record:
    assert evaluation[0].error is None
    return evaluation[0]


def luma(image: np.ndarray) -> np.ndarray:
    """Return Y of BT.601 in floating point, by the published formula."""
    return image.astype(np.float64) @ (np.array([65.481, 128.553, 24.966]) / 255.0) + 16.0


def test_psnr_and_ssim_are_those_of_scikit_image_on_the_saved_images(record, data_dir, saved):
    inner = (slice(4, -4), slice(4, -4))
    for split in ("valid", "test"):
        for result in record.splits[split].per_image:
            name = f"DIV2K_LSDIR_{split}"
            sr = np.asarray(Image.open(saved / "05_Toy" / name / f"{result.name}.png"))
            hr = np.asarray(Image.open(data_dir / f"{name}_HR" / f"{result.name}.png"))
            hr = hr[: hr.shape[0] // 4 * 4, : hr.shape[1] // 4 * 4]
            assert sr.shape == hr.shape == (result.height, result.width, 3)
            sr, hr = sr[inner], hr[inner]
            assert result.psnr_rgb_db == pytest.approx(
                peak_signal_noise_ratio(hr, sr, data_range=255), abs=1e-9
            )
            y_sr, y_hr = luma(sr), luma(hr)
            assert result.psnr_y_db == pytest.approx(
                peak_signal_noise_ratio(y_hr, y_sr, data_range=255), abs=1e-9
            )
            _, ssim = structural_similarity(
                y_hr,
                y_sr,
                data_range=255,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                full=True,
            )
            # Whole windows only: 5 pixels on each side of an 11x11 window have none.
            assert result.ssim_y == pytest.approx(ssim[5:-5, 5:-5].mean(), abs=1e-9)
    assert not (saved / "00_RLFN").exists()  # the baseline's images are nobody's result


def test_means_of_a_split(record):
    for result in [*record.splits.values(), *record.baseline.splits.values()]:
        for key in ("psnr_y_db", "psnr_rgb_db", "ssim_y", "runtime_ms"):
            values = [getattr(image, key) for image in result.per_image]
            assert getattr(result, key) == pytest.approx(statistics.fmean(values), rel=1e-12)
        assert result.images == len(result.per_image)
        assert [image.name for image in result.per_image] == sorted(image.name for image in result.per_image)
        assert result.memory_mib is None or 10 < result.memory_mib < 100_000
    assert [result.images for result in record.splits.values()] == [3, 1]


def test_runtime_is_the_median_over_the_stored_rounds(record):
    for result in [*record.splits.values(), *record.baseline.splits.values()]:
        for image in result.per_image:
            assert len(image.runtime_samples_ms) == ROUNDS
            assert image.runtime_ms == sorted(image.runtime_samples_ms)[ROUNDS // 2]
            assert all(sample > 0 for sample in image.runtime_samples_ms)


def test_every_size_is_warm_before_it_is_timed(record):
    """The toy takes 0.3 s more for the first image of each size, in each process."""
    assert all(i.runtime_ms < 300 for split in record.splits.values() for i in split.per_image)
    assert record.wall_s["warm-up"] > 3 * 0.3  # three sizes, each met there first


def test_the_baseline_is_measured_in_the_same_session(record):
    baseline = record.baseline
    assert baseline.submission.name == "RLFN" and baseline.submission.id == 0
    assert baseline.splits.keys() == record.splits.keys() == {"valid", "test"}
    for split, result in baseline.splits.items():
        assert result.dataset_sha256 == record.splits[split].dataset_sha256
        assert all(len(image.runtime_samples_ms) == ROUNDS for image in result.per_image)
        # The same weights and the same arithmetic: the same images.
        assert result.psnr_y_db == record.splits[split].psnr_y_db
    # The same network; the baseline is the organizer's own and is not audited.
    assert baseline.complexity == dataclasses.replace(record.complexity, audit=baseline.complexity.audit)


def test_the_score_is_the_ratio_of_this_session(record):
    assert record.score.runtime == pytest.approx(math.exp(2 * record.timing.ratio))
    assert record.score.flops == record.score.params == pytest.approx(math.exp(2))  # the same network
    expected = 0.7 * record.score.runtime + 0.15 * record.score.flops + 0.15 * record.score.params
    assert record.score.final == pytest.approx(expected)


def test_the_record_holds_every_key_of_the_contract(record, tmp_path):
    path = store.save(record, tmp_path)
    document = msgspec.json.decode(path.read_bytes())
    assert next(iter(document)) == "schema_version"
    for key, inner in {
        "protocol": "name sha256",
        "submission": "id name file file_sha256 checkpoint checkpoint_sha256 model data_range inferred",
        "complexity": "params flops activations convs uncounted_ops audit",
        "score": "runtime flops params final",
        "isolation": "level",
        "environment": "device device_name threads torch python flags clock commit",
        "wall_s": "load warm-up complexity run total",
        "baseline": "submission complexity splits",
    }.items():
        assert set(inner.split()) <= document[key].keys(), key
    assert document["status"] == "ok" and document["error"] is None
    # A toy takes a fraction of a millisecond, which is next to nothing beside what a call takes.
    assert {finding["code"] for finding in document["findings"]} <= {"runtime-unstable", "timing-unattested"}
    split_keys = (
        "images psnr_y_db psnr_rgb_db ssim_y runtime_ms runtime_ci95_ms memory_mib dataset_sha256 per_image"
    )
    image_keys = "name height width psnr_y_db psnr_rgb_db ssim_y runtime_ms runtime_samples_ms"
    for splits in (document["splits"], document["baseline"]["splits"]):
        for split in splits.values():
            assert set(split_keys.split()) <= split.keys()
            assert all(set(image_keys.split()) <= image.keys() for image in split["per_image"])
    assert store.load(path) == record


def test_the_record_names_no_machine_user_or_absolute_folder(record, folder):
    text = msgspec.json.encode(record.environment).decode()
    assert socket.gethostname() not in text
    with contextlib.suppress(KeyError, OSError):  # a user without a name, as in some containers
        assert f'"{getpass.getuser()}"' not in text
    assert not Path(record.submission.file).is_absolute()


def test_progress_reaches_its_total_and_never_goes_back(evaluation):
    log = evaluation[1]
    done = [call[1] for call in log.calls]
    assert done == sorted(done) and len({call[2] for call in log.calls}) == 1
    # Per launch 3 sizes to warm, and 4 images in each of the rounds, for both sides.
    assert done[-1] == log.calls[-1][2] == 2 * (3 * LAUNCHES + 4 * ROUNDS)
    assert all(what.startswith("05_Toy: ") for what, _, _ in log.calls)


def test_the_baseline_itself_scores_e_squared_exactly(get, one_split):
    record = evaluate(
        get(0), get(0), one_split, RULES, Options(stop=StopRule(rounds=1), psnr_channel="y", device="cpu")
    )
    assert record.status == "ok"
    assert record.baseline.splits == record.splits and record.baseline.complexity == record.complexity
    assert record.score.final == pytest.approx(7.38905609893065, rel=1e-12)  # e^2
    assert record.score.runtime == record.score.flops == record.score.params == math.exp(2)
    assert record.splits["valid"].ssim_y is None  # it was not asked for


@pytest.fixture
def toy_of(tmp_path) -> Callable[..., Submission]:
    def toy_of(changes: str = "pass", *, head: str = LOADED, **keywords: object) -> Submission:
        weights = keywords.pop("checkpoint", toys.state_dict())
        toys.write_toy(tmp_path, 7, "Odd", body=toys.toy(changes, head=head), checkpoint=weights, **keywords)
        return find(tmp_path / "models", tmp_path / "model_zoo").get(7)

    return toy_of


QUICK = Options(stop=StopRule(rounds=1), psnr_channel="y", device="cpu")


@pytest.mark.parametrize(
    ("phase", "changes", "head", "expected"),
    [
        (
            "load",
            "pass",
            f"{LOADED}\nraise OSError('no such library')",
            "raises when it is imported.*no such library",
        ),
        (
            "complexity",
            "if lr.shape[-1] == 256: raise MemoryError('too large for me')",
            LOADED,
            "forward failed on an LR image of 256x256.*too large for me",
        ),
        (
            "warm-up",
            "if lr.shape[-1] == 33: __import__('os')._exit(1)",
            LOADED,
            "process ended during warm-up",
        ),
        (
            "run",
            "CALLS.append(lr.shape)\n        if CALLS.count((1, 3, 25, 33)) > 3: raise RuntimeError('tired')",
            f"{LOADED}\nCALLS = []",
            "forward failed on an LR image of 25x33.*tired",
        ),
    ],
    ids=["load", "complexity", "warm-up", "run"],
)
def test_a_failure_is_a_record_that_says_where_and_why(toy_of, tmp_path, phase, changes, head, expected):
    odd = toy_of(changes, head=head)
    # The second image has a size that is met nowhere before the warm-up.
    splits = load_splits(("valid",), write_pairs(tmp_path / "two", "valid", [smooth(1), smooth(2, 100, 132)]))
    record = evaluate(odd, odd, splits, RULES, QUICK)  # its own baseline: one worker is enough here
    assert (record.status, record.error.phase, record.error.type) == ("failed", phase, "SubmissionError")
    assert re.search(expected, record.error.message), record.error.message
    assert record.score is None and not record.splits
    assert record.submission.file_sha256 and record.submission.checkpoint_sha256
    assert (record.complexity is not None) == (phase == "run")
    assert record.environment is not None and record.isolation is not None
    order = ["load", "warm-up", "complexity", "run"]
    assert list(record.wall_s) == [*order[: order.index(phase) + 1], "total"]
    assert store.load(store.save(record, tmp_path / "results")) == record


def test_a_failing_baseline_is_not_the_submissions_fault(toy_of, get, one_split):
    record = evaluate(get(5), toy_of("raise RuntimeError('ill')"), one_split, RULES, QUICK)
    assert (record.status, record.error.phase) == ("failed", "baseline")
    assert "the baseline 07_Odd failed" in record.error.message and "ill" in record.error.message
    assert record.submission.id == 5 and record.baseline is None


@pytest.mark.slow
def test_a_baseline_that_costs_nothing_is_a_failure_not_a_crash(toy_of, one_split):
    free = toy_of(head='SUBMISSION = {"model": "Free", "data_range": 1, "checkpoint": None}', checkpoint=None)
    free.file.write_text(
        free.file.read_text()
        + "\nclass Free(nn.Module):\n    def forward(self, lr):\n"
        + "        return lr.repeat_interleave(4, 2).repeat_interleave(4, 3)\n"
    )
    record = evaluate(free, free, one_split, RULES, QUICK)
    assert (record.status, record.error.phase, record.error.type) == ("failed", "baseline", "RecordError")
    assert record.splits and record.score is None


@pytest.mark.slow
def test_an_infinite_psnr_is_a_finding_and_enters_no_mean(toy_of, tmp_path):
    """The HR image is exactly what the toy gives: every LR pixel four times each way."""
    lr = np.asarray(Image.fromarray(smooth(5)).resize((32, 24)))
    write_pairs(tmp_path / "data", "valid", [smooth(6), lr.repeat(4, 0).repeat(4, 1)])
    Image.fromarray(lr).save(tmp_path / "data" / "DIV2K_LSDIR_valid_LR" / "0802x4.png")
    splits = load_splits(("valid",), tmp_path / "data")
    odd = toy_of("sr = sr * 0 + lr.repeat_interleave(4, 2).repeat_interleave(4, 3)")
    record = evaluate(odd, odd, splits, RULES, QUICK)
    assert record.status == "ok"
    valid = record.splits["valid"]
    assert [image.psnr_y_db is None for image in valid.per_image] == [False, True]
    assert [image.psnr_rgb_db is None for image in valid.per_image] == [False, True]
    assert valid.psnr_y_db is None and valid.psnr_rgb_db is None
    (finding,) = [f for f in record.findings if f.code == "psnr-infinite"]
    assert finding.severity == "reject" and "0802" in finding.message and "0801" not in finding.message
    assert store.load(store.save(record, tmp_path / "results")) == record


@pytest.mark.slow
def test_changed_settings_of_torch_are_a_finding(toy_of, one_split):
    change = "torch.backends.cudnn.benchmark = True; torch.set_num_threads(torch.get_num_threads() + 1)"
    at_import = toy_of(head=f"{LOADED}\nimport torch; {change}")
    record = evaluate(at_import, at_import, one_split, RULES, QUICK)
    assert "flags-changed" not in {f.code for f in record.findings}  # they are put back before each round
    odd = toy_of(change)
    record = evaluate(odd, odd, one_split, RULES, QUICK)
    assert record.error is None
    (finding,) = [f for f in record.findings if f.code == "flags-changed"]
    assert "cudnn_benchmark: False to True" in finding.message and "threads: " in finding.message
    assert record.environment.flags["cudnn_benchmark"] is False  # as it was set, not as it was left


@pytest.mark.slow
def test_padding_that_is_found_out_is_in_the_record(toy_of, tmp_path):
    write_pairs(tmp_path / "data", "valid", [smooth(1, 96, 128), smooth(2, 100, 132)])
    splits = load_splits(("valid",), tmp_path / "data")
    odd = toy_of("assert lr.shape[-1] % 8 == 0 and lr.shape[-2] % 8 == 0")
    record = evaluate(odd, odd, splits, RULES, QUICK)
    assert record.status == "ok" and record.submission.pad_to == 8
    assert [item.value for item in record.submission.inferred if item.key == "pad_to"] == ["8"]


def test_a_machine_without_the_device_stops_instead_of_failing_every_submission(get, one_split):
    options = dataclasses.replace(QUICK, device="cuda:99")
    with pytest.raises(UsageError, match="cuda:99"):
        evaluate(get(5), get(0), one_split, RULES, options)


def test_more_isolation_than_there_is_stops_at_once(get, one_split, monkeypatch):
    no_walls = choose.LevelTrial("L2", reason="for a test")
    monkeypatch.setattr(choose, "try_level", lambda *_: no_walls)
    started: list[object] = []
    monkeypatch.setattr(module, "Worker", lambda *_, **__: started.append(None))
    with pytest.raises(UsageError, match="isolation"):
        evaluate(get(5), get(0), one_split, RULES, dataclasses.replace(QUICK, isolation="required"))
    assert started == []


class _Calls:
    """Stands in for a worker: knows the order of calls, gives black images."""

    order: list[tuple[str, str]] = []
    slow = None
    threads = 1
    cpu_time_is_exact = True
    builds = None

    def __init__(self, submission: Submission, **_: object) -> None:
        self.name = submission.name

    def cpu_seconds(self) -> float:
        return 0.0

    def paused(self) -> contextlib.AbstractContextManager[bool]:
        return contextlib.nullcontext(True)

    def __enter__(self) -> _Calls:
        return self

    def __exit__(self, *_: object) -> None:
        self.order.append((self.name, "end"))

    def __getattr__(self, operation: str) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            self.order.append((self.name, operation))
            if operation in ("run", "null_run"):
                height, width = arguments[0].shape[:2]
                return Call(np.zeros((4 * height, 4 * width, 3), np.uint8), 1.0, 1.1)
            answers = {
                "hello": HELLO,
                "load": REPLY,
                "complexity": COST,
                "flags": {},
                "warm_up": WarmUp(1, 1.0),
                "parameters": COST.costs.params,
            }
            return answers.get(operation)

        return call


HELLO = {
    "device": "cpu",
    "device_name": None,
    "threads": 1,
    "torch": "2.10.0",
    "fvcore": "0.1.5",
    "python": "3.11",
    "clock": "none",
}
REPLY = LoadReply(model="Toy", data_range=1.0, tile=None, can_fuse=False, inferred=(), findings=())
COST = Counted(
    costs=dataclasses.replace(make_complexity(), audit=Audit(counter="fvcore")),
    observed=Observation(pixels=1, products=1, counted=1, convs=1, activations=1),
)


@pytest.fixture
def calls(monkeypatch) -> Iterator[list[tuple[str, str]]]:
    monkeypatch.setattr(module, "Worker", _Calls)
    monkeypatch.setattr(resolve, "audit", lambda worker, counted, image, **_: (counted.costs, [], None))
    monkeypatch.setattr(_Calls, "pid", 1, raising=False)
    monkeypatch.setattr(_Calls, "order", [])
    monkeypatch.setattr(rounds.Rounds, "launch_fits", lambda *_: True)
    yield _Calls.order


def test_both_sides_alternate_on_every_image_and_take_turns_in_going_first(calls, get, splits, monkeypatch):
    for limit in ("_FEWEST_REPEATED", "_REPEATED_SHARE", "_ROUNDS_AGAIN"):  # whatever else runs here
        monkeypatch.setattr(rounds, limit, 0)
    record = evaluate(get(5), get(0), splits, RULES, Options(stop=StopRule(rounds=2), psnr_channel="y"))
    calls = _Calls.order
    assert record.status == "ok"
    begin = calls.index(("RLFN", "run"))
    phases = [operation for _, operation in calls[:begin] if operation != "audit"]
    # What a call costs beside the network is measured before any of the submission's code is in the process.
    assert phases[:2] == ["hello"] * 2 and set(phases[2 : phases.index("load")]) == {"null_run"}
    after = phases[phases.index("load") :]
    # The next launch's workers are ready before anything is timed.
    assert (
        after
        == ["load"] * 2
        + ["warm_up"] * 6  # before anything else: the first call is a cold one
        + ["complexity"] * 2
        + ["hello"] * 2
        + ["begin_round"] * 2
        + ["reset_memory"] * 2
    )
    # Last comes a fresh worker of the submission's: one LR image that was timed, an exact one, dithered, and
    # as no round had composed images, some of these.
    fresh = ["load", "run", "run", *["run"] * composed_calls(splits), "end"]
    assert calls[-len(fresh) :] == [("Toy", operation) for operation in fresh]
    calls = calls[: -len(fresh)]
    runs = [name for name, operation in calls if operation == "run"]
    assert len(runs) == 2 * 2 * 4
    pairs = list(zip(runs[::2], runs[1::2], strict=True))
    assert all(set(pair) == {"RLFN", "Toy"} for pair in pairs)
    assert [pair[0] for pair in pairs] == ["RLFN", "Toy"] * 4
    # Memory belongs to one split: it is reset before and read after each, in each of two launches.
    of_toy = [operation for name, operation in calls if name == "Toy"]
    assert of_toy.count("reset_memory") == of_toy.count("peak_memory_mib") == 4
    assert of_toy.count("hello") - 1 == of_toy.count("load") == of_toy.count("end") == 2
    assert of_toy.count("complexity") == 1
    assert of_toy[-3:] == ["flags", "parameters", "end"]


@pytest.mark.parametrize(
    "fits", [[False, True, True], [True, False, True], [False, False, True], [False] * 3]
)
def test_a_launch_whose_clocks_do_not_fit_is_made_again_once_by_new_workers(
    calls, get, splits, monkeypatch, fits
):
    """With one round a launch all its calls are exact ones, which these workers must not see twice."""
    answers = iter([*fits, True, True])
    monkeypatch.setattr(rounds.Rounds, "launch_fits", lambda *_: next(answers))
    for limit in ("_FEWEST_REPEATED", "_REPEATED_SHARE", "_ROUNDS_AGAIN"):
        monkeypatch.setattr(rounds, limit, 0)
    log = Log()
    options = Options(stop=StopRule(rounds=2), psnr_channel="y")
    record = evaluate(get(5), get(0), splits, RULES, options, log)
    assert record.status == "ok" and [launch.rounds for launch in record.timing.launches] == [1, 1]
    images = sum(len(split.pairs) for split in splits)
    assert record.timing.repeated == {"clocks": images}
    for results in (record.splits, record.baseline.splits):
        lists = [
            (len(image.runtime_samples_ms), len(image.overhead_ms), len(image.overhead_spread_ms))
            for split in results.values()
            for image in split.per_image
        ]
        assert set(lists) == {(2, 2, 2)}
    runs = [name for name, operation in _Calls.order if operation == "run"]
    assert runs.count("RLFN") == 3 * images  # two launches, one of them twice
    assert _Calls.order.count(("RLFN", "load")) == 3
    assert log.calls[-1][1] == log.calls[-1][2]  # the display reaches its end


def test_a_worker_that_keeps_asking_for_other_paddings_does_not_hold_up_the_run(
    calls, get, splits, monkeypatch
):
    answers = iter(range(1, 10_000))
    monkeypatch.setattr(_Calls, "warm_up", lambda self, *_: WarmUp(next(answers), 1.0), raising=False)
    record = evaluate(get(5), get(0), splits, RULES, Options(stop=StopRule(rounds=1), psnr_channel="y"))
    assert record.status == "ok" and next(answers) < 200


@pytest.mark.parametrize("failures", [1, 2])
def test_a_fresh_process_that_fails_twice_costs_the_rank_and_no_result(
    calls, get, splits, monkeypatch, failures
):
    loads: list[object] = []

    def load(self, _):
        loads.append(self)
        if 3 <= len(loads) < 3 + failures:  # after the two sides', those of processes to compare with
            raise SubmissionError("does not load a second time", file="models/team05_Toy.py")
        return REPLY

    monkeypatch.setattr(_Calls, "load", load, raising=False)
    record = evaluate(get(5), get(0), splits, RULES, Options(stop=StopRule(rounds=1), psnr_channel="y"))
    assert record.status == "ok" and record.score is not None and len(loads) == 4
    found = [one.message for one in record.findings if one.code == "not-compared"]
    if failures == 1:
        assert not found
        return
    (message,) = found
    assert "failed twice" in message and "does not load a second time" in message
