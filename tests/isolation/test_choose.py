"""Which level is chosen, and what is said of it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from stubs import above, skip_unless

from ntire_bench.errors import UsageError
from ntire_bench.isolation import choose, spawn
from ntire_bench.isolation.choose import LevelTrial, isolation_for, lost, try_level
from ntire_bench.records.record import Isolation

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="isolation is made of Linux's system calls")


def test_every_promise_is_kept_where_a_level_is_chosen(level):
    trial = try_level(level)
    assert choose.PROMISED[level] <= set(trial.held)
    chosen = isolation_for(level)
    assert chosen.level == level and chosen.held == trial.held and "\n" not in chosen.detail
    assert set(chosen.held).isdisjoint(chosen.broken)


def test_auto_takes_the_best_and_none_takes_none():
    best = next(level for level in spawn.LEVELS if try_level(level).reason is None)
    assert isolation_for("auto").level == best
    assert isolation_for("none").level == "L0"


def test_a_file_within_reach_refuses_a_level(level):
    """The canary reads what it is not to read: here, ground truth among the system's own files."""
    if not above(level, "L1"):
        pytest.skip("L0 promises nothing")
    with pytest.raises(UsageError, match="not kept from files it was not given"):
        isolation_for(level, [Path(sys.executable).resolve()])
    assert isolation_for("auto", [Path(sys.executable).resolve()]).level == "L0"


@pytest.fixture
def only(monkeypatch) -> Callable[..., None]:
    """A function that makes some levels fail."""

    def only(*levels: str) -> None:
        def try_(level: str, _: object = ()) -> LevelTrial:
            return LevelTrial(level) if level in levels else LevelTrial(level, reason="for a test")

        monkeypatch.setattr(choose, "try_level", try_)

    return only


def test_required_refuses_what_is_under_l2(only):
    only("L2", "L1", "L0")
    assert isolation_for("required").level == "L2"
    only("L1", "L0")
    with pytest.raises(UsageError, match=r"level L2 or better.*L3: for a test; L2: for a test.*Remedy"):
        isolation_for("required")
    found = isolation_for("auto")
    assert found.level == "L1" and found.refused == ("L3: for a test", "L2: for a test")


def test_checkpoints_that_run_code_need_l2(only):
    only("L1", "L0")
    with pytest.raises(UsageError, match="--allow-pickle.*needs isolation of level L2"):
        isolation_for("auto", allow_pickle=True)
    only("L2")
    found = isolation_for("auto", allow_pickle=True)
    assert found.allow_pickle and "--allow-pickle" in found.detail


def test_what_is_lost_is_one_line():
    assert lost(Isolation(level="L3", detail="")) is None
    for level in ("L2", "L1", "L0"):
        text = lost(Isolation(level=level, detail="", broken={"processes": "12", "network": "TCP"}))
        assert text is not None and "\n" not in text and text.startswith(f"isolation {level}")
    partly = lost(Isolation(level="L1", detail="", broken={"processes": "12"}))
    assert partly is not None and "the sight of other processes" in partly


def test_without_bubblewrap_there_are_namespaces(monkeypatch):
    skip_unless("L2")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(choose, "try_level", try_level.__wrapped__)
    found = isolation_for("auto")
    assert found.level == "L2" and "bubblewrap (bwrap) is not installed" in found.refused[0]
