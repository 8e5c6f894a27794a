"""Wrong use is one message, in JSON too; a fault of the program itself keeps its traceback."""

from __future__ import annotations

import json
import sys

import pytest
from click.testing import CliRunner
from commands import process

from ntire_bench.cli import group


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "77"], "there is no submission 77"),
        (["run", "7"], "found 00_RLFN, 01_Good, 02_Bad"),
        (["run"], "no submission is named"),
        (["run", "1", "--protocol", "ntire1999"], "there is no protocol 'ntire1999'"),
        (["run", "1", "--data-dir", "nowhere"], "no such data folder"),
        (["run", "1", "--data-dir", "images", "--splits", "other"], "Split 'other'"),
        (["run", "1", "--splits", ","], "no split is named"),
        (["run", "1", "--rounds", "0"], "0 is not in the range"),
        (
            ["run", "1", "--rounds", "3", "--max-rounds", "2"],
            "exactly 3 by --rounds, at most 2 by --max-rounds",
        ),
        (["check", "1", "--set", "dta_range=1"], "--set knows no key dta_range"),
        (["check", "1", "--set", "dta_range=1"], "Remedy: write data_range=1"),
        (["check", "1", "--data-dir", "images"], "only a strict check evaluates on images"),
        (["check", "team01_Other"], "the submission 01 has another name"),
        (["gate", "Godo"], "there is no submission Godo"),
        (["zoo", "pull", "RLFNN"], "near: 00_RLFN"),
        (["run", "1", "--device", "tpu"], "'tpu' is none of auto, cpu, cuda, cuda:N"),
        (["run", "1", "--bogus"], "--bogus"),
        (["run", "one"], "there is no submission one; found 00_RLFN"),
        (["run", "1", "--models", "nowhere"], "is not a folder"),
        (["run", "1", "--data-dir", "images", "--isolation", "none", "--allow-pickle"], "isolation"),
        (["run", "1", "--data-dir", "images", "--protocol", "ntire2025"], "baseline EFDN is not among"),
        (["run", "1", "--psnr-channel", "z"], "'z' is not one of"),
        (["run", "1", "--protocol", "ntire2024"], "name their folder with --data_dir"),  # the sample set
        (["gate"], "give one of: IDs, --record FILE, --changed BASE"),
        (["gate", "1", "--record", "x.json"], "give one of: IDs, --record FILE, --changed BASE"),
        (["gate", "--record", "nowhere.json"], "nowhere.json: the record cannot be read"),
        (["gate", "1", "77", "--data-dir", "images"], "there is no submission 77"),
        (["check", "77"], "there is no submission 77"),
        (["check"], "Missing argument"),
        (["list", "--models", "nowhere"], "is not a folder"),
        (["leaderboard", "--reference", "ntire1999"], "ntire1999"),
        (["leaderboard", "--protocol", "ntire1999"], "there is no protocol"),
        (["leaderboard", "--format", "pdf"], "'pdf' is not one of"),
        (["prepare", "nowhere"], "nowhere"),
        (["prepare", "images/DIV2K_LSDIR_valid_HR", "-o", "images/DIV2K_LSDIR_valid_HR"], "are the same"),
        (["bogus"], "No such command 'bogus'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_message(call, one_message, arguments, expected):
    message = one_message(call(*arguments))
    assert expected in message
    assert "Remedy: " in message or expected in ("no such data folder", "nowhere"), message


def test_wrong_use_leaves_no_record(call, here):
    before = sorted((here / "leaderboard").rglob("*")) if (here / "leaderboard").exists() else []
    call("run", "77")
    after = sorted((here / "leaderboard").rglob("*")) if (here / "leaderboard").exists() else []
    assert before == after


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "77"],
        ["gate", "77"],
        ["gate", "--record", "nowhere.json"],
        ["check", "77"],
        ["prepare", "nowhere"],
    ],
    ids=" ".join,
)
def test_with_json_an_error_is_a_document_too(call, arguments):
    result = call(*arguments, "--json")
    assert result.exit_code == 2
    error = json.loads(result.stdout)["error"]
    assert set(error) == {"type", "message"} and error["message"] in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "1", "--rounds", "0", "--json"],
        ["run", "--json", "--bogus"],
        ["run", "--bogus", "--json"],
    ],
    ids=" ".join,
)
def test_with_json_an_error_is_a_document_wherever_the_word_stands(call, arguments):
    result = call(*arguments)
    assert result.exit_code == 2 and set(json.loads(result.stdout)["error"]) == {"type", "message"}


def test_a_fault_of_ours_keeps_its_traceback(here, monkeypatch):
    def broken(*_: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr("ntire_bench.submissions.models_folder.find", broken)
    with pytest.raises(KeyError, match="ours"):
        CliRunner().invoke(group.main, ["list"], catch_exceptions=False)


def test_a_fault_of_ours_is_a_traceback_for_who_sees_it(place):
    code = (
        "from ntire_bench import cli\nfrom ntire_bench.submissions import models_folder\n"
        "models_folder.find = lambda *_: {}['ours']\ncli.main(['list'])"
    )
    done = process(cwd=place, program=(sys.executable, "-c", code))
    assert done.code == 1 and "Traceback" in done.stderr and "KeyError: 'ours'" in done.stderr
