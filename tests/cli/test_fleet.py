"""Campaigns with an engine, status and jobs, as a user types them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from places import ROOT

from ntire_bench.claims.desk import Desk
from ntire_bench.records import store

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="jobs are started on Linux alone")

HELPERS = ROOT / "tests" / "helpers"
STAND_IN = HELPERS / "stand_in_job.py"


@pytest.fixture
def campaign(place, tmp_path, monkeypatch) -> Path:
    """A folder of three submissions whose evaluations are stand-ins that take no time."""
    for name in ("models", "model_zoo"):
        shutil.copytree(place / name, tmp_path / name)
    program = json.dumps([sys.executable, str(STAND_IN)])
    (tmp_path / "fleet.toml").write_text(f'engine = "local"\nprogram = {program}\n')
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{HELPERS}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call(campaign):
    from click.testing import CliRunner

    from ntire_bench.cli import group

    def call(*words: object):
        result = CliRunner().invoke(group.main, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


RUN = ("run", "--all", "--fleet", "fleet.toml", "--results", "shared", "--protocol", "ntire2024")


def test_a_campaign_by_the_local_engine(call, campaign):
    found = call(*RUN, "--json")
    assert found.exit_code == 0, found.stderr
    document = json.loads(found.stdout)
    assert document["counts"] == {"waiting": 0, "running": 0, "done": 3, "failed": 0, "left out": 0}
    assert len(document["records"]) == 3
    assert {row["id"] for row in document["leaderboard"]["rows"]} == {0, 1, 2}
    again = call(*RUN)
    assert again.exit_code == 0 and "3 of 3 are done already" in again.stderr
    assert "3 of 3 done" in again.stderr and "01_Good" in again.stdout
    assert len(store.load_all(campaign / "shared")[0]) == 3
    told = call("status", "--results", "shared")
    assert told.exit_code == 0
    assert [line.split()[:2] for line in told.stdout.splitlines()[1:4]] == [
        ["00_RLFN", "done"],
        ["01_Good", "done"],
        ["02_Bad", "done"],
    ]
    board = call("leaderboard", "--results", "shared")
    assert board.exit_code == 0 and "01_Good" in board.stdout


@pytest.mark.slow
def test_other_options_or_files_are_another_evaluation(call, campaign):
    assert call(*RUN).exit_code == 0
    assert call(*RUN, "--rounds", "7").exit_code == 0
    (campaign / "models" / "team01_Good.py").write_text("SUBMISSION = {}\n")
    assert call(*RUN).exit_code == 0
    count = {label: len(Desk(campaign / "shared").turns(label)) for label in ("00_RLFN", "01_Good")}
    assert count == {"00_RLFN": 3, "01_Good": 3}


@pytest.mark.slow
def test_a_job_that_is_lost_each_time_ends_as_a_failed_record(call, campaign):
    (campaign / "break_1").touch()
    found = call(*RUN, "--engine-option", "again=1")
    assert found.exit_code == 1
    assert "It is asked for again (1 of 1)" in found.stderr
    (record,) = [one.record for one in store.load_all(campaign / "shared")[0] if one.record.error]
    assert record.submission.name == "Good" and record.error.phase == "job"
    assert record.error.message.count("exit status 3") == 2
    told = json.loads(call("status", "--results", "shared", "--json").stdout)
    assert [one["state"] for one in told["teams"]] == ["done", "failed", "done"]
    (campaign / "break_1").unlink()
    assert call(*RUN).exit_code == 0  # a failed one is tried again, as by --resume


@pytest.mark.slow
@pytest.mark.parametrize("cancel", [False, True], ids=["the jobs go on", "the jobs are cancelled"])
def test_ctrl_c_stops_asking(call, campaign, cancel):
    (campaign / "hold_0").touch()
    words = [sys.executable, "-m", "ntire_bench", *RUN, *(["--cancel"] if cancel else [])]
    driver = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    desk = Desk(campaign / "shared")
    deadline = time.monotonic() + 60
    while desk.asked("00_RLFN") is None:
        assert time.monotonic() < deadline and driver.poll() is None
        time.sleep(0.02)
    pid = int(desk.asked("00_RLFN").handle.partition(".")[0])
    driver.send_signal(signal.SIGINT)
    err = driver.communicate(timeout=60)[1]
    assert driver.returncode == 130 and "Traceback" not in err
    said = err.strip().splitlines()[-1]
    assert "0 of 3 evaluations made and kept" in said and "Go on with: " in said and "--resume" in said
    assert ("cancelled" in said) is cancel and (f"kill {pid}" in said) is not cancel
    if cancel:
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    else:
        states = json.loads(call("status", "--results", "shared", "--json").stdout)["teams"]
        assert [one["state"] for one in states] == ["waiting"] * 3
        assert states[0]["detail"].startswith("job ")
    (campaign / "hold_0").unlink()
    assert call(*RUN, "--resume").exit_code == 0
    assert len(store.load_all(campaign / "shared")[0]) == 3


def test_jobs_are_printed_for_any_scheduler(call, campaign):
    found = call("jobs", "--all", "--data-dir", "images", "--rounds", "3", "--ssim", "--results", "shared")
    assert found.exit_code == 0
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    assert [line["team"] for line in lines] == ["00_RLFN", "01_Good", "02_Bad"]
    assert lines[1]["shell"] == (
        "ntire-bench run 1 --resume --data-dir images --ssim --rounds 3 --isolation required "
        "--results shared --json"
    )
    assert lines[1]["shell"].split() == lines[1]["command"] and lines[1]["cwd"] == os.getcwd()
    one = json.loads(call("jobs", "1", "--isolation", "L1", "--fleet", "fleet.toml", "--json").stdout)
    assert one["jobs"][0]["command"][:2] == [sys.executable, str(STAND_IN)]
    assert "L1" in one["jobs"][0]["command"] and "required" not in one["jobs"][0]["command"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "--all", "--jobs", "2"), "--jobs goes with an engine"),
        (("run", "--all", "--cancel"), "--cancel goes with an engine"),
        (("run", "--all", "--engine-option", "a=1"), "there is no engine"),
        (("run", "--all", "--engine", "local", "--engine-option", "a=1"), "local has no such key"),
        (("run", "--all", "--engine", "local", "--device", "cuda:1"), "--device cuda:1 does not go with"),
        (("run", "--all", "--engine", "local", "--isolation", "auto"), "--isolation auto does not go with"),
        (("jobs", "--all", "--isolation", "auto"), "--isolation auto does not go with"),
        (("run", "--all", "--fleet", "none.toml"), "none.toml: cannot be read"),
        (("run", "--all", "--engine", "ray"), "'ray' is not one of"),
    ],
)
def test_wrong_use_is_told(call, words, said):
    found = call(*words)
    assert found.exit_code == 2 and said in found.stderr and "Traceback" not in found.stderr


def test_a_folder_that_cannot_be_written_to_is_told(call, campaign):
    (campaign / "shared").mkdir()
    (campaign / "shared" / ".fleet").write_text("in the place of the folder of claims")
    found = call(*RUN)
    assert found.exit_code == 2 and "Traceback" not in found.stderr
    assert "what is asked for cannot be written" in found.stderr and "shared/.fleet" in found.stderr
    assert "--results" in found.stderr


def test_slurm_without_slurm_is_told(call, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    found = call("run", "--all", "--engine", "slurm", "--protocol", "ntire2024")
    assert found.exit_code == 2 and "sbatch is not on this machine's PATH" in found.stderr


def test_status_of_nothing(call):
    found = call("status", "--results", "nowhere")
    assert found.exit_code == 1 and "Nothing is known of any team in nowhere" in found.stderr
