"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Tests leave no pixels in the user's cache; those of the cache turn it on in a folder of their own.
os.environ["NTIRE_BENCH_PIXEL_CACHE"] = "0"

# Where tests run side by side (pytest -n), each computes on one core; this comes before torch is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("COLUMNS", None)  # how wide the terminal is that tests run in changes no output

# A shell that starts tests in the background has them ignore Ctrl-C, and what they start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Submissions of strangers: a worker, or a test, loads them.
collect_ignore_glob = ["attacks/models/*.py", "attacks/controls/*.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests have to tell beside passing: properties named `summary`."""
    told = [
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for name, value in getattr(report, "user_properties", [])
        if name == "summary"
    ]
    for text in dict.fromkeys(told):
        terminalreporter.write_line(text)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder beside the checkout that holds published checkpoints and images; skips where it is absent."""
    folder = Path(os.environ.get("NTIRE_BENCH_SHARED", ROOT.parent / "shared"))
    if not (folder / "weights").is_dir():
        pytest.skip(f"no published checkpoints and images beside the checkout ({folder.name}/ is absent)")
    return folder


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT
