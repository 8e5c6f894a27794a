"""The commands that run no submission: list, leaderboard, prepare."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import toys
from commands import COLOUR
from pairs import smooth
from PIL import Image
from record_factory import make_record

from ntire_bench.data.images import matlab_bicubic_down
from ntire_bench.records import store


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


def test_a_name_that_is_not_unicode_ends_neither_the_list_nor_its_json(call, tmp_path):
    places = ["--models", tmp_path / "models", "--model_zoo", tmp_path / "model_zoo"]
    (tmp_path / "models").mkdir()
    try:
        (tmp_path / "models" / os.fsdecode(b"team43_\xff.py")).write_text("")
    except OSError:
        pytest.skip("this file system takes Unicode names alone")
    assert "its name is not Unicode" in call("list", *places).stdout
    document = json.loads(call("list", *places, "--json").stdout)
    assert "team43_\\udcff.py" in document["ignored"][0]


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


@pytest.fixture
def results(tmp_path) -> Path:
    folder = tmp_path / "results"
    for id_, name in ((0, "RLFN"), (1, "Ann"), (2, "Bob")):
        store.save(make_record(id_, name), folder)
    return folder


@pytest.mark.parametrize("fmt", ["table", "md", "csv", "json", "latex", "html"])
def test_leaderboard_formats(call, results, fmt):
    result = call("leaderboard", "--results", results, "--format", fmt)
    assert result.exit_code == 0 and not COLOUR.search(result.stdout)
    # The note on how the submissions were isolated is for the organizer, not for a paper.
    unsaid = "1 note for the organizer is left out; --notes writes all.\n"
    assert result.stderr == (unsaid if fmt in ("md", "latex") else "")
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
    assert result.exit_code == 1 and "No record" in result.stdout
    assert "nothing has been evaluated yet" in result.stderr and "ntire-bench run --all" in result.stderr
    document = json.loads(call("leaderboard", "--results", tmp_path / "none", "--json").stdout)
    assert document["rows"] == []


def test_leaderboard_reference(call):
    result = call("leaderboard", "--reference", "ntire2024")
    assert result.exit_code == 0 and "XiaomiMM" in result.stdout


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
