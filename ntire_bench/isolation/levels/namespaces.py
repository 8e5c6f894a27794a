"""A worker's namespaces by this program's own system calls, where there is no bubblewrap: level L2.

As bubblewrap does, it makes a file system of its own and binds into it what the worker may see. Runs in the
launcher, before any strange code.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any

from ntire_bench.isolation.levels import syscalls

__all__ = ["PROC_READ_ONLY", "run"]

# Of a fresh /proc: what the machine's root may write there without any capability. A worker that was started
# by root is that user still, whatever number its namespace shows.
PROC_READ_ONLY = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "mtrr")
_NO_SUID, _NO_DEVICES, _NO_EXEC, _BIND, _RECURSIVE, _PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
_NOBODY = 65534
_SPACES = (
    syscalls.CLONE_NEWUSER
    | syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWPID
    | syscalls.CLONE_NEWNET
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWCGROUP
)


def run(
    plan: dict[str, Any],
    body: Callable[[], int],
    close_theirs: Callable[[], None],
    begin: Callable[[], None],
) -> int:
    """Run `body` in a process of its own in new namespaces, and return its exit status when it has ended.

    When it ends, or this process does, the kernel ends every process in there.

    Args:
        plan: readable, links, devices (see `view.View.as_json`), scratch, scratch_bytes.
        body: Never returns.
        close_theirs: Closes descriptors that only `body` may hold.
        begin: What the first process in there does before it starts another.

    Raises:
        OSError: The kernel does not let this user make namespaces.
    """
    uid, gid = os.geteuid(), os.getegid()
    syscalls.unshare(_SPACES)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_NOBODY} {uid} 1"),
        ("gid_map", f"{_NOBODY} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    syscalls.die_with_parent(signal.SIGTERM)
    alive, keep_alive = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(keep_alive)
        _exit_with(lambda: _first_process(plan, body, close_theirs, begin, alive))
    os.close(alive)
    close_theirs()
    try:
        return os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
    except BaseException:
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)
        raise


def _exit_with(work: Callable[[], int]) -> None:
    """Run `work` in a forked process: nothing of it may return into the parent's code."""
    status = 125
    try:
        status = work()
    except BaseException as error:
        os.write(2, f"{error}\n".encode(errors="replace"))
    finally:
        os._exit(status if status >= 0 else 128 - status)


def _first_process(
    plan: dict[str, Any],
    body: Callable[[], int],
    close_theirs: Callable[[], None],
    begin: Callable[[], None],
    alive: int,
) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    syscalls.die_with_parent(signal.SIGKILL)
    begin()
    os.set_blocking(alive, False)
    with contextlib.suppress(BlockingIOError):
        os.read(alive, 1)  # only an end can be read here: the parent ended before the line above it
        return 1
    os.close(alive)
    _build(plan)
    worker = os.fork()
    if worker == 0:
        _exit_with(body)
    close_theirs()
    syscalls.drop_capabilities()
    syscalls.set_dumpable(False)  # no filter holds here: whoever could write this memory would be rid of it
    while True:  # also of orphans, which come to the first process
        pid, status = os.wait()
        if pid == worker:
            return os.waitstatus_to_exitcode(status)


def _build(plan: dict[str, Any]) -> None:
    """Make the worker's file system and leave everything else behind."""
    syscalls.mount(None, "/", None, _RECURSIVE | _PRIVATE)
    # A place to build at: it hides /tmp only until it has become the root.
    syscalls.mount("tmpfs", "/tmp", "tmpfs", _NO_SUID | _NO_DEVICES, "mode=755,size=4m")
    for name in ("/tmp/old", "/tmp/new"):
        os.mkdir(name, 0o755)
    syscalls.mount("tmpfs", "/tmp/new", "tmpfs", _NO_SUID | _NO_DEVICES, "mode=755,size=16m")
    syscalls.pivot_root("/tmp", "/tmp/old")
    os.chdir("/")
    for source, path in plan["readable"]:
        _bind(f"/old{source}", f"/new{path}")
        syscalls.mount_read_only(f"/new{path}", inside=True)
    for target, path in plan["links"]:
        os.symlink(target, f"/new{path}")
    _build_dev(plan)
    _build_proc()
    os.mkdir(f"/new{plan['scratch']}")
    size = f"mode=700,size={plan['scratch_bytes']}"
    syscalls.mount("tmpfs", f"/new{plan['scratch']}", "tmpfs", _NO_SUID | _NO_DEVICES, size)
    syscalls.mount_read_only("/new", inside=False)
    os.chdir("/new")
    syscalls.pivot_root(".", ".")
    syscalls.unmount(".")
    os.chdir("/")


def _bind(source: str, target: str) -> None:
    if os.path.isdir(source):
        os.makedirs(target, 0o755, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    syscalls.mount(source, target, None, _BIND | _RECURSIVE)


def _build_dev(plan: dict[str, Any]) -> None:
    os.mkdir("/new/dev")
    syscalls.mount("tmpfs", "/new/dev", "tmpfs", _NO_SUID, "mode=755,size=1m")
    for path in plan["devices"]:
        _bind(f"/old{path}", f"/new{path}")
        syscalls.mount_read_only(f"/new{path}", inside=False, devices=True)
    os.mkdir("/new/dev/shm")
    size = f"mode=1777,size={plan['scratch_bytes']}"
    syscalls.mount("tmpfs", "/new/dev/shm", "tmpfs", _NO_SUID | _NO_DEVICES, size)
    for number, name in ((None, "fd"), (0, "stdin"), (1, "stdout"), (2, "stderr")):
        os.symlink("/proc/self/fd" + ("" if number is None else f"/{number}"), f"/new/dev/{name}")
    syscalls.mount_read_only("/new/dev", inside=False)


def _build_proc() -> None:
    os.mkdir("/new/proc")
    syscalls.mount("proc", "/new/proc", "proc", _NO_SUID | _NO_DEVICES | _NO_EXEC)
    with open("/new/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")  # none inside this one
    for name in PROC_READ_ONLY:
        path = f"/new/proc/{name}"
        if os.path.exists(path):
            syscalls.mount(path, path, None, _BIND | _RECURSIVE)
            syscalls.mount_read_only(path, inside=True)
