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
