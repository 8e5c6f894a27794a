"""Attacks on the machine: each ends its own submission with a plain reason, and no other is touched."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import subprocess
import sys
import textwrap
import time

import pytest
from nvml import FakeNvml
from stubs import MIB, STUB, Stub, do

from ntire_bench.errors import SubmissionError
from ntire_bench.isolation import spawn
from ntire_bench.isolation.levels import view
from ntire_bench.isolation.limits import Limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="isolation is made of Linux's system calls")

GIB = 1024**3
ENDLESS = """
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.001)
"""
HOG = """
for _ in range(3):  # each by itself is under the limit
    if os.fork() == 0:
        held = b"x" * 150_000_000
        time.sleep(60)
time.sleep(60)
"""
# Of pages that no process shows as its own: nameless files, and shared memory that is let go of. It goes on
# to 4 GiB: other programs may give shared memory back at the same time, which hides as much of what it takes.
SHARED = """
import mmap
held = []
for _ in range(20):
    held += [os.memfd_create("held"), mmap.mmap(-1, 100 << 20)]
    for _ in range(100):
        os.write(held[-2], b"x" * 2**20)
        held[-1].write(b"x" * 2**20)
    held[-1].madvise(mmap.MADV_DONTNEED)
    time.sleep(0.2)
time.sleep(60)
"""
# Its end of the pipe of requests can be opened for writing: then there is no room for the next one.
FILLED = """
end = os.open(f"/proc/self/fd/{requests}", os.O_WRONLY | os.O_NONBLOCK)
try:
    while True:
        os.write(end, bytes(4096))
except BlockingIOError:
    channel.send(replies, number, {"ok": "full"})
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("attack", "limit", "expected"),
    [
        (SHARED, {"memory_bytes": 300 * MIB}, r"took more memory than 0\.3 GiB, shared memory counted"),
        # So few that they are not missed by what runs beside, where the limit is one on all of a user's.
        (ENDLESS, {"processes": 25}, "started more than 25 processes|did not finish|ended during"),
        (HOG, {"memory_bytes": 300 * MIB}, r"took more memory than 0\.3 GiB"),
        ("os.kill(os.getpid(), signal.SIGSTOP)", {"stopped_s": 0.4}, "stopped itself"),
        ("while True: os.write(1, b'flood ' * 1000)", {"output_bytes": 4 * MIB}, "printed more than 4 MiB"),
        ("ctypes.string_at(0)", {}, "ended during do.*SIGSEGV"),
        ("os.abort()", {}, "ended during do.*SIGABRT"),
        (
            "while True: pass",
            {"phase_s": 0.5},
            r"did not finish do in 0 s, all its calls|in 1 s, all its calls",
        ),
    ],
    ids=[
        "shared memory",
        "fork bomb",
        "memory hog",
        "SIGSTOP",
        "10 GB of printing",
        "segfault",
        "abort",
        "endless loop",
    ],
)
def test_an_attack_on_the_machine_ends_its_own_submission_alone(level, stubs, attack, limit, expected):
    bystander = stubs.start(level)
    assert do(bystander, "result = 1") == 1
    with stubs.start(level, limits=Limits(**{**limit, "phase_s": 60.0})) as box:
        assert do(box, "result = 2") == 2
        if "phase_s" in limit:  # how long it took to start is the machine's affair
            box._limits = Limits(**limit)
            box._spent_s.clear()
        box.expect_strange_code()
        begin = time.monotonic()
        with pytest.raises(SubmissionError, match=expected) as failed:
            # A fork bomb that the kernel keeps small goes on, and is given up at last.
            do(box, attack, timeout_s=4.0 if attack is ENDLESS else 8.0)
        assert time.monotonic() - begin < 10
    assert "\n" not in str(failed.value) and "Remedy:" in str(failed.value)
    assert do(bystander, "result = 3") == 3
    bystander.close()
    assert stubs.alive() == []


def test_a_worker_that_fills_the_pipe_to_it_does_not_hold_up_the_parent(level, stubs):
    with stubs.start(level) as box:
        if do(box, FILLED) == "PermissionError":
            pytest.skip("the worker has a user of its own, which cannot open the pipe's other end")
        with pytest.raises(SubmissionError, match="did not finish do in 0 s"):
            do(box, "result = 1", timeout_s=0.3)
    assert stubs.alive() == []


def test_a_single_huge_allocation_is_an_ordinary_error(level, stubs, monkeypatch):
    monkeypatch.setattr(view, "_GPU_DEVICES", ())  # beside a GPU there is no such limit
    box = stubs.start(level, limits=Limits(memory_bytes=512 * MIB))
    assert do(box, "held = bytearray(2**30)") == "MemoryError"
    assert do(box, "result = 1") == 1


def test_a_process_that_leaves_its_family_is_ended_all_the_same(level, stubs):
    leave = """
    if os.fork() == 0:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if os.fork() == 0:
            time.sleep(60)
        os._exit(0)
    result = "left"
    """
    with stubs.start(level) as box:
        before = len(stubs.alive())
        assert do(box, leave) == "left"
        time.sleep(0.1)
        assert len(stubs.alive()) > before
    assert stubs.alive() == []


@pytest.mark.parametrize("paused", [False, True])
def test_parents_that_are_killed_leave_nothing_behind(level, paused, tmp_path):
    """Neither processes nor files: kill -9, while a daemon of the submission's is running or stands still."""
    token = secrets.token_hex(8)
    leave = "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(60)\n    os._exit(0)"
    parent = f"""
    import contextlib, sys
    from pathlib import Path
    from ntire_bench.client import sandbox
    from ntire_bench.records.record import Isolation
    sandbox._START = {STUB.format(token=token)!r}
    isolation = Isolation(level={level!r}, detail="")
    with sandbox.Sandbox(Path("x.py"), lr_bytes=1, sr_bytes=1, device="cpu", isolation=isolation) as box:
        box.call("do", 20, code={leave!r})
        with box.paused() if {paused} else contextlib.nullcontext():
            sys.stdout.write("ready\\n"); sys.stdout.flush()
            sys.stdin.read()
    """
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    stub = Stub(contextlib.ExitStack())
    stub.token = token
    try:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        assert len(stub.alive()) >= 2
        process.kill()
        process.wait()
        deadline = time.monotonic() + 10
        while (stub.alive() or list(tmp_path.iterdir())) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert stub.alive() == [] and list(tmp_path.iterdir()) == []
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def nvml(monkeypatch) -> FakeNvml:
    fake = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


@pytest.mark.parametrize(
    ("device", "gpu", "passive"),
    [("auto", True, True), ("cuda:1", True, True), ("cpu", True, False), ("auto", False, False)],
)
def test_beside_a_gpu_idle_threads_of_a_worker_sleep(stubs, monkeypatch, device, gpu, passive):
    seen = view.view([])
    monkeypatch.setattr(spawn.views, "view", lambda *_: dataclasses.replace(seen, gpu=gpu))
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")  # the user's own is not handed on
    box = stubs.start("L0", device=device)
    names = ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"]
    found = do(box, f"result = [os.environ.get(name) for name in {names}]")
    assert found == (["PASSIVE", "0"] if passive else [None, None])


def test_a_worker_that_takes_more_than_its_share_of_a_gpu_is_ended(stubs, nvml):
    box, bystander = stubs.start("L0"), stubs.start("L0")
    assert do(box, "result = 1") == do(bystander, "result = 1") == 1
    nvml.held = {box.pid: 2 * GIB, bystander.pid: 2 * GIB, 1: 70 * GIB}
    for each in (box, bystander):
        assert each.bound_gpu(nvml.uuid, 8 * GIB) == (3 * GIB, None)
        assert each._watch.look() is None
    nvml.held[box.pid] = 3 * GIB + 1
    with pytest.raises(SubmissionError, match=r"ended during do: it took more GPU memory than 3\.0 GiB"):
        do(box, "time.sleep(60)")
    assert do(bystander, "result = 2") == 2


def test_where_workers_are_not_known_by_their_ids_none_is_ended_and_that_is_said(stubs, nvml):
    box = stubs.start("L0")
    assert do(box, "result = 1") == 1
    nvml.held = {1: 70 * GIB}  # from within a container: as many processes, by other ids
    share, unseen = box.bound_gpu(nvml.uuid, 8 * GIB)
    assert (share, unseen) == (3 * GIB, "NVML does not list the worker by the id that it has here")
    assert box._watch.look() is None


# A program beside the worker, which maps and fills shared memory when it is told to.
BESIDE = """
import mmap, sys
print("ready", flush=True)
sys.stdin.readline()
held = mmap.mmap(-1, 400 << 20)
for _ in range(400):
    held.write(b"x" * 2**20)
print("full", flush=True)
sys.stdin.readline()
"""


def test_shared_memory_that_another_program_shows_is_not_the_workers(stubs):
    with subprocess.Popen(
        [sys.executable, "-c", BESIDE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None and other.stdout is not None
        try:
            assert other.stdout.readline() == "ready\n"
            box = stubs.start("L0")
            assert do(box, "result = 1") == 1
            watch = box._watch
            watch.count_shared()
            other.stdin.write("\n")
            other.stdin.flush()
            assert other.stdout.readline() == "full\n"
            assert watch._growth_of_others() >= 400 * MIB
        finally:
            other.kill()


def test_a_process_that_the_worker_starts_never_counts_as_another_program(stubs):
    box = stubs.start("L0")
    assert do(box, "result = 1") == 1
    box._watch.count_shared()
    fork = "child = os.fork()\nif child == 0: time.sleep(60)\nresult = child"
    assert do(box, fork) in stubs.alive()
    others = {pid for pid, _ in box._watch._shown_by_others}
    assert os.getpid() in others and not others & set(stubs.alive())
