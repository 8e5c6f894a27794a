"""The engine of one machine: commands that are bound, seen, ended, and known to a later driver."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from ntire_bench.errors import UsageError
from ntire_bench.fleet import engines
from ntire_bench.fleet.job import Job
from ntire_bench.fleet.local import Local, Slot
from ntire_bench.fleet.settings import FleetSettings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cores are bound on Linux alone")

TELL = (
    "import json, os; print(json.dumps({'cores': sorted(os.sched_getaffinity(0)), "
    "'gpu': os.environ.get('CUDA_VISIBLE_DEVICES'), 'node': os.environ['NTIRE_BENCH_NODE']}))"
)
STAY = "import sys; sys.stdout.write('on'); sys.stdout.flush(); import time; time.sleep(600)"


@pytest.fixture
def engine():
    core = min(os.sched_getaffinity(0))
    made = Local([Slot(name="a", cores=(core,), gpu="7"), Slot(name="b", cores=(core,))])
    yield made
    for _, process in made._running.values():
        process.kill()
        process.wait()


def job(folder: Path, label: str, code: str) -> Job:
    return Job(label=label, words=(sys.executable, "-c", code), log=folder / label)


def over(engine: Local, handle: str):
    deadline = time.monotonic() + 60
    while (seen := engine.look([handle])[handle]).state != "over":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return seen


def test_each_command_has_its_part_of_the_machine(engine, tmp_path):
    handles = engine.submit([job(tmp_path, "one", TELL), job(tmp_path, "two", TELL)])
    assert engine.free() <= 2
    assert [over(engine, handle).reason for handle in handles] == ["exit status 0"] * 2
    assert engine.free() == 2
    told = [json.loads((tmp_path / f"{name}.out").read_text()) for name in ("one", "two")]
    assert [one["node"] for one in told] == ["a", "b"]
    assert told[0]["gpu"] == "7" and told[1]["gpu"] == os.environ.get("CUDA_VISIBLE_DEVICES")
    assert all(one["cores"] == list(engine.slots[0].cores) for one in told)


def test_a_command_is_ended_and_known_to_a_later_driver(engine, tmp_path):
    handles = engine.submit([job(tmp_path, "one", STAY), job(tmp_path, "two", STAY)])
    assert engine.free() == 0
    later = Local([Slot(name="a", cores=(0,))])
    assert later.free() == 1  # until it has looked
    assert [seen.state for seen in later.look(handles).values()] == ["running", "running"]
    assert later.free() == 0  # in its only part a command of the driver before still runs
    assert engine.how_to_cancel(handles).startswith("kill ")
    deadline = time.monotonic() + 60
    while (tmp_path / "one.out").read_text() != "on":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    engine.cancel(handles[:1])
    assert over(engine, handles[0]).reason == f"signal {int(signal.SIGTERM)}"
    assert later.free() == 1  # it looks by itself, as nobody asks again about the job of a team that is done
    assert engine.look(handles)[handles[1]].state == "running" and engine.free() == 1
    engine.leave_out(["a"])
    assert engine.free() == 0
    with pytest.raises(UsageError, match="no part of this machine is left"):
        engine.leave_out(["a", "b"])


def test_what_is_not_there_is_over():
    assert Local([]).look(["9999999.1@nowhere@a"])["9999999.1@nowhere@a"].state == "over"


def test_gpus_that_have_no_core_for_themselves_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    monkeypatch.setattr(engines.installed, "gpus", lambda: None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    told: list[str] = []
    made = engines.engine_for(FleetSettings(engine="local"), tmp_path, "cuda", told.append)
    assert made.free() == 2
    assert told == ["1 of 3 GPUs take no part: each needs a CPU core, and there are 2."]
    engines.engine_for(FleetSettings(engine="local", jobs=2), tmp_path, "cuda", told.append)
    assert len(told) == 1  # as asked for
