"""A campaign on a real Slurm cluster of two nodes, in which all that can be lost is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import slurm_cluster
import toys
from commands import DECLARED
from pairs import smooth, write_pairs
from places import ROOT
from slurm_cluster import Cluster

from ntire_bench.claims.desk import Desk
from ntire_bench.claims.turn import Turn
from ntire_bench.records import store
from ntire_bench.records.operational import is_operational
from ntire_bench.records.record import Record

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(slurm_cluster.missing()), reason=slurm_cluster.missing()),
]

TEAMS = 8
# One round says nothing of noise, so that no node is left out for it; isolation is what every machine has.
RUN = ("run", "--all", "--data-dir", "images", "--rounds", "1", "--device", "cpu", "--isolation", "none")
FLEET = """\
engine = "slurm"
anchor = "100000%"
[slurm]
partition = "main"
gres = "gpu:toy:1"
cpus_per_task = 1
time = 10
look_s = 0.5
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("campaign")
    for number in range(TEAMS):
        name = "RLFN" if number == 0 else f"Net{number}"
        # One of them fails, and one gives a worse image: what is found must not depend on where it ran.
        changes = {3: "raise ValueError('broken')", 5: "sr = sr.flip(-1)"}.get(number, "pass")
        body = toys.toy(changes, head=DECLARED)
        toys.write_toy(place, number, name, body=body, checkpoint=toys.state_dict())
    write_pairs(place / "images", "valid", [smooth(1), smooth(2)])
    (place / "fleet.toml").write_text(FLEET)
    return place


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="slurm_"))  # short, as sockets lie in it
    try:
        with slurm_cluster.cluster(folder) as found:
            yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def start(place: Path, environment: dict[str, str], *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ntire_bench", *words],
        cwd=place,
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(found: Callable[[], Any], what: str, timeout_s: float = 180.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (one := found()):
        assert time.monotonic() < deadline, f"waited {timeout_s:.0f} s for {what}"
        time.sleep(0.1)
    return one


def on_time(code: str) -> bool:
    """Say whether a finding is on runtimes or the machine, which other programs may bring about."""
    return is_operational(code) or code.startswith(("runtime", "timing", "busy"))


def facts(record: Record) -> object:
    """What must be the same wherever a team was measured."""
    splits = {
        name: [(image.name, image.psnr_y_db, image.psnr_rgb_db) for image in split.per_image]
        for name, split in record.splits.items()
    }
    cost = record.complexity
    counted = None if cost is None else (cost.params, cost.flops, cost.activations, cost.convs)
    found = sorted((one.code, one.severity) for one in record.findings if not on_time(one.code))
    error = None if record.error is None else (record.error.type, record.error.phase)
    return record.status, error, splits, counted, found, record.submission.files


def records_of(results: Path) -> dict[str, list[Record]]:
    stored, problems = store.load_all(results)
    assert problems == []
    found: dict[str, list[Record]] = {}
    for item in stored:
        found.setdefault(item.record.submission.label, []).append(store.load(item.path))
    return found


def test_a_campaign_in_which_everything_is_lost_once_ends_as_the_serial_one(place, cluster):
    serial = start(place, dict(os.environ), *RUN, "--results", "serial", "--json")
    fleet = (*RUN, "--results", "shared", "--fleet", "fleet.toml", "--json")
    results = place / "shared"
    desk = Desk(results)
    serial.communicate(timeout=600)
    driver = start(place, cluster.environment, *fleet)

    def running(node: str | None = None) -> tuple[str, str] | None:
        """Return a job that has begun to evaluate, and its team."""
        jobs = cluster.jobs()
        for label in desk.labels():
            turn, asked = desk.last(label), desk.asked(label)
            if turn is None or not turn.alive or asked is None:
                continue
            state, where = jobs.get(asked.handle, ("", ""))
            if state == "RUNNING" and node in (None, where):
                return asked.handle, label
        return None

    def interrupted(*words: str) -> str:
        """Do something to a job while it evaluates, and return its team."""
        for _ in range(TEAMS):  # one that was just ending is past it
            job, label = wait_for(running, "a job")
            number = desk.last(label).number
            cluster.ask(*words, job, check=False)
            if end_of(label, number) == "interrupted":
                return label
        raise AssertionError("every job ended before it could be interrupted")

    def end_of(label: str, number: int) -> str:
        """Wait until a claim has ended, and return how."""
        turn = wait_for(lambda: next((t for t in ended(label) if t.number == number), None), "its end")
        return turn.end.how

    def ended(label: str) -> list[Turn]:
        return [turn for turn in desk.turns(label) if turn.end is not None and turn.end.how != "storing"]

    # A node vanishes while it evaluates.
    lost, lost_team = wait_for(lambda: running("n1"), "a job on n1")
    cluster.kill_node("n1")
    wait_for(lambda: cluster.jobs()[lost][0] != "RUNNING", "Slurm to notice")
    cluster.start_node("n1")
    # Somebody asks from another shell.
    asked = start(place, cluster.environment, "status", "--results", "shared", "--json")
    told = json.loads(asked.communicate(timeout=60)[0])
    assert len(told["teams"]) == TEAMS and sum(told["counts"].values()) == TEAMS
    # One job is cancelled, and one is queued again, each while it evaluates.
    cancelled_team = interrupted("scancel")
    requeued_team = interrupted("scontrol", "requeue")
    # The driver is killed, and another one goes on.
    wait_for(running, "a job while the driver is killed")
    driver.kill()
    driver.communicate(timeout=60)
    again = start(place, cluster.environment, *fleet)
    out, err = again.communicate(timeout=600)
    assert again.returncode == 1, err  # one team fails, as in the serial run
    document = json.loads(out)
    assert document["counts"]["done"] == TEAMS - 1 and document["counts"]["failed"] == 1

    one_after_the_other, spread = records_of(place / "serial"), records_of(results)
    assert len(spread) == TEAMS
    for label, (expected,) in one_after_the_other.items():
        good = [record for record in spread[label] if record.status == "ok"]
        assert len(good) == (expected.status == "ok"), label
        assert {repr(facts(record)) for record in spread[label]} == {repr(facts(expected))}, label
    how = {label: [turn.end.how for turn in ended(label)] for label in desk.labels()}
    assert how[lost_team][0] == "expired" and how[lost_team][-1] == "done"
    assert "interrupted" in how[cancelled_team] and how[cancelled_team][-1] == "done"
    assert "interrupted" in how[requeued_team] and how[requeued_team][-1] == "done"
    assert desk.asked(cancelled_team).tries > 1 or cancelled_team == requeued_team
    assert {turn.claim.node for label in desk.labels() for turn in desk.turns(label)} == {"n1", "n2"}
