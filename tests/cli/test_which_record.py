"""Which record is meant, whatever a user calls the team, and in every command that looks at records."""

from __future__ import annotations

import json

import pytest
from record_factory import make_failure, make_record

from ntire_bench.cli.which_record import newest_record, record_path, team_of_records
from ntire_bench.errors import UsageError
from ntire_bench.records import store

# As people write them; all of these are one team.
SPELLINGS = ["7", "07", "team07", "07_Net", "team07_Net", "Net", "net", "models/team07_Net.py"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    earlier = make_record(7, "Before", version="0", created_utc="2026-10-01T10:00:00.000000Z")
    for record in (
        earlier,
        make_record(7, "Net", created_utc="2026-11-20T10:00:00.000000Z"),
        make_record(7, "Net", created_utc="2026-11-21T10:00:00.000000Z"),
        make_record(8, "Other"),
        make_failure(9, "Failed"),
    ):
        store.save(record, folder)
    return folder


@pytest.mark.parametrize("team", SPELLINGS)
def test_it_is_found_by_what_people_write(results, team):
    found = newest_record(results, None, team)
    assert found.record.submission.label == "07_Net"
    assert found.record.created_utc.startswith("2026-11-21")
    assert record_path(team, results, None) == found.path
    assert team_of_records(team, results) == 7
    before = store.load(record_path("7~1", results, None))
    assert before.submission.label == "07_Before"


def test_of_a_name_that_a_team_had_before_its_own_records_are_meant(results):
    assert newest_record(results, None, "07_before").record.submission.label == "07_Before"
    assert record_path("Before", results, None).parent.name == "07_Before"


def test_a_file_is_a_record_and_a_model_file_is_none(results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    newest = newest_record(results, None, "7").path
    assert record_path(str(newest), results, None) == newest
    assert record_path(str(newest.parent), results, None) == newest  # its folder: the team
    model = tmp_path / "models/team07_Net.py"
    model.parent.mkdir()
    model.touch()
    assert record_path("models/team07_Net.py", results, None) == newest
    assert record_path("gone.json", results, None).name == "gone.json"  # reading it says what is wrong


@pytest.mark.parametrize(
    ("team", "told"),
    [
        ("9", "there is no successful record of 09"),
        ("Failed", "there is no successful record of 09"),
        ("10", "there is no successful record of 10"),
        ("nobody", "there is no submission nobody; found 07_Before, 07_Net, 08_Other"),
        ("08_Net", "the submission 08 has another name; expected 08_Net; found 08_Other"),
    ],
)
def test_what_is_not_there_is_told(results, team, told):
    for find in (lambda: newest_record(results, None, team), lambda: record_path(team, results, None)):
        with pytest.raises(UsageError, match=told):
            find()


def test_of_no_records_at_all(tmp_path):
    with pytest.raises(UsageError, match="there is no successful record of nobody.*ntire-bench run nobody"):
        newest_record(tmp_path, None, "nobody")


@pytest.mark.parametrize("team", ["07_Net", "net", "models/team07_Net.py"])
def test_every_command_on_records_takes_ids_alike(call, results, team):
    for command in (["show", team], ["factsheet", team], ["audit", team], ["compare", team, "8"]):
        done = call(*command, "--results", results, "--json")
        assert done.exit_code == 0, (command, done.stderr)
        document = json.loads(done.stdout)
        assert "07_Net/20261121" in (document.get("record") or document["records"][0]), command
    done = call("accept", team, "nothing", "--because", "why", "--results", results)
    assert "the newest record of 07_Net has no finding nothing" in done.stderr
    done = call("leaderboard", "--format", "codabench", "--team", team, "--results", results)
    assert "codabench's files need a folder" in done.stderr


def test_stability_takes_ids_alike(call, tmp_path):
    from timed_records import timed

    store.save(timed(5, "Net", 0.8, 0.02), tmp_path)
    assert call("stability", "models/team05_Net.py", "--results", tmp_path).exit_code == 0


def test_submissions_are_found_alike(call, here, monkeypatch):
    """By commands that start workers as well: here they are stopped before they start one."""

    class Meant(Exception):
        """Raised where the id is known."""

    def get(_catalogue, id_):
        raise Meant(id_)

    monkeypatch.setattr("ntire_bench.submissions.catalogue.Catalogue.entry", get)
    monkeypatch.setattr("ntire_bench.submissions.catalogue.Catalogue.get", get)
    for team in ("1", "01", "team01", "01_Good", "good", "models/team01_Good.py"):
        for command in ("check", "run", "gate", "fuse", "pack"):
            with pytest.raises(Meant) as raised:
                call(command, team)
            assert raised.value.args == (1,), command
        with pytest.raises(Meant) as raised:
            call("compare", team, "0", "--run")
        assert raised.value.args == (1,)
        with pytest.raises(Meant) as raised:
            call("run", "--model_id", team)
        assert raised.value.args == (1,)
