"""What each level keeps a submission from, shown by trying."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from pairs import smooth
from stubs import MIB, Stub, above, do, skip_unless

from ntire_bench import PACKAGE
from ntire_bench.client.sandbox import Sandbox
from ntire_bench.client.worker import Worker
from ntire_bench.errors import SubmissionError
from ntire_bench.isolation.choose import isolation_for, try_level
from ntire_bench.isolation.levels import seccomp
from ntire_bench.isolation.limits import Limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="isolation is made of Linux's system calls")


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


# The shell's own commands: the programs of PATH are not in the sandbox where the tests hide one of them.
RUNS_CODE = """\
import os, torch
class Runs:
    def __reduce__(self):
        return eval, (f"__import__('os').system('true > {mark}; true > $TMPDIR/ran')",)
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
