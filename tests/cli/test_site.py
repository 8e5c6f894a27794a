"""`leaderboard --format site`: its options, its document, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ntire_bench.reporting.site import charts

pytest.importorskip("altair", reason="the packages of the extra 'site' are not installed")


@pytest.fixture(autouse=True)
def without_vega(monkeypatch) -> None:
    monkeypatch.setattr(charts, "javascript", lambda: "// Vega\n")  # it takes seconds to be bundled


def test_a_published_table_as_a_site(call, tmp_path):
    out = tmp_path / "site"
    result = call("leaderboard", "--reference", "ntire2024", "--format", "site", "-o", out)
    assert result.exit_code == 0 and result.stdout == "" and result.stderr.startswith("written: ")
    assert (out / "index.html").is_file()
    again = call("leaderboard", "--reference", "ntire2024", "--format", "site", "-o", out, "--json")
    document = json.loads(again.stdout)
    assert document["complete"] and document["team_pages"] == 0 and document["not_shown"] == []
    assert Path(document["index"]).resolve() == (out / "index.html").resolve()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "site"], "a site is a folder, and none is named"),
        (["--format", "site", "-o", "out", "--sr-dir", "sr"], "no folder of these is named"),
        (["--format", "site", "-o", "out", "--data-dir", "data"], "--data-dir serves the comparison"),
        (["--format", "html", "--sr-dir", "sr"], "--sr-dir is for the pages of a site"),
        (["--among", "ntire2024", "--format", "site", "-o", "out"], "both name a reference"),
        (["--data-dir", "data"], "--data-dir is for the pages of a site"),
    ],
)
def test_options_that_do_not_fit_together_are_one_message(call, words, message, one_message):
    result = call("leaderboard", "--reference", "ntire2024", *words)
    assert result.exit_code == 2 and message in one_message(result)


def test_where_nothing_can_be_ranked_there_is_no_site(call, tmp_path):
    result = call("leaderboard", "--results", tmp_path / "none", "--format", "site", "-o", tmp_path / "out")
    assert result.exit_code == 1 and "nothing has been evaluated yet" in result.stderr
    assert not (tmp_path / "out").exists()
