"""What a worker may see, on machines that this one need not be."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from ntire_bench import PACKAGE
from ntire_bench.isolation import limits
from ntire_bench.isolation.levels import bubblewrap, view
from ntire_bench.isolation.limits import Limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="isolation is made of Linux's system calls")


@pytest.fixture
def machine_with_gpu(tmp_path) -> Path:
    """The folders of a machine with a GPU; plain files stand in for its nodes."""
    for name in ("dev/null", "dev/nvidia0", "dev/nvidiactl", "dev/nvidia-uvm", "dev/nvidia-caps/nvidia-cap1"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("usr/lib", "sys/devices/system", "sys/kernel/mm/transparent_hugepage", "dev/dri", "etc"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "dev/dri/renderD128").touch()
    (tmp_path / "etc/passwd").touch()
    return tmp_path


def test_a_gpus_nodes_pass_through(machine_with_gpu, monkeypatch):
    cuda = machine_with_gpu / "opt/cuda/lib64"
    cuda.mkdir(parents=True)
    (cuda / "libcudart.so.12").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{cuda}:{machine_with_gpu / 'etc'}:relative")
    seen = view.view([], root=machine_with_gpu)
    nodes = {str(path.relative_to(machine_with_gpu / "dev")) for path in seen.devices}
    gpu = {"nvidia0", "nvidiactl", "nvidia-uvm", "nvidia-caps/nvidia-cap1", "dri/renderD128"}
    assert seen.gpu and nodes == gpu | {"null"}
    assert machine_with_gpu / "sys" in seen.readable and cuda in seen.readable
    assert machine_with_gpu / "etc" not in seen.readable  # a folder without libraries
    line = bubblewrap.arguments(
        "/usr/bin/bwrap", seen, ["python"], scratch="/scratch", scratch_bytes=1, folder="/", filter_fd=7
    )
    for path in seen.devices:
        at = line.index(str(path))
        assert line[at - 1 : at + 2] == ["--dev-bind", str(path), str(path)] and at > line.index("--dev")
    assert line[line.index("--symlink") :][:3] == ["--symlink", "usr/lib", str(machine_with_gpu / "lib")]
    assert line[-2:] == ["--", "python"] and line[line.index("--seccomp") + 1] == "7"
    values = dict(limits.rlimits(Limits(), own_count=True, gpu=True))
    assert "RLIMIT_DATA" not in values and "RLIMIT_AS" not in values


def test_without_a_gpu_little_of_sys_is_seen(machine_with_gpu):
    shutil.rmtree(machine_with_gpu / "dev")
    seen = view.view([], root=machine_with_gpu)
    assert not seen.gpu and seen.devices == ()
    folders = {path.relative_to(machine_with_gpu / "sys") for path in seen.readable if "sys" in path.parts}
    assert folders == {Path("devices/system"), Path("kernel/mm/transparent_hugepage")}
    assert machine_with_gpu / "sys" not in seen.readable


def test_a_checkout_is_not_seen_for_being_around_the_package_or_the_environment(tmp_path):
    """What is seen of an interpreter's prefix is what Python is made of, not the folder itself."""
    seen = view.view([tmp_path / "missing.py"])
    around = [PACKAGE.parent, Path(sys.prefix), Path.home(), Path("/")]
    assert not set(around) & set(seen.readable)
    assert PACKAGE in seen.readable
