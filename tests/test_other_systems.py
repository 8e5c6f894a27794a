"""What runs without Linux: told by taking away what other systems lack, which is no run on them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import challenge_files
import pytest
import toys
from pairs import smooth
from PIL import Image
from places import HELPERS
from record_factory import make_record

from ntire_bench.data.images import write_png
from ntire_bench.records import store

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="compares with what Linux gives")
SYSTEMS = ["darwin", pytest.param("win32", marks=pytest.mark.slow)]
SCRIPT = HELPERS / "as_if_on.py"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with what the reporting commands read."""
    body = toys.toy(head='SUBMISSION = {"model": "Toy", "data_range": 1}')
    toys.write_toy(tmp_path, 0, "RLFN", body=body, checkpoint=toys.state_dict())
    write_png(tmp_path / "own_HR" / "a.png", smooth(1))
    team = challenge_files.model([10.0, 9.0, 9.5, 9.8], (26.95, 27.0))
    challenge_files.write_json(tmp_path / "results.json", {"01_A": team})
    return tmp_path


def call(
    system: str, *words: str | Path, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a command as if on a system; "linux": as it is."""
    begin = [sys.executable, "-m", "ntire_bench"] if system == "linux" else [sys.executable, SCRIPT, system]
    root = str(SCRIPT.parents[1])
    return subprocess.run(
        [*map(str, begin), *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": root, **environment},
        capture_output=True,
        timeout=120,
    )


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["--help"],
        ["list", "--json"],
        ["leaderboard"],
        ["leaderboard", "--reference", "ntire2024"],
        ["leaderboard", "--reference", "ntire2024", "--format", "html"],
        ["zoo", "list"],
    ],
    ids=" ".join,
)
def test_what_only_reads_says_the_same(place: Path, system: str, words: list[str]) -> None:
    here, there = call("linux", *words, cwd=place), call(system, *words, cwd=place)
    # Nothing was evaluated here: an empty ranking is exit status 1.
    assert here.returncode == (1 if words == ["leaderboard"] else 0) and here.stdout
    assert (there.returncode, there.stdout, there.stderr) == (here.returncode, here.stdout, here.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_records_are_written_and_ranked(place: Path, system: str) -> None:
    words = ["import", "results.json", "--protocol", "ntire2024", "--json"]
    done = call(system, *words, cwd=place)
    assert done.returncode == 0, done.stderr
    written = sorted((place / "leaderboard/results").rglob("*.json"))
    assert len(written) == 2
    for path in written:
        json.loads(path.read_bytes())
    there = call(system, "leaderboard", "--json", cwd=place)
    assert there.stdout == call("linux", "leaderboard", "--json", cwd=place).stdout
    assert {row["name"] for row in json.loads(there.stdout)["rows"]} == {"A", "RLFN_baseline"}


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_lr_images_are_made(place: Path, system: str) -> None:
    assert call(system, "prepare", "own_HR", cwd=place).returncode == 0
    made = (place / "own_LR/ax4.png").read_bytes()
    shutil.rmtree(place / "own_LR")
    call("linux", "prepare", "own_HR", cwd=place)
    assert (place / "own_LR/ax4.png").read_bytes() == made
    with Image.open(place / "own_LR/ax4.png") as image:
        assert image.size == tuple(side // 4 for side in reversed(smooth(1).shape[:2]))


@pytest.mark.parametrize(
    "words", [["run", "0"], ["run", "--all"], ["check", "0"], ["gate", "0"], ["fuse", "0"]]
)
def test_without_what_workers_need_nothing_is_run_and_one_message_says_so(
    place: Path, words: list[str]
) -> None:
    done = call("win32", *words, cwd=place)
    said = done.stderr.decode()
    assert (done.returncode, done.stdout) == (2, b"") and said.count("\n") == 1, said
    assert said.startswith("Error: submissions cannot be run on this system; expected Linux; found win32.")
    assert "WSL" in said
    document = json.loads(call("win32", *words, "--json", cwd=place).stdout)
    assert document["error"]["type"] == "UsageError"


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_stored_record_can_be_judged(place: Path, system: str) -> None:
    record = store.save(make_record(psnr={"valid": (28.4, 26.85)}), place)
    here = call("linux", "gate", "--record", record, cwd=place)
    there = call(system, "gate", "--record", record, cwd=place)
    assert here.returncode == 0 and here.stdout.startswith(b"PASS  07_Example")
    assert (there.returncode, there.stdout) == (0, here.stdout)


def test_where_there_is_no_isolation_a_submission_runs_and_that_is_said(place: Path) -> None:
    done = call("darwin", "check", "0", "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["isolation"]["level"] == "L0"
    assert [text.split(":")[0] for text in found["isolation"]["refused"]] == ["L3", "L2", "L1"]
    assert all(text.endswith("it needs Linux") for text in found["isolation"]["refused"])
    assert b"run only those you trust" in done.stderr
    asked = call("darwin", "check", "0", "--isolation", "required", cwd=place)
    assert asked.returncode == 2 and asked.stderr.startswith(b"Error: isolation of level L2 or better")
    assert asked.stderr.count(b"\n") == 1


@pytest.mark.parametrize("words", [["--format", "md"], ["--format", "html"], ["--json"], []], ids=str)
def test_what_is_piped_is_utf_8_whatever_the_system_takes_for_text(place: Path, words: list[str]) -> None:
    asked = ["leaderboard", "--reference", "ntire2024", *words]
    here, there = (
        call("linux", *asked, cwd=place, PYTHONUTF8="0", PYTHONIOENCODING=name)
        for name in ("utf-8", "cp1252")
    )
    assert here.returncode == 0 and here.stderr.isascii()
    assert (there.returncode, there.stdout, there.stderr) == (0, here.stdout, here.stderr)
    assert not here.stdout.isascii() or words == ["--json"]
