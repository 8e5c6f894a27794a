"""The first process of every worker on Linux: takes away what it may not have, starts it, cleans up.

Trusted code, run as `python -I -S` with a plan (JSON) in a descriptor. At L3 it turns into bubblewrap. At L2
it makes namespaces, at L1 and L0 it stays as the keeper: the parent of whatever the worker leaves behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from typing import Any

from ntire_bench.isolation.inside.clear import remove
from ntire_bench.isolation.levels import landlock, namespaces, seccomp, syscalls
from ntire_bench.machine import processes

__all__ = ["main"]

_FAILED = 125


class _AskedToEnd(BaseException):
    """The parent ended, or wants this worker to end."""


def main(arguments: list[str]) -> None:
    """Carry out a plan; never returns.

    Args:
        arguments: The descriptor to read it from. Its keys: level, parent, cgroups, inner_cgroup, bubblewrap,
            command, keep (descriptors of the worker's), scratch, scratch_bytes, folder, uid, readable, links,
            devices.
    """
    with os.fdopen(int(arguments[0])) as file:
        plan = json.load(file)
    signal.signal(signal.SIGTERM, _ask_to_end)
    status = _FAILED
    own_tree = plan["level"] in ("L2", "L3")
    try:
        syscalls.die_with_parent(signal.SIGTERM)
        if os.getppid() != plan["parent"]:
            raise _AskedToEnd
        for path in plan["cgroups"]:
            with contextlib.suppress(OSError), open(path, "w") as file:  # the other limits hold without it
                file.write(str(os.getpid()))
        # What may be frozen. Not this process where it stays: it ends the others when the parent is gone.
        inner = _opened(plan["inner_cgroup"])
        if plan["level"] == "L3":
            _enter(inner)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.execv(plan["bubblewrap"][0], plan["bubblewrap"])
        elif plan["level"] == "L2":
            status = namespaces.run(
                plan,
                lambda: _become_worker(plan),
                lambda: _close(plan["keep"]),
                lambda: _enter(inner),
            )
        else:
            status = _keep(plan, inner)
    except _AskedToEnd:
        status = 128 + signal.SIGTERM
    except OSError as error:
        os.write(2, f"{error}\n".encode(errors="replace"))
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if not own_tree:  # where the parent was gone before the worker began, nobody else removes it
            remove(plan["scratch"])
        os._exit(status if status >= 0 else 128 - status)


def _opened(path: str | None) -> int | None:
    """Return a descriptor of a group's entrance, while this process may still open it; None where it may not.

    No program that is executed inherits it.
    """
    if path is None:
        return None
    try:
        return os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _enter(entrance: int | None) -> None:
    """Have this process enter a group, and close the entrance."""
    if entrance is not None:
        with contextlib.suppress(OSError):
            os.write(entrance, b"0")  # whoever writes it
        os.close(entrance)


def _ask_to_end(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _AskedToEnd


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _keep(plan: dict[str, Any], inner: int | None) -> int:
    """Start the worker, wait for its end, then end all that it left."""
    syscalls.reap_orphans()
    keeper, worker = os.getpid(), 0
    try:
        worker = os.fork()
        if worker == 0:
            try:
                _enter(inner)
                _become_worker(plan, keeper)
            except BaseException as error:
                os.write(2, f"{error}\n".encode(errors="replace"))
            finally:
                os._exit(_FAILED)
        _close(plan["keep"] if inner is None else [*plan["keep"], inner])
        while True:
            pid, status = os.wait()
            if pid == worker:
                return os.waitstatus_to_exitcode(status)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if worker:  # all at once those that stayed in its group, however fast they become more
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(worker, signal.SIGKILL)
        _end_descendants()


def _end_descendants() -> None:
    """End every process below this one, in whatever session, and those they start meanwhile."""
    known: set[int] = set()
    for _ in range(100):  # first stop them, so that they cannot start others faster than they are ended
        found = set(processes.descendants(os.getpid()))
        if found <= known:
            break
        for pid in found - known:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGSTOP)
        known |= found
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for pid in processes.descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


def _become_worker(plan: dict[str, Any], parent: int = 1) -> int:
    """Give up what the level takes away, and become the worker; never returns."""
    os.setsid()  # its signals to its process group must not reach the keeper
    if plan["level"] != "L0":
        if plan["uid"] is not None:
            os.setgroups([])
            os.setresgid(plan["uid"], plan["uid"], plan["uid"])
            os.setresuid(plan["uid"], plan["uid"], plan["uid"])
        syscalls.drop_capabilities()
        syscalls.forbid_new_privileges()
    syscalls.die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        raise _AskedToEnd
    os.chdir(plan["folder"])
    if plan["level"] == "L1":
        readable = [path for _, path in plan["readable"]]
        # Of /proc, its own part to write to: that is how a peak of memory is reset.
        landlock.restrict([*readable, "/proc"], [plan["scratch"]], [*plan["devices"], "/proc/self"])
    if plan["level"] != "L0":
        filter_ = seccomp.program(sockets=plan["level"] != "L1")
        if filter_ is not None:
            seccomp.apply(filter_)
    os.execv(sys.executable, plan["command"])
