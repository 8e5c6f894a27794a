"""Which level of isolation workers get: found by a canary that tries to get out, not by what is installed."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ntire_bench import PACKAGE
from ntire_bench.errors import UsageError
from ntire_bench.isolation.inside.canary import CHECKS
from ntire_bench.isolation.limits import Limits
from ntire_bench.isolation.spawn import LEVELS, spawn
from ntire_bench.machine import processes
from ntire_bench.records.record import Isolation

__all__ = ["ISOLATION_CHOICES", "LEVEL_NAMES", "isolation_for", "lost", "try_level"]

ISOLATION_CHOICES = ("auto", "none", "required", *reversed(LEVELS))
LEVEL_NAMES = {"L3": "bubblewrap", "L2": "namespaces", "L1": "Landlock", "L0": "a plain process"}
# What must hold for a level to be given its name. What holds beyond that is recorded too.
PROMISED: dict[str, frozenset[str]] = {
    "L3": frozenset(CHECKS),
    "L2": frozenset(CHECKS),
    "L1": frozenset({"files", "writing", "time"}),
    "L0": frozenset(),
}
_PICKLE_LEVELS = ("L3", "L2")
_TIMEOUT_S = 20.0  # the canary takes 0.2 s on an idle machine
_END_TIMEOUT_S = 2.0
_RUN = "from ntire_bench.isolation.inside.canary import main\nmain(sys.argv[1:])\n"


@dataclass(frozen=True)
class Trial:
    """What a canary found out at one level.

    Attributes:
        level: The level.
        held: Names of checks (see `canary.CHECKS`) that held.
        got: What it got at, by check, for those that did not.
        reason: Why the level cannot be had; None where all that it promises held.
    """

    level: str
    held: tuple[str, ...] = ()
    got: tuple[tuple[str, str], ...] = ()
    reason: str | None = None


def isolation_for(choice: str, ground_truth: Sequence[Path] = (), *, allow_pickle: bool = False) -> Isolation:
    """Return the isolation that workers get.

    Args:
        choice: "auto" (the best there is), "none" (L0), "required" (L2 or better), or a level by name.
        ground_truth: Files that a worker must not be able to read; the canary tries.
        allow_pickle: Whether checkpoints may run code as they are loaded, which needs L2.

    Raises:
        UsageError: What was asked for cannot be had.
    """
    levels = {"auto": LEVELS, "none": ("L0",), "required": ("L3", "L2")}.get(choice, (choice,))
    trials: list[Trial] = []
    for level in levels:
        trials.append(try_level(level, tuple(ground_truth)))
        if trials[-1].reason is None:
            break
    found = trials[-1]
    refusals = tuple(f"{trial.level}: {trial.reason}" for trial in trials if trial.reason is not None)
    if found.reason is not None:
        wanted = "of level L2 or better" if choice == "required" else f"of level {choice}"
        raise UsageError(
            f"isolation {wanted} was asked for and cannot be had",
            found="; ".join(refusals),
            remedy="install bubblewrap (bwrap) and allow user namespaces, or take --isolation auto and run "
            "only submissions you trust",
        )
    if allow_pickle and found.level not in _PICKLE_LEVELS:
        raise UsageError(
            "--allow-pickle lets a checkpoint run code, which needs isolation of level L2 or better",
            found=f"{found.level}" + (f" ({'; '.join(refusals)})" if refusals else ""),
            remedy="install bubblewrap (bwrap), or have the checkpoint saved as a state dict",
        )
    return Isolation(
        level=found.level,
        detail=_detail(found) + ("; checkpoints may run code (--allow-pickle)" if allow_pickle else ""),
        held=found.held,
        broken=dict(found.got),
        refused=refusals,
        allow_pickle=allow_pickle,
    )


def lost(isolation: Isolation) -> str | None:
    """Return in one line what is lost under L3, or None where nothing is.

    >>> print(lost(Isolation(level="L0", detail="")))
    isolation L0 (a plain process): submissions can reach all that this user can; run only those you trust
    """
    if isolation.level == "L3":
        return None
    head = f"isolation {isolation.level} ({LEVEL_NAMES[isolation.level]})"
    if isolation.level == "L0":
        return f"{head}: submissions can reach all that this user can; run only those you trust"
    if isolation.broken:
        things = ", ".join(CHECKS[name] for name in isolation.broken)
        return f"{head}: submissions are not kept from {things}; run only those you trust"
    return f"{head}: the same walls as bubblewrap's, without its review by others"


def _detail(trial: Trial) -> str:
    name = LEVEL_NAMES[trial.level]
    if trial.level == "L0":
        return f"{name} of the same user, without the HR images"
    if trial.got:
        return f"{name}; not kept from {', '.join(CHECKS[check] for check, _ in trial.got)}"
    return f"{name}, with no HR image, network or other process in reach"


@functools.cache
def try_level(level: str, ground_truth: tuple[Path, ...] = ()) -> Trial:
    """Let a canary loose at a level, and return what it was kept from; asked again, the answer is the same.

    Args:
        level: One of `spawn.LEVELS`.
        ground_truth: Files it tries to read.
    """
    if level == "L0":
        return Trial(level)
    if sys.platform != "linux":
        return Trial(level, reason="it needs Linux")
    try:
        claims, found = _run_canary(level, ground_truth)
    except OSError as error:
        return Trial(level, reason=error.strerror or str(error))
    except subprocess.SubprocessError as error:
        return Trial(level, reason=str(error))
    got = {check: [*claims.get(check, []), *found.get(check, [])] for check in CHECKS}
    held = tuple(check for check in CHECKS if not got[check])
    missing = [check for check in CHECKS if check in PROMISED[level] and got[check]]
    reason = None
    if missing:
        listed = ", ".join(f"{CHECKS[check]} ({', '.join(got[check][:3])})" for check in missing)
        reason = f"a canary was not kept from {listed}"
    return Trial(
        level, held, tuple((check, ", ".join(got[check][:5])) for check in CHECKS if got[check]), reason
    )


@contextlib.contextmanager
def _bait(ground_truth: Sequence[Path]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Lay out what the canary is to go for; yield what it is told, and what the parent watches."""
    with contextlib.ExitStack() as stack:
        folder = tempfile.mkdtemp(prefix="ntire_bench_bait_")
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        secret = Path(folder, "0801.png")
        secret.write_bytes(b"no image: a canary tries to read this")
        tcp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        local = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        abstract = f"ntire_bench_{secrets.token_hex(8)}"
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", 0))
        local.bind(f"\0{abstract}")
        for listening in (tcp, udp, local):
            listening.setblocking(False)
        tcp.listen()
        local.listen()
        marker = f".ntire_bench_canary_{secrets.token_hex(8)}"
        homes = [folder, tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~")]
        places = list(dict.fromkeys([*homes, os.getcwd(), str(PACKAGE)]))
        told: dict[str, Any] = {
            "secrets": [str(secret), *(str(path.resolve()) for path in ground_truth)],
            "marker": marker,
            "tcp": tcp.getsockname()[1],
            "udp": udp.getsockname()[1],
            "abstract": abstract,
            "parent": os.getpid(),
            "parent_start": processes.start_time(os.getpid()),
            "places": places,
        }
        marks = [Path(place, marker) for place in places]
        watched = {"tcp": tcp, "udp": udp, "local": local, "marks": marks}
        try:
            yield told, watched
        finally:
            for mark in marks:
                with contextlib.suppress(OSError):
                    mark.unlink()


def _run_canary(level: str, ground_truth: Sequence[Path]) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return what the canary claims to have got at, and what was seen of it from here.

    Raises:
        OSError: The level cannot be had, in the words of the system.
        subprocess.SubprocessError: The same, in the words of whatever failed.
    """
    with _bait(ground_truth) as (told, watched):
        ends, hold = os.pipe()
        try:
            told["hold"] = hold
            spawned = spawn(_RUN, [json.dumps(told)], level=level, descriptors=[hold], limits=Limits())
        except BaseException:
            os.close(ends)
            raise
        finally:
            os.close(hold)
        try:
            claims = _claims(spawned.process)
        finally:
            spawned.end()
            found = {"time": [] if _at_end(ends) else ["a process that it started lives on"]}
            os.close(ends)
            if spawned.process.stdout is not None:
                spawned.process.stdout.close()
        found["network"] = [
            f"{name} was reached" for name in ("tcp", "udp", "local") if _at_end(watched[name].fileno(), 0)
        ]
        found["writing"] = [str(mark) for mark in watched["marks"] if mark.exists()]
        return claims, found


def _claims(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    if process.stdout is None:
        raise RuntimeError("the canary was started without a pipe")
    said, deadline = b"", time.monotonic() + _TIMEOUT_S
    while not said.endswith(b"}\n") and time.monotonic() < deadline:
        if select.select([process.stdout], [], [], 0.5)[0]:
            part = os.read(process.stdout.fileno(), 65536)
            if not part:
                break
            said += part
    words = said.decode(errors="replace").strip().splitlines() or ["no answer"]
    try:
        claims = json.loads(words[-1])
    except json.JSONDecodeError:
        claims = None
    if not isinstance(claims, dict):
        raise subprocess.SubprocessError(f"no process comes up ({words[-1][:200]})")
    return claims


def _at_end(descriptor: int, timeout_s: float = _END_TIMEOUT_S) -> bool:
    """Return whether a descriptor can be read within that time; so can a pipe that nobody holds open."""
    return bool(select.select([descriptor], [], [], timeout_s)[0])
