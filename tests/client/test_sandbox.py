"""What a submission's process can do to the parent: nothing but fail. At level L0, where least hinders it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import toys
from pairs import smooth

import ntire_bench
from ntire_bench.client import sandbox
from ntire_bench.client import worker as client
from ntire_bench.client.worker import Worker
from ntire_bench.errors import MeasurementError, SubmissionError, UsageError
from ntire_bench.isolation.choose import isolation_for
from ntire_bench.records.record import Audit, Complexity
from ntire_bench.submissions.submission import Submission
from ntire_bench.wire import messages
from ntire_bench.wire.messages import LoadReply, plain
from ntire_bench.wire.observation import Observation

LR = np.ascontiguousarray(smooth(0)[:24, :32])
CUE = np.full_like(LR, 7)  # a dark image, at which a toy does what it was written for, and not while it loads
HEAD = 'SUBMISSION = {"model": "Toy", "data_range": 1}'
linux = pytest.mark.skipif(
    sys.platform != "linux", reason="needs /proc and Linux's signals for parents' deaths"
)
# Finds the worker's ends of both pipes and both buffers, as a submission could: nobody tells it the numbers.
DESCRIPTORS = """\
import os, stat, sys
def pipes():
    fds = [int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")]
    return [fd for fd in fds if fd > 2 and stat.S_ISFIFO(os.fstat(fd).st_mode)]
def replies():
    return [fd for fd in pipes() if os.O_WRONLY & int(open(f"/proc/self/fdinfo/{fd}").read().split()[3], 8)]
"""


@pytest.fixture
def submit(tmp_path) -> Callable[..., Submission]:
    """A function that writes a toy which does something on import or in forward."""

    def submit(in_forward: str = "pass", *, on_import: str = "") -> Submission:
        in_forward = f"if lr.max() < 0.05: {in_forward}"
        body = toys.toy(in_forward, head=f"{HEAD}\n{DESCRIPTORS}\n{on_import}")
        toys.write_toy(tmp_path, body=body, checkpoint=toys.state_dict())
        return toys.found(tmp_path)

    return submit


def start(submission: Submission) -> Worker:
    return Worker(submission, scale=4, largest_lr=LR.shape[:2], device="cpu", isolation=isolation_for("none"))


def gone(pid: int, within_s: float = 10.0) -> bool:
    """Return whether a process has ended; one that nobody has waited for yet counts as ended."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> tuple[Worker, dict[str, object], LoadReply]:
    """A worker with a toy that prints, resident while others misbehave."""
    folder = tmp_path_factory.mktemp("good")
    say = "__import__('sys').stdout.write('{' * 3_000_000)"
    toys.write_toy(
        folder, body=toys.toy(say, head=f"{HEAD}\nprint('hello from import')"), checkpoint=toys.state_dict()
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MY_SECRET_TOKEN", "hunter2")
        worker = start(toys.found(folder))
    with worker:
        yield worker, worker.hello(), worker.load(LR)


def test_a_submission_runs_and_its_output_goes_nowhere(good, capfd):
    worker, _, reply = good
    sr, claimed_ms, bracket_ms, *_ = worker.run(LR)
    assert reply.model == "Toy" and reply.data_range == 1.0
    assert sr.shape == (96, 128, 3) and sr.dtype == np.uint8
    # The toy is nearly a bicubic enlargement: each 4x4 block's mean is close to its LR pixel.
    blocks = sr.reshape(24, 4, 32, 4, 3).mean(axis=(1, 3))
    assert np.abs(blocks - LR).mean() < 8
    assert 0 < claimed_ms < bracket_ms < 60_000
    assert capfd.readouterr() == ("", "")  # three megabytes were printed on the way


def test_the_returned_image_is_a_copy(good):
    worker, _, _ = good
    first = worker.run(LR).sr
    kept = first.copy()
    worker.run(np.full_like(LR, 7))
    assert np.array_equal(first, kept)
    again = worker.run(LR).sr
    shared = (
        worker._sandbox.sr
    )  # the memory that the worker writes to: here whatever it writes after its reply
    shared[:] = bytes(len(shared))
    assert np.array_equal(again, kept)


@linux
def test_the_users_environment_is_not_handed_over(good):
    worker, _, _ = good
    environment = Path(f"/proc/{worker.pid}/environ").read_bytes()
    assert b"hunter2" not in environment and b"SECRET" not in environment
    home = re.search(rb"(?:^|\0)HOME=([^\0]*)", environment)
    assert home is not None and os.path.realpath(home[1]) != os.path.realpath(os.fsencode(Path.home()))


@linux
def test_only_the_handed_descriptors_are_open(tmp_path, submit):
    secret = tmp_path / "secret.txt"
    secret.write_text("ground truth")
    with secret.open() as ours:
        os.set_inheritable(ours.fileno(), True)  # careless; it must not arrive all the same
        with start(submit()) as worker:
            worker.hello()
            folder = Path(f"/proc/{worker.pid}/fd")
            targets = {int(link.name): os.readlink(link) for link in folder.iterdir()}
            buffers = {link.stat().st_ino for link in folder.iterdir() if "/memfd:" in os.readlink(link)}
    assert targets[0] == "/dev/null" and targets[1].startswith("pipe:") and targets[2] == targets[1]
    assert sum(target.startswith("pipe:") for fd, target in targets.items() if fd > 2) == 2
    assert len(buffers) == 2
    # torch itself may open what belongs to the system.
    allowed = ("pipe:", "/memfd:", "/dev/", "anon_inode:", "/sys/", "/proc/")
    assert all(target.startswith(allowed) for target in targets.values()), targets


@linux
def test_two_workers_share_no_descriptor(good, submit):
    worker, _, _ = good
    with start(submit()) as other:
        other.hello()
        ours, theirs = (
            {
                os.readlink(f"/proc/{pid}/fd/{fd}")
                for fd in os.listdir(f"/proc/{pid}/fd")
                if os.readlink(f"/proc/{pid}/fd/{fd}").startswith("pipe:")
            }
            for pid in (worker.pid, other.pid)
        )
    assert ours and theirs and not ours & theirs


def check_failure_of_run(worker: Worker, expected: str) -> None:
    with pytest.raises(SubmissionError) as failed:
        worker.run(CUE)
    message = str(failed.value)
    assert re.search(expected, message), message
    assert "team05_Toy.py" in message and "Remedy:" in message and "\n" not in message


@pytest.mark.parametrize(
    ("in_forward", "expected"),
    [
        (
            "print('good', 'bye', flush=True); os._exit(3)",
            "ended during run.*exit status 3.*last words: good bye",
        ),
        ("__import__('ctypes').string_at(0)", "ended during run.*signal SIGSEGV"),
        pytest.param("[os.close(fd) for fd in pipes()]", "ended during run", marks=linux),
        pytest.param(
            "[os.write(fd, b'x' * 5000) for fd in replies()]", "does not answer as the harness", marks=linux
        ),
    ],
    ids=["exit", "segfault", "closes its pipes", "garbage"],
)
def test_a_process_that_breaks_is_one_plain_message(submit, in_forward, expected):
    with start(submit(in_forward)) as worker:
        worker.hello()
        worker.load(LR)
        check_failure_of_run(worker, expected)
        pid = worker.pid
    assert gone(pid)


@pytest.mark.parametrize(
    ("instead_of_an_answer", "expected"),
    [
        ("os.kill(os.getpid(), 40)", "ended during run.*signal 40"),  # a signal without a name
        (
            "os.write(replies, struct.pack('<4sIQ', b'NTB1', 2**31, number))",
            "not answer as the harness.*no message",
        ),
        (
            "channel.send(replies, 1, {'ok': {'runtime_ms': 1.0}})",
            "not answer as the harness.*another request",
        ),
        (
            "channel.send(replies, number, {'ok': {'runtime_ms': float('nan')}})",
            "not answer as the harness.*not JSON",
        ),
        (
            "os.write(1, b'x\\n' * 5_000_000); sys.exit('last')",
            "ended during run.*exit status 1.*last words: .*last",
        ),
        # Its child holds the pipe open, so that the pipe does not end.
        ("if os.fork() == 0: time.sleep(600)\nos._exit(5)", "ended during run.*exit status 5"),
    ],
    ids=["odd signal", "huge message", "forged reply", "no number", "drowned in output", "child stays"],
)
def test_a_process_that_answers_something_else(submit, monkeypatch, instead_of_an_answer, expected):
    """As above, with a stand-in for the worker that needs no torch."""
    stand_in = (
        "import os, struct, sys, time\n"
        "from ntire_bench.wire import channel\n"
        "requests, replies = map(int, sys.argv[2:4])\n"
        "number, request = channel.receive(requests)\n" + instead_of_an_answer
    )
    monkeypatch.setattr(sandbox, "_START", stand_in)
    with start(submit()) as worker:
        check_failure_of_run(worker, expected)
        pid = worker.pid
    assert gone(pid)


@linux
def test_a_shortened_buffer_does_not_end_the_parent(submit):
    """Reading a mapped file beyond its end is SIGBUS: the buffers are sealed against being shortened."""
    shorten = (
        "[os.ftruncate(int(f), 0) for f in os.listdir('/proc/self/fd') "
        "if 'memfd' in os.path.realpath(f'/proc/self/fd/{f}')]"
    )
    with start(submit(shorten)) as worker:
        worker.hello()
        worker.load(LR)
        with pytest.raises(SubmissionError, match="PermissionError"):
            worker.run(CUE)
        assert len(bytes(worker._sandbox.sr)) >= 96 * 128 * 3  # every byte can still be read


def test_ended_from_outside_in_the_middle_of_a_run(submit, good):
    with start(submit("__import__('time').sleep(600)")) as worker:
        worker.hello()
        worker.load(LR)
        threading.Timer(0.3, os.kill, (worker.pid, signal.SIGKILL)).start()
        with pytest.raises(SubmissionError, match="signal SIGKILL"):
            worker.run(CUE)
    assert good[0].run(LR).sr.shape == (96, 128, 3)  # the other submission is untouched


def test_an_endless_loop_is_given_up_and_the_process_ended(submit, monkeypatch):
    monkeypatch.setattr(client, "CALL_TIMEOUT_S", 0.3)
    # It cannot be asked to stop: signals are ignored, and a child of it does the same.
    loop = "import signal, time\nfor n in (2, 3, 15): signal.signal(n, signal.SIG_IGN)\nCHILD = os.fork()\n"
    loop += "if not CHILD:\n    while True: time.sleep(1)"
    with start(submit("exec('while True: pass')", on_import=loop)) as worker:
        worker.hello()
        worker.load(LR)
        pid = worker.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        child = int(children.read_text().split()[0]) if children.exists() else None
        with pytest.raises(SubmissionError, match="did not finish run in 0 s.*endless loop"):
            worker.run(CUE)
    assert gone(pid)
    assert child is None or gone(child)


def test_an_endless_loop_at_import(submit, monkeypatch):
    monkeypatch.setattr(client, "LOAD_TIMEOUT_S", 0.3)
    with start(submit(on_import="while True: pass")) as worker:
        worker.hello()
        with pytest.raises(SubmissionError, match="did not finish load"):
            worker.load(LR)


def test_no_worker_coming_up_is_not_the_submissions_fault(submit, monkeypatch):
    monkeypatch.setattr(sandbox, "_START", "raise SystemExit('there is no torch')")
    with (
        start(submit()) as worker,
        pytest.raises(UsageError, match=r"no worker process comes up.*there is no torch"),
    ):
        worker.hello()


def test_a_worker_that_is_killed_while_it_starts_is_one_failure_of_one_submission(submit):
    with start(submit()) as worker:
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(MeasurementError, match="killed while it started.*SIGKILL"):
            worker.hello()


def test_a_device_that_is_not_there_is_not_the_submissions_fault(submit):
    worker = Worker(submit(), scale=4, largest_lr=(24, 32), device="cuda:99", isolation=isolation_for("none"))
    with worker, pytest.raises(UsageError, match="cuda:99"):
        worker.hello()


def test_an_image_larger_than_the_buffer_is_our_own_fault(good):
    with pytest.raises(ValueError, match="does not fit the buffer"):
        good[0].run(np.zeros((2500, 3200, 3), np.uint8))


@linux
@pytest.mark.parametrize("state", ["idle", "looping"])
def test_the_parents_death_ends_the_worker(tmp_path, submit, state):
    submit("exec('while True: pass')")
    parent = textwrap.dedent(f"""
        import sys, numpy as np
        from pathlib import Path
        from ntire_bench.client.worker import Worker
        from ntire_bench.isolation.choose import isolation_for
        from ntire_bench.submissions.models_folder import find
        folder = Path({str(tmp_path)!r})
        found = find(folder / "models", folder / "model_zoo").get(5)
        lr = np.full((24, 32, 3), 7, np.uint8)
        none = isolation_for("none")
        with Worker(found, scale=4, largest_lr=(24, 32), device="cpu", isolation=none) as worker:
            worker.hello()
            worker.load(lr + 90)
            sys.stdout.write(f"{{worker.pid}}\\n"); sys.stdout.flush()
            worker.run(lr) if {state == "looping"} else sys.stdin.read()
        """)
    process = subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        worker = int(process.stdout.readline())
        assert not gone(worker, within_s=0.3)
        process.kill()
        process.wait()
        assert gone(worker)
    finally:
        process.kill()
        process.communicate()


def test_closing_twice_and_leaving_no_descriptor_behind(submit):
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    worker = start(submit())
    pid = worker.pid
    worker.__exit__()
    worker.__exit__()
    assert gone(pid)
    if sys.platform == "linux":
        deadline = time.monotonic() + 5
        while len(os.listdir("/proc/self/fd")) > before and time.monotonic() < deadline:
            time.sleep(0.02)  # the thread that reads the output closes its end itself
        assert len(os.listdir("/proc/self/fd")) <= before


LOADED = LoadReply(model="Toy", data_range=1.0, tile=None, can_fuse=False, inferred=(), findings=())
SEEN = Observation(pixels=64, products=1, counted=1, convs=1, activations=1)


def found(code: str, severity: str) -> dict[str, object]:
    return {**plain(LOADED), "findings": [{"code": code, "severity": severity, "message": "x"}]}


def answer_of_costs(**changes: object) -> dict[str, object]:
    audit = Audit(counter="fvcore", traced_products=1, not_traced=None)
    costs = Complexity(params=1, flops=1, activations=1, convs=1, input_shape=(1, 3, 8, 8), audit=audit)
    return {"costs": {**plain(costs), **changes}, "observed": plain(SEEN)}


ARGUMENTS = {"run": (LR,), "load": (LR,), "complexity": ((1, 3, 8, 8),), "warm_up": (LR, 1)}


@pytest.mark.parametrize(
    ("operation", "reply"),
    [
        ("run", {"runtime_ms": 1.0}),
        ("load", plain(LOADED)),
        ("load", found("checkpoint-not-strict", "warning")),
        ("load", {**plain(LOADED), "inferred": [{"key": "args.width", "value": "4", "how": "y"}]}),
        ("complexity", answer_of_costs()),
        ("warm_up", {"pad_to": 4, "first_ms": 1.0}),
        ("peak_memory_mib", {"memory_mib": 1.0}),
        ("peak_memory_mib", {"memory_mib": None}),
        ("flags", {"flags": {"threads": 1}}),
    ],
)
def test_an_answer_that_may_be_true_is_taken(good, monkeypatch, operation, reply):
    worker, _, _ = good
    monkeypatch.setattr(worker._sandbox, "call", lambda *_, **__: {"ok": reply})
    getattr(worker, operation)(*ARGUMENTS.get(operation, ()))


@pytest.mark.parametrize(
    ("operation", "reply"),
    [
        ("run", {"runtime_ms": 0.0}),
        ("run", {"runtime_ms": -1.0}),
        ("run", {"runtime_ms": 1e300}),
        ("run", {"runtime_ms": "soon"}),
        ("run", {}),
        ("load", {**plain(LOADED), "data_range": 7.0}),
        ("load", {"model": ["Toy"]}),
        ("load", {**plain(LOADED), "tile": 0}),
        ("load", found("checkpoint-not-strict", "reject")),
        ("load", found("memorized", "warning")),
        ("load", found("=1+1", "info")),
        ("load", {**plain(LOADED), "inferred": [{"key": "baseline", "value": "x", "how": "y"}]}),
        ("load", {**plain(LOADED), "slow": {"pixel_s": -1.0}}),
        ("complexity", answer_of_costs(params=-1)),
        ("complexity", answer_of_costs(params=10**400)),
        ("complexity", answer_of_costs(input_shape=[1, 3, 9, 9])),
        ("complexity", answer_of_costs(audit={"counter": "fvcore"})),
        ("complexity", answer_of_costs(audit={"counter": "mine", "traced_products": 1})),
        ("complexity", answer_of_costs(audit={"counter": "fvcore", "traced_products": -1})),
        ("complexity", {**answer_of_costs(), "observed": {**plain(SEEN), "products": -1}}),
        ("complexity", {**answer_of_costs(), "observed": {**plain(SEEN), "uncounted": {"aten::mul": -1}}}),
        ("warm_up", {"pad_to": -4, "first_ms": 1.0}),
        ("warm_up", {"pad_to": 4, "first_ms": -1.0}),
        ("peak_memory_mib", {"memory_mib": -1.0}),
        ("flags", {"flags": [1]}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_answer_that_cannot_be_true_is_refused(good, monkeypatch, operation, reply):
    worker, _, _ = good
    monkeypatch.setattr(worker._sandbox, "call", lambda *_, **__: {"ok": reply})
    with pytest.raises(SubmissionError, match="does not answer as the harness"):
        getattr(worker, operation)(*ARGUMENTS.get(operation, ()))


def test_a_worker_may_tell_all_that_its_code_can_find() -> None:
    """The closed sets are what the source of the worker names: a new finding must be added to them."""
    folder = Path(ntire_bench.__file__).parent / "worker"
    text = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    assert set(re.findall(r'Finding\(\s*code="([^"]+)"', text)) == messages.LOADING_FINDINGS
    keys = set(re.findall(r'Inference\(\s*key="([^"]+)"', text))
    assert keys and keys <= messages.LOADING_FACTS


@pytest.mark.parametrize("reply", [{}, {"ok": 1}, {"error": 1}, {"error": {"kind": "other"}}])
def test_an_answer_of_no_known_form_is_refused(good, monkeypatch, reply):
    monkeypatch.setattr(good[0]._sandbox, "call", lambda *_, **__: reply)
    with pytest.raises(SubmissionError, match="does not answer as the harness"):
        good[0].run(LR)


@pytest.mark.parametrize(
    "value", [float("inf"), float("nan"), "x" * 200_000, object()], ids=["inf", "nan", "long", "object"]
)
def test_declared_arguments_that_cannot_cross(good, value):
    with pytest.raises(SubmissionError, match="cannot be handed"):
        good[0]._literal({"channels": value})


def test_declared_arguments_cross_as_they_are(tmp_path):
    """A tuple stays a tuple and a number stays a key, which in JSON they would not."""
    declared = {"channels": 8, "upscale": 4, "depths": (6, 6), "kinds": {1: {2.5, None}}}
    head = f"SUBMISSION = {dict(model='build', args=declared, data_range=1)!r}\n"
    build = "\ndef build(channels, upscale, depths, kinds):\n"
    build += "    assert depths == (6, 6) and kinds == {1: {2.5, None}}\n    return Toy(channels, upscale)\n"
    toys.write_toy(tmp_path, body=toys.toy(head=head) + build, checkpoint=toys.state_dict())
    with start(toys.found(tmp_path)) as worker:
        worker.hello()
        assert worker.load(LR).model == "build"
