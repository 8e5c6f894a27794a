"""Runs programs that see a GPU or do not, so that one test is for both and runs where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

CPU, GPU = "cpu", pytest.param("cuda", marks=pytest.mark.gpu)
SLOW_CPU = pytest.param("cpu", marks=pytest.mark.slow)


def environment_for(device: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the environment of a process that computes on a device; skips where there is no such GPU."""
    return dict(request.getfixturevalue("sees_gpu")) if device == "cuda" else dict(os.environ)


def program(
    words: Sequence[object], place: Path, environment: dict[str, str], timeout_s: float = 300.0
) -> str:
    """Run an interpreter with these arguments and return what it prints."""
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def records(
    words: Sequence[object], place: Path, device: str, environment: dict[str, str]
) -> list[dict[str, Any]]:
    """Evaluate on a device with `ntire-bench run` and these arguments, and return the records."""
    start = ["-c", "from ntire_bench.cli import main; main()", "run", *words, "--device", device, "--json"]
    return [item["record"] for item in json.loads(program(start, place, environment, 900.0))["records"]]
