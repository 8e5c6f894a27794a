"""A worker without torch that executes the code it is sent, at a level of isolation."""

from __future__ import annotations

import contextlib
import secrets
import textwrap
from pathlib import Path
from typing import Any

import pytest

from ntire_bench.client import sandbox
from ntire_bench.client.sandbox import Sandbox
from ntire_bench.isolation.choose import try_level
from ntire_bench.records.record import Isolation

MIB = 1024**2
# A worker without torch, which does as it is told. {token} marks its processes, and their children's.
STUB = """\
import ctypes, mmap, os, signal, socket, sys, time
from ntire_bench.wire import channel
requests, replies, lr_fd, sr_fd = map(int, sys.argv[2:6])
while True:
    number, request = channel.receive(requests)
    space = dict(globals())
    try:
        exec(request["code"], space)
        reply = {{"ok": space.get("result")}}
    except Exception as error:
        reply = {{"error": type(error).__name__, "text": str(error)}}
    channel.send(replies, number, reply)
# {token}
"""


def skip_unless(level: str) -> None:
    reason = try_level(level).reason
    if reason is not None:
        pytest.skip(f"{level} cannot be had on this machine: {reason}")


def above(level: str, least: str) -> bool:
    return level >= least


class Stub:
    """Starts stubs, and sees which processes of theirs there are."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.token = secrets.token_hex(8)
        self._stack = stack

    def start(self, level: str, file: Path = Path("x.py"), *, device: str = "cpu", **options: Any) -> Sandbox:
        chosen = Isolation(level=level, detail="")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sandbox, "_START", STUB.format(token=self.token))
            box = Sandbox(file, lr_bytes=4096, sr_bytes=4096, device=device, isolation=chosen, **options)
        return self._stack.enter_context(box)

    def alive(self) -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                ended = (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
                if self.token.encode() in (entry / "cmdline").read_bytes() and not ended:
                    found.append(int(entry.name))
        return found


def do(box: Sandbox, code: str, timeout_s: float = 20.0) -> Any:
    """Have a stub execute some code, and return its `result`, or the name of the exception."""
    reply = box.call("do", timeout_s, code=textwrap.dedent(code))
    return reply["error"] if "error" in reply else reply["ok"]
