"""A harmless program that runs in the place of a worker and tries to break out: so a level is proved.

It opens files without reading them, and leaves an empty file at most. It prints as JSON what it reached, and
waits to be ended.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from ntire_bench.isolation.levels import syscalls
from ntire_bench.machine import processes

__all__ = ["CHECKS", "main"]

# What the canary tries, in the order of a record: (name, what is kept from a worker where the check holds).
CHECKS = {
    "files": "files it was not given",
    "network": "the network",
    "processes": "the sight of other processes",
    "signals": "the parent's memory and signals to it",
    "writing": "writing outside its scratch folder",
    "privileges": "new privileges",
    "time": "outliving its end",
}
_TIMEOUT_S = 1.0
_SCRATCH = os.environ.get("TMPDIR", "/tmp")


def main(arguments: list[str]) -> None:
    """Try everything, say what succeeded, and wait to be ended.

    Args:
        arguments: JSON with secrets (paths), marker (a file's name), tcp, udp (ports), abstract (a socket's
            name), parent (process id), parent_start (its start time), places (folders), and hold (a
            descriptor that a process which outlives its end holds open).
    """
    wanted = json.loads(arguments[0])
    if os.fork() == 0:
        _outlive()
    os.close(wanted["hold"])
    got = {
        "files": [path for path in wanted["secrets"] if _works(partial(_open, path, os.O_RDONLY))],
        "network": _network(wanted),
        "processes": _processes(wanted),
        "signals": _signals(wanted),
        "writing": _writing(wanted),
        "privileges": _privileges(),
    }
    os.write(1, (json.dumps(got) + "\n").encode())
    time.sleep(60)


def _outlive() -> None:
    """Leave the process's family and session, as a daemon does, holding on to the descriptor."""
    for ignored in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(ignored, signal.SIG_IGN)
    os.setsid()
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)


def _works(attempt: Callable[[], Any]) -> bool:
    try:
        attempt()
    except (OSError, ValueError):
        return False
    return True


def _open(path: str, flags: int) -> None:
    os.close(os.open(path, flags, 0o600))


def _network(wanted: dict[str, Any]) -> list[str]:
    attempts = {
        "TCP to this machine": (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", wanted["tcp"])),
        "UDP to this machine": (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", wanted["udp"])),
        # Addresses for documentation; a datagram socket that is only connected sends nothing.
        "a route outside (IPv4)": (socket.AF_INET, socket.SOCK_DGRAM, ("192.0.2.1", 9)),
        "a route outside (IPv6)": (socket.AF_INET6, socket.SOCK_DGRAM, ("2001:db8::1", 9)),
        "an abstract Unix socket": (socket.AF_UNIX, socket.SOCK_STREAM, f"\0{wanted['abstract']}"),
    }

    def attempt(family: int, kind: int, address: Any) -> None:  # noqa: ANN401
        with socket.socket(family, kind) as tried:
            tried.settimeout(_TIMEOUT_S)
            tried.connect(address)
            if kind == socket.SOCK_DGRAM and address[0] == "127.0.0.1":
                tried.send(b"canary")

    reached = [name for name, how in attempts.items() if _works(partial(attempt, *how))]
    # In a network of its own "this machine" is the canary's: whether it was the parent's is seen there.
    return [name for name in reached if name.startswith("a route")]


def _processes(wanted: dict[str, Any]) -> list[str]:
    """Look for the parent by when it was started: in a namespace, its number may be another process's."""
    numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [str(pid) for pid in numbers if processes.start_time(pid) == wanted["parent_start"]]


def _signals(wanted: dict[str, Any]) -> list[str]:
    parent = wanted["parent"]
    if processes.start_time(parent) != wanted["parent_start"]:
        return []
    attempts: dict[str, Callable[[], Any]] = {
        "a signal": partial(os.kill, parent, 0),
        "its memory": partial(_open, f"/proc/{parent}/mem", os.O_RDONLY),
        "its environment": partial(_open, f"/proc/{parent}/environ", os.O_RDONLY),
        "its descriptors": partial(os.stat, f"/proc/{parent}/fd/0"),
    }
    return [name for name, attempt in attempts.items() if _works(attempt)]


def _writing(wanted: dict[str, Any]) -> list[str]:
    """Make an empty file wherever it can; whether it is the machine's file system is seen by the parent."""
    for place in wanted["places"]:
        if os.path.realpath(place) != os.path.realpath(_SCRATCH):
            _works(partial(_open, f"{place}/{wanted['marker']}", os.O_CREAT | os.O_WRONLY))
    kernel = ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/overcommit_memory")
    return [path for path in kernel if _works(partial(_open, path, os.O_WRONLY))]


def _privileges() -> list[str]:
    """Ask for namespaces, which is how an unprivileged process comes by privileges; each try in a process."""
    attempts: dict[str, Callable[[], Any]] = {
        "a user namespace": partial(syscalls.unshare, syscalls.CLONE_NEWUSER),
        "a mount namespace": partial(syscalls.unshare, syscalls.CLONE_NEWNS),
    }
    return [name for name, attempt in attempts.items() if _works_apart(attempt)]


def _works_apart(attempt: Callable[[], Any]) -> bool:
    child = os.fork()
    if child == 0:
        os._exit(0 if _works(attempt) else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


if __name__ == "__main__":
    main(sys.argv[1:])
