"""The benchmarks over made-up records run: their records are such as a leaderboard takes."""

from __future__ import annotations

import subprocess
import sys

import pytest
from places import ROOT


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("site.py", "--teams", "3", "--images", "4", "--rounds", "4", "--records", "5"),
            ("a site of 3 teams with 4 images each: ", "5 rows of 5 records ranked, again: "),
        ),
        (
            ("records.py", "--records", "3", "--images", "2", "--rounds", "2"),
            ("leaderboard, second: ", "status, second: "),
        ),
    ],
    ids=lambda words: words[0] if words[0].endswith(".py") else "",
)
def test_it_runs(words: tuple[str, ...], told: tuple[str, ...]) -> None:
    script = str(ROOT / "benchmarks" / words[0])
    done = subprocess.run(
        [sys.executable, script, *words[1:]], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    for text in told:
        assert text in done.stdout
