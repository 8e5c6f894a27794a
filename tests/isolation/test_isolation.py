"""What each level keeps a submission from, shown by trying; and what no level lets it do to the machine."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from pairs import smooth

from ntire_bench import PACKAGE
from ntire_bench.client import sandbox
from ntire_bench.client.sandbox import Sandbox
from ntire_bench.client.worker import Worker
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.isolation import cgroups, choose, limits, spawn
from ntire_bench.isolation.choose import Trial, isolation_for, lost, try_level
from ntire_bench.isolation.levels import bubblewrap, seccomp, view
from ntire_bench.isolation.limits import Limits
from ntire_bench.records.record import Isolation

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="isolation is made of Linux's system calls")

MIB = 1024**2
# A worker without torch, which does as it is told. {token} marks its processes, and their children's.
STUB = """\
import ctypes, mmap, os, signal, socket, sys, time
from ntire_bench.wire import channel
requests, replies, lr_fd, sr_fd = map(int, sys.argv[2:6])
while True:
    number, request = channel.receive(requests)
    space = dict(globals())
    try:
        exec(request["code"], space)
        reply = {{"ok": space.get("result")}}
    except Exception as error:
        reply = {{"error": type(error).__name__, "text": str(error)}}
    channel.send(replies, number, reply)
# {token}
"""


def skip_unless(level: str) -> None:
    reason = try_level(level).reason
    if reason is not None:
        pytest.skip(f"{level} cannot be had on this machine: {reason}")


@pytest.fixture(params=["L0", "L1", "L2", "L3"])
def level(request) -> str:
    skip_unless(request.param)
    return str(request.param)


def above(level: str, least: str) -> bool:
    return level >= least


class Stub:
    """Starts stubs, and sees which processes of theirs there are."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.token = secrets.token_hex(8)
        self._stack = stack

    def start(self, level: str, file: Path = Path("x.py"), **options: Any) -> Sandbox:
        chosen = Isolation(level=level, detail="")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sandbox, "_START", STUB.format(token=self.token))
            box = Sandbox(file, lr_bytes=4096, sr_bytes=4096, device="cpu", isolation=chosen, **options)
        return self._stack.enter_context(box)

    def alive(self) -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                ended = (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
                if self.token.encode() in (entry / "cmdline").read_bytes() and not ended:
                    found.append(int(entry.name))
        return found


def do(box: Sandbox, code: str, timeout_s: float = 20.0) -> Any:
    """Have a stub execute some code, and return its `result`, or the name of the exception."""
    reply = box.call("do", timeout_s, code=textwrap.dedent(code))
    return reply["error"] if "error" in reply else reply["ok"]


@pytest.fixture
def stubs() -> Iterator[Stub]:
    with contextlib.ExitStack() as stack:
        yield Stub(stack)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A folder with a submission, a neighbour and ground truth."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("models/team05_Own.py", "models/team06_Other.py", "model_zoo/team05.pth", "HR/0801.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"content of {name}")
    return folder


@pytest.fixture(scope="module")
def resident(checkout) -> Iterator[Callable[[str], Sandbox]]:
    """One stub per level, for what does not end it."""
    with contextlib.ExitStack() as stack:
        stub = Stub(stack)
        own = checkout / "models/team05_Own.py"
        boxes: dict[str, Sandbox] = {}

        def get(level: str) -> Sandbox:
            if level not in boxes:
                readable = [own, checkout / "model_zoo/team05.pth"]
                boxes[level] = stub.start(level, own, readable=readable, limits=Limits(scratch_bytes=8 * MIB))
            return boxes[level]

        yield get


def reads(box: Sandbox, path: Path) -> bool:
    return do(box, f"result = open({str(path)!r}).read(10)") == path.read_text()[:10]


def test_its_own_files_can_be_read_and_no_others(level, resident, checkout):
    box = resident(level)
    assert reads(box, checkout / "models/team05_Own.py")
    assert reads(box, checkout / "model_zoo/team05.pth")
    reachable = [reads(box, checkout / name) for name in ("HR/0801.png", "models/team06_Other.py")]
    assert reachable == [level == "L0"] * 2  # at L0 they can: that is what is lost there


def test_neighbours_are_not_seen(level, resident, checkout):
    seen = do(resident(level), f"result = sorted(os.listdir({str(checkout / 'models')!r}))")
    expected = {"L0": ["team05_Own.py", "team06_Other.py"], "L1": "PermissionError"}
    assert seen == expected.get(level, ["team05_Own.py"])


def test_the_c_library_can_ask_for_huge_pages(level, resident):
    """Where it cannot, a network takes longer at that level than at others."""
    enabled = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not enabled.exists() or "[never]" in enabled.read_text():
        pytest.skip("this kernel gives no huge pages")
    code = """
        block = bytearray(64 * 1024**2)
        lines = open("/proc/self/smaps").read()
        result = "hg" in {flag for line in lines.splitlines() if "VmFlags" in line for flag in line.split()}
    """
    assert reads(resident(level), enabled) and do(resident(level), code) is True


@pytest.mark.parametrize("kind", ["TCP", "UDP", "abstract"])
def test_this_machines_network_is_not_reached(level, resident, kind):
    family, type_ = {
        "TCP": (socket.AF_INET, socket.SOCK_STREAM),
        "UDP": (socket.AF_INET, socket.SOCK_DGRAM),
        "abstract": (socket.AF_UNIX, socket.SOCK_STREAM),
    }[kind]
    with socket.socket(family, type_) as server:
        server.bind(f"\0{secrets.token_hex(8)}" if kind == "abstract" else ("127.0.0.1", 0))
        server.settimeout(0.3)
        if kind != "UDP":
            server.listen()
        do(
            resident(level),
            f"""
            with socket.socket({int(family)}, {int(type_)}) as client:
                client.settimeout(1)
                client.connect({server.getsockname()!r})
                client.send(b"pixels of HR")
            """,
        )
        try:
            arrived = bool(server.recv(20) if kind == "UDP" else server.accept())
        except TimeoutError:
            arrived = False
    assert arrived == (level == "L0")


def test_nothing_leads_outside(level, resident):
    """A datagram socket that is only connected sends nothing; it needs a route, though."""
    code = "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 9)); result = 'connected'"
    answer = do(resident(level), code)
    assert answer in ("OSError", "PermissionError") if above(level, "L1") else True


def test_other_processes_are_not_seen(level, resident):
    names = do(resident(level), "result = [name for name in os.listdir('/proc') if name.isdigit()]")
    own = {str(pid) for pid in (os.getpid(), os.getppid())}
    # In a namespace there are two: the first process, and the stub.
    assert len(names) <= 3 if above(level, "L2") else own <= set(names)


def test_the_parent_can_neither_be_signalled_nor_looked_into(level, resident):
    if not above(level, "L1"):
        pytest.skip("L0 does not keep a submission from processes of the same user")
    if "signals" not in try_level(level).held:
        pytest.skip("this kernel's Landlock does not keep processes from signals (ABI under 6)")
    pid = os.getpid()
    box = resident(level)
    assert do(box, f"os.kill({pid}, 0); result = 'sent'") in ("ProcessLookupError", "PermissionError")
    for part in ("mem", "environ", "maps"):
        assert do(box, f"open('/proc/{pid}/{part}', 'rb').read(1); result = 'read'") in (
            "FileNotFoundError",
            "PermissionError",
        )


def test_nothing_is_written_outside_its_scratch_folder(level, resident, checkout):
    if not above(level, "L1"):
        pytest.skip("L0 does not keep a submission from writing what its user may write")
    mark = f"mark_{secrets.token_hex(6)}"
    folders = [checkout, checkout / "models", PACKAGE, Path(tempfile.gettempdir()), Path("/dev/shm")]
    folders += [Path.home(), Path("/"), Path("/usr/bin"), Path(sys.prefix), Path("/etc"), Path("/var/tmp")]
    for folder in folders:
        do(resident(level), f"open({str(folder / mark)!r}, 'w').write('x')")
    assert [folder for folder in folders if (folder / mark).exists()] == []
    own = checkout / "models/team05_Own.py"
    assert do(resident(level), f"open({str(own)!r}, 'a').write('x')") in ("OSError", "PermissionError")
    assert do(resident(level), "open('here', 'w').write('x'); result = open('here').read()") == "x"


def test_the_kernels_switches_cannot_be_turned(level, resident):
    """Root's worker owns them in /proc whatever its namespace calls it; a core pattern would run as root."""
    if not above(level, "L1"):
        pytest.skip("L0 leaves a submission what its user may do")
    for name in ("sys/kernel/core_pattern", "sys/vm/overcommit_memory", "sysrq-trigger"):
        answer = do(resident(level), f"os.close(os.open('/proc/{name}', os.O_WRONLY)); result = 'open'")
        assert answer in ("PermissionError", "OSError", "FileNotFoundError"), name


def test_no_new_privileges_can_be_had(level, resident):
    if not above(level, "L1") or seccomp.program(sockets=True) is None:
        pytest.skip("needs L1 and an architecture whose system calls are known")
    call = "libc = ctypes.CDLL(None, use_errno=True); "
    box = resident(level)
    for attempt in (
        "libc.unshare(0x10000000)",  # a user namespace
        "libc.unshare(0x20000)",  # a mount namespace
        "libc.ptrace(16, os.getppid(), 0, 0)",
        "libc.mount(b'tmpfs', b'/', b'tmpfs', 0, None)",
        "libc.umount2(b'/proc', 2)",
        "libc.syscall(425, 8, 0)",  # io_uring, through which files are opened unseen
    ):
        assert do(box, f"{call}result = {attempt}") == -1, attempt
    status = do(box, "result = open('/proc/self/status').read()")
    assert "NoNewPrivs:\t1" in status and "CapEff:\t0000000000000000" in status


def test_the_first_process_is_no_way_around_the_filter(level, resident):
    if not above(level, "L2"):
        pytest.skip("the first process is the machine's")
    filtered = "'Seccomp:\\t2' in open('/proc/1/status').read()"
    opened = do(resident(level), f"result = {filtered} or bool(open('/proc/1/mem', 'r+b'))")
    assert opened == ("PermissionError" if level == "L2" else True)


def test_the_scratch_folder_is_limited(level, resident):
    """At L2 and L3 by its size, below by the size of each file."""
    write = "with open('big', 'wb') as file:\n    for _ in range(64): file.write(bytes(2**18)); file.flush()"
    assert do(resident(level), write) == "OSError"
    size = do(resident(level), "result = os.path.getsize('big'); os.remove('big')")
    assert size <= 8 * MIB
    if above(level, "L2"):
        several = "for n in range(64):\n    with open(f'part{n}', 'wb') as file: file.write(bytes(2**18))"
        assert do(resident(level), several) == "OSError"


def test_lr_pixels_cannot_be_written(level, resident):
    box = resident(level)
    box.lr[:4] = b"\x01\x02\x03\x04"
    assert do(box, "result = list(mmap.mmap(lr_fd, 4, prot=mmap.PROT_READ)[:4])") == [1, 2, 3, 4]
    for attempt in (
        "mmap.mmap(lr_fd, 4)[0] = 9",
        "os.pwrite(lr_fd, b'9', 0)",
        "os.ftruncate(lr_fd, 0)",
        "mmap.mmap(os.open(f'/proc/self/fd/{lr_fd}', os.O_RDWR), 4)[0] = 9",
    ):
        assert do(box, f"{attempt}; result = 'written'") in ("PermissionError", "OSError"), attempt
    assert bytes(box.lr[:4]) == b"\x01\x02\x03\x04"
    do(box, "mmap.mmap(sr_fd, 4)[:4] = b'SR__'")
    assert bytes(box.sr[:4]) == b"SR__"


def test_it_inherits_four_descriptors_and_knows_nothing_of_the_user(level, stubs, monkeypatch):
    monkeypatch.setenv("MY_SECRET_TOKEN", "hunter2")
    with open(os.devnull) as careless:
        os.set_inheritable(careless.fileno(), True)
        box = stubs.start(level)
        listed = do(box, "result = sorted(int(fd) for fd in os.listdir('/proc/self/fd') if int(fd) > 2)")
    assert len(listed) == 5  # the folder itself is the fifth
    environment = do(box, "result = dict(os.environ)")
    assert "MY_SECRET_TOKEN" not in environment
    assert environment["HOME"] == environment["TMPDIR"] == do(box, "result = os.getcwd()")


# Attacks on the machine. Each ends its submission with a plain reason, and another's is not touched.

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
# Of pages that no process shows as its own: nameless files, and shared memory that is let go of.
SHARED = """
import mmap
held = [os.memfd_create("held"), mmap.mmap(-1, 200 << 20)]
for _ in range(200):
    os.write(held[0], b"x" * 2**20)
    held[1].write(b"x" * 2**20)
held[1].madvise(mmap.MADV_DONTNEED)
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
        assert do(box, FILLED) == "full"
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


def test_parents_that_are_killed_leave_nothing_behind(level, tmp_path):
    """Neither processes nor files: kill -9, while a daemon of the submission's is running."""
    token = secrets.token_hex(8)
    leave = "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(60)\n    os._exit(0)"
    parent = f"""
    import sys
    from pathlib import Path
    from ntire_bench.client import sandbox
    from ntire_bench.records.record import Isolation
    sandbox._START = {STUB.format(token=token)!r}
    isolation = Isolation(level={level!r}, detail="")
    with sandbox.Sandbox(Path("x.py"), lr_bytes=1, sr_bytes=1, device="cpu", isolation=isolation) as box:
        box.call("do", 20, code={leave!r})
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


# A folder to work in, as a challenge's checkout is.


def test_a_working_folder_is_read_only_and_what_is_hidden_in_it_stays_hidden(level, stubs, checkout):
    link = checkout / "link_to_HR"
    link.unlink(missing_ok=True)
    link.symlink_to(checkout / "HR")
    box = stubs.start(level, readable=[checkout], hidden=[checkout / "HR"], workdir=checkout)
    assert do(box, "result = os.getcwd()") == str(checkout)
    assert do(box, "result = open('models/team06_Other.py').read(7)") == "content"
    if above(level, "L1"):
        assert do(box, "open('models/new.py', 'w')") in ("OSError", "PermissionError")
        for name in ("HR/0801.png", "link_to_HR/0801.png"):
            assert do(box, f"open({name!r})") in ("FileNotFoundError", "PermissionError")


# Choosing a level.


def test_every_promise_is_kept_where_a_level_is_chosen(level):
    trial = try_level(level)
    assert choose.PROMISED[level] <= set(trial.held)
    chosen = isolation_for(level)
    assert chosen.level == level and chosen.held == trial.held and "\n" not in chosen.detail
    assert set(chosen.held).isdisjoint(chosen.broken)


def test_auto_takes_the_best_and_none_takes_none():
    best = next(level for level in spawn.LEVELS if try_level(level).reason is None)
    assert isolation_for("auto").level == best
    assert isolation_for("none").level == "L0"


def test_a_file_within_reach_refuses_a_level(level):
    """The canary reads what it is not to read: here, ground truth among the system's own files."""
    if not above(level, "L1"):
        pytest.skip("L0 promises nothing")
    with pytest.raises(UsageError, match="not kept from files it was not given"):
        isolation_for(level, [Path(sys.executable).resolve()])
    assert isolation_for("auto", [Path(sys.executable).resolve()]).level == "L0"


@pytest.fixture
def only(monkeypatch) -> Callable[..., None]:
    """A function that makes some levels fail."""

    def only(*levels: str) -> None:
        def try_(level: str, _: object = ()) -> Trial:
            return Trial(level) if level in levels else Trial(level, reason="for a test")

        monkeypatch.setattr(choose, "try_level", try_)

    return only


def test_required_refuses_what_is_under_l2(only):
    only("L2", "L1", "L0")
    assert isolation_for("required").level == "L2"
    only("L1", "L0")
    with pytest.raises(UsageError, match=r"level L2 or better.*L3: for a test; L2: for a test.*Remedy"):
        isolation_for("required")
    found = isolation_for("auto")
    assert found.level == "L1" and found.refused == ("L3: for a test", "L2: for a test")


def test_checkpoints_that_run_code_need_l2(only):
    only("L1", "L0")
    with pytest.raises(UsageError, match="--allow-pickle.*needs isolation of level L2"):
        isolation_for("auto", allow_pickle=True)
    only("L2")
    found = isolation_for("auto", allow_pickle=True)
    assert found.allow_pickle and "--allow-pickle" in found.detail


def test_what_is_lost_is_one_line():
    assert lost(Isolation(level="L3", detail="")) is None
    for level in ("L2", "L1", "L0"):
        text = lost(Isolation(level=level, detail="", broken={"processes": "12", "network": "TCP"}))
        assert text is not None and "\n" not in text and text.startswith(f"isolation {level}")
    partly = lost(Isolation(level="L1", detail="", broken={"processes": "12"}))
    assert partly is not None and "the sight of other processes" in partly


def test_without_bubblewrap_there_are_namespaces(monkeypatch):
    skip_unless("L2")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(choose, "try_level", try_level.__wrapped__)
    found = isolation_for("auto")
    assert found.level == "L2" and "bubblewrap (bwrap) is not installed" in found.refused[0]


# The real worker, with torch, inside.

RUNS_CODE = """\
import os, torch
class Runs:
    def __reduce__(self):
        return eval, (f"__import__('os').system('touch {mark} $TMPDIR/ran')",)
"""


def test_a_real_worker_runs_and_a_pickle_stays_inside(tmp_path):
    """A checkpoint that runs code is refused; with --allow-pickle its code runs, and reaches nothing."""
    skip_unless("L2")
    mark = tmp_path / "mark"
    space: dict[str, Any] = {}
    exec(RUNS_CODE.replace("{mark}", str(mark)), space)
    head = "SUBMISSION = {'model': 'Toy', 'data_range': 1}\nimport os\n"
    ran = "sr = sr if os.path.exists(os.environ['TMPDIR'] + '/ran') else sr * 0"
    content = {"params": toys.state_dict(), "extra": space["Runs"]()}
    toys.write_toy(tmp_path, body=toys.toy(ran, head=head), checkpoint=content)
    lr = np.ascontiguousarray(smooth(0)[:24, :32])
    for allow_pickle in (False, True):
        walls = isolation_for("required", allow_pickle=allow_pickle)
        found = toys.found(tmp_path)
        with Worker(found, scale=4, largest_lr=lr.shape[:2], device="cpu", isolation=walls) as worker:
            worker.hello()
            if not allow_pickle:
                with pytest.raises(SubmissionError, match="holds more than tensors.*--allow-pickle"):
                    worker.load(lr)
                continue
            worker.load(lr)
            assert worker.run(lr).sr.any()  # it is black unless the code has run
    assert not mark.exists()


# What the arguments are made of, where this machine cannot show it.


@pytest.fixture
def machine_with_gpu(tmp_path) -> Path:
    """The folders of a machine with a GPU; plain files stand in for its nodes."""
    for name in ("dev/null", "dev/nvidia0", "dev/nvidiactl", "dev/nvidia-uvm", "dev/nvidia-caps/nvidia-cap1"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("usr/lib", "sys/devices/system", "sys/kernel/mm/transparent_hugepage", "dev/dri", "etc"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "dev/dri/renderD128").touch()
    (tmp_path / "etc/passwd").touch()
    return tmp_path


def test_a_gpus_nodes_pass_through(machine_with_gpu, monkeypatch):
    cuda = machine_with_gpu / "opt/cuda/lib64"
    cuda.mkdir(parents=True)
    (cuda / "libcudart.so.12").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{cuda}:{machine_with_gpu / 'etc'}:relative")
    seen = view.view([], root=machine_with_gpu)
    nodes = {str(path.relative_to(machine_with_gpu / "dev")) for path in seen.devices}
    gpu = {"nvidia0", "nvidiactl", "nvidia-uvm", "nvidia-caps/nvidia-cap1", "dri/renderD128"}
    assert seen.gpu and nodes == gpu | {"null"}
    assert machine_with_gpu / "sys" in seen.readable and cuda in seen.readable
    assert machine_with_gpu / "etc" not in seen.readable  # a folder without libraries
    line = bubblewrap.arguments(
        "/usr/bin/bwrap", seen, ["python"], scratch="/scratch", scratch_bytes=1, folder="/", filter_fd=7
    )
    for path in seen.devices:
        at = line.index(str(path))
        assert line[at - 1 : at + 2] == ["--dev-bind", str(path), str(path)] and at > line.index("--dev")
    assert line[line.index("--symlink") :][:3] == ["--symlink", "usr/lib", str(machine_with_gpu / "lib")]
    assert line[-2:] == ["--", "python"] and line[line.index("--seccomp") + 1] == "7"
    values = dict(limits.rlimits(Limits(), own_count=True, gpu=True))
    assert "RLIMIT_DATA" not in values and "RLIMIT_AS" not in values


def test_without_a_gpu_little_of_sys_is_seen(machine_with_gpu):
    shutil.rmtree(machine_with_gpu / "dev")
    seen = view.view([], root=machine_with_gpu)
    assert not seen.gpu and seen.devices == ()
    folders = {path.relative_to(machine_with_gpu / "sys") for path in seen.readable if "sys" in path.parts}
    assert folders == {Path("devices/system"), Path("kernel/mm/transparent_hugepage")}
    assert machine_with_gpu / "sys" not in seen.readable


def test_a_checkout_is_not_seen_for_being_around_the_package_or_the_environment(tmp_path):
    """What is seen of an interpreter's prefix is what Python is made of, not the folder itself."""
    seen = view.view([tmp_path / "missing.py"])
    around = [PACKAGE.parent, Path(sys.prefix), Path.home(), Path("/")]
    assert not set(around) & set(seen.readable)
    assert PACKAGE in seen.readable


def kernel_files(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Have new folders come with files in them, as a kernel's control groups do."""
    make = Path.mkdir

    def mkdir(self: Path, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        for name in names:
            (self / name).write_text("")

    monkeypatch.setattr(Path, "mkdir", mkdir)


@pytest.mark.parametrize("version", [1, 2])
def test_control_groups_where_they_can_be_made(tmp_path, monkeypatch, version):
    proc, mount = tmp_path / "proc", tmp_path / "mount"
    (mount / "user/shell").mkdir(parents=True)
    proc.mkdir()
    controllers, kind = ("pids", "cgroup") if version == 1 else ("", "cgroup2")
    (proc / "cgroup").write_text(f"4:memory:/elsewhere\n3:{controllers}:/user/shell\n")
    (proc / "mountinfo").write_text(f"25 20 0:20 / {mount} rw shared:4 - {kind} none rw,{controllers}\n")
    names = ("pids.max", "pids.events", "cgroup.procs") + (
        ("memory.max", "memory.events") if version == 2 else ()
    )
    kernel_files(monkeypatch, *names)
    group = cgroups.make(Limits(processes=77, memory_bytes=3 * 1024**3), proc)
    (folder,) = group.folders
    assert folder.parent == mount / "user/shell"
    assert (folder / "pids.max").read_text() == "77" and group.entrances == [str(folder / "cgroup.procs")]
    assert group.broken() is None
    (folder / "pids.events").write_text("max 3\n")
    assert group.broken() == "it started more than 77 processes and threads"
    if version == 2:
        assert (folder / "memory.max").read_text() == str(3 * 1024**3)
        (folder / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
        assert group.broken() == "it took more memory than 3.0 GiB"
    shutil.rmtree(folder)
    group.remove()


def test_no_control_group_where_the_kernel_offers_none(tmp_path):
    (tmp_path / "cgroup").write_text("0::/\n")
    (tmp_path / "mountinfo").write_text(f"25 20 0:20 / {tmp_path} rw - cgroup2 none rw\n")
    assert cgroups.make(Limits(), tmp_path).folders == ()
    assert not list(tmp_path.glob("ntire_bench_*"))
