"""The command check: what it finds out, and what it rejects."""

from __future__ import annotations

import json
import re

import pytest
import toys
from commands import DECLARED, process


def test_check(place, said_of_isolation):
    done = process("check", "1", "--device", "cpu", cwd=place)
    assert done.code == 0 and done.stderr == said_of_isolation
    assert "01_Good" in done.stdout and "model        Toy  (models/team01_Good.py)" in done.stdout
    assert re.search(r"parameters +[\d,]+ \(\d\.\d{3} M\)", done.stdout)
    assert re.search(r"FLOPs +\d+\.\d{4} G at 256x256", done.stdout)
    assert str(place) not in done.stdout


@pytest.mark.slow
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
