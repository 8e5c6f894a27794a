"""The commands: what they print where, and how they end."""

from __future__ import annotations

import functools
import json
import os
import pickle
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from click.testing import CliRunner, Result
from pairs import noise, smooth, write_pairs
from PIL import Image
from record_factory import make_failure, make_record

from ntire_bench.cli import group
from ntire_bench.data.images import matlab_bicubic_down
from ntire_bench.errors import SubmissionError
from ntire_bench.records import store

DECLARED = 'SUBMISSION = {"model": "Toy", "data_range": 1}'
COLOUR = re.compile(r"\x1b")


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Put back what the commands do about signals."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A working directory with three submissions, one of which fails, and images of the challenge."""
    place = tmp_path_factory.mktemp("place")
    # RLFN, the baseline, prints what would break a JSON document if it reached standard output.
    chatty = toys.toy("print('{\"not\": JSON', flush=True)", head=DECLARED)
    toys.write_toy(place, 0, "RLFN", body=chatty, checkpoint=toys.state_dict())
    toys.write_toy(place, 1, "Good", body=toys.toy(head=DECLARED), checkpoint=toys.state_dict())
    toys.write_toy(place, 2, "Bad", body=toys.toy("raise ValueError('\\x1b[31mred\\x1b[0m')", head=DECLARED))
    write_pairs(place / "images", "valid", [smooth(1), smooth(2)])
    write_pairs(place / "images", "test", [smooth(3)])
    write_pairs(place / "hopeless", "valid", [noise(1)])
    return place


@pytest.fixture
def here(place, monkeypatch) -> Path:
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def call(here) -> Callable[..., Result]:
    """Run a command in this process; a fault of the program's own is raised."""

    def call(*arguments: str | Path) -> Result:
        result = CliRunner().invoke(group.main, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


@dataclass
class Done:
    """How a command of its own process ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        return json.loads(self.stdout)


def process(*arguments: str | Path, cwd: Path, program: tuple[str, ...] = ()) -> Done:
    program = program or (sys.executable, "-c", "from ntire_bench.cli import main; main()")
    done = subprocess.run(
        [*program, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=300
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def ran(place) -> Done:
    """Everything, in JSON, with options written as the challenge does."""
    return process(
        "run", "--all", "--data_dir", "images", "--include_test", "--rounds", 2, "--save_dir", "sr",
        "--ssim", "--psnr_channel", "rgb", "--json", "--device", "cpu", cwd=place,
    )  # fmt: skip


@pytest.fixture(scope="module")
def one_message(said_of_isolation) -> Callable[[Result | Done], str]:
    return functools.partial(only_message, said_of_isolation)


def only_message(said_of_isolation: str, result: Result | Done) -> str:
    """Return the one line on standard error, after checking that it is one.

    A command that fails after it has found the isolation may have said before what that lacks.
    """
    code, out, err = (
        (result.code, result.stdout, result.stderr)
        if isinstance(result, Done)
        else (result.exit_code, result.stdout, result.stderr)
    )
    assert code == 2, (code, out, err)
    assert out == "" and "Traceback" not in err
    err = err.removeprefix(said_of_isolation)
    assert err.startswith("Error: ") and err.count("\n") == 1, err
    return err


# run


def test_run_json_is_one_document_and_all_else_goes_to_standard_error(ran, place):
    document = ran.document  # would raise if anything else were there
    assert ran.code == 1  # one of them failed
    assert set(document) == {"records", "already_done", "leaderboard"}
    outcomes = {item["record"]["submission"]["id"]: item["record"] for item in document["records"]}
    assert {id_: record["status"] for id_, record in outcomes.items()} == {0: "ok", 1: "ok", 2: "failed"}
    for item in document["records"]:
        assert not Path(item["path"]).is_absolute()
        assert store.load(place / item["path"]).submission.id == item["record"]["submission"]["id"]
    assert set(outcomes[1]["splits"]) == {"valid", "test"}
    assert outcomes[1]["splits"]["test"]["ssim_y"] is not None
    assert outcomes[1]["rounds"] == 2 and outcomes[1]["psnr_channel"] == "rgb"
    rows = {row["name"]: row for row in document["leaderboard"]["rows"]}
    assert set(rows) == {"RLFN", "Good"}
    assert "01_Good" in ran.stderr and "02_Bad  failed in phase" in ran.stderr


def test_nothing_that_is_piped_has_colours_bars_or_a_strangers_escapes(ran):
    assert not COLOUR.search(ran.stdout + ran.stderr)
    assert "\r" not in ran.stderr and "━" not in ran.stderr
    assert "ValueError: [31mred [0m" in ran.stderr  # its letters, not what they would do to a terminal


def test_sr_images_lie_under_save_dir(ran, place):
    images = sorted(str(path.relative_to(place / "sr")) for path in (place / "sr").rglob("*.png"))
    teams = [f"{team}/DIV2K_LSDIR_{split}" for team in ("00_RLFN", "01_Good") for split in ("test", "valid")]
    expected = [
        f"{team}/{n}.png" for team in teams for n in (("0801",) if "test" in team else ("0801", "0802"))
    ]
    assert images == expected
    assert Image.open(place / "sr" / images[0]).size == (128, 96)


def test_no_file_of_the_checkout_is_written(ran, place):
    assert sorted(path.name for path in place.iterdir()) == sorted(
        ["hopeless", "images", "leaderboard", "model_zoo", "models", "sr"]
    )


def test_resume_does_again_what_failed_and_says_what_is_done(ran, call, place):
    again = call(
        "run", "--all", "--data-dir", "images", "--include-test", "--rounds", 2, "--resume", "--device", "cpu"
    )
    assert again.exit_code == 1  # what fails, fails again
    assert "00_RLFN  done already: leaderboard/results/ntire2024/00_RLFN/" in again.stderr
    assert "01_Good  done already: " in again.stderr and "02_Bad  failed" in again.stderr
    assert str(place) not in again.stdout + again.stderr
    assert "01_Good" in again.stdout and "Rank" in again.stdout
    assert not COLOUR.search(again.stdout)


def test_test_demo_takes_the_challenges_flags(place, tmp_path, root):
    """From the checkout, as the challenge's participants call it."""
    arguments = ["--model_id", "1", "--save_dir", tmp_path / "sr", "--include_test", "--ssim"]
    arguments += ["--model_zoo", place / "model_zoo", "--models", place / "models", "--rounds", "1"]
    arguments += ["--data_dir", place / "images", "--results", tmp_path / "results"]
    done = process(*arguments, cwd=root, program=(sys.executable, "test_demo.py"))
    assert done.code == 0, done.stderr
    (stored,) = store.load_all(tmp_path / "results")[0]
    assert stored.record.submission.name == "Good" and set(stored.record.splits) == {"valid", "test"}
    assert stored.record.splits["valid"].ssim_y is not None
    assert len(list((tmp_path / "sr").rglob("*.png"))) == 3
    assert "01_Good" in done.stdout and "SSIM" in done.stderr


@pytest.mark.parametrize(
    "command", [["run", "1", "--rounds", "1", "--save_images"], ["gate", "1"]], ids=lambda c: c[0]
)
@pytest.mark.parametrize("as_json", [False, True])
def test_the_sample_set_is_named_wherever_it_is_used(place, tmp_path, command, as_json):
    places = ["--models", place / "models", "--model_zoo", place / "model_zoo"]
    done = process(*command, *places, *(["--json"] if as_json else []), cwd=tmp_path)
    assert done.code == 0, done.stderr
    assert "SAMPLE: not comparable with the challenge." in done.stderr
    assert len(list((tmp_path / "results" / "01_Good").rglob("*.png"))) == (3 if "run" in command else 0)
    if as_json:
        documents = [done.document, *(item["record"] for item in done.document.get("records", ()))]
        assert documents[-1]["sample"] is True
    else:
        assert "SAMPLE" in done.stdout


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
        (["run", "1", "--device", "tpu"], "'tpu' is none of auto, cpu, cuda, cuda:N"),
        (["run", "1", "--bogus"], "--bogus"),
        (["run", "one"], "'one' is not a valid"),
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


def test_a_file_that_cannot_be_read_costs_no_other_its_answer(call, here, monkeypatch):
    """`gate` goes on where a checkpoint vanishes as its turn comes."""
    from ntire_bench.workflows import evaluate as module

    def vanishes(submission, *_: object, **__: object):
        raise SubmissionError("cannot be read", file=submission.file)

    monkeypatch.setattr(module, "evaluate", vanishes)
    result = call("gate", "1", "2", "--data-dir", "images", "--json")
    document = json.loads(result.stdout)
    assert len(document["gates"]) == 2
    assert all("cannot be read" in gate["reason"] for gate in document["gates"])


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


# list


def test_list(call):
    result = call("list")
    assert result.exit_code == 0 and result.stderr == ""
    assert result.stdout.splitlines() == [
        "00_RLFN  models/team00_RLFN.py  model_zoo/team00_RLFN.pth  declares model='Toy', data_range=1.0",
        "01_Good  models/team01_Good.py  model_zoo/team01_Good.pth  declares model='Toy', data_range=1.0",
        "02_Bad  models/team02_Bad.py  model_zoo/team02_Bad.pth  declares model='Toy', data_range=1.0",
    ]


def test_list_in_json_with_what_cannot_be_used(call, tmp_path):
    toys.write_toy(tmp_path, 3, "Alone", checkpoint=None)
    (tmp_path / "models" / "notes.py").write_text("")
    result = call("list", "--models", tmp_path / "models", "--model_zoo", tmp_path / "model_zoo", "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 0 and document["submissions"] == []
    assert [(item["id"], item["name"]) for item in document["problems"]] == [(3, "Alone")]
    assert "has no checkpoint" in document["problems"][0]["message"]
    assert len(document["ignored"]) == 1 and "notes.py" in document["ignored"][0]


class _Opens:
    """Makes a file where it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return open, (self.path, "w")


class _Opens:
    """Makes a file where it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return open, (self.path, "w")


def test_list_executes_nothing(call, tmp_path):
    marker = tmp_path / "executed"
    toys.write_toy(
        tmp_path, 3, "Sly", body=f"open({str(marker)!r}, 'w')", checkpoint=pickle.dumps(_Opens(str(marker)))
    )
    assert (
        "03_Sly"
        in call("list", "--models", tmp_path / "models", "--model_zoo", tmp_path / "model_zoo").stdout
    )
    assert not marker.exists()


# check


def test_check(place, said_of_isolation):
    done = process("check", "1", "--device", "cpu", cwd=place)
    assert done.code == 0 and done.stderr == said_of_isolation
    assert "01_Good" in done.stdout and "model        Toy  (models/team01_Good.py)" in done.stdout
    assert re.search(r"parameters +[\d,]+ \(\d\.\d{3} M\)", done.stdout)
    assert re.search(r"FLOPs +\d+\.\d{4} G at 256x256", done.stdout)
    assert str(place) not in done.stdout


@pytest.mark.parametrize("multiple", [8, 64])
def test_check_finds_out_the_padding(call, tmp_path, multiple):
    body = toys.toy(f"assert lr.shape[-1] % {multiple} == lr.shape[-2] % {multiple} == 0", head=DECLARED)
    toys.write_toy(tmp_path, 3, "Window", body=body)
    places = ["--models", tmp_path / "models", "--model_zoo", tmp_path / "model_zoo"]
    result = call("check", "3", *places, "--json", "--device", "cpu")
    document = json.loads(result.stdout)
    assert result.exit_code == 0 and document["ok"] is True
    assert document["submission"]["pad_to"] == multiple
    assert {"flops", "params", "convs"} <= set(document["complexity"])


@pytest.mark.parametrize("as_json", [False, True])
def test_check_rejects(call, as_json):
    result = call("check", "2", "--device", "cpu", *(["--json"] if as_json else []))
    assert result.exit_code == 1
    assert "forward failed" in result.stderr and "Traceback" not in result.stderr
    if as_json:
        document = json.loads(result.stdout)
        assert document["ok"] is False and "forward failed" in document["error"]["message"]
    else:
        assert result.stdout == ""


def test_check_without_the_device_is_not_a_rejection(call, one_message):
    assert "cuda:99" in one_message(call("check", "1", "--device", "cuda:99"))


# gate


@pytest.fixture
def record_file(tmp_path) -> Callable[..., Path]:
    return lambda **keywords: store.save(make_record(**keywords), tmp_path / "results")


def test_gate_passes_and_says_that_rgb_would_not(call, record_file):
    result = call("gate", "--record", record_file(psnr={"valid": (28.4, 26.85)}))
    assert result.exit_code == 0
    assert result.stdout.startswith("PASS  07_Example  protocol ntire2024, PSNR on Y: valid: ")
    assert "Note: it passes in Y and would fail in RGB (valid: " in result.stdout


def test_gate_rejudges_a_record_in_the_other_channel(call, record_file):
    path = record_file(psnr={"valid": (28.4, 26.85)})
    result = call("gate", "--record", path, "--psnr_channel", "rgb")
    assert result.exit_code == 1 and result.stdout.startswith("BELOW  07_Example")
    document = json.loads(call("gate", "--record", path, "--psnr-channel", "rgb", "--json").stdout)
    assert (document["outcome"], document["exit_code"], document["channel"]) == ("below", 1, "rgb")


def test_gate_does_not_judge_what_has_no_threshold(call, record_file):
    result = call("gate", "--record", record_file(psnr={"Set5": (31.0, 29.0)}))
    assert result.exit_code == 2 and result.stdout.startswith("NOT JUDGED")


def test_gate_does_not_judge_a_failure(call, tmp_path):
    result = call("gate", "--record", store.save(make_failure(), tmp_path / "results"), "--json")
    assert result.exit_code == 2 and json.loads(result.stdout)["outcome"] == "not judged"


def test_gate_from_a_fresh_run_of_several(place):
    """One passes, one fails to run: the worst of their exit codes, and both are told."""
    done = process("gate", "1", "2", "--data_dir", "images", "--json", cwd=place)
    assert done.code == 2, done.stderr
    answers = {answer["submission"]: answer for answer in done.document["gates"]}
    assert answers["01_Good"]["outcome"] == "pass"
    assert answers["02_Bad"]["outcome"] == "not judged" and "forward failed" in answers["02_Bad"]["reason"]


def test_gate_from_a_fresh_run_below(place):
    done = process("gate", "1", "--data_dir", "hopeless", cwd=place)
    assert done.code == 1 and done.stdout.startswith("BELOW  01_Good"), done.stderr


# leaderboard


@pytest.fixture
def results(tmp_path) -> Path:
    folder = tmp_path / "results"
    for id_, name in ((0, "RLFN"), (1, "Ann"), (2, "Bob")):
        store.save(make_record(id_, name), folder)
    return folder


@pytest.mark.parametrize("fmt", ["table", "md", "csv", "json", "latex", "html"])
def test_leaderboard_formats(call, results, fmt):
    result = call("leaderboard", "--results", results, "--format", fmt)
    assert result.exit_code == 0 and result.stderr == "" and not COLOUR.search(result.stdout)
    assert all(name in result.stdout for name in ("RLFN", "Ann", "Bob"))
    assert "SAMPLE" not in result.stdout


@pytest.mark.parametrize("fmt", ["table", "md", "csv", "json", "latex", "html"])
def test_leaderboard_says_sample(call, tmp_path, fmt):
    store.save(make_record(0, "RLFN", protocol="sample", sample=True), tmp_path / "results")
    result = call("leaderboard", "--results", tmp_path / "results", "--format", fmt)
    assert result.exit_code == 0
    # In data for programs it is a column, not a word.
    assert {"csv": "sample", "json": '"sample": true'}.get(fmt, "SAMPLE") in result.stdout


def test_leaderboard_json_and_output_file(call, results, tmp_path):
    printed = call("leaderboard", "--results", results, "--json")
    assert [row["name"] for row in json.loads(printed.stdout)["rows"]]
    target = tmp_path / "new" / "board.md"
    written = call("leaderboard", "--results", results, "--format", "md", "-o", target)
    assert written.exit_code == 0 and written.stdout == ""
    assert target.read_text() == call("leaderboard", "--results", results, "--format", "md").stdout


def test_leaderboard_of_no_records(call, tmp_path):
    result = call("leaderboard", "--results", tmp_path / "none")
    assert result.exit_code == 0 and "No record" in result.stdout


def test_leaderboard_reference(call):
    result = call("leaderboard", "--reference", "ntire2024")
    assert result.exit_code == 0 and "XiaomiMM" in result.stdout


def test_run_shows_the_board_of_the_device_it_ran_on(call, here, tmp_path):
    """Two teams of another device do not push the new row out."""
    for id_, name in ((5, "Eve"), (6, "Fay")):
        store.save(make_record(id_, name, created_utc="2026-01-01T00:00:00Z"), tmp_path / "results")
    result = call("run", "0", "--data_dir", "images", "--rounds", "1", "--results", tmp_path / "results")
    assert result.exit_code == 0
    assert re.search(r"^ *00_RLFN \(baseline\)\S* .* 7\.39", result.stdout, re.MULTILINE), result.stdout


# prepare


def test_prepare(call, tmp_path):
    (tmp_path / "My_HR").mkdir()
    hr = smooth(9)
    Image.fromarray(hr).save(tmp_path / "My_HR" / "a.png")
    result = call("prepare", tmp_path / "My_HR")
    assert result.exit_code == 0 and "1 LR images in" in result.stdout
    made = np.asarray(Image.open(tmp_path / "My_LR" / "ax4.png"))
    assert np.array_equal(made, matlab_bicubic_down(hr))
    document = json.loads(call("prepare", tmp_path / "My_HR", "-o", tmp_path / "other", "--json").stdout)
    assert len(document["written"]) == 1 and (tmp_path / "other" / "ax4.png").exists()


# all of them


@pytest.mark.parametrize("command", [[], *([name] for name in sorted(group.main.commands))], ids=" ".join)
def test_help(call, command):
    result = call(*command, "--help")
    assert result.exit_code == 0 and result.stdout.startswith("Usage: ")
    assert call(*command, "-h").stdout == result.stdout


def test_a_group_alone_shows_its_help(call):
    result = call("zoo")
    assert result.exit_code == 2
    assert (result.stdout + result.stderr).startswith("Usage: ")
    assert "Error" not in result.stdout + result.stderr


def test_test_demo_evaluates_0_only_where_nothing_is_named(root, tmp_path):
    """The challenge's --model_id has the default 0."""
    models = tmp_path / "models"
    models.mkdir()

    def missing(*words):
        command = [sys.executable, str(root / "test_demo.py"), "--models", str(models), *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2, done.stderr
        return re.findall(r"there is no submission (\d+)", done.stderr)

    assert missing() == ["00"]
    assert missing("--model_id", "7") == ["07"]
    assert missing("7") == ["07"]


def test_every_command_has_json(call):
    names = ["check", "fuse", "gate", "import", "leaderboard", "list", "prepare", "run", "stability", "zoo"]
    assert sorted(group.main.commands) == names
    names.remove("zoo")  # a group
    for name in [*names, "zoo list", "zoo pull"]:
        assert "--json" in call(*name.split(), "--help").stdout, name


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (
            "run",
            ["--model_id", "--model_zoo", "--data_dir", "--save_dir", "--include_test", "--psnr_channel"],
        ),
        ("gate", ["--model_zoo", "--data_dir", "--include_test", "--psnr_channel"]),
        ("check", ["--model_zoo"]),
        ("list", ["--model_zoo"]),
        ("leaderboard", ["--psnr_channel"]),
    ],
)
def test_options_are_known_with_underscores_and_dashes(command, options):
    found = group.main.commands[command]
    known = {text for parameter in found.params for text in (*parameter.opts, *parameter.secondary_opts)}
    context = group.main.make_context("ntire-bench", [command])
    normalize = found.make_context(command, [], parent=context, resilient_parsing=True).token_normalize_func
    for option in options:
        assert f"--{normalize(option[2:])}" in known, option


def test_a_reader_who_goes_away_is_no_traceback(place):
    """As in `ntire-bench leaderboard --reference ntire2024 | head -1`."""
    read, write = os.pipe()
    command = "from ntire_bench.cli import main; main()"
    reader = subprocess.Popen(
        [sys.executable, "-c", command, "leaderboard", "--reference", "ntire2024", "--json"],
        stdout=write,
        stderr=subprocess.PIPE,
        cwd=place,
        text=True,
    )
    os.close(read)
    os.close(write)
    assert "Traceback" not in reader.communicate(timeout=60)[1]
