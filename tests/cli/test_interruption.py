"""Ended at any moment: what is stored stays whole, no process stays behind, and --resume does the rest."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from pairs import smooth, write_pairs
from places import ROOT

from ntire_bench.data.images import matlab_bicubic_down, read_png, write_png
from ntire_bench.records import store

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="needs /proc to see which processes there are"
)

DECLARED = 'SUBMISSION = {"model": "Toy", "data_range": 1}'
PLAIN = "from ntire_bench.__main__ import main; main()"
COMMAND = (sys.executable, "-c", PLAIN)
# At level L0, where workers and their scratch folders can be seen from here; others: test_isolation.py.
RUN = ("run", "--all", "--data-dir", "images", "--rounds", "1", "--device", "cpu", "--isolation", "none")


@pytest.fixture(scope="module")
def submissions(tmp_path_factory) -> Path:
    """The baseline, a good submission, and one in whose forward the run comes to stay."""
    folder = tmp_path_factory.mktemp("submissions")
    stays = "open('staying', 'w').close(); exec('while True: pass')"
    for id_, name, does in ((0, "RLFN", "pass"), (1, "Good", "pass"), (2, "Stays", stays)):
        toys.write_toy(folder, id_, name, body=toys.toy(does, head=DECLARED), checkpoint=toys.state_dict())
    write_pairs(folder / "images", "valid", [smooth(1)])
    return folder


@pytest.fixture
def place(submissions, tmp_path) -> Path:
    """A working directory of its own, with the same submissions and images."""
    for name in ("models", "model_zoo"):
        (tmp_path / name).mkdir()
        for file in (submissions / name).iterdir():
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
    (tmp_path / "images").symlink_to(submissions / "images")
    (tmp_path / "tmp").mkdir()
    return tmp_path


def workers(place: Path) -> set[int]:
    """Return the live processes whose working directory lies in the place's own temporary folder."""
    found = set()
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and os.readlink(process / "cwd").startswith(str(place / "tmp")):
                state = (process / "stat").read_text().rpartition(")")[2].split()[0]
                found |= {int(process.name)} if state != "Z" else set()
        except OSError:
            continue  # it has just ended, or is not ours
    return found


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = 120.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s:.0f} s for {what}"
        time.sleep(0.05)


def stored(place: Path) -> list[str]:
    """Return the names of all teams with records, after checking that every record can be loaded."""
    records, problems = store.load_all(place / "leaderboard" / "results")
    assert problems == []
    for item in records:
        assert store.load(item.path).status == "ok"
    return [item.record.submission.name for item in records]


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Have what is started hear all signals, also where these tests are run by something that ignores one."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number, action in before.items():
        if action == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    yield
    for number, action in before.items():
        signal.signal(number, action)


def start(place: Path, *words: str, code: str = PLAIN, **options: Any) -> subprocess.Popen[str]:
    """Start a command in a place, its temporary folder too.

    Args:
        place: The working directory.
        *words: The command's.
        code: Python that runs the command.
        **options: Of Popen.
    """
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=place,
        env={**os.environ, "TMPDIR": str(place / "tmp"), "PYTHONPATH": str(ROOT)},
        **{**streams, **options},
    )


def wait_until_it_stays(place: Path, process: subprocess.Popen[str]) -> None:
    """Wait until the third submission is in its forward."""
    wait_until(lambda: any(place.glob("tmp/*/staying")) or process.poll() is not None, "the third submission")
    assert process.poll() is None


def ended(place: Path, process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait until a command has ended, and see that it leaves no process and no file behind.

    Returns:
        Exit status, standard output, standard error.
    """
    out, err = process.communicate(timeout=60)
    wait_until(lambda: not workers(place), "the workers' end", timeout_s=15)
    wait_until(lambda: not list((place / "tmp").iterdir()), "the scratch folders' removal", timeout_s=15)
    assert "Traceback" not in err and "Exception ignored" not in err
    return process.returncode, out, err


def told(err: str) -> str:
    """Return the last line on standard error."""
    return err.strip().splitlines()[-1]


@pytest.fixture
def started(place) -> Iterator[subprocess.Popen[str]]:
    """`run --all`, when two records are stored and the third submission stays in its forward."""
    process = start(place, *RUN, "--json")
    try:
        wait_until_it_stays(place, process)
        assert len(stored(place)) == 2
        yield process
    finally:
        process.kill()
        process.communicate()


def finish(place: Path) -> subprocess.CompletedProcess[str]:
    """Mend the third submission and resume."""
    toys.write_toy(place, 2, "Stays", body=toys.toy(head=DECLARED), checkpoint=toys.state_dict())
    return subprocess.run(
        [*COMMAND, *RUN, "--resume"], cwd=place, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize(
    ("number", "code", "begin"),
    [
        pytest.param(signal.SIGINT, 130, "Interrupted: ", id="Ctrl-C", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 143, "Interrupted by SIGTERM: ", id="SIGTERM"),
        pytest.param(signal.SIGHUP, 129, "Interrupted by SIGHUP: ", id="SIGHUP", marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, -9, "", id="SIGKILL", marks=pytest.mark.slow),
    ],
)
def test_ended_in_the_middle_and_resumed(place, started, number, code, begin):
    before = {path: path.read_bytes() for path in (place / "leaderboard").rglob("*.json")}
    # The two sides, and one that is to compare. What is killed while it starts a worker leaves that folder
    # to the next run.
    wait_until(lambda: len(workers(place)) == 3, "all three workers")
    assert len(before) == 2

    started.send_signal(number)
    started.send_signal(number)  # as `timeout` does, or who presses a key twice
    status, out, err = ended(place, started)
    assert status == code
    assert {path: path.read_bytes() for path in (place / "leaderboard").rglob("*.json")} == before
    assert sorted(stored(place)) == ["Good", "RLFN"]
    files = [path for path in (place / "leaderboard").rglob("*") if path.is_file()]
    assert sorted(files) == sorted(before)  # nor any other file
    if number == signal.SIGKILL:
        assert out == ""
    else:
        said = told(err)
        assert said.startswith(f"{begin}2 of 3 evaluations made and kept. Go on with: ")
        assert said.endswith(
            "run --all --data-dir images --rounds 1 --device cpu --isolation none --json --resume"
        )
        document = json.loads(out)
        assert {place / one["path"] for one in document["records"]} == set(before)
        assert document["leaderboard"]["rows"] and document["already_done"] == []
        name = signal.Signals(number).name
        assert document["error"] == {"type": "Interrupted", "signal": name, "message": said}

    believed = [store.load(path).timing.attested for path in sorted(before)]  # not all on a busy machine
    done = finish(place)
    assert done.returncode == 0, done.stderr
    kept = [name for name, is_believed in zip(("00_RLFN", "01_Good"), believed, strict=True) if is_believed]
    assert re.findall(r"^(\S+)  done already", done.stderr, re.MULTILINE) == kept
    assert sorted(set(stored(place))) == ["Good", "RLFN", "Stays"]
    assert len(stored(place)) == 3 + believed.count(False)
    assert all(path.read_bytes() == content for path, content in before.items())
    assert all(name in done.stdout for name in ("00_RLFN", "01_Good", "02_Stays"))


def test_what_nohup_has_ignored_stays_ignored(place):
    process = start(place, "check", "2", "--isolation", "none", preexec_fn=ignore_hang_up)
    wait_until_it_stays(place, process)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    status, _, err = ended(place, process)
    assert (status, told(err)) == (143, "Interrupted by SIGTERM: the check was not finished.")


def ignore_hang_up() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def test_the_terminal_is_gone(place):
    """Its end is told to whoever leads its session, and all that is said from then on fails."""
    ours, theirs = os.openpty()

    def on_that_terminal() -> None:
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    process = start(
        place, "check", "2", "--isolation", "none", stdin=theirs, stdout=theirs, stderr=theirs,
        preexec_fn=on_that_terminal,
    )  # fmt: skip
    os.close(theirs)
    wait_until_it_stays(place, process)
    os.close(ours)
    process.wait(60)
    assert process.returncode == 129
    wait_until(lambda: not workers(place), "the workers' end", timeout_s=15)
    wait_until(lambda: not list((place / "tmp").iterdir()), "the scratch folders' removal", timeout_s=15)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "so_far", "said"),
    [
        (("check", "2"), {"ok": None, "written": None}, "the check was not finished."),
        (("gate", "1", "2", "--data-dir", "images"), {"strays": []}, "1 of 2 judged, nothing stored."),
    ],
    ids=["check", "gate"],
)
def test_other_commands_print_one_document_too(place, words, so_far, said):
    process = start(place, *words, "--isolation", "none", "--device", "cpu", "--json")
    wait_until_it_stays(place, process)
    process.send_signal(signal.SIGTERM)
    status, out, err = ended(place, process)
    document = json.loads(out)
    error = document.pop("error")
    gates = document.pop("gates", None)
    assert gates is None or [one["submission"] for one in gates] == ["01_Good"]
    assert (status, document) == (143, so_far)
    assert error["message"] == told(err) == f"Interrupted by SIGTERM: {said}"


@pytest.mark.slow
def test_a_worker_that_is_killed_is_a_failed_record_and_the_run_goes_on(place, started):
    (scratch,) = (marker.parent for marker in place.glob("tmp/*/staying"))
    (victim,) = (pid for pid in workers(place) if os.readlink(f"/proc/{pid}/cwd") == str(scratch))
    os.kill(victim, signal.SIGKILL)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 1
    assert "02_Stays  failed in phase" in err and "signal SIGKILL" in err and "Traceback" not in err
    rows = [row["name"] for row in json.loads(out)["leaderboard"]["rows"]]
    assert sorted(rows) == ["Good", "RLFN"]
    assert not workers(place)
    records, problems = store.load_all(place / "leaderboard" / "results")
    assert problems == [] and [item.record.status for item in records] == ["ok", "ok", "failed"]
    # What failed is done again.
    done = finish(place)
    assert done.returncode == 0 and "02_Stays  valid " in done.stderr


# At a moment that is chosen: the program sends the signal to itself, twice.

STRIKE = """
import os, signal, sys
def strike():
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGTERM)
"""


def struck(place: Path, code: str, *words: str) -> tuple[int, str, str]:
    """Run a command with code that has it strike itself at some moment."""
    return ended(place, start(place, *words, code=f"{STRIKE}\n{code}\n{PLAIN}"))


WHERE = """
class Finder:
    @staticmethod
    def find_spec(name, *_):
        if name == {module!r}:
            sys.meta_path.remove(Finder)
            strike()
sys.meta_path.insert(0, Finder)
"""


@pytest.mark.parametrize(
    "module",
    ["click", "ntire_bench.cli.group", "ntire_bench.workflows.campaign", "numpy", "rich.live", "cv2"],
)
def test_while_modules_are_imported(place, module):
    status, out, err = struck(place, WHERE.format(module=module), *RUN, "--json")
    assert status == 143 and err.count("\n") == 1 and err.startswith("Interrupted by SIGTERM")
    document = json.loads(out)
    assert document["error"] == {"type": "Interrupted", "signal": "SIGTERM", "message": err.strip()}
    assert not document.get("records") and not (place / "leaderboard").exists()


EARLY = """
import os, sys

class Finder:
    @staticmethod
    def find_spec(name, *_):
        if name == {module!r}:
            sys.meta_path.remove(Finder)
            os.kill(os.getpid(), {number})

sys.meta_path.insert(0, Finder)
sys.modules.pop("signal", None)
sys.argv = ["ntire-bench", "list"]
from ntire_bench.__main__ import main
main()
"""


@pytest.mark.parametrize("module", ["ntire_bench.interruption", "signal", "click"])
def test_ctrl_c_before_signals_are_caught_is_no_traceback(place, module):
    program = EARLY.format(module=module, number=int(signal.SIGINT))
    done = subprocess.run([sys.executable, "-c", program], cwd=place, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted.\n")


def test_nothing_is_imported_before_ctrl_c_is_caught(root):
    """Each import is a moment in which it would be a traceback; Python's own start is not ours."""
    program = (
        f"import sys; sys.path.insert(0, {str(root)!r}); before = set(sys.modules); "
        "import ntire_bench.__main__; print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["__future__", "ntire_bench", "ntire_bench.__main__"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_before_anything_runs(place, number):
    """While images are checked there is nothing to keep, and no traceback either."""
    code = (
        "import ntire_bench.workflows.data as data\n"
        f"data.load_splits = lambda *_, **__: os.kill(os.getpid(), {number})"
    )
    status, out, err = struck(place, code, *RUN)
    by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
    assert (status, out, err) == (128 + number, "", f"Interrupted{by}.\n")
    assert not (place / "leaderboard").exists()


def test_where_python_makes_another_exception_of_it(place):
    """Up to Python 3.11 a RuntimeError, while a class is made."""
    code = """
import ntire_bench.workflows.data as data
class Attribute:
    def __set_name__(self, *_):
        strike()
def load_splits(*_, **__):
    class Made:
        attribute = Attribute()
data.load_splits = load_splits
"""
    assert struck(place, code, *RUN) == (143, "", "Interrupted by SIGTERM.\n")


def test_while_workers_start(place):
    code = """
import ntire_bench.isolation.spawn as module
real, started = module._start, []
def start(*words, **more):
    process = real(*words, **more)
    started.append(process)
    if len(started) == 2:
        strike()
    return process
module._start = start
"""
    status, _, err = struck(place, code, *RUN)
    assert status == 143
    assert told(err).startswith("Interrupted by SIGTERM: 0 of 3 evaluations made and kept. Go on with: ")


def test_while_a_metric_is_computed(place):
    """In a thread, where there is a core for it."""
    code = """
import ntire_bench.metrics.psnr as module
real = module.psnr
def psnr(*words, **more):
    strike()
    return real(*words, **more)
module.psnr = psnr
"""
    status, _, err = struck(place, code, *RUN, "--threads", "1")
    assert status == 143
    assert told(err).startswith("Interrupted by SIGTERM: 0 of 3 evaluations made and kept. Go on with: ")


def test_while_a_record_is_written(place):
    """It is kept whole, and counted."""
    code = """
import ntire_bench.records.store as module
real = module._publish
def publish(*words):
    strike()
    return real(*words)
module._publish = publish
"""
    status, out, err = struck(place, code, *RUN, "--json")
    assert status == 143 and stored(place) == ["RLFN"]
    assert told(err).startswith("Interrupted by SIGTERM: 1 of 3 evaluations made and kept. Go on with: ")
    (record,) = json.loads(out)["records"]
    assert record["record"]["submission"]["name"] == "RLFN" and (place / record["path"]).is_file()
    assert not list((place / "leaderboard").rglob(".*"))


def test_while_lr_images_are_made(place):
    """What is there is whole and listed; the same command makes the rest."""
    hr = place / "many_HR"
    hr.mkdir()
    for number in range(40):
        write_png(hr / f"{number:02d}.png", smooth(number))
    code = """
import ntire_bench.data.prepare as module
real, count = module.write_png, iter(range(40))
def write_png(*words):
    real(*words)
    if next(count) == 5:
        strike()
module.write_png = write_png
"""
    status, out, err = struck(place, code, "prepare", "many_HR", "--json")
    document = json.loads(out)
    written = {place / path for path in document["written"]}
    assert status == 143 and 6 <= len(written) < 40
    assert written == set((place / "many_LR").iterdir())
    assert told(err) == document["error"]["message"]
    assert f" {len(written)} LR images are in many_LR." in told(err)
    for path in written:
        assert np.array_equal(read_png(path), matlab_bicubic_down(smooth(int(path.stem.removesuffix("x4")))))
    status, out, _ = ended(place, start(place, "prepare", "many_HR", "--json"))
    assert status == 0 and len(json.loads(out)["written"]) == len(list((place / "many_LR").iterdir())) == 40


def test_a_signal_whose_exception_is_lost_is_sent_again():
    code = f"""{STRIKE}
import time
from ntire_bench import interruption
class Lost:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(10):
            pass
interruption.catch()
interruption.begin()
try:
    Lost()
    time.sleep(600)
except KeyboardInterrupt as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "SIGTERM\n", "")


def test_nothing_is_caught_where_no_command_runs():
    """Handlers of a program that uses the package stay its own."""
    code = """
import signal, ntire_bench
from ntire_bench import interruption
from ntire_bench.cli import main
ntire_bench.leaderboard
with interruption.held():
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_launcher_whose_parent_is_gone_removes_the_scratch_folder(tmp_path):
    scratch = tmp_path / "scratch"
    (scratch / "deep").mkdir(parents=True)
    plan = {"level": "L0", "parent": -1, "cgroups": [], "scratch": str(scratch)}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    with open(tmp_path / "plan.json") as file:
        code = "import sys; from ntire_bench.isolation.inside.launch import main; main(sys.argv[1:])"
        done = subprocess.run([sys.executable, "-c", code, str(file.fileno())], pass_fds=[file.fileno()])
    assert done.returncode == 128 + signal.SIGTERM
    assert not scratch.exists() and (tmp_path / "plan.json").exists()
