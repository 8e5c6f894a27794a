"""What the tests hide from themselves is out of reach of the program, and nothing else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import bare_machine
import pytest
from places import HELPERS

from ntire_bench.isolation.choose import try_level

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="isolation is made of Linux's system calls")

LOOK = """\
import json, shutil, sys
sys.path.insert(0, sys.argv[1])
import bare_machine
bare_machine.hide(bare_machine.wanted())
from ntire_bench.isolation.choose import try_level
found = {name: shutil.which(name) for name in ("ours", "beside")}
print(json.dumps([found, {level: try_level(level).reason for level in ("L0", "L1", "L2", "L3")}]))
"""


def look(path: str, hidden: str) -> tuple[dict[str, str | None], dict[str, str | None]]:
    """Return where a process finds two programs, and why it has no isolation of each level."""
    environment = {**os.environ, "PATH": path, bare_machine.HIDE: hidden}
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(HELPERS)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return tuple(json.loads(done.stdout))


def test_a_program_is_hidden_alone_and_its_folder_is_left_as_it_is(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
        for name in ("ours", "beside"):
            (folder / name).write_text("#!/bin/sh\n")
            (folder / name).chmod(0o755)
    path = os.pathsep.join(map(str, folders))
    assert look(path, "")[0] == {name: str(folders[0] / name) for name in ("ours", "beside")}
    found = look(path, "ours, nothing-of-this-name")[0]
    assert found["ours"] is None
    assert found["beside"] is not None and Path(found["beside"]).parent not in folders
    assert not Path(found["beside"]).parent.exists()  # what stood in for the folder is gone with its process
    assert all((folder / "ours").exists() for folder in folders)


@pytest.mark.parametrize(
    ("hidden", "gone"), [("user-namespaces", {"L2", "L3"}), ("user-namespaces,landlock", {"L1", "L2", "L3"})]
)
def test_a_level_whose_means_are_hidden_cannot_be_had(hidden: str, gone: set[str]) -> None:
    here = {level for level in ("L0", "L1", "L2", "L3") if try_level(level).reason is None}
    reasons = look(os.environ["PATH"], hidden)[1]
    assert {level for level, reason in reasons.items() if reason is None} == here - gone


def test_torch_sees_no_gpu_in_tests() -> None:
    import torch

    assert os.environ["CUDA_VISIBLE_DEVICES"] == "" and not torch.cuda.is_available()


def test_what_was_visible_before_can_be_seen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for before in (None, "1,0"):
        monkeypatch.delenv(bare_machine._GPUS)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
        if before is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", before)
        for _ in range(2):  # a process of pytest-xdist's does it once more
            bare_machine.hide_gpus()
            assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
        assert bare_machine.environment_with_gpus().get("CUDA_VISIBLE_DEVICES") == before
