"""Several evaluations in a row: each stored at once, resumed where they stopped, never stopped by one.

The evaluations themselves are stood in for by records of the right files and images; tests of the real thing
are in test_evaluate and test_interruption.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import toys
from pairs import smooth, write_pairs
from record_factory import make_complexity, make_environment, make_record, make_split

from ntire_bench.claims.desk import Desk
from ntire_bench.claims.nodes import LeftOutNode, leave_out
from ntire_bench.data.dataset import load_splits
from ntire_bench.errors import DatasetError, SubmissionError, UsageError
from ntire_bench.estimating.stopping import StopRule
from ntire_bench.machine import environment, installed
from ntire_bench.measuring import resolve
from ntire_bench.protocols import protocol as protocols
from ntire_bench.records import store
from ntire_bench.records.record import ErrorInfo, Finding, Launch, Measurement, Record, SplitResult, Timing
from ntire_bench.submissions import baseline_choice
from ntire_bench.submissions.models_folder import find
from ntire_bench.submissions.submission import Submission
from ntire_bench.workflows import campaign, resume
from ntire_bench.workflows.campaign import Evaluated
from ntire_bench.workflows.claimed import Claims
from ntire_bench.workflows.data import Data, choose_data
from ntire_bench.workflows.evaluate import Options

RULES = protocols.load("ntire2024")
OPTIONS = Options(stop=StopRule(rounds=3), psnr_channel="y", device="cpu")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_pairs(folder, "valid", [smooth(1)])
    write_pairs(folder, "test", [smooth(2)])
    return folder


@pytest.fixture
def data(data_dir) -> Data:
    return Data(load_splits(("valid",), data_dir), RULES)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Three submissions, the baseline among them; the working directory is theirs."""
    monkeypatch.chdir(tmp_path)
    for id_, name in ((0, "RLFN"), (1, "Ann"), (2, "Bob")):
        toys.write_toy(tmp_path, id_, name, body=toys.DECLARED, checkpoint=b"not opened by the parent")
    return tmp_path


def with_ssim(result: SplitResult) -> SplitResult:
    per_image = tuple(dataclasses.replace(image, ssim_y=0.9) for image in result.per_image)
    return dataclasses.replace(result, ssim_y=0.9, per_image=per_image)


class Evaluations:
    """Stands in for `evaluate`; `evaluated` says for which submissions it was called.

    It stores environments as this machine's are on a CPU, but for `machine`.
    """

    def __init__(self) -> None:
        self.evaluated: list[int] = []
        self.fails: set[int] = set()
        self.machine: dict[str, object] = {}
        self.timings: dict[int, Timing] = {}
        self.found: dict[int, list[Finding]] = {}
        self.time = 0

    def __call__(
        self, submission: Submission, baseline: Submission, splits, protocol, options: Options, progress, **_
    ) -> Record:
        self.evaluated.append(submission.id)
        self.time += 1
        found = tuple(self.found.get(submission.id, ()))

        def measured(info):
            results = {
                s.name: make_split(
                    s.name, 28.0, 27.0, 10.0, rounds=options.stop.rounds, dataset_sha256=s.sha256
                )
                for s in splits
            }
            if options.ssim:
                results = {name: with_ssim(result) for name, result in results.items()}
            return Measurement(submission=info, complexity=make_complexity(), splits=results)

        own = measured(resolve.describe(submission))
        threads = options.threads or environment.compute_threads()
        machine = make_environment("cpu", "a CPU", threads=threads)
        machine = dataclasses.replace(
            machine, cpu=environment.cpu_model(), torch=installed.torch_build().version
        )
        machine = dataclasses.replace(machine, **self.machine)
        record = dataclasses.replace(
            make_record(created_utc=f"2026-11-20T10:00:{self.time:02d}Z", protocol=protocol.name),
            submission=own.submission,
            complexity=own.complexity,
            splits=own.splits,
            baseline=measured(resolve.describe(baseline)),
            rounds=options.stop.rounds,
            environment=machine,
            timing=self.timings.get(submission.id),
            findings=found,
        )
        if record.timing is not None:
            codes = ["runtime-unstable", *(["timing-unattested"] if record.timing.attested is False else [])]
            findings = tuple(Finding(code=code, severity="warning", message="busy") for code in codes)
            record = dataclasses.replace(record, findings=(*found, *findings))
        if submission.id not in self.fails:
            return record
        error = ErrorInfo(type="SubmissionError", message="fails", phase="run")
        return dataclasses.replace(record, status="failed", error=error)


@pytest.fixture
def evaluations(monkeypatch) -> Evaluations:
    evaluations = Evaluations()
    monkeypatch.setattr(campaign, "evaluate", evaluations)
    return evaluations


@pytest.fixture
def go(folder, data, evaluations) -> Callable[..., list[int]]:
    """A function that runs a campaign and returns the ids it evaluated."""

    def go(
        *ids: int,
        options: Options = OPTIONS,
        on: Data = data,
        resume: bool = True,
        claims: Claims | None = None,
    ) -> list[int]:
        evaluations.evaluated.clear()
        catalogue = find(folder / "models", folder / "model_zoo")
        wanted = ids or sorted({*catalogue.submissions, *catalogue.problems})
        results = folder / "results"
        made = campaign.run(catalogue, wanted, on, options, results, resume=resume, claims=claims)
        go.outcomes = list(made)
        return list(evaluations.evaluated)

    return go


def outcomes_of(go: Callable[..., list[int]]) -> list[Evaluated]:
    return go.outcomes


def test_each_record_is_stored_before_the_next_evaluation_begins(folder, data, evaluations):
    catalogue = find(folder / "models", folder / "model_zoo")
    results = folder / "results"
    for done, outcome in enumerate(campaign.run(catalogue, [0, 1, 2], data, OPTIONS, results), 1):
        assert len(evaluations.evaluated) == done
        assert len(store.load_all(results)[0]) == done
        assert store.load(outcome.path) == outcome.record
        assert outcome.path.parent == results / "ntire2024" / outcome.label


def test_an_id_named_twice_is_evaluated_once(go):
    assert go(1, 1, 2, 1, resume=False) == [1, 2]


def test_resume_leaves_out_what_is_done(go):
    assert go() == [0, 1, 2]
    assert go() == []
    assert go(resume=False) == [0, 1, 2]


def test_the_record_that_is_already_there_is_told(go, folder, data):
    go()
    told = []
    catalogue = find(folder / "models", folder / "model_zoo")
    again = campaign.run(
        catalogue,
        [1],
        data,
        OPTIONS,
        folder / "results",
        resume=True,
        skipped=lambda label, done: told.append((label, store.load(done.path).submission.id)),
    )
    assert list(again) == [] and told == [("01_Ann", 1)]


def test_resume_reruns_what_failed(go, evaluations):
    evaluations.fails = {1}
    assert go() == [0, 1, 2]
    assert go() == [1]
    evaluations.fails = set()
    assert go() == [1]
    assert go() == []


def test_resume_reruns_what_is_not_believed_and_not_what_is_unstable(go, evaluations):
    """As the table says of both: the first has no rank while any other is believed."""
    launches = (Launch(rounds=3, load_s=0.1, first_call_ms=1.0),)
    timing = Timing(
        launches=launches,
        stopped="rounds",
        precision=0.01,
        half_width=0.2,
        ratio=1.0,
        ratio_ci95=None,
        score_ci95=None,
        unstable=("its 95 % interval is wider than ±4%",),
        attested=False,
    )
    evaluations.timings = {1: timing, 2: dataclasses.replace(timing, attested=None)}
    assert go() == [0, 1, 2]
    assert go() == [1]
    evaluations.timings = {}
    assert go() == [1]
    assert go() == []


def test_resume_reruns_what_was_compared_with_nothing(go, evaluations):
    evaluations.found = {1: [Finding(code="not-compared", severity="warning", message="failed twice")]}
    assert go() == [0, 1, 2]
    evaluations.found = {}
    assert go() == [1]
    assert go() == []


def test_resume_reruns_what_contradicts_itself(go, folder):
    go()
    (path,) = (folder / "results" / "ntire2024" / "01_Ann").glob("*.json")
    path.write_text(path.read_text().replace('"runtime_ms": 10.0', '"runtime_ms": 4.0'))
    assert go() == [1]


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ("models/team01_Ann.py", [1]),
        ("model_zoo/team01_Ann.pth", [1]),
        # All costs are divided by the baseline's: with another baseline nothing of before holds.
        ("models/team00_RLFN.py", [0, 1, 2]),
        ("model_zoo/team00_RLFN.pth", [0, 1, 2]),
    ],
)
def test_resume_reruns_what_has_changed(go, folder, changed, again):
    go()
    with (folder / changed).open("a") as file:
        file.write("\n")
    assert go() == again


def test_resume_reruns_for_a_baseline_of_another_folder(folder, data, evaluations):
    """What has the baseline's id and name in models/ is evaluated beside it, as any other."""
    for name in ("one", "two"):
        body = toys.DECLARED + f"# {name}\n"
        toys.write_toy(folder / name, 0, "RLFN", body=body, checkpoint=b"not opened by the parent")

    def evaluated(home: str) -> list[int]:
        evaluations.evaluated.clear()
        catalogue = dataclasses.replace(
            find(folder / "models", folder / "model_zoo"),
            baseline_folder=baseline_choice.find_folder(folder / home),
        )
        for outcome in campaign.run(catalogue, [0, 1], data, OPTIONS, folder / "results", resume=True):
            assert outcome.record.baseline.submission.file == f"{home}/models/team00_RLFN.py"
        return list(evaluations.evaluated)

    assert evaluated("one") == [0, 1] and evaluated("one") == []
    assert evaluated("two") == [0, 1]


def test_an_inferred_baseline_is_told_once(folder, data, evaluations):
    toys.write_toy(folder, 41, "rlfn", body=toys.DECLARED, checkpoint=b"not opened by the parent")
    catalogue = find(folder / "models", folder / "model_zoo")
    told: list[str] = []
    outcomes = list(
        campaign.run(
            catalogue,
            [0, 1, 41],
            data,
            OPTIONS,
            folder / "results",
            inferred=lambda item: told.append(item.label),
        )
    )
    assert told == ["00_RLFN"] and evaluations.evaluated == [0, 1]
    assert outcomes[2].record.error.phase == "find"


def test_resume_reruns_a_renamed_submission(go, folder):
    go()
    (folder / "models" / "team01_Ann.py").rename(folder / "models" / "team01_Anna.py")
    (folder / "model_zoo" / "team01_Ann.pth").rename(folder / "model_zoo" / "team01_Anna.pth")
    assert go() == [1]


def test_resume_reruns_on_other_images(go, data, tmp_path):
    go()
    write_pairs(tmp_path / "other", "valid", [smooth(7)])
    other = Data(load_splits(("valid",), tmp_path / "other"), RULES)
    assert go(on=other) == [0, 1, 2]


def test_resume_reruns_for_another_split_and_not_for_fewer(go, data, data_dir):
    go()
    both = Data(load_splits(("valid", "test"), data_dir), RULES)
    assert go(on=both) == [0, 1, 2]
    assert go(on=both) == []
    assert go(on=data) == []


def test_resume_reruns_under_other_rules(go, data):
    go()
    changed = Data(data.splits, dataclasses.replace(RULES, sha256=hashlib.sha256(b"new").hexdigest()))
    assert go(on=changed) == [0, 1, 2]
    assert go(on=Data(data.splits, dataclasses.replace(RULES, name="ntire2026"))) == [0, 1, 2]


def test_resume_reruns_for_more_rounds_and_not_for_fewer(go):
    go()
    assert go(options=dataclasses.replace(OPTIONS, stop=StopRule(rounds=2))) == []
    assert go(options=dataclasses.replace(OPTIONS, stop=StopRule(rounds=4))) == [0, 1, 2]


@pytest.mark.parametrize(
    ("stopped", "limits", "enough"),
    [
        ("max-time", {"max_time_s": 1200.0}, False),
        ("max-time", {"max_time_s": 30.0}, True),
        ("max-rounds", {"max_rounds": 60}, False),
        ("max-rounds", {"max_rounds": 4}, True),
        ("precision", {"precision": 0.1}, True),
        ("precision", {"precision": 0.1, "min_rounds": 5}, False),
        ("precision", {"precision": 0.01}, False),
    ],
)
def test_what_stopped_at_smaller_limits_is_not_enough(stopped, limits, enough):
    timing = Timing(
        launches=tuple(Launch(rounds=count, load_s=1.0, first_call_ms=1.0) for count in (2, 1, 1)),
        stopped=stopped,
        precision=0.01,
        half_width=0.1,
        ratio=1.0,
        ratio_ci95=None,
        score_ci95=None,
        max_time_s=60.0,
    )
    record = dataclasses.replace(make_record(1, "A"), timing=timing, rounds=4)
    options = Options(psnr_channel="y", stop=StopRule(**limits))
    assert resume._measured_enough(record, options) == enough


def test_resume_reruns_on_another_machine(go, monkeypatch):
    go()
    assert go(options=dataclasses.replace(OPTIONS, device="auto")) == []
    assert go(1, options=dataclasses.replace(OPTIONS, device="cuda:0")) == [1]
    monkeypatch.setattr(environment, "cpu_model", lambda: "Another CPU")
    assert go() == [0, 1, 2]


def of_a_gpu(**changes: object) -> dict[str, object]:
    """What differs in the environment of a record from an H100."""
    machine = {"device": "cuda", "device_name": "NVIDIA H100 80GB HBM3", "threads": 1, "driver": "580.159.04"}
    return {**machine, "torch": "2.11.0+cu130", "cuda": "13.0", "cudnn": "91900", **changes}


@pytest.mark.parametrize(
    ("changes", "again"),
    [
        ({}, []),
        ({"device_name": "NVIDIA H200"}, [0, 1, 2]),
        ({"driver": "550.54.15"}, [0, 1, 2]),
        ({"torch": "2.10.0+cu130"}, [0, 1, 2]),
        ({"cuda": "12.8"}, [0, 1, 2]),
        ({"cudnn": "91800"}, [0, 1, 2]),
        ({"threads": 15}, [0, 1, 2]),  # as version 1 had it
        ({"device_name": "NVIDIA H100 80GB HBM3 MIG 1g.10gb"}, []),  # which part of a GPU is not known before
        ({"device": "cpu"}, [0, 1, 2]),
    ],
)
@pytest.mark.parametrize("asked", ["auto", "cuda", "cuda:1"])
def test_resume_reruns_what_another_class_of_gpu_measured(
    go, evaluations, monkeypatch, changes, again, asked
):
    monkeypatch.setattr(
        installed, "gpus", lambda: installed.Gpus(models=("NVIDIA H100 80GB HBM3",) * 2, driver="580.159.04")
    )
    build = installed.Torch(version="2.11.0+cu130", cuda="13.0", cudnn="91900")
    monkeypatch.setattr(installed, "torch_build", lambda: build)
    evaluations.machine = of_a_gpu(**changes)
    go()
    assert go(options=dataclasses.replace(OPTIONS, device=asked)) == again


def test_resume_takes_what_it_cannot_know_to_be_the_same(go, evaluations, monkeypatch):
    monkeypatch.setattr(installed, "gpus", lambda: None)
    monkeypatch.setattr(
        installed, "torch_build", lambda: installed.Torch(version="2.11.0+cu130", cuda="13.0", cudnn=None)
    )
    evaluations.machine = of_a_gpu()
    go()
    on_gpu = dataclasses.replace(OPTIONS, device="cuda")
    assert go(options=on_gpu) == []
    # What can be known is still compared.
    monkeypatch.setattr(
        installed, "torch_build", lambda: installed.Torch(version="2.11.0+cu128", cuda="12.8", cudnn=None)
    )
    assert go(options=on_gpu) == [0, 1, 2]


def test_resume_reruns_for_another_torch_and_for_the_device_that_auto_takes(go, evaluations, monkeypatch):
    evaluations.machine = {"torch": "2.9.1+cpu"}
    go()
    assert go() == [0, 1, 2]
    evaluations.machine = {}
    go(resume=False)
    auto = dataclasses.replace(OPTIONS, device="auto")
    assert go(options=auto) == []
    here = installed.torch_build()
    monkeypatch.setattr(installed, "torch_build", lambda: dataclasses.replace(here, cuda="13.0"))
    assert go(options=auto) == []  # without a GPU a worker takes the CPU
    monkeypatch.setattr(
        installed, "gpus", lambda: installed.Gpus(models=("NVIDIA H200",), driver="580.159.04")
    )
    assert go(options=auto) == [0, 1, 2] and go(options=OPTIONS) == []


def test_resume_reruns_where_a_declaration_was_added_or_changed(go, folder):
    toys.write_toy(folder, 1, "Ann", body=toys.TOY, checkpoint=b"not opened by the parent")
    toml = folder / "models" / "team01_Ann.toml"
    go()
    toml.write_text("pad_to = 2\n")
    assert go() == [1] and go() == []
    toml.write_text("pad_to = 4\n")
    assert go() == [1]


def test_resume_reruns_with_other_threads_and_for_better_isolation(go):
    go()
    threads = environment.compute_threads()
    assert go(options=dataclasses.replace(OPTIONS, threads=threads)) == []
    assert go(options=dataclasses.replace(OPTIONS, threads=threads + 1)) == [0, 1, 2]
    done = {"auto": [], "none": [], "required": [0, 1, 2], "L3": [0, 1, 2]}
    for wanted, again in done.items():  # what these tests store was measured at L0
        options = dataclasses.replace(OPTIONS, threads=threads, isolation=wanted)
        assert go(options=options) == again, wanted


def test_resume_reruns_where_ssim_is_wanted_and_missing(go):
    go()
    with_ssim = dataclasses.replace(OPTIONS, ssim=True)
    assert go(options=with_ssim) == [0, 1, 2]
    assert go(options=with_ssim) == []
    assert go() == []


def test_resume_reruns_where_sr_images_are_wanted_and_missing(go, tmp_path):
    go()
    keeping = dataclasses.replace(OPTIONS, save_dir=tmp_path / "sr")
    assert go(1, options=keeping) == [1]
    image = tmp_path / "sr" / "01_Ann" / "DIV2K_LSDIR_valid" / "0801.png"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"")
    assert go(1, options=keeping) == []


# With claims, as machines that share the folder take them.


@pytest.fixture
def desk(folder) -> Desk:
    return Desk(folder / "results")


class Unused:
    """Workers that nobody asks for anything."""

    def close(self) -> None:
        pass


def ends(desk: Desk, label: str) -> list[str]:
    return [turn.end.how for turn in desk.turns(label) if turn.end is not None]


def test_a_team_is_claimed_while_it_is_evaluated_and_not_after(go, desk, evaluations, monkeypatch):
    seen = []

    def evaluate(submission, *arguments, **options):
        seen.append([desk.last(label).alive for label in desk.labels()])
        return evaluations(submission, *arguments, **options)

    monkeypatch.setattr(campaign, "evaluate", evaluate)
    assert go(claims=Claims(desk)) == [0, 1, 2]
    assert seen == [[True], [False, True], [False, False, True]]
    for label in ("00_RLFN", "01_Ann", "02_Bob"):
        turn = desk.last(label)
        assert (turn.end.how, turn.end.status) == ("done", "ok")
        assert store.load(desk.results / turn.end.record).submission.label == label


def test_what_another_machine_evaluates_is_left_out_and_told(go, desk):
    other = desk.take("01_Ann")
    told = []
    assert go(claims=Claims(desk, busy=lambda label, turn: told.append((label, turn.claim.node)))) == [0, 2]
    assert told == [("01_Ann", other._claim.node)]
    other.give_up("no more time")
    assert go(claims=Claims(desk)) == [1]


def test_whose_claim_was_taken_over_stores_nothing(go, desk, evaluations, monkeypatch):
    def evaluate(submission, *arguments, **options):
        if submission.id == 1:  # is thought dead meanwhile
            (desk.folder("01_Ann") / "0001.end").write_bytes(b'{"how": "expired", "utc": ""}')
        return evaluations(submission, *arguments, **options)

    monkeypatch.setattr(campaign, "evaluate", evaluate)
    lost: list[str] = []
    go(claims=Claims(desk, lost=lost.append))
    assert lost == ["01_Ann"]
    assert [item.label for item in outcomes_of(go)] == ["00_RLFN", "02_Bob"]
    stored = store.load_all(desk.results)[0]
    assert sorted(item.record.submission.id for item in stored) == [0, 2]


def test_what_is_done_already_is_noted_once_for_whoever_asked(go, desk):
    assert go() == [0, 1, 2]
    for asked, turns in (("a", 1), ("a", 1), ("b", 2)):
        assert go(claims=Claims(desk, asked)) == []
        assert ends(desk, "01_Ann") == ["done"] * turns
    record = store.load(desk.results / desk.last("01_Ann").end.record)
    assert record.submission.label == "01_Ann"


def test_what_was_made_before_the_claim_was_taken_is_not_made_again(go, desk, evaluations, folder, data):
    """Another machine stores its record between the first look and the claim."""

    class Late(Desk):
        def take(self, label: str, digest: str = ""):
            if label == "01_Ann":
                go(1)
            return super().take(label, digest)

    go(claims=Claims(Late(desk.results)))
    count = [item.record.submission.id for item in store.load_all(desk.results)[0]]
    assert sorted(count) == [0, 1, 2]


def test_a_record_of_a_node_that_is_left_out_is_no_reason_to_leave_out_a_team(go, desk):
    assert go(claims=Claims(desk)) == [0, 1, 2]
    record = desk.last("01_Ann").end.record
    leave_out(desk.results, LeftOutNode(node="n", why="it is slow", records=(record,)))
    assert go(claims=Claims(desk)) == [1]
    assert go(claims=Claims(desk)) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("ours")], ids=repr)
def test_however_a_campaign_ends_its_claims_are_given_back(go, desk, monkeypatch, error):
    def evaluate(submission, *arguments, start_next, **options):
        start_next()  # the next one's workers are wanted, and so is its claim
        raise error

    monkeypatch.setattr(campaign, "evaluate", evaluate)
    monkeypatch.setattr(campaign, "start_workers", lambda *_: Unused())
    with pytest.raises(type(error)):
        go(claims=Claims(desk))
    assert ends(desk, "00_RLFN")[0] in ("interrupted", "given up")
    assert ends(desk, "01_Ann") == ["given up"] and desk.labels() == ["00_RLFN", "01_Ann"]


def test_a_damaged_record_is_no_record(go, folder):
    go()
    (path,) = (folder / "results" / "ntire2024" / "01_Ann").glob("*.json")
    path.write_bytes(path.read_bytes()[:100])
    assert go() == [1]


def unusable(folder: Path, kind: str) -> None:
    models, zoo = folder / "models", folder / "model_zoo"
    if kind == "two files of one id":
        (models / "team01_Second.py").write_text(toys.DECLARED)
    elif kind == "no checkpoint":
        (zoo / "team01_Ann.pth").unlink()
    elif kind == "no Python":
        (models / "team01_Ann.py").write_text("def (")
    elif kind == "a folder named like a model":
        (models / "team01_Ann.py").unlink()
        (models / "team01_Ann.py").mkdir()
    elif kind == "a folder named like a checkpoint":
        (zoo / "team01_Ann.pth").unlink()
        (zoo / "team01_Ann.pth").mkdir()


@pytest.mark.parametrize(
    "kind",
    [
        "two files of one id",
        "no checkpoint",
        "no Python",
        "a folder named like a model",
        "a folder named like a checkpoint",
    ],
)
@pytest.mark.parametrize("resume", [False, True])
def test_what_cannot_be_tried_is_a_failed_record_and_the_others_go_on(go, folder, kind, resume):
    unusable(folder, kind)
    assert go(resume=resume) == [0, 2]
    outcomes = {outcome.record.submission.id: outcome for outcome in outcomes_of(go)}
    assert list(outcomes) == [0, 1, 2]
    failed = outcomes[1].record
    assert (failed.status, failed.error.phase, failed.error.type) == ("failed", "find", "SubmissionError")
    assert "Remedy" in failed.error.message
    assert failed.submission.name == "Ann" and failed.environment is None and failed.isolation is None
    assert store.load(outcomes[1].path) == failed
    assert [outcomes[id_].record.status for id_ in (0, 2)] == ["ok", "ok"]


@pytest.mark.parametrize("resume", [False, True])
def test_a_checkpoint_that_vanishes_in_the_middle_is_a_failed_record(folder, data, evaluations, resume):
    catalogue = find(folder / "models", folder / "model_zoo")
    records = []
    for outcome in campaign.run(catalogue, [0, 1, 2], data, OPTIONS, folder / "results", resume=resume):
        records.append(outcome.record)
        (folder / "model_zoo" / "team01_Ann.pth").unlink(missing_ok=True)
    assert [record.status for record in records] == ["ok", "failed", "ok"]
    assert records[1].error.phase == "find" and "team01_Ann.pth: cannot be read" in records[1].error.message


def test_an_unknown_id_stops_before_anything_is_evaluated(go, evaluations, folder):
    with pytest.raises(UsageError, match="there is no submission 77"):
        go(1, 77)
    assert evaluations.evaluated == [] and not (folder / "results").exists()


@pytest.mark.parametrize("kind", ["absent", "no checkpoint"])
def test_a_baseline_that_cannot_be_tried_stops_before_anything_is_evaluated(go, evaluations, folder, kind):
    (folder / "model_zoo" / "team00_RLFN.pth").unlink()
    if kind == "absent":
        (folder / "models" / "team00_RLFN.py").unlink()
    with pytest.raises((UsageError, SubmissionError), match="RLFN"):
        go(1)
    assert evaluations.evaluated == []


def test_a_fault_of_ours_is_not_swallowed(folder, data, monkeypatch):
    def broken(*_: object, **__: object) -> Record:
        raise KeyError("ours")

    monkeypatch.setattr(campaign, "evaluate", broken)
    with pytest.raises(KeyError, match="ours"):
        list(
            campaign.run(
                find(folder / "models", folder / "model_zoo"), [1], data, OPTIONS, folder / "results"
            )
        )


@pytest.fixture
def no_challenge_data_near(tmp_path, monkeypatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")


def test_images_of_the_challenge_are_judged_by_the_challenges_rules(data_dir):
    chosen = choose_data(("valid",), data_dir, None)
    assert chosen.protocol.name == "ntire2024" and not chosen.sample
    assert choose_data(("valid",), data_dir, "ntire2026").protocol.name == "ntire2026"


def test_the_sample_set_is_judged_by_its_own_rules_alone(no_challenge_data_near):
    for name in (None, "sample"):
        chosen = choose_data(("valid",), None, name)
        assert chosen.protocol.name == "sample" and chosen.sample
    with pytest.raises(UsageError, match="--data_dir"):
        choose_data(("valid",), None, "ntire2024")


def test_the_sample_sets_own_folder_is_known_for_what_it_is():
    from ntire_bench.data.sample import sample_dir

    assert choose_data(("valid",), sample_dir(), None).sample
    with pytest.raises(UsageError):
        choose_data(("valid",), sample_dir(), "ntire2024")


def test_wrong_choices_of_data(data_dir, tmp_path):
    with pytest.raises(UsageError, match="no protocol 'ntire1999'"):
        choose_data(("valid",), data_dir, "ntire1999")
    with pytest.raises(DatasetError, match="no such data folder"):
        choose_data(("valid",), tmp_path / "nowhere", None)
    with pytest.raises(DatasetError, match="Split 'other'"):
        choose_data(("other",), data_dir, None)
