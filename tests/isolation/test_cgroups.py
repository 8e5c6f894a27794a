"""Control groups, in a folder that stands in for the kernel's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from ntire_bench.isolation import cgroups
from ntire_bench.isolation.limits import Limits


def kernel_files(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Have new folders come with files in them, as a kernel's control groups do."""
    make = Path.mkdir

    def mkdir(self: Path, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        for name in names:
            (self / name).write_text("")

    monkeypatch.setattr(Path, "mkdir", mkdir)


@pytest.mark.parametrize("version", [1, 2])
def test_control_groups_where_they_can_be_made(tmp_path, monkeypatch, version):
    proc, mount = tmp_path / "proc", tmp_path / "mount"
    (mount / "user/shell").mkdir(parents=True)
    proc.mkdir()
    controllers, kind = ("pids", "cgroup") if version == 1 else ("", "cgroup2")
    (proc / "cgroup").write_text(f"4:memory:/elsewhere\n3:{controllers}:/user/shell\n")
    (proc / "mountinfo").write_text(f"25 20 0:20 / {mount} rw shared:4 - {kind} none rw,{controllers}\n")
    names = ("pids.max", "pids.events", "cgroup.procs") + (
        ("memory.max", "memory.events") if version == 2 else ()
    )
    kernel_files(monkeypatch, *names)
    group = cgroups.make(Limits(processes=77, memory_bytes=3 * 1024**3), proc)
    (folder,) = group.folders
    assert folder.parent == mount / "user/shell"
    assert (folder / "pids.max").read_text() == "77" and group.entrances == [str(folder / "cgroup.procs")]
    assert group.broken() is None
    (folder / "pids.events").write_text("max 3\n")
    assert group.broken() == "it started more than 77 processes and threads"
    if version == 2:
        assert (folder / "memory.max").read_text() == str(3 * 1024**3)
        (folder / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
        assert group.broken() == "it took more memory than 3.0 GiB"
    shutil.rmtree(folder)
    group.remove()


def test_no_control_group_where_the_kernel_offers_none(tmp_path):
    (tmp_path / "cgroup").write_text("0::/\n")
    (tmp_path / "mountinfo").write_text(f"25 20 0:20 / {tmp_path} rw - cgroup2 none rw\n")
    assert cgroups.make(Limits(), tmp_path).folders == ()
    assert not list(tmp_path.glob("ntire_bench_*"))


def kernel_of_version_2(monkeypatch: pytest.MonkeyPatch, folder: Path, controllers: str = "") -> Path:
    """Return a folder that stands in for /proc/self, beside a mount of version 2 that limits nothing."""
    proc, unified, old = folder / "proc", folder / "unified", folder / "old"
    for each in (proc, unified, old):
        each.mkdir()
    (proc / "cgroup").write_text(f"3:{controllers}:/\n0::/\n" if controllers else "0::/\n")
    (proc / "mountinfo").write_text(
        f"25 20 0:20 / {unified} rw - cgroup2 none rw\n"
        f"26 20 0:21 / {old} rw - cgroup {controllers} rw,{controllers}\n"
    )
    kernel_files(monkeypatch, "cgroup.procs", "cgroup.events", "cgroup.freeze", "cpu.stat", "cpuacct.usage")
    # Only the old one limits the number of processes.
    monkeypatch.setattr(
        cgroups, "_prepare", lambda place, *_, **__: place.parent == old and not place.mkdir()
    )
    return proc


def test_a_group_that_limits_nothing_counts_cpu_time_and_holds_what_may_be_frozen(tmp_path, monkeypatch):
    """As where version 1 has the controllers, and version 2 is mounted beside it."""
    proc = kernel_of_version_2(monkeypatch, tmp_path, "pids")
    group = cgroups.make(Limits(), proc)
    limited, counted = group.folders
    assert (limited.parent, counted.parent) == (tmp_path / "old", tmp_path / "unified")
    assert group.inside == counted / "inside"
    (counted / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\n")
    assert group.cpu_seconds() == 1.5
    assert not group.counts(77) and not group.freeze(77)
    (group.inside / "cgroup.procs").write_text("75\n77\n")
    assert group.counts(77) and not group.counts(7)
    (group.inside / "cgroup.events").write_text("populated 1\nfrozen 1\n")
    assert group.freeze(77) and (group.inside / "cgroup.freeze").read_text() == "1"
    assert not (counted / "cgroup.freeze").read_text()  # who ends the others is in this one
    group.thaw()
    assert (group.inside / "cgroup.freeze").read_text() == "0"
    for folder in (group.inside, counted, limited):
        shutil.rmtree(folder)
    group.thaw()  # nothing to say where they are gone
    group.remove()


def test_a_worker_of_which_a_process_does_not_stand_still_in_time_is_not_waited_for(tmp_path, monkeypatch):
    proc = kernel_of_version_2(monkeypatch, tmp_path)
    monkeypatch.setattr(cgroups, "_FREEZE_TIMEOUT_S", 0.0)
    group = cgroups.make(Limits(), proc)
    (group.inside / "cgroup.procs").write_text("77\n")
    (group.inside / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    assert not group.freeze(77)


@pytest.mark.parametrize(("controllers", "counts"), [("cpuacct", True), ("cpu,cpuacct", False)])
def test_version_1_counts_in_a_group_that_shares_out_no_cpu_and_freezes_nothing(
    tmp_path, monkeypatch, controllers, counts
):
    proc = kernel_of_version_2(monkeypatch, tmp_path, controllers)
    (proc / "cgroup").write_text(f"3:{controllers}:/\n")
    monkeypatch.setattr(cgroups, "_prepare_inside", lambda _: None)
    group = cgroups.make(Limits(), proc)
    assert bool(group.folders) == counts
    if counts:
        (group.folders[0] / "cpuacct.usage").write_text("2500000000\n")
        (group.folders[0] / "cgroup.procs").write_text("77\n")
        assert group.cpu_seconds() == 2.5 and group.counts(77) and not group.freeze(77)
