"""The commands pack and factsheet, from end to end."""

from __future__ import annotations

import json
import zipfile

import pytest
from commands import process
from record_factory import make_record

from ntire_bench.records import store


def test_factsheet_in_every_form(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store.save(make_record(5, "Net"), tmp_path / "leaderboard/results")
    assert "| Parameters \\[M\\] | 0.2000 |" in call("factsheet", "5").stdout
    assert call("factsheet", "05_Net", "--format", "latex", "-o", "f.tex").exit_code == 0
    assert r"\toprule" in (tmp_path / "f.tex").read_text()
    document = json.loads(call("factsheet", "5", "--json").stdout)
    assert document["submission"] == "05_Net" and document["lines"][0]["key"] == "params"
    assert call("factsheet", "6").exit_code == 2


@pytest.mark.slow
def test_pack_checks_and_writes_what_is_sent(place, tmp_path):
    words = ["--data_dir", "images", "--results", tmp_path / "r", "--json"]
    without = process("pack", "1", *words, cwd=place)
    assert without.code == 2 and "there are no numbers of 01_Good as it is now" in without.stderr
    kept = ["--save-dir", tmp_path / "sr", "--ssim", "--rounds", "1"]
    assert process("run", "1", *words, *kept, cwd=place).code == 0
    target = ["--output", tmp_path / "sent.zip", "--images", "--save-dir", tmp_path / "sr"]
    done = process("pack", "1", *words, *target, cwd=place)
    assert done.code == 0, done.stderr
    with zipfile.ZipFile(tmp_path / "sent.zip") as archive:
        assert archive.testzip() is None
        assert not [name for name in archive.namelist() if name.endswith(".png")]
    with zipfile.ZipFile(tmp_path / "sent_SR.zip") as archive:
        assert archive.namelist() == ["0801.png", "0802.png"]
    assert len(done.document["written"]) == 2
