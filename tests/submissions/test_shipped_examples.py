"""The examples that ship with the program: taken where a folder has nothing of its own, and that is told."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import toys
from click.testing import Result

from ntire_bench.errors import MeasurementError
from ntire_bench.submissions import fetching
from ntire_bench.submissions.zoo import Published
from ntire_bench.text import relative

SAID = "the examples that ship with ntire_bench are used"
STEMS = {
    "00_RLFN", "31_AGDN-S", "36_ESPAN", "38_SPAN", "39_LKDN-S", "40_EFDN", "41_RLFN-52", "42_LKDN", "43_AGDN",
    "44_RLFN-S",
}  # fmt: skip


def labels(result: Result) -> set[str]:
    document = json.loads(result.stdout)
    return {f"{item['id']:02d}_{item['name']}" for item in document["submissions"] + document["problems"]}


def refused(result: Result) -> str:
    """Return the one message of a command that took nothing in place of what is missing."""
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1
    return result.stderr


def test_an_empty_folder_has_the_examples_and_one_line_says_so(call, root):
    result = call("list", "--json")
    assert result.exit_code == 0 and STEMS <= labels(result)
    assert json.loads(result.stdout)["models"] == relative(root / "models")
    assert result.stderr.count("\n") == 1
    assert result.stderr == f"No models/ and no model_zoo/ here: {SAID} ({relative(root / 'models')}).\n"


@pytest.mark.slow
def test_a_command_that_looks_twice_says_it_once_and_its_json_stays_one_document(call):
    result = call("check", "38", "--set", "tile=64", "--isolation", "none", "--device", "cpu", "--json")
    document = json.loads(result.stdout)
    assert document["submission"]["name"] == "SPAN" and document["submission"]["tile"] == 64
    assert result.stderr.count(SAID) == 1


def test_examples_are_not_written_to(call, root):
    before = sorted(os.listdir(root / "models"))
    result = call("check", "38", "--write")
    assert result.exit_code == 2 and "is not overwritten" in result.stderr
    assert sorted(os.listdir(root / "models")) == before
    assert "models: is not a folder" in refused(call("fuse", "38"))


def test_a_folder_of_ones_own_is_all_there_is(call, tmp_path):
    toys.write_toy(tmp_path, 7, "Own", body=toys.toy(), checkpoint=toys.state_dict())
    result = call("list", "--json")
    assert labels(result) == {"07_Own"} and result.stderr == ""
    shutil.rmtree(tmp_path / "model_zoo")
    result = call("list", "--json")
    assert labels(result) == {"07_Own"} and result.stderr == ""
    shutil.rmtree(tmp_path / "models")
    (tmp_path / "models").mkdir()
    result = call("list", "--json")
    assert labels(result) == set() and result.stderr == ""


@pytest.mark.parametrize(
    "make",
    [
        lambda here: (here / "model_zoo").mkdir(),
        lambda here: (here / "models").symlink_to("nowhere"),
        lambda here: (here / "models").write_text("no folder"),
    ],
    ids=["checkpoints alone", "a link to nothing", "a file"],
)
def test_what_is_there_and_not_right_is_told(call, tmp_path, make):
    make(tmp_path)
    assert "models: is not a folder" in refused(call("list"))


@pytest.mark.parametrize(
    "words",
    [["--models", "models"], ["--models", "nowhere"], ["--model-zoo", "nowhere"], ["--model_zoo", "."]],
)
def test_a_folder_that_is_named_is_the_one_that_is_meant(call, words):
    assert "is not a folder" in refused(call("list", *words))


def test_a_checkout_is_the_one_that_is_meant(call):
    assert SAID not in refused(call("list", "--challenge-root", "nowhere"))


def test_what_changed_is_asked_of_a_checkout_and_not_of_the_examples(call):
    assert "models: is not a folder" in refused(call("gate", "--changed", "HEAD"))


def test_another_id_is_refused_with_both_lines(call):
    result = call("run", "5")
    assert (result.exit_code, result.stdout) == (2, "")
    said, error = result.stderr.splitlines()
    assert SAID in said and error.startswith("Error: ") and "there is no submission 05" in error


# zoo pull


def fetched(item: Published, model_zoo: Path, **_: object) -> Path:
    """Stands in for the download: test_zoo has that."""
    if item.id == 44:
        raise MeasurementError("not there")
    model_zoo.mkdir(parents=True, exist_ok=True)
    path = model_zoo / item.file_name
    path.write_bytes(b"weights")
    return path


def test_a_checkpoint_that_was_fetched_to_where_no_models_are_is_told_where_they_are(
    call, root, tmp_path, monkeypatch
):
    monkeypatch.setattr(fetching, "pull", fetched)
    result = call("zoo", "pull", "41")
    hint = f"No models/ here that they belong to: copy {relative(root / 'models')} to this folder.\n"
    assert result.exit_code == 0 and result.stderr == hint
    assert call("zoo", "pull", "41", "--model-zoo", "elsewhere").stderr == ""
    shutil.copytree(root / "models", tmp_path / "models")
    assert call("zoo", "pull", "41").stderr == ""
    listed = json.loads(call("list", "--json").stdout)["submissions"]
    assert [(item["name"], item["file"]) for item in listed] == [("RLFN-52", "models/team41_RLFN-52.py")]


def test_nothing_fetched_needs_no_models(call, monkeypatch):
    monkeypatch.setattr(fetching, "pull", fetched)
    result = call("zoo", "pull", "44")
    assert result.exit_code == 1 and "No models/ here" not in result.stderr


# installed


@pytest.fixture
def installed(root: Path, tmp_path: Path) -> Path:
    """A folder of packages with this one in it as a wheel lays it out, and with other's folders beside it."""
    packages = tmp_path / "packages"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / "ntire_bench", packages / "ntire_bench", ignore=ignored)
    for folder in ("models", "model_zoo"):
        (packages / folder).mkdir()
    toys.write_toy(packages, 8, "Strange", body=toys.toy(), checkpoint=toys.state_dict())
    return packages


def as_installed(packages: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    cwd.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "ntire_bench", *words]
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


def test_an_installed_package_has_them_inside_it_and_imports_none(installed, tmp_path):
    ran = tmp_path / "ran"
    body = toys.toy(head=f"open({str(ran)!r}, 'w').close()")
    toys.write_toy(installed / "ntire_bench/examples", 38, "Example", body=body, checkpoint=toys.state_dict())
    done = as_installed(installed, "list", "--json", cwd=tmp_path / "empty")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [item["name"] for item in document["submissions"]] == ["Example"]
    assert document["models"] == "../packages/ntire_bench/examples/models"
    assert SAID in done.stderr and not ran.exists()


def test_what_lies_beside_an_installed_package_is_not_taken_for_them(installed, tmp_path):
    done = as_installed(installed, "list", "--json", cwd=tmp_path / "empty")
    assert done.returncode == 2 and "models: is not a folder" in done.stderr


def test_a_checkout_has_them_beside_the_package(root):
    spec = importlib.util.find_spec("ntire_bench.submissions.shipped_examples")
    assert spec is not None and spec.origin is not None
    assert Path(spec.origin).parents[2] == root
