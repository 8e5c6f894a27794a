"""Starts workers as forks of one process that has imported torch, which takes a new process over a second.

Only their isolation is another one (none): what a worker is asked, runs and answers is the same.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from places import ROOT

from ntire_bench.isolation import cgroups, scratch
from ntire_bench.isolation import spawn as spawning
from ntire_bench.isolation.limits import Limits, rlimits
from ntire_bench.isolation.spawn import Spawned

# Its own answers come one for each request, in order: the id of a new process, or how one has ended.
_TEMPLATE = """\
import gc
gc.disable()
import json, os, random, signal, socket, sys
sys.path[:0] = json.loads(sys.argv[2])
import numpy as np
from ntire_bench.isolation.limits import apply
from ntire_bench.worker.serve import main
gc.freeze()
here = socket.socket(fileno=int(sys.argv[1]))
ended = {}
while True:
    data, received, _, _ = socket.recv_fds(here, 65536, 16)
    if not data:
        break
    request = json.loads(data)
    if "ended" in request:
        pid = request["ended"]
        if pid not in ended:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                ended[pid] = os.waitstatus_to_exitcode(status)
        here.send(json.dumps(ended.get(pid)).encode())
        continue
    pid = os.fork()
    if pid == 0:
        here.close()
        os.setsid()
        out, *handed = received
        for to in (1, 2):
            os.dup2(out, to)
        os.close(out)
        for fd in handed:
            os.set_inheritable(fd, False)
        os.environ.update(HOME=request["scratch"], TMPDIR=request["scratch"])
        os.chdir(request["scratch"])
        apply([tuple(limit) for limit in request["rlimits"]])
        random.seed()
        np.random.seed()
        gc.enable()
        device, *_, allow_pickle = request["arguments"]
        try:
            main([device, *map(str, handed), allow_pickle])
        finally:
            sys.stdout.flush()
            os._exit(0)
    for fd in received:
        os.close(fd)
    here.send(json.dumps(pid).encode())
"""


class _Process:
    """What of subprocess.Popen is used of a worker's process."""

    def __init__(self, template: Template, pid: int, out: int) -> None:
        self.pid, self.stdout = pid, os.fdopen(out, "rb")
        self._template = template
        self._pidfd = os.pidfd_open(pid)
        weakref.finalize(self, os.close, self._pidfd)  # not before: several threads ask how it has ended
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._template.ask({"ended": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.poll() is None:
            ready, _, _ = select.select([self._pidfd], [], [], timeout)
            if not ready:
                raise subprocess.TimeoutExpired("a worker", timeout or 0.0)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._pidfd, number)


class Template:
    """The process that workers are forks of; use as a context manager."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._folder = scratch.make()
        paths = [str(ROOT), *(path for path in sys.path if os.path.isabs(path))]
        command = [sys.executable, "-I", "-c", _TEMPLATE, str(theirs.fileno()), json.dumps(paths)]
        with theirs:
            self._process = spawning._start(
                command, [theirs.fileno()], str(self._folder), folder=str(self._folder), more={}
            )

    def __enter__(self) -> Template:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._ours.close()
        self._process.wait(60)
        if self._process.stdout is not None:
            self._process.stdout.close()
        spawning.remove(str(self._folder))

    def ask(self, request: dict[str, Any], descriptors: Sequence[int] = ()) -> Any:
        """Send a request with descriptors, and return the answer."""
        with self._lock:
            socket.send_fds(self._ours, [json.dumps(request).encode()], descriptors)
            return json.loads(self._ours.recv(65536))

    def spawn(
        self,
        code: str,
        arguments: Sequence[str],
        *,
        descriptors: Sequence[int],
        limits: Limits,
        **others: Any,
    ) -> Spawned:
        """Start a worker; in the place of `isolation.spawn.spawn`, at level L0."""
        assert others["level"] == "L0" and "worker.serve" in code
        folder: Path = scratch.make()
        out, theirs = os.pipe()
        lowered = rlimits(limits, own_count=False, gpu=False)
        request = {"arguments": list(arguments), "scratch": str(folder), "rlimits": lowered}
        pid = self.ask(request, [theirs, *descriptors])
        os.close(theirs)
        process = _Process(self, pid, out)
        return Spawned(process, "L0", cgroups.Group(), folder)  # type: ignore[arg-type] - it is used like one
