"""Of all who want a team at the same time one has it; whoever has lost it stores nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ntire_bench.claims import exclusive, holder
from ntire_bench.claims.desk import Desk
from ntire_bench.claims.held import Held
from ntire_bench.claims.turn import Claim, Turn
from ntire_bench.errors import RecordError


@pytest.fixture
def desk(tmp_path) -> Desk:
    return Desk(tmp_path)


def taken(desk: Desk, label: str = "05_Net", digest: str = "d") -> Held:
    held = desk.take(label, digest)
    assert isinstance(held, Held)
    return held


def of_another_machine(desk: Desk, label: str = "05_Net", *, ago_s: float = 0.0, job: str = "") -> Path:
    """Write a claim as another machine would have done so long ago."""
    folder = desk.folder(label)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "0001.claim"
    claim = Claim(node="far", machine="another", pid=1, started=1, job=job, lease_s=desk.lease_s, digest="d")
    path.write_bytes(json.dumps({**vars(claim)}).encode())
    at = path.stat().st_mtime - ago_s
    os.utime(path, (at, at))
    return path


def test_a_team_that_is_taken_is_nobody_elses(desk):
    with taken(desk) as held:
        other = Desk(desk.results).take("05_Net")
        assert isinstance(other, Turn) and other.alive and other.claim.node == holder.node()
        assert isinstance(desk.take("06_Other"), Held)
        assert held.storing()
        held.done("ntire2024/05_Net/a.json", "ok")
    turn = desk.last("05_Net")
    assert not turn.alive and (turn.end.how, turn.end.record) == ("done", "ntire2024/05_Net/a.json")
    assert taken(desk).number == 2


@pytest.mark.parametrize("expired", [False, True], ids=["free", "expired"])
def test_of_many_at_the_same_time_one_has_the_team(desk, expired):
    if expired:
        of_another_machine(desk, ago_s=10 * desk.lease_s)
    ready, got = threading.Barrier(16), []

    def want() -> None:
        own = Desk(desk.results)
        ready.wait()
        got.append(own.take("05_Net"))

    threads = [threading.Thread(target=want) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(one, Held) for one in got) == 1
    assert all(one.alive for one in got if isinstance(one, Turn))
    assert [turn.end is None for turn in desk.turns("05_Net")] == ([False, True] if expired else [True])


def test_of_many_processes_one_has_the_team(desk):
    code = (
        "import sys; from pathlib import Path; from ntire_bench.claims.desk import Desk\n"
        "got = Desk(Path(sys.argv[1])).take('05_Net')\n"
        "print(type(got).__name__, flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, str(desk.results)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(words, **pipes) for _ in range(4)]
    said = [process.stdout.readline().strip() for process in processes]
    for process in processes:
        process.communicate("")
    assert sorted(said) == ["Held", "Turn", "Turn", "Turn"]


def test_a_claim_of_another_machine_holds_until_it_expires(desk):
    of_another_machine(desk, ago_s=desk.lease_s / 2)
    assert isinstance(desk.take("05_Net"), Turn)
    path = of_another_machine(desk, ago_s=desk.lease_s + 5)
    turn = desk.last("05_Net")
    assert not turn.alive and "has not been heard of" in turn.why_dead
    with taken(desk) as held:
        assert held.number == 2
    assert json.loads(path.with_suffix(".end").read_text())["how"] == "expired"


def test_who_was_only_slow_learns_that_the_team_is_lost(desk):
    slow = taken(desk)
    path = desk.folder("05_Net") / "0001.claim"
    late = path.stat().st_mtime - 2 * desk.lease_s
    # As another machine sees it, which knows nothing of its process.
    data = {**json.loads(path.read_text()), "machine": "another"}
    path.write_text(json.dumps(data))
    os.utime(path, (late, late))
    other = taken(desk)
    assert not slow.storing()
    slow.give_up("too late")
    assert other.storing()
    assert [turn.end.how for turn in desk.turns("05_Net")] == ["expired", "storing"]


def test_who_stores_cannot_be_taken_over(desk):
    held = taken(desk)
    assert held.storing()
    turn = desk.take("05_Net")
    assert isinstance(turn, Turn) and turn.alive and turn.end.how == "storing"


def test_a_process_of_this_machine_that_is_gone_is_known_to_be(desk):
    code = (
        "import sys; from pathlib import Path; from ntire_bench.claims.desk import Desk\n"
        "Desk(Path(sys.argv[1])).take('05_Net'); import os; os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(desk.results)], check=False)
    turn = desk.last("05_Net")
    assert not turn.alive and "is gone" in turn.why_dead
    assert taken(desk).number == 2


def test_a_job_that_was_started_again_knows_that_it_was_ended_before(desk, monkeypatch):
    of_another_machine(desk, job="slurm 12_3")
    assert desk.last("05_Net").alive
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    assert desk.last("05_Net").alive  # another process of the same job, on another machine of it
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    turn = desk.last("05_Net")
    assert not turn.alive and turn.why_dead == "job slurm 12_3 was started again"


def test_processes_of_one_job_do_not_take_each_others_teams(desk, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    code = (
        "import sys, time; from pathlib import Path; from ntire_bench.claims.desk import Desk\n"
        "Desk(Path(sys.argv[1])).take('05_Net'); print('taken', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(desk.results)], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"taken\n"
        try:
            assert desk.last("05_Net").alive and not hasattr(desk.take("05_Net"), "storing")
        finally:
            other.kill()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"{", b""])
def test_a_damaged_claim_holds_its_team_until_it_expires(desk, content):
    path = of_another_machine(desk)
    path.write_bytes(content)
    assert desk.last("05_Net").alive
    at = path.stat().st_mtime - 10 * desk.lease_s
    os.utime(path, (at, at))
    assert not desk.last("05_Net").alive


@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), ValueError("broken")], ids=repr)
def test_a_claim_is_given_back_however_its_evaluation_ends(desk, error):
    try:
        with taken(desk):
            if error is not None:
                raise error
    except (KeyboardInterrupt, ValueError):
        pass
    end = desk.last("05_Net").end
    assert end.how == ("interrupted" if isinstance(error, KeyboardInterrupt) else "given up")
    assert "broken" in end.detail or not isinstance(error, ValueError)


def test_a_claim_is_renewed_and_says_what_is_being_done(tmp_path):
    desk = Desk(tmp_path, lease_s=0.3)
    with taken(desk) as held:
        held.progress("rounds", 3, 4)
        seen = threading.Event()
        for _ in range(200):
            if (claim := desk.last("05_Net").claim).doing:
                break
            seen.wait(0.05)
        assert (claim.doing, claim.share) == ("rounds", 0.75)


def test_a_file_system_without_hard_links_will_do(desk, monkeypatch):
    def no_link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    assert isinstance(desk.take("05_Net"), Held)
    assert isinstance(desk.take("05_Net"), Turn)


def test_an_answer_of_nfs_that_was_lost_is_asked_for_again(tmp_path, monkeypatch):
    link = os.link

    def twice(*names: object) -> None:
        link(*names)
        link(*names)  # as the server answers the second time

    monkeypatch.setattr(os, "link", twice)
    assert exclusive.create(tmp_path / "one", b"mine")
    assert not exclusive.create(tmp_path / "one", b"other")
    assert (tmp_path / "one").read_bytes() == b"mine" and len(list(tmp_path.iterdir())) == 1


def test_a_claim_that_is_being_written_is_somebodys(desk):
    folder = desk.folder("05_Net")
    folder.mkdir(parents=True)
    (folder / "0001.claim").touch()
    turn = desk.take("05_Net")
    assert isinstance(turn, Turn) and turn.claim.node == "unknown"


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path):
    (tmp_path / ".fleet").write_text("a file")
    with pytest.raises(RecordError, match="a claim cannot be written"):
        Desk(tmp_path).take("05_Net")


def test_clocks_of_machines_need_not_agree(desk, monkeypatch):
    """A deadline counts from the time that the file server stamps."""
    import time

    of_another_machine(desk)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert Desk(desk.results).last("05_Net").alive
