"""Runs the canary at a level of isolation, with bait laid out for it, and sees what it reached."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ntire_bench import PACKAGE, interruption
from ntire_bench.isolation.limits import Limits
from ntire_bench.isolation.spawn import spawn
from ntire_bench.machine import processes

__all__ = ["run_canary"]

_TIMEOUT_S = 20.0  # the canary takes 0.2 s on an idle machine
_END_TIMEOUT_S = 2.0
_RUN = "from ntire_bench.isolation.inside.canary import main\nmain(sys.argv[1:])\n"


@contextlib.contextmanager
def _bait(ground_truth: Sequence[Path]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Lay out files and sockets that a canary must not reach.

    Yields:
        What the canary is told (see `canary.main`), and what the parent looks at afterwards.
    """
    with contextlib.ExitStack() as stack:
        with interruption.held():
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


def run_canary(level: str, ground_truth: Sequence[Path]) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Run the canary at a level.

    Args:
        level: One of `spawn.LEVELS` but "L0".
        ground_truth: Files that it tries to read.

    Returns:
        By check, what the canary says that it reached, and what the parent has seen of it.

    Raises:
        OSError: The system refuses to make the level; holds its words.
        subprocess.SubprocessError: No process comes up; holds the words of what failed.
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
    """Read what the canary prints."""
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
    """Say whether a descriptor becomes readable in time, as a pipe does when nobody holds its other end."""
    return bool(select.select([descriptor], [], [], timeout_s)[0])
