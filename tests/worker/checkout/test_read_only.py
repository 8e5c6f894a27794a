"""A folder that is kept from being changed: what is refused, and that nothing else is."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, shutil, sys, tempfile
from ntire_bench.worker.checkout.read_only import protect
folder, other = sys.argv[1:3]
os.chdir(folder)
protect(folder)
{body}
"""


def run(body, folder, other):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=body), str(folder), str(other)],
        capture_output=True,
        text=True,
    )


@pytest.fixture
def folders(tmp_path):
    for name in ("kept", "other"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "a.pth").write_text("a")
    return tmp_path / "kept", tmp_path / "other"


@pytest.mark.parametrize(
    "body",
    [
        "open('new', 'w')",
        "open('a.pth', 'a')",
        "os.remove('a.pth')",
        "os.rmdir('inner')",
        "os.mkdir('more')",
        "os.rename('a.pth', os.path.join(other, 'b'))",
        "os.rename(os.path.join(other, 'a.pth'), 'b')",
        "os.symlink('a.pth', 'b')",
        "os.chmod('a.pth', 0)",
        "shutil.rmtree('inner')",
        "fd = os.open(folder, os.O_RDONLY); os.remove('a.pth', dir_fd=fd)",
    ],
)
def test_changes_of_the_folder_are_refused(folders, body):
    done = run(body, *folders)
    assert "Read-only file system" in done.stderr and done.returncode == 1
    kept = folders[0]
    assert sorted(path.name for path in kept.iterdir()) == ["a.pth", "inner"]
    assert (kept / "a.pth").read_text() == "a"


@pytest.mark.parametrize(
    "body",
    [
        "open('a.pth').read()",
        "os.makedirs('inner', exist_ok=True)",
        "shutil.copy('a.pth', os.path.join(other, 'b')); os.symlink('a.pth', os.path.join(other, 'c'))",
        # Names are relative to another folder here, as where a temporary folder is removed.
        "open(os.path.join(other, 'inner', 'a.pth'), 'w'); shutil.rmtree(other)",
        "with tempfile.TemporaryDirectory() as t:\n    os.mkdir(t + '/inner'); open(t + '/inner/a.pth', 'w')",
        "fd = os.open(other, os.O_RDONLY); os.open('new', os.O_CREAT | os.O_WRONLY, dir_fd=fd)",
    ],
)
def test_nothing_else_is_refused(folders, body):
    done = run(body, *folders)
    assert done.returncode == 0, done.stderr
