"""Scratch folders on disk: what a worker leaves in one goes with it, and nothing else does."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ntire_bench.isolation import scratch
from ntire_bench.isolation.cgroups import Group
from ntire_bench.isolation.spawn import Spawned

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="isolation is made of Linux's system calls")


def test_links_lead_nobody_out_and_closed_folders_go_too(tmp_path):
    outside = tmp_path / "outside"
    (outside / "closed").mkdir(parents=True)
    (outside / "kept").write_text("of the organizer")
    (outside / "closed").chmod(0o500)
    folder = scratch.make()
    deep = folder / "deep" / "deeper"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    (deep / "link").symlink_to(outside)
    (folder / "link").symlink_to(outside / "closed")
    (folder / "file").symlink_to(outside / "kept")
    for closed in (deep, deep.parent):
        closed.chmod(0)
    process = subprocess.Popen(["true"], start_new_session=True)
    Spawned(process, "L0", Group(), folder).end()
    assert not folder.exists()
    assert (outside / "kept").read_text() == "of the organizer"
    assert (outside / "closed").stat().st_mode & 0o777 == 0o500
