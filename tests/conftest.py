"""Fixtures shared by all tests."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import bare_machine

# What the terminal and the CI system of whoever runs the tests say to programs is not what is tested.
for _name in ("CI", "GITHUB_ACTIONS", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "NO_COLOR", "FORCE_COLOR"):
    os.environ.pop(_name, None)
os.environ["TERM"] = "xterm-256color"

# Before torch is imported, and before pytest-xdist starts processes, which inherit both.
bare_machine.hide(bare_machine.wanted())
bare_machine.hide_gpus()

import pytest  # noqa: E402
from click.testing import CliRunner, Result  # noqa: E402

from ntire_bench.cli import group  # noqa: E402
from ntire_bench.isolation import choose  # noqa: E402
from ntire_bench.isolation.levels import view  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]

# Tests leave no pixels in the user's cache; those of the cache turn it on in a folder of their own.
os.environ["NTIRE_BENCH_PIXEL_CACHE"] = "0"
# Nor do they use what lies there: the sample set is made once for all of them, in a folder of theirs.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["NTIRE_BENCH_CACHE"] = tempfile.mkdtemp(prefix="ntire_bench_tests_")
    atexit.register(shutil.rmtree, os.environ["NTIRE_BENCH_CACHE"], ignore_errors=True)

# Where tests run side by side (pytest -n), each computes on one core; this comes before torch is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("COLUMNS", None)  # how wide the terminal is that tests run in changes no output

# A shell that starts tests in the background has them ignore Ctrl-C, and what they start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Submissions, of strangers and honest ones: a worker, or a test, loads them.
collect_ignore_glob = ["attacks/models/*.py", "attacks/controls/*.py", "honest_networks/networks/*.py"]


def pytest_collection_finish() -> None:
    """Spare the collector what is imported by now: torch alone is half a million objects."""
    gc.freeze()


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
    hidden = ", ".join(sorted(bare_machine.wanted())) or "nothing"
    terminalreporter.write_line(
        f"isolation {choose.isolation_for('auto').level} at best; hidden from the tests: {hidden}"
    )


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command in this process, in a folder of its own; a fault of the program's own is raised."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Result:
        result = CliRunner().invoke(group.main, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


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


@pytest.fixture(scope="session")
def said_of_isolation() -> str:
    """What a command says on standard error of the best isolation of this machine: one line, or nothing."""
    text = choose.lost(choose.isolation_for("auto"))
    return "" if text is None else f"{text}\n"


@pytest.fixture(scope="session")
def sees_gpu() -> dict[str, str]:
    """The environment of a process that sees the GPUs, which all others do not; skips where there is none."""
    environment = bare_machine.environment_with_gpus()
    if not view.view([]).gpu:
        pytest.skip("this machine has no GPU")
    count = "import torch; raise SystemExit(0 if torch.cuda.is_available() else 3)"
    asked = subprocess.run([sys.executable, "-c", count], env=environment, capture_output=True, check=False)
    if asked.returncode == 3:
        pytest.skip("torch sees no GPU on this machine")
    assert asked.returncode == 0, asked.stderr.decode()
    return environment
