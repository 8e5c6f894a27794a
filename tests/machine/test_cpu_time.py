"""CPU time of a process and all that come from it, in a /proc that the tests write."""

from __future__ import annotations

from pathlib import Path

import pytest

from ntire_bench.machine import processes
from ntire_bench.machine.cpu_time import TICK_S, FamilyTime

FIRST, WORKER, CHILD, STRANGER = 100, 110, 120, 900


class Proc:
    """A folder as the kernel's /proc, with processes that use CPU time, lose their parents and end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def set(self, pid: int, parent: int, own: int, ended: int = 0, started: int = 7) -> None:
        """Write a process: its parent, its ticks and those of children that it has waited for."""
        fields = ["S", str(parent), *["0"] * 9, str(own), "0", str(ended), "0", *["0"] * 4, str(started)]
        (self.folder / str(pid)).mkdir(exist_ok=True)
        (self.folder / str(pid) / "stat").write_text(f"{pid} (a b) c) {' '.join(fields)}")

    def end(self, pid: int) -> None:
        (self.folder / str(pid) / "stat").unlink()
        (self.folder / str(pid)).rmdir()


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Proc:
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    found = Proc(tmp_path)
    found.set(1, 0, 10_000)
    found.set(FIRST, 50, 1)
    found.set(WORKER, FIRST, 20)
    found.set(STRANGER, 1, 70_000)
    return found


def ticks(seconds: float) -> int:
    return round(seconds / TICK_S)


def test_a_process_whose_parent_is_gone_still_counts(proc: Proc) -> None:
    family = FamilyTime(FIRST)
    before = family.seconds()
    proc.set(CHILD, WORKER, 5)
    assert ticks(family.seconds() - before) == 5
    proc.set(CHILD, FIRST, 45)  # its parent has ended, and the first process has taken it
    assert ticks(family.seconds() - before) == 45
    proc.set(CHILD, 1, 65)  # even one that is nobody's here any more
    assert ticks(family.seconds() - before) == 65


def test_a_process_that_has_ended_counts_once(proc: Proc) -> None:
    family = FamilyTime(FIRST)
    before = family.seconds()
    proc.set(CHILD, WORKER, 30)
    family.seconds()
    proc.end(CHILD)
    proc.set(WORKER, FIRST, 22, ended=33)  # it has waited for it, and used 2 itself
    assert ticks(family.seconds() - before) == 35


def test_what_a_process_that_nobody_waited_for_was_seen_to_use_is_kept(proc: Proc) -> None:
    family = FamilyTime(FIRST)
    before = family.seconds()
    proc.set(CHILD, WORKER, 30)
    family.seconds()
    proc.end(CHILD)
    proc.set(WORKER, FIRST, 24)
    assert ticks(family.seconds() - before) == 34


def test_another_program_that_gets_the_number_of_one_that_has_ended_does_not_count(proc: Proc) -> None:
    family = FamilyTime(FIRST)
    proc.set(CHILD, WORKER, 30)
    before = family.seconds()
    proc.end(CHILD)
    proc.set(CHILD, STRANGER, 500, started=99)
    assert ticks(family.seconds() - before) == 0
