"""Ended at any moment: what is stored stays whole, no process stays behind, and --resume does the rest."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import toys
from pairs import smooth, write_pairs

from ntire_bench.records import store

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="needs /proc to see which processes there are"
)

DECLARED = 'SUBMISSION = {"model": "Toy", "data_range": 1}'
COMMAND = (sys.executable, "-c", "from ntire_bench.cli import main; main()")
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


@pytest.fixture
def started(place) -> Iterator[subprocess.Popen[str]]:
    """`run --all`, when two records are stored and the third submission stays in its forward."""
    environment = {**os.environ, "TMPDIR": str(place / "tmp")}
    process = subprocess.Popen(
        [*COMMAND, *RUN],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(
            lambda: any(place.glob("tmp/*/staying")) or process.poll() is not None, "the third submission"
        )
        assert process.poll() is None and len(stored(place)) == 2
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
    ("number", "code"),
    [
        pytest.param(signal.SIGINT, 130, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, 143, id="SIGTERM", marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, -9, id="SIGKILL", marks=pytest.mark.slow),
    ],
)
def test_ended_in_the_middle_and_resumed(place, started, number, code):
    before = {path: path.read_bytes() for path in (place / "leaderboard").rglob("*.json")}
    # The two sides, and one that is to compare. What is killed while it starts a worker leaves that folder
    # to the next run.
    wait_until(lambda: len(workers(place)) == 3, "all three workers")
    assert len(before) == 2

    started.send_signal(number)
    out, err = started.communicate(timeout=30)
    assert started.returncode == code
    assert out == "" and "Traceback" not in err
    wait_until(lambda: not workers(place), "the workers' end", timeout_s=15)

    assert {path: path.read_bytes() for path in (place / "leaderboard").rglob("*.json")} == before
    assert sorted(stored(place)) == ["Good", "RLFN"]
    files = [path for path in (place / "leaderboard").rglob("*") if path.is_file()]
    assert sorted(files) == sorted(before)  # nor any other file
    wait_until(lambda: not list((place / "tmp").iterdir()), "the scratch folders' removal", timeout_s=15)
    if number == signal.SIGINT:
        said = err.strip().splitlines()[-1]
        assert said.startswith("Interrupted: 2 of 3 evaluations made and kept. Go on with: ")
        assert said.endswith("run --all --data-dir images --rounds 1 --device cpu --isolation none --resume")

    done = finish(place)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^(\S+)  done already", done.stderr, re.MULTILINE) == ["00_RLFN", "01_Good"]
    assert sorted(stored(place)) == ["Good", "RLFN", "Stays"]
    assert all(path.read_bytes() == content for path, content in before.items())
    assert all(name in done.stdout for name in ("00_RLFN", "01_Good", "02_Stays"))


@pytest.mark.slow
def test_a_worker_that_is_killed_is_a_failed_record_and_the_run_goes_on(place, started):
    (scratch,) = (marker.parent for marker in place.glob("tmp/*/staying"))
    (victim,) = (pid for pid in workers(place) if os.readlink(f"/proc/{pid}/cwd") == str(scratch))
    os.kill(victim, signal.SIGKILL)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 1
    assert "02_Stays  failed in phase" in err and "signal SIGKILL" in err and "Traceback" not in err
    assert "00_RLFN" in out and "01_Good" in out
    assert not workers(place)
    records, problems = store.load_all(place / "leaderboard" / "results")
    assert problems == [] and [item.record.status for item in records] == ["ok", "ok", "failed"]
    # What failed is done again.
    done = finish(place)
    assert done.returncode == 0 and "02_Stays  valid " in done.stderr


def test_interrupted_before_anything_runs(place):
    """While modules are imported and images are checked there is nothing to keep, and no traceback either."""
    code = (
        "import os, signal, ntire_bench.workflows.data as data\n"
        "data.load_splits = lambda *_, **__: os.kill(os.getpid(), signal.SIGINT)\n"
        "from ntire_bench.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *RUN], cwd=place, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "Interrupted.")
    assert not (place / "leaderboard").exists()


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
