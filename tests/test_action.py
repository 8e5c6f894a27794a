"""The composite action calls `gate` with options that there are; the workflow uses inputs that there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from ntire_bench.cli import main

if sys.platform != "linux":
    pytest.skip("the action's steps are for bash on Linux", allow_module_level=True)


@pytest.fixture(scope="module")
def action(root: Path) -> dict[str, Any]:
    return yaml.safe_load((root / "action.yml").read_text(encoding="utf-8"))


def step(action: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in action["runs"]["steps"] if one.get("name") == name]
    return found


def called(action: dict[str, Any], tmp_path: Path, **environment: str) -> list[str]:
    """Run the step that judges, with a program that prints its arguments in the place of ntire-bench."""
    program = tmp_path / "bin" / "ntire-bench"
    program.parent.mkdir(exist_ok=True)
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    judge = step(action, "Judge what changed")
    values = {**dict.fromkeys(judge["env"], ""), **environment, "PLACE": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", judge["run"]],
        env=values,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_gate_is_called_with_what_was_asked_for_and_no_more(action, tmp_path) -> None:
    base = {"BASE": "abc", "MODELS": "my models", "MODEL_ZOO": "zoo", "ISOLATION": "required", "ROUNDS": "3"}
    kept = {"RESULTS": "kept", "JUNIT": "junit.xml"}
    words = called(action, tmp_path, **base, **kept)
    assert words == [
        *[
            "gate",
            "--changed",
            "abc",
            "--models",
            "my models",
            "--model-zoo",
            "zoo",
            "--isolation",
            "required",
        ],
        *["--rounds", "3", "--results", "kept", "--junit", "junit.xml"],
    ]
    more = called(action, tmp_path, **base, **kept, DATA_DIR="a b", PARAMS="2%", IMAGES="sr", DROP="0.1")
    assert more == [
        *words,
        "--data-dir",
        "a b",
        "--save-dir",
        "sr",
        "--max-params-growth",
        "2%",
        "--max-psnr-drop",
        "0.1",
    ]
    known = CliRunner().invoke(main, ["gate", "--help"]).output
    every = called(
        action,
        tmp_path,
        **base,
        **kept,
        DATA_DIR="a",
        PARAMS="2%",
        IMAGES="b",
        DROP="0.1",
        FLOPS="1%",
        RUNTIME="1%",
    )
    options = [word for word in every if word.startswith("--")]
    assert len(options) == 13 and all(option in known for option in options)


def test_every_variable_of_a_step_is_set_and_every_input_is_used(action, root) -> None:
    text = (root / "action.yml").read_text(encoding="utf-8")
    for name in action["inputs"]:
        assert f"inputs.{name}" in text, name
    for one in action["runs"]["steps"]:
        assert "uses" in one or one["shell"] == "bash"
        assert "${{" not in one.get("run", ""), (
            "values reach a shell as variables, never as text of its program"
        )


def test_every_step_is_a_program_that_bash_reads(action) -> None:
    for one in action["runs"]["steps"]:
        if "run" in one:
            read = subprocess.run(["bash", "-n"], input=one["run"], capture_output=True, text=True)
            assert read.returncode == 0 and read.stderr == "", one["name"]


def test_the_cache_is_kept_before_a_submission_runs_and_whatever_the_gate_says(action) -> None:
    names = [one.get("name") for one in action["runs"]["steps"]]
    keep = step(action, "Keep the environment in the cache")
    assert names.index("Keep the environment in the cache") < names.index("Judge what changed")
    assert keep["with"]["path"] == step(action, "Look for the environment in the cache")["with"]["path"]


def test_another_system_is_told_before_anything_is_installed(action, root, tmp_path) -> None:
    first = action["runs"]["steps"][0]
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", first["run"]],
        env={
            "PATH": "/usr/bin:/bin",
            "PLACE": str(tmp_path / "p"),
            "ACTION": str(root),
            "RUNNER_OS": "macOS",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and done.stdout.startswith("::error::") and "macOS" in done.stdout
    assert not (tmp_path / "p").exists()


def test_the_workflow_of_this_repository_uses_the_action(action, root) -> None:
    workflow = yaml.safe_load((root / ".github/workflows/psnr-gate.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    (used,) = [one for one in job["steps"] if one.get("uses") == "./"]
    assert set(used["with"]) <= set(action["inputs"]) and "base" in used["with"]
    assert action["inputs"]["isolation"]["default"] == "required"


def test_the_environment_is_cached_by_the_pinned_versions(action, root, tmp_path) -> None:
    output = tmp_path / "output"
    place = step(action, "Name the folders")
    subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", place["run"]],
        env={
            "PATH": "/usr/bin:/bin",
            "RUNNER_OS": "Linux",
            "PLACE": str(tmp_path / "p"),
            "ACTION": str(root),
            "GITHUB_OUTPUT": str(output),
        },
        check=True,
    )
    named = dict(line.split("=", 1) for line in output.read_text().splitlines())
    assert len(named["pinned"]) == 16 and Path(named["gate"]).is_dir()
    for value in action["outputs"].values():
        assert value["value"].removeprefix("${{ steps.place.outputs.").removesuffix(" }}") in named
