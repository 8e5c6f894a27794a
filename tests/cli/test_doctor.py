"""The command doctor: what it says of this machine is so, and run --all says first what it will take."""

from __future__ import annotations

import json
import os
import re

import pytest
import torch
from commands import COLOUR, process
from pairs import smooth

from ntire_bench.data.images import write_png
from ntire_bench.isolation import advice, choose
from ntire_bench.records.record import Isolation


def parts(document: dict) -> dict[str, dict]:
    return {part["name"]: part for part in document["parts"]}


def test_what_is_said_of_the_machine_is_what_the_system_says(call):
    result = call("doctor", "--no-run", "--data-dir", "images", "--json")
    document = json.loads(result.stdout)
    found = parts(document)
    assert document["ok"] and result.exit_code == 0 and document["estimate"] is None
    assert str(torch.__version__) in found["torch"]["found"][0]
    assert f"{len(os.sched_getaffinity(0))} core" in found["CPU"]["found"][0]
    assert found["isolation"]["found"][0].startswith(f"{choose.isolation_for('auto').level}: ")
    assert found["data"]["found"] == [
        "images/DIV2K_LSDIR_test: 1 pair",
        "images/DIV2K_LSDIR_valid: 2 pairs",
    ]
    assert all(re.search(r"\d [KMG]iB free", found[name]["found"][0]) for name in ("cache", "records"))


def test_what_is_not_there_is_a_problem_with_a_remedy(call, tmp_path):
    result = call("doctor", "--no-run", "--data-dir", tmp_path, "--device", "cuda")
    lines = result.stdout.splitlines()
    assert result.exit_code == 1 and not COLOUR.search(result.stdout)
    assert sum(line.startswith("x GPU") or line.startswith("x data") for line in lines) == 2
    assert "-> name the folder of DIV2K_LSDIR_valid_HR and the like with --data-dir" in result.stdout
    write = tmp_path / "a_HR"
    write.mkdir()
    (write / "1.png").write_bytes(b"")
    assert (
        "a: 1 PNG file in _HR, no folder in _LR" in call("doctor", "--no-run", "--data-dir", tmp_path).stdout
    )


def test_images_of_another_split_are_a_problem_of_the_run_and_no_traceback(call, tmp_path):
    for side in ("HR", "noise50"):
        (tmp_path / f"DIV2K_valid_{side}").mkdir()
        write_png(tmp_path / f"DIV2K_valid_{side}" / "1.png", smooth(1))
    result = call("doctor", "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert "DIV2K_valid: 1 pair of noise50" in result.stdout
    assert "x worker" in result.stdout and "add --protocol dn50" in result.stdout


def test_the_remedy_is_what_the_kernel_forbids(tmp_path):
    (tmp_path / "kernel").mkdir()
    (tmp_path / "user").mkdir()
    (tmp_path / "kernel/apparmor_restrict_unprivileged_userns").write_text("1\n")
    (tmp_path / "user/max_user_namespaces").write_text("15000\n")
    lower = Isolation(level="L1", detail="")
    text = advice.for_next_level(lower, proc_sys=tmp_path)
    assert "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0" in text and "max_user" not in text
    (tmp_path / "kernel/apparmor_restrict_unprivileged_userns").write_text("0\n")
    assert "sysctl" not in advice.for_next_level(lower, proc_sys=tmp_path)
    assert advice.for_next_level(Isolation(level="L3", detail="")) == ""


@pytest.mark.slow
def test_a_worker_is_tried_and_the_time_of_all_is_foreseen(place):
    done = process("doctor", "--data_dir", "images", "--rounds", "2", "--json", cwd=place)
    assert done.code == 0, done.stderr
    found = done.document
    assert found["estimate"]["submissions"] == 3 and found["estimate"]["images"] == 2
    assert 0 < found["estimate"]["low_s"] <= found["estimate"]["high_s"] < 600
    assert "computes on cpu" in parts(found)["worker"]["found"][0]
    assert parts(found)["run --all"]["found"][0].startswith("3 submissions on 2 images: about ")
