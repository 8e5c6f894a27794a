"""The command line that has bubblewrap start a worker: level L3."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ntire_bench.isolation.levels.namespaces import PROC_READ_ONLY
from ntire_bench.isolation.levels.view import View

__all__ = ["arguments"]

_NOBODY = "65534"


def arguments(
    program: str,
    seen: View,
    command: Sequence[str],
    *,
    scratch: str,
    scratch_bytes: int,
    folder: str,
    filter_fd: int | None,
) -> list[str]:
    """Return the command line, the program first.

    Args:
        program: Path of bwrap.
        seen: What the worker sees.
        command: The worker's own command line.
        scratch: Where its scratch folder is to be.
        scratch_bytes: Size of it, and of /dev/shm.
        folder: Its working directory.
        filter_fd: Descriptor with the filter of system calls.
    """
    line = [program, "--unshare-all", "--unshare-user", "--die-with-parent"]
    line += ["--uid", _NOBODY, "--gid", _NOBODY, "--cap-drop", "ALL", "--disable-userns"]
    line += ["--size", str(16 * 1024**2), "--tmpfs", "/"]
    for path in seen.readable:
        line += ["--ro-bind", str(path), str(path)]
    for target, link in seen.links:
        line += ["--symlink", target, link]
    line += ["--proc", "/proc"]
    # Started by root, a worker is still the owner of these, and bubblewrap leaves some of them writable.
    for name in PROC_READ_ONLY:
        if Path("/proc", name).exists():
            line += ["--ro-bind", f"/proc/{name}", f"/proc/{name}"]
    line += ["--dev", "/dev"]
    basic = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}
    for path in seen.devices:
        if str(path) not in basic:  # those bubblewrap has made; a GPU's nodes must come after it
            line += ["--dev-bind", str(path), str(path)]
    line += ["--size", str(scratch_bytes), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
    line += ["--perms", "0700", "--size", str(scratch_bytes), "--tmpfs", scratch, "--remount-ro", "/"]
    line += ["--chdir", folder]
    if filter_fd is not None:
        line += ["--seccomp", str(filter_fd)]
    return [*line, "--", *map(os.fspath, command)]
