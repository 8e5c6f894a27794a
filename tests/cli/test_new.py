"""new: what it writes works at once, and it writes over nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import toys
from click.testing import CliRunner, Result

from ntire_bench.cli import group


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def calls(*words: str) -> Result:
        result = CliRunner().invoke(group.main, list(words))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return calls


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
def test_what_is_begun_passes_check_as_it_is(call, tmp_path):
    done = call("new", "5", "MyNet", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["model"] == "models/team05_MyNet.py"
    assert document["checkpoint"] == "model_zoo/team05_MyNet.pth"
    assert document["next"][0] == "ntire-bench check 5"
    # The baseline is there too, so that `run 5` has something to divide by.
    assert files(tmp_path) == sorted(
        f"{folder}/{name}"
        for folder, suffix in (("models", ".py"), ("model_zoo", ".pth"))
        for name in (f"team00_RLFN{suffix}", f"team05_MyNet{suffix}")
    )
    found = call("check", "mynet", "--device", "cpu", "--json")
    assert found.exit_code == 0, found.output
    checked = json.loads(found.stdout)
    assert checked["ok"] is True and checked["findings"] == []
    assert checked["submission"]["model"] == "MyNet" and checked["submission"]["inferred"] == []
    # Hand count at width 28: head 3x3, eight 3x3 of four blocks, tail to 48, each with a bias.
    assert checked["complexity"]["params"] == (27 + 1) * 28 + 8 * (9 * 28 + 1) * 28 + (9 * 28 + 1) * 48
    again = call("new", "6", "Other")
    assert again.exit_code == 0 and "baseline" not in again.stdout  # the folders are there already


@pytest.mark.slow
def test_the_form_to_train_is_merged_by_fuse(call, tmp_path):
    assert call("new", "7", "my-rep", "--reparam").exit_code == 0
    found = call("check", "7", "--device", "cpu", "--json")
    assert found.exit_code == 0, found.output
    (finding,) = json.loads(found.stdout)["findings"]
    assert finding["code"] == "not-fused" and finding["message"].endswith("run: ntire-bench fuse 7")
    merged = call("fuse", "team07_my-rep", "--device", "cpu", "--json")
    assert merged.exit_code == 0, merged.output
    document = json.loads(merged.stdout)
    # Hand count: eight 1x1 of width 28 with a bias are gone.
    assert document["before"]["params"] - document["after"]["params"] == 8 * (28 * 28 + 28)
    assert files(tmp_path / "model_zoo") == [
        "team00_RLFN.pth",
        "team07_my-rep.pth",
        "team07_my-rep_deploy.pth",
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["x", "MyNet"], "the first word is no number of a team"),
        (
            ["05_MyNet", "Other"],
            "two names are given; found MyNet and Other. Remedy: ",
        ),
        (["MyNet"], "no number of a team is given"),
        (["models/MyNet.py"], "no number of a team is given"),
        (["5", "my net"], "this is no name for a network"),
        (["5", "../x"], "this is no name for a network"),
        (["5", "MyNet.py"], "this is no name for a network"),
        (["5", "RLFN"], "this is the name of the baseline"),
        (["5", "rlfn"], "this is the name of the baseline"),
        (["5", "EFDN", "--protocol", "ntire2025"], "this is the name of the baseline"),
        (["5"], "no name of the network is given. Remedy: write ntire-bench new 5 MyNet"),
        ([], "Missing argument 'ID'"),
    ],
    ids=" ".join,
)
def test_wrong_use_writes_nothing(call, tmp_path, words, told):
    result = call("new", *words)
    assert result.exit_code == 2 and told in result.stderr and "Remedy: " in result.stderr
    assert files(tmp_path) == []


@pytest.mark.parametrize("word", ["05_MyNet", "5_MyNet", "team05_MyNet", "models/team05_MyNet.py"])
def test_id_and_name_may_be_one_word(call, tmp_path, monkeypatch, word):
    asked = []

    def begin(id_, name, *_: object, **__: object):
        asked.append((id_, name))
        raise LookupError

    monkeypatch.setattr("ntire_bench.workflows.begin.begin", begin)
    with pytest.raises(LookupError):
        call("new", word)
    assert asked == [(5, "MyNet")] and files(tmp_path) == []


@pytest.mark.parametrize(
    "there",
    ["models/team05_Toy.py", "models/5_x.py", "model_zoo/team05.pth", "models/team05_Pack/__init__.py"],
)
def test_an_id_that_is_taken_is_left_alone(call, tmp_path, there):
    path = tmp_path / there
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    result = call("new", "05", "MyNet")
    assert result.exit_code == 2 and "the id 05 is taken" in result.stderr
    assert files(tmp_path) == [there] and path.read_text() == "mine"


@pytest.mark.slow
def test_a_failure_leaves_no_half_of_it(call, tmp_path, monkeypatch):
    from ntire_bench.client.worker import Worker
    from ntire_bench.errors import MeasurementError

    def fails(_: Worker) -> bytes:
        raise MeasurementError("the worker has gone")

    monkeypatch.setattr(Worker, "save", fails)
    toys.write_toy(tmp_path, 1, "Other")
    before = files(tmp_path)
    result = call("new", "5", "MyNet")
    assert result.exit_code == 2 and "the worker has gone" in result.stderr
    assert files(tmp_path) == before
