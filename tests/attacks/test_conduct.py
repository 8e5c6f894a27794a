"""Attacks on ground truth, clocks, quality, the harness and the machine: evaluated, and what became of them.

Every evaluation here is a real one, in workers. Most of them run two at a time; those that are
judged by CPU time or by small differences run by themselves. Runtimes are compared with those of the same
network without the trick, image by image in turns.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import os
import re
import secrets
import shutil
import socket
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from attack_limits import ENDLESS, LIMITS, LOAD_TIMEOUT_S, PROCESSES, RESOURCES
from forked_workers import Template
from in_process import load, submission
from pairs import smooth, write_pairs
from PIL import Image
from stubs import skip_unless

from ntire_bench.client import sandbox
from ntire_bench.client.worker import Worker
from ntire_bench.data.dataset import Split, load_splits, read_lr
from ntire_bench.errors import SubmissionError
from ntire_bench.estimating.stopping import StopRule
from ntire_bench.isolation import cgroups
from ntire_bench.isolation.cgroups import Group
from ntire_bench.isolation.choose import try_level
from ntire_bench.isolation.spawn import Spawned, spawn
from ntire_bench.measuring import plan as planning
from ntire_bench.measuring.surroundings import BUSY_SHARE
from ntire_bench.metrics.psnr import psnr
from ntire_bench.protocols import protocol
from ntire_bench.records.record import Record
from ntire_bench.submissions.submission import Submission
from ntire_bench.worker.network.pixels import to_tensor, to_uint8
from ntire_bench.workflows.evaluate import Options, evaluate

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="isolation is made of Linux's system calls"),
    pytest.mark.slow,
]

FOLDER = Path(__file__).parent
REJECT, WARNING = "reject", "warning"
LEVELS = ("L0", "L1", "L2", "L3")
BEST = "best"
RESULT = '{"a result": "of another team"}'
OTHER = "a model file of another team"
SLOW = """\
import time
import torch
from torch.nn import functional

SUBMISSION = {"model": "Net", "data_range": 1}


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.tail = torch.nn.Conv2d(3, 48, 3, padding=1)

    def forward(self, lr):
        if lr.shape[-2] == 96:
            time.sleep(0.5)
        return functional.pixel_shuffle(self.tail(lr), 4)
"""


@dataclass(frozen=True)
class Plan:
    """One evaluation: what runs, at which level, how many rounds in all and per launch, against what."""

    name: str
    level: str = BEST
    rounds: int = 1
    per_launch: int = 1
    baseline: str | None = None  # None: itself

    def __str__(self) -> str:  # noqa: D105
        return self.name if self.level == BEST else f"{self.name}-{self.level}"


# What it raises: a finding. A launch of two rounds has each image as it is, and one that is composed.
AGAIN: dict[str, Any] = {"rounds": 8, "per_launch": 4}
FOUND: list[tuple[Plan, str, str]] = [
    (Plan("03_known_images", rounds=2, per_launch=2), "memorized", REJECT),
    (Plan("03_thumbnails", rounds=4, per_launch=4, baseline="plain"), "memorized", REJECT),
    (Plan("04_stale_buffer", rounds=2, per_launch=2), "output-stale", REJECT),
    (Plan("04_uninitialized", baseline="plain"), "flops-opaque", REJECT),  # of its own FLOPs, none, no score
    (Plan("09_replay_similar", rounds=2, per_launch=2), "output-stale", REJECT),
    (Plan("10_first_launch", rounds=2), "output-not-reproducible", REJECT),
    (Plan("15_flags"), "flags-changed", WARNING),
    (Plan("27_exact_image"), "psnr-infinite", REJECT),
    (Plan("29_order", rounds=2), "output-not-reproducible", REJECT),
    (Plan("36_median", **AGAIN), "output-not-reproducible", REJECT),
    (Plan("36_low_rank", **AGAIN), "output-not-reproducible", REJECT),
    (Plan("36_nearest", **AGAIN), "output-not-reproducible", REJECT),
]
# By its runtime: evaluated by itself, in three launches: six calls on exact images; one may be disturbed.
SEAMS = Plan("36_seams", rounds=8, per_launch=2, baseline="plain")

EARLY = "load|warm-up|complexity"  # by what its first image happens to show
# What it ends with: in which phase, and the error.
FAILED: list[tuple[Plan, str, str]] = [
    (Plan("06_lazy"), EARLY, "expected a torch.Tensor; found a Later"),
    (Plan("32_pickle"), "load", "does not answer as the harness does"),
    (Plan("32_early_reply"), "complexity|warm-up|run", "answer to another request"),
    (Plan("35_pickle"), "load", r"holds more than tensors and plain values.*\.system"),
]
# The same error of a worker, where nothing but that is to be seen: one process loads all of them, in turn.
NOT_TAKEN = {
    "06_sparse": "expected a dense tensor; found one of layout torch.sparse_coo",
    "16_half": "expected float32; found torch.float16",
    "29_nan": "expected finite values; found .* NaN",
    "29_size": "expected an SR image of .*; found 1x3x",
    "29_whole_numbers": "expected floating point values; found torch.uint8",
    "35_missing_keys": r"tail\.bias",
}

# What RESOURCES do to a process is seen at every level in test_every_level.py; here, to a record.
SOME_RESOURCES = {name: RESOURCES[name] for name in ("33_fork_bomb", "33_crash")}
# More of these, at the best level alone.
MORE_RESOURCES = {
    "33_forks": rf"more than {PROCESSES} processes|stay within {PROCESSES} processes and threads",
    "33_shared_memory": r"took more memory than 1\.5 GiB",
}

# One round runs every image once, and as it is.
ONCE = Plan("03_thumbnails")

# What reaches out of its process: it does at L0, as docs/INTEGRITY.md says, and nowhere else.
LEAKING = ("01_ground_truth", "02_network", "05_carried")
CHANGING = ("31_results", "34_build")
# All of them in one network, which gives what the first gives: what each reaches is seen elsewhere.
TOGETHER = "together"

# Runtime over that of the same network without the trick, timed in turns; and findings that are raised.
SEVERAL: dict[str, Any] = {"rounds": 3, "per_launch": 3, "baseline": "plain"}
MANY: dict[str, Any] = {"rounds": 24, "per_launch": 24, "baseline": "plain"}
TIMED: list[tuple[Plan, set[str]]] = [
    (
        Plan("07_thread", **SEVERAL),
        {"threads-in-forward", "timing-unattested"},
    ),
    (Plan("09_replay", baseline="plain"), set()),
    (Plan("11_clock", **SEVERAL), {"timing-unattested"}),
    (Plan("12_results", **SEVERAL), {"timing-unattested"}),
    (Plan("12_some_results", **SEVERAL), {"timing-unattested"}),
    (Plan("13_private_warm_up", **SEVERAL), set()),
    (Plan("15_flags_put_back", **MANY), {"busy-beyond-threads"}),
    (Plan("15_second_process", **MANY), {"busy-beyond-threads"}),
    (Plan("17_look_ahead", **SEVERAL), set()),  # a thread that mostly waits is found by chance
    (Plan("36_patches", **SEVERAL), set()),
]
LEAST_RATIO = 0.5  # each trick would give under 0.1; on a machine that others use, the honest one 0.7 to 1.4

# Nobody stops these; docs/INTEGRITY.md says so.
NOT_STOPPED = (Plan("30_forged_costs"),)
HARMLESS = (Plan("10_timed_only"), Plan("30_checker"), Plan("32_spoofed_output"))
# What counts the CPU time of each.
BUSY = {
    Plan("14_busy_child", baseline="slow"): "control group",
    Plan("14_orphans", baseline="slow"): "processes",
}

# Fair, and unusual in what they do to memory, time, formats or pixels.
CONTROLS = [
    *(Plan(name, rounds=4, per_launch=2) for name in ("in_place", "lazy_buffer")),  # of memory: two launches
    *(Plan(name, rounds=2, per_launch=2) for name in ("plain", "tiled", "autocast")),
]


WAITING = Plan("idle_helpers", **MANY)


def at_levels(names: Iterable[str], levels: Iterable[str] = LEVELS) -> list[Any]:
    """Return a plan for each name and level."""
    plans = [Plan(name, level) for name in names for level in levels]
    return [pytest.param(plan, id=f"{plan.name}-{plan.level}") for plan in plans]


class RunsCode:
    """What 35_pickle's checkpoint holds."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:  # noqa: D105
        return os.system, (f"touch {self.mark}",)


class Ground:
    """A folder as an organizer has it: images, model files, results; and a server that listens.

    Args:
        folder: Where it is made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = folder / "models"
        # Two sizes: each is warmed with one image.
        pairs = [smooth(1, 384, 512), smooth(2, 384, 480)]
        self.splits: tuple[Split, ...] = load_splits(("valid",), write_pairs(folder / "data", "valid", pairs))
        self.result = folder / "results" / "ntire2024" / "00_RLFN.json"
        self.other = self.models / "team06_Other.py"
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.server.settimeout(0.05)
        self.result.parent.mkdir(parents=True)
        self.models.mkdir()
        self.result.write_text(RESULT)
        self.other.write_text(OTHER)
        for file in [*(FOLDER / "models").glob("*.py"), *(FOLDER / "controls").glob("*.py")]:
            text = file.read_text(encoding="utf-8")
            text = text.replace('("127.0.0.1", 9)', repr(self.server.getsockname()))
            (self.models / file.name).write_text(text, encoding="utf-8")
        (self.models / "slow.py").write_text(SLOW)
        (self.models / f"{TOGETHER}.py").write_text(self._together(), encoding="utf-8")
        self._checkpoints()

    def _checkpoints(self) -> None:
        weights = torch.nn.Conv2d(3, 48, 3).state_dict()
        tail = {f"tail.{name}": tensor for name, tensor in weights.items()}
        torch.save({"tail.weight": tail["tail.weight"]}, self.models / "35_missing_keys.pth")
        torch.save({"params": tail, "extra": RunsCode(self.folder / "ran")}, self.models / "35_pickle.pth")
        pixels = torch.zeros(2, 3, 384, 512, dtype=torch.uint8)
        keys = []
        for number, pair in enumerate(self.splits[0].pairs):
            lr, hr = (np.asarray(Image.open(path)) for path in (pair.lr_path, pair.hr_path))
            keys.append(zlib.crc32(np.ascontiguousarray(lr.transpose(2, 0, 1)).tobytes()))
            pixels[number, :, : hr.shape[0], : hr.shape[1]] = torch.tensor(hr).permute(2, 0, 1)
        known = {**tail, "keys": torch.tensor(keys), "pixels": pixels}
        torch.save(known, self.models / "03_known_images.pth")
        torch.save(known, self.models / "03_thumbnails.pth")
        torch.save(known, self.models / "27_exact_image.pth")

    def submission(self, name: str) -> Any:
        found = submission(self.models / f"{name}.py")
        checkpoint = self.models / f"{name}.pth"
        return dataclasses.replace(found, checkpoint=checkpoint if checkpoint.exists() else None)

    def evaluate(self, plan: Plan, isolation: str | None = None) -> Record:
        """Evaluate, at the plan's level by default; `min_rounds` says here how many rounds a launch has."""
        own = self.submission(plan.name)
        baseline = own if plan.baseline is None else self.submission(plan.baseline)
        options = Options(
            stop=StopRule(rounds=plan.rounds, min_rounds=plan.per_launch),
            psnr_channel="y",
            device="cpu",
            isolation=isolation or ("auto" if plan.level == BEST else plan.level),
            threads=1,
        )
        return evaluate(own, baseline, self.splits, protocol.load(), options)

    @functools.cached_property
    def reached(self) -> bool:
        """Whether anybody has connected; asked once all is done."""
        try:
            self.server.accept()[0].close()
        except TimeoutError:
            return False
        return True

    def _together(self) -> str:
        """Return a model file that does what several do, each with names of its own."""
        texts = [(self.models / f"{name}.py").read_text(encoding="utf-8") for name in (*LEAKING, *CHANGING)]
        return f"""\
import torch

SUBMISSION = {{"model": "Net", "data_range": 1}}
PARTS = [{{"__file__": __file__, "__name__": __name__}} for _ in range({len(texts)})]
for part, text in zip(PARTS, {texts!r}):
    exec(compile(text, __file__, "exec"), part)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = torch.nn.ModuleList(part["Net"]() for part in PARTS)

    def forward(self, lr):
        return [part(lr) for part in self.parts][0]
"""

    def carried(self) -> list[Path]:
        """What 05_carried has left in places that outlive a process."""
        places = ("/dev/shm", "/tmp", "/var/tmp", self.models)
        return [path for place in places for path in Path(place).glob(f"attack_05_{self.folder.name}_*")]

    def close(self) -> None:
        self.server.close()
        for path in self.carried():
            path.unlink()
        shutil.rmtree(self.folder / "data")


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Ground]]:
    """One for all evaluations at the best level, and one for each other.

    Attacks look two folders around the models, and leave files of the name of the first in /tmp: what other
    tests and programs have there is neither found nor met.
    """
    around = tmp_path_factory.mktemp("around")
    made = {level: Ground(around / level / f"ground_{secrets.token_hex(8)}") for level in (BEST, *LEVELS)}
    yield made
    for ground in made.values():
        ground.close()


def impatient(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return `Sandbox.call` with less time for the loading of what never ends."""

    def impatient_call(self: sandbox.Sandbox, operation: str, timeout_s: float, **parameters: Any) -> Any:
        if operation == "load" and self.file.stem in ENDLESS:
            timeout_s = LOAD_TIMEOUT_S
        return call(self, operation, timeout_s, **parameters)

    return impatient_call


@pytest.fixture(scope="module")
def evaluated(
    request: pytest.FixtureRequest, grounds: dict[str, Ground]
) -> Iterator[Callable[[Plan], Record]]:
    """Evaluate what the selected tests need, two at a time, or alone once all these are done."""
    wanted: dict[Plan, None] = {}
    for item in request.session.items:
        plan = getattr(item, "callspec", None) and item.callspec.params.get("plan")
        if isinstance(plan, Plan) and item.path == request.path and plan not in ALONE:
            if plan.level == BEST or try_level(plan.level).reason is None:
                wanted[plan] = None
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("OMP_NUM_THREADS", "1")  # else NumPy alone takes memory by the number of cores
        template = None if OWN_PROCESSES else stack.enter_context(Template())
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(2))
        patch.setattr(sandbox, "Limits", lambda: LIMITS)
        patch.setattr(sandbox.Sandbox, "call", impatient(sandbox.Sandbox.call))
        patch.setattr(planning, "pilot_rounds", lambda rule: rule.min_rounds)

        def start(code: str, arguments: Sequence[str], **options: Any) -> Spawned:
            forked = template is not None and options["level"] == "L0"
            if forked and TOGETHER not in {path.stem for path in options["files"]}:
                return template.spawn(code, arguments, **options)
            return spawn(code, arguments, **options)

        def evaluate_it(plan: Plan) -> Record:
            forked = template is not None and plan.level == BEST and plan.name not in OF_ISOLATION
            return grounds[plan.level].evaluate(plan, "L0" if forked else None)

        patch.setattr(sandbox, "spawn", start)
        futures = {plan: pool.submit(evaluate_it, plan) for plan in wanted}

        def get(plan: Plan) -> Record:
            if plan in ALONE:
                concurrent.futures.wait(futures.values())
                return evaluate_it(plan)
            return futures[plan].result()

        yield get


# `make test-isolation` has each worker start as it does for a user, at the best level that there is.
OWN_PROCESSES = os.environ.get("NTIRE_BENCH_TEST_OWN_PROCESSES") == "1"
# What is about isolation, always has.
OF_ISOLATION = {
    *SOME_RESOURCES,
    *MORE_RESOURCES,
    *(plan.name for plan in BUSY),
    "32_pickle",  # looks for its descriptors in its command line
    "32_early_reply",
}
# What is judged by CPU time or by small differences. The other ratios are taken pair by pair, and what they
# are held against is far off: two may run side by side.
ALONE = {*BUSY, SEAMS, WAITING, *(plan for plan, codes in TIMED if codes == {"busy-beyond-threads"})}


def raised(record: Record) -> dict[str, str]:
    return {finding.code: finding.severity for finding in record.findings}


def honest_psnr(ground: Ground) -> float:
    """Return the mean PSNR [dB] of the network that most of the attacks have around their trick."""
    upscaler = load(FOLDER / "models" / "35_pickle.py")
    found = []
    for pair in ground.splits[0].pairs:
        lr, hr = (np.array(Image.open(path)) for path in (pair.lr_path, pair.hr_path))
        with torch.inference_mode():
            sr = to_uint8(upscaler.forward(to_tensor(lr, 1.0)), 1.0).numpy()
        found.append(psnr(sr, hr, 4).y_db)
    return float(np.mean(found))


def honest(record: Record) -> None:
    assert record.error is None, record.error
    assert REJECT not in raised(record).values(), record.findings


@pytest.mark.parametrize(("plan", "code", "severity"), FOUND, ids=[f"{p}-{code}" for p, code, _ in FOUND])
def test_a_finding_is_raised(evaluated, plan: Plan, code: str, severity: str) -> None:
    record = evaluated(plan)
    assert record.error is None, record.error
    assert raised(record).get(code) == severity, record.findings
    if code == "psnr-infinite":
        assert record.splits["valid"].psnr_y_db is None  # it enters no mean


@pytest.mark.parametrize(("plan", "phase", "message"), FAILED, ids=[str(plan) for plan, _, _ in FAILED])
def test_an_evaluation_fails_with_a_reason(evaluated, grounds, plan: Plan, phase: str, message: str) -> None:
    record = evaluated(plan)
    assert record.status == "failed" and record.error.type == "SubmissionError"
    assert re.search(message, record.error.message), record.error.message
    assert re.fullmatch(phase, record.error.phase) and record.score is None
    # Nothing was unpickled, neither here nor by the worker.
    assert not (grounds[BEST].folder / "ran").exists()
    assert not (grounds[BEST].models / "unpickled").exists()


@pytest.fixture(scope="module")
def worker(grounds: dict[str, Ground]) -> Iterator[Worker]:
    """A process that can read all models, to load one after the other."""
    ground = grounds[BEST]
    first = ground.submission(next(iter(NOT_TAKEN)))
    with pytest.MonkeyPatch.context() as patch:  # for as long as it is started, and for no other
        patch.setattr(Submission, "readable", (ground.models,))
        started = Worker(first, scale=4, largest_lr=(96, 128), device="cpu", threads=1)
    with started:
        started.hello()
        yield started


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_what_is_no_image_or_no_network_is_not_taken(
    worker: Worker, grounds: dict[str, Ground], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(worker, "_submission", grounds[BEST].submission(name))
    lr = read_lr(grounds[BEST].splits[0].pairs[0])
    with pytest.raises(SubmissionError, match=NOT_TAKEN[name]) as caught:
        worker.load(lr)
        worker.warm_up(lr, 1)
    assert "Remedy:" in str(caught.value)


@pytest.mark.parametrize("plan", [ONCE], ids=str)
def test_a_memory_shows_after_one_round_too(evaluated, plan: Plan) -> None:
    """The gate makes one round: a fresh process runs composed images when it is done."""
    record = evaluated(plan)
    assert record.error is None, record.error
    (found,) = [finding for finding in record.findings if finding.code == "memorized"]
    assert found.severity == REJECT and "bicubic" in found.message


@pytest.mark.parametrize("plan", at_levels({**SOME_RESOURCES, **MORE_RESOURCES}, (BEST,)))
def test_an_attack_on_the_machine_ends_its_own_evaluation(evaluated, plan: Plan) -> None:
    record = evaluated(plan)
    assert record.status == "failed" and record.error.phase == "load"
    said = {**SOME_RESOURCES, **MORE_RESOURCES}[plan.name]
    assert re.search(said, record.error.message), record.error.message
    assert "Remedy:" in record.error.message


@pytest.mark.parametrize("plan", at_levels((TOGETHER,)))
@pytest.mark.parametrize("name", (*LEAKING, *CHANGING))
def test_what_reaches_out_of_its_process(
    evaluated, grounds: dict[str, Ground], plan: Plan, name: str
) -> None:
    """Only a plain process gets at what it wants; and then it is in docs/INTEGRITY.md."""
    skip_unless(plan.level)
    record, ground = evaluated(plan), grounds[plan.level]
    assert record.error is None, record.error
    assert record.isolation.level == plan.level
    got = {
        "01_ground_truth": lambda: record.splits["valid"].psnr_y_db > honest_psnr(ground) + 6,
        "02_network": lambda: ground.reached,
        "05_carried": lambda: bool(ground.carried()),
        "31_results": lambda: ground.result.read_text() != RESULT,
        "34_build": lambda: ground.other.read_text() != OTHER,
    }[name]()
    assert got == (plan.level == "L0")
    if plan.level != "L0":
        honest(record)


@pytest.mark.parametrize("plan", HARMLESS, ids=str)
def test_it_gains_nothing(evaluated, grounds: dict[str, Ground], plan: Plan) -> None:
    """Pixels are judged by the parent, which the attack does not reach: it is scored by what it gave."""
    record = evaluated(plan)
    assert record.error is None, record.error
    same = record.splits["valid"].psnr_y_db == pytest.approx(honest_psnr(grounds[BEST]), abs=0.01)
    # One leaves a convolution out of timed calls, and what it leaves out is missing in what is scored.
    assert same == (plan.name != "10_timed_only")
    if same:
        honest(record)


@pytest.mark.parametrize("plan", NOT_STOPPED, ids=str)
def test_what_nobody_stops_is_said(evaluated, plan: Plan) -> None:
    honest(evaluated(plan))
    assert "nobody" in documented()[int(plan.name[:2])]


def unless_busy(record: Record, codes: set[str], severity: str | None = None) -> None:
    """Skip where findings that need a steady machine are missing or less, and the record says it was none.

    That they follow from what was measured is tested with made-up calls in tests/measuring.
    """
    others = record.timing.monitor.get("others_cpu", 0.0)
    found = raised(record)
    enough = {severity} if severity else set(found.values())
    missing = {code for code in codes if found.get(code) not in enough}
    if missing and (others > BUSY_SHARE or record.timing.unstable):
        pytest.skip(f"{', '.join(missing)}: {'; '.join(record.timing.unstable) or 'the machine was busy'}")


@pytest.mark.timing
@pytest.mark.parametrize(("plan", "codes"), TIMED, ids=[str(plan) for plan, _ in TIMED])
def test_a_trick_with_time_gains_nothing(evaluated, plan: Plan, codes: set[str]) -> None:
    record = evaluated(plan)
    assert record.error is None, record.error
    if codes == {"busy-beyond-threads"}:
        unless_busy(record, codes)
    assert codes <= raised(record).keys(), record.findings
    if "timing-unattested" in codes:  # it is not believed, and listed after those that are
        assert record.timing.attested is False and "clock" in record.timing.unstable[0], record.timing
    else:
        assert record.timing.ratio > LEAST_RATIO, record.timing


@pytest.mark.timing
@pytest.mark.parametrize("plan", BUSY, ids=str)
def test_a_process_that_works_in_the_baselines_turn_is_noticed(evaluated, monkeypatch, plan: Plan) -> None:
    """Where it is not kept from it: tests/isolation/test_cpu_time.py has what stands still."""
    monkeypatch.setattr(Group, "freeze", lambda *_: False)
    if BUSY[plan] == "processes":
        monkeypatch.setattr(cgroups, "make", lambda _: Group())
    record = evaluated(plan)
    assert record.error is None, record.error
    unless_busy(record, {"busy-out-of-turn"})
    assert raised(record).get("busy-out-of-turn") == REJECT, record.findings
    assert record.timing.monitor["idle_side_frozen"] == 0.0


@pytest.mark.timing
def test_helpers_that_wait_are_no_work_out_of_turn_and_none_beyond_the_threads(evaluated) -> None:
    record = evaluated(WAITING)
    honest(record)
    assert not {code for code in raised(record) if code.startswith("busy")}, record.findings


@pytest.mark.timing
@pytest.mark.parametrize("plan", [SEAMS], ids=str)
def test_a_network_that_works_on_exact_images_alone_is_noticed(evaluated, plan: Plan) -> None:
    record = evaluated(plan)
    assert record.error is None, record.error
    unless_busy(record, {"content-dependent"}, REJECT)
    assert raised(record).get("content-dependent") == REJECT, (record.findings, record.timing)


@pytest.mark.parametrize("plan", CONTROLS, ids=str)
def test_an_honest_control_is_not_rejected(evaluated, plan: Plan) -> None:
    honest(evaluated(plan))


def test_false_alarms_are_counted(
    evaluated, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    known = {item.callspec.params.get("plan") for item in request.session.items if hasattr(item, "callspec")}
    if not known.issuperset(CONTROLS):
        pytest.skip("not all controls are evaluated")
    alarms = []
    for plan in CONTROLS:
        record = evaluated(plan)
        alarms += [f"{plan}: {finding.code}" for finding in record.findings if finding.severity == REJECT]
        alarms += [f"{plan}: {record.error.message}"] if record.error else []
    record_property(
        "summary",
        "\n  ".join(
            [f"{len(alarms)} false alarms in {len(CONTROLS)} evaluations of honest controls", *alarms]
        ),
    )
    assert not alarms


def documented() -> dict[int, str]:
    """Return the last cell of each row of the table of attacks, by the catalogue's number."""
    text = (FOLDER.parents[1] / "docs" / "INTEGRITY.md").read_text(encoding="utf-8")
    table = text.partition("## Attacks and what stops them")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \|.*\| ([^|]*) \|$", table, flags=re.MULTILINE)
    return {int(number): last for number, last in rows}


def test_the_table_of_attacks_has_all_of_them_and_says_what_a_level_does_not_stop() -> None:
    rows = documented()
    assert sorted(rows) == list(range(1, 37))
    assert all("L0" in rows[int(name[:2])] for name in (*LEAKING, *CHANGING))


def test_every_file_is_evaluated() -> None:
    told = [plan.name for plan, *_ in (*FOUND, *FAILED, *TIMED)] + [
        *NOT_TAKEN,
        *RESOURCES,
        *MORE_RESOURCES,
        *LEAKING,
        *CHANGING,
        *(plan.name for plan in BUSY),
        SEAMS.name,
    ]
    told += [plan.name for plan in (*HARMLESS, *NOT_STOPPED)]
    files = {file.stem for file in (FOLDER / "models").glob("*.py") if not 18 <= int(file.stem[:2]) <= 26}
    assert files == set(told) and len(told) == len(set(told))


def test_findings_are_documented() -> None:
    text = (FOLDER.parents[1] / "docs" / "INTEGRITY.md").read_text(encoding="utf-8")
    for code in {code for _, code, _ in FOUND} | {code for _, codes in TIMED for code in codes}:
        assert code in text, code
