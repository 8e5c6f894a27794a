"""Whatever becomes of a job, its team has one good record, or a failed one that says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jobs import NODE_MS, Scripted, evaluate, finish, teams
from record_factory import make_failure

from ntire_bench.claims.desk import Desk
from ntire_bench.claims.held import Held
from ntire_bench.claims.nodes import left_out_nodes, left_out_records
from ntire_bench.errors import UsageError
from ntire_bench.fleet import progress
from ntire_bench.fleet.anchor import Anchors
from ntire_bench.fleet.driver import Driver
from ntire_bench.fleet.engine import Seen
from ntire_bench.ranking.stored import board_of_records
from ntire_bench.records import store

OVER = Seen(state="over", reason="COMPLETED")


@pytest.fixture
def desk(tmp_path) -> Desk:
    return Desk(tmp_path)


def stored(desk: Desk) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for item in store.load_all(desk.results)[0]:
        found.setdefault(item.record.submission.label, []).append(item.record.status)
    return found


def counts(desk: Desk):
    return lambda team, path: path.is_file() and path not in left_out_records(desk.results)


def fails(desk: Desk, digest: dict[str, str]):
    def lost(team, ends):
        held = desk.take(team.label, team.digest)
        assert isinstance(held, Held)
        with held:
            assert held.storing()
            path = store.save(make_failure(team.id, f"Net{team.id}", message="; ".join(ends)), desk.results)
            held.done(path.relative_to(desk.results).as_posix(), "failed")

    return lost


def driver(desk: Desk, engine: Scripted, count: int = 4, **options) -> Driver:
    told: list[str] = []
    made = Driver(
        teams=teams(count),
        desk=desk,
        engine=engine,
        counts=counts(desk),
        lost=fails(desk, {}),
        tell=told.append,
        **options,
    )
    made.told = told  # type: ignore[attr-defined]
    return made


def works(desk: Desk, node: str = "n1"):
    def script(job):
        number = int(job.label[:2])
        evaluate(desk, job.label, f"d{number}", node, number)
        return OVER

    return script


@pytest.mark.parametrize("places", [None, 1, 3])
def test_every_team_is_evaluated_once(desk, places):
    engine = Scripted(works(desk), places)
    made = driver(desk, engine, 7)
    made.begin()
    finish(made)
    assert stored(desk) == {f"{n:02d}_Net{n}": ["ok"] for n in range(7)}
    assert len(engine.jobs) == 7 and set(made.finished) == set(stored(desk))


def test_what_is_done_is_not_asked_for_again(desk):
    evaluate(desk, "01_Net1", "d1")
    evaluate(desk, "02_Net2", "other files")
    engine = Scripted(works(desk))
    made = driver(desk, engine)
    made.begin()
    finish(made)
    assert sorted(job.label for job in engine.jobs) == ["00_Net0", "02_Net2", "03_Net3"]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_job_that_is_lost_is_asked_for_again_twice_at_most(desk, times):
    lost: list[str] = []

    def script(job):
        if job.label == "02_Net2" and len(lost) < times:
            lost.append(job.label)
            return Seen(state="over", node="n2", reason="NODE_FAIL")
        return works(desk)(job)

    engine = Scripted(script)
    made = driver(desk, engine)
    made.begin()
    finish(made)
    assert stored(desk)["02_Net2"] == (["ok"] if times <= 2 else ["failed"])
    assert len(engine.jobs) == 4 + min(times, 2)
    if times > 2:
        (record,) = [one.record for one in store.load_all(desk.results)[0] if one.record.error]
        assert record.error.message.count("ended as NODE_FAIL") == 3
        assert "n2" not in record.error.message  # a record names no machine
        assert made.failed == {"02_Net2"}


def test_a_claim_that_was_left_behind_by_a_killed_job_is_taken_over(desk, tmp_path):
    first = []

    def script(job):
        if not first:
            first.append(job)
            desk.take(job.label, "d0")  # and is killed: by its job the next one knows that it is gone
            claim = desk.folder(job.label) / "0001.claim"
            data = {**json.loads(claim.read_text()), "pid": 2**22 + 1}
            claim.write_text(json.dumps(data))
            return Seen(state="over", reason="OUT_OF_MEMORY")
        return works(desk)(job)

    made = driver(desk, Scripted(script))
    made.begin()
    finish(made)
    assert stored(desk)["00_Net0"] == ["ok"]
    assert any("OUT_OF_MEMORY" in text and "is gone" in text for text in made.told)


def test_a_driver_that_is_killed_is_followed_by_another_that_asks_for_nothing_twice(desk):
    waiting = Scripted(lambda job: Seen(state="waiting"))
    first = driver(desk, waiting)
    first.begin()
    first.step()
    assert len(waiting.jobs) == 4
    second = driver(desk, waiting)
    second.begin()
    assert not second.step()
    assert len(waiting.jobs) == 4
    for number, handle in enumerate(list(waiting.seen)):
        evaluate(desk, f"{number:02d}_Net{number}", f"d{number}", number=number)
        waiting.seen[handle] = OVER
    finish(second)
    finish(first)
    assert len(waiting.jobs) == 4 and len(stored(desk)) == 4


def test_two_drivers_at_the_same_time_make_one_record_of_each_team(desk):
    engines = [Scripted(works(desk, node), 1) for node in ("n1", "n2")]
    drivers = [driver(desk, engine, 6) for engine in engines]
    for one in drivers:
        one.begin()
    for _ in range(100):
        if all([one.step() for one in drivers]):
            break
    assert stored(desk) == {f"{n:02d}_Net{n}": ["ok"] for n in range(6)}
    assert all(len(one.finished) == 6 for one in drivers)


def test_who_has_a_team_elsewhere_is_waited_for(desk):
    held = desk.take("01_Net1", "d1")
    engine = Scripted(works(desk))
    made = driver(desk, engine)
    made.begin()
    assert not made.step() and not made.step()
    assert "01_Net1" not in [job.label for job in engine.jobs]
    held.give_up("no more time")
    finish(made)
    assert stored(desk)["01_Net1"] == ["ok"]


def test_an_engine_that_gives_no_answer_is_waited_for(desk):
    engine = Scripted(lambda job: Seen(state="waiting"))
    made = driver(desk, engine)
    made.begin()
    made.step()
    engine.silent = True
    for _ in range(20):
        assert not made.step()
    assert len(engine.jobs) == 4 and len(made.told) == 1 and "does not answer" in made.told[0]


@pytest.mark.parametrize("done", [(), ("00_Net0", "01_Net1")], ids=["none done", "two done before"])
def test_jobs_that_all_end_as_wrong_use_end_the_campaign_with_their_message(desk, done):
    def script(job):
        error = {"type": "UsageError", "message": "isolation of level L2 cannot be had."}
        job.log.with_suffix(".out").write_text(json.dumps({"error": error}))
        return Seen(state="over", reason="FAILED")

    for number, label in enumerate(done):
        evaluate(desk, label, f"d{number}", number=number)
    made = driver(desk, Scripted(script))
    made.begin()
    with pytest.raises(UsageError, match="isolation of level L2 cannot be had"):
        finish(made)
    assert sorted(stored(desk)) == list(done)


def on_nodes(desk: Desk, nodes: list[str], engine: list[Scripted]):
    """Return a script that evaluates on the next node which is not left out."""
    count = iter(range(10_000))

    def script(job):
        there = [node for node in nodes if node not in engine[0].left_out]
        number = next(count)
        evaluate(desk, job.label, f"d{int(job.label[:2])}", there[number % len(there)], number)
        return OVER

    return script


def test_the_teams_of_a_node_that_is_not_as_fast_run_elsewhere(desk):
    holder: list[Scripted] = []
    engine = Scripted(on_nodes(desk, ["n1", "n2", "slow"], holder), 3)
    holder.append(engine)
    anchors = Anchors(desk, 0.03)
    made = driver(desk, engine, 9, odd_nodes=lambda records, done: anchors.leave_out(records, all_done=done))
    made.begin()
    finish(made)
    (node,) = left_out_nodes(desk.results)
    assert node.node == "slow" and engine.left_out == ["slow"] and "8.9 % more" in node.why
    assert len(node.records) == 3 and len(engine.jobs) == 12
    assert made.told == [f"slow: {node.why}."]
    # What is ranked are the records of the other nodes alone.
    board = board_of_records(desk.results, "ntire2024")
    ranked = {item.path for item in board.records}
    assert len(ranked) == 9 and not ranked & {desk.results / record for record in node.records}
    states = progress.states(desk)
    assert {one.state for one in states} == {"done"} and {one.node for one in states} == {"n1", "n2"}


def test_before_they_run_elsewhere_the_board_and_status_say_so(desk):
    for number in range(4):
        node = "slow" if number == 3 else "n1"
        evaluate(desk, f"{number:02d}_Net{number}", f"d{number}", node, number)
    found = Anchors(desk, 0.03).leave_out(
        {turn: desk.last(turn).end.record for turn in desk.labels()}, all_done=True
    )
    assert list(found) == ["slow"]
    board = board_of_records(desk.results, "ntire2024")
    (left,) = [one for one in board.left_out if one.kind == "other node"]
    assert left.team == "03_Net3" and "its node is left out" in left.reason and "slow" not in left.reason
    states = {one.team: one.state for one in progress.states(desk)}
    assert states["03_Net3"] == "left out" and states["00_Net0"] == "done"


@pytest.mark.parametrize(
    ("nodes", "tolerance", "odd"),
    [
        (["n1", "n2"], 0.03, []),
        (["n1", "slow"], 0.03, ["slow"]),
        (["n1", "slow", "slow"], 0.03, ["n1"]),
        (["n1", "n2", "slow"], 0.2, []),
        (["slow", "slow"], 0.0001, []),
        (["n1", "n2", "slow"], 0.005, ["n1", "slow"]),
    ],
)
def test_a_node_is_odd_that_differs_from_the_median_of_its_class(nodes, tolerance, odd):
    from ntire_bench.fleet.anchor import odd_nodes

    assert sorted(odd_nodes([("class", node, NODE_MS[node]) for node in nodes], tolerance)) == odd


def test_a_waiting_team_says_which_job_and_how_the_last_was_lost(desk):
    made = driver(desk, Scripted(lambda job: Seen(state="waiting")))
    made.begin()
    made.step()
    progress.announce(desk.results, progress.Campaign(teams=tuple(team.label for team in made.teams)))
    assert {(one.state, one.detail[:4]) for one in progress.states(desk)} == {("waiting", "job ")}
    campaign = progress.announced(desk.results)
    assert campaign is not None and len(campaign.teams) == 4
    assert progress.announced(Path("nowhere")) is None
