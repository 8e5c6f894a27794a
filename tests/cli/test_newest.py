"""The newest record of a team, whatever a user calls the team."""

from __future__ import annotations

import pytest
from record_factory import make_failure, make_record

from ntire_bench.cli.newest import newest_record
from ntire_bench.errors import UsageError
from ntire_bench.records import store


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    for record in (
        make_record(7, "Net"),
        make_record(7, "Net", created_utc="2026-11-21T10:00:00.000000Z"),
        make_record(8, "Other"),
        make_failure(9, "Failed"),
    ):
        store.save(record, folder)
    return folder


@pytest.mark.parametrize("team", ["7", "07", "team07", "07_Net", "net", "models/team07_Net.py"])
def test_it_is_found_by_what_people_write(results, team):
    found = newest_record(results, None, team)
    assert found.record.submission.label == "07_Net"
    assert found.record.created_utc.startswith("2026-11-21")


@pytest.mark.parametrize(
    ("team", "told"),
    [
        ("9", "there is no successful record of 09"),
        ("nobody", "there is no submission nobody; found 07_Net, 08_Other"),
        ("08_Net", "the submission 08 has another name; expected 08_Net; found 08_Other"),
    ],
)
def test_what_is_not_there_is_told(results, team, told):
    with pytest.raises(UsageError, match=told):
        newest_record(results, None, team)


def test_of_no_records_at_all(tmp_path):
    with pytest.raises(UsageError, match="there is no successful record of nobody.*ntire-bench run nobody"):
        newest_record(tmp_path, None, "nobody")
