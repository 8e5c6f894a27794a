"""Starts a worker process and carries messages to and from it. The parent's side.

The worker gets: the paths of one model file and one checkpoint, one LR image at a time under no name, and a
buffer for the SR image. It never gets an HR image, a dataset folder or a results folder. What comes back is
uint8 pixels and JSON that is checked before it is used.
"""

from __future__ import annotations

import collections
import contextlib
import fcntl
import mmap
import os
import secrets
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from ntire_bench.errors import SubmissionError
from ntire_bench.isolation.choose import isolation_for
from ntire_bench.isolation.limits import Limits, gpu_share_bytes, met
from ntire_bench.isolation.spawn import spawn
from ntire_bench.isolation.watch import Watch
from ntire_bench.machine.gpu_memory import GpuMemory
from ntire_bench.records.record import Isolation
from ntire_bench.text import one_line
from ntire_bench.wire import channel

__all__ = ["Sandbox", "TookTooLongError"]

_OUTPUT_KEPT_BYTES = 16 * 1024
# Nothing of what is imported is garbage: not to look for any saves a fifth of a worker's start, and what is
# frozen is not gone through again in a timed call.
_START = """\
import gc
gc.disable()
from ntire_bench.worker.serve import main
gc.freeze()
gc.enable()
main(sys.argv[1:])
"""
_F_SEAL_FUTURE_WRITE = 0x10  # linux/fcntl.h; the fcntl module has it from Python 3.13 on


class TookTooLongError(SubmissionError):
    """A worker did not answer in time."""


class Sandbox:
    """One worker process, its two pixel buffers and its two pipes; use as a context manager.

    Args:
        file: The model file it will run, for messages.
        lr_bytes: Size of the buffer for LR pixels, which the worker reads.
        sr_bytes: Size of the buffer for SR pixels, which the worker writes.
        device: "auto", "cpu", "cuda", "cuda:N".
        isolation: What `isolation.isolation_for` returned; None for the best there is.
        readable: Files and folders the worker may read, beside the interpreter and its packages.
        hidden: Folders it must not see, even inside those.
        workdir: Its working directory, one of those it may read; None for its scratch folder.
        sleeping: Whether OpenMP's idle threads sleep; with a GPU they do anyhow.
        limits: How much it may use.

    Attributes:
        lr: The LR buffer.
        sr: The SR buffer.
    """

    def __init__(
        self,
        file: Path,
        *,
        lr_bytes: int,
        sr_bytes: int,
        device: str,
        isolation: Isolation | None = None,
        readable: Sequence[Path] = (),
        hidden: Sequence[Path] = (),
        workdir: Path | None = None,
        sleeping: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self.file = file
        self.isolation = isolation_for("auto") if isolation is None else isolation
        self._limits = limits or Limits()
        self._stack = contextlib.ExitStack()
        self._output: collections.deque[bytes] = collections.deque(maxlen=64)
        self._spent_s: collections.defaultdict[str, float] = collections.defaultdict(float)
        try:
            lr_fd, self.lr = self._buffer(lr_bytes, only_ours=True)
            sr_fd, self.sr = self._buffer(sr_bytes, only_ours=False)
            self._start(device, lr_fd, sr_fd, readable or (file,), hidden, workdir, sleeping)
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Sandbox:
        """Return the sandbox."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process and free the buffers."""
        self.close()

    def close(self) -> None:
        """End the process, its children too, and free the buffers; may be called twice."""
        self._stack.close()

    @property
    def pid(self) -> int:
        """Process id of the worker itself, for tests."""
        return self._spawned.pid

    def cpu_seconds(self) -> float:
        """Return the CPU time of all its processes so far [s]; see `Spawned.cpu_seconds`."""
        return self._spawned.cpu_seconds()

    @property
    def cpu_time_is_exact(self) -> bool:
        """Whether a control group counts that; else it is in steps of 10 ms, and may miss processes."""
        return self._spawned.is_counted

    def paused(self) -> contextlib.AbstractContextManager[bool]:
        """Have all its processes stand still in the body, where that can be had; see `Spawned.paused`."""
        return self._spawned.paused()

    def printed(self) -> bytes:
        """Return the last 256 KiB that its processes have printed so far."""
        self._drainer.join(0.2)  # what was printed before a reply may still be in the pipe
        return b"".join(self._output)

    @property
    def killed(self) -> bool:
        """Whether a signal has ended the process."""
        return self._spawned.ended_by is not None

    def _buffer(self, size: int, *, only_ours: bool) -> tuple[int, mmap.mmap]:
        """Return a shared buffer; with `only_ours`, the worker can read it and cannot write it."""
        if hasattr(os, "memfd_create"):
            fd = os.memfd_create("ntire_bench", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        else:
            file = self._stack.enter_context(tempfile.TemporaryFile())
            fd = os.dup(file.fileno())
        self._stack.callback(os.close, fd)
        os.ftruncate(fd, size)
        buffer = mmap.mmap(fd, size)
        self._stack.callback(buffer.close)  # it holds a descriptor of its own
        if hasattr(fcntl, "F_ADD_SEALS"):
            # If the worker shortened it, the kernel would end this process when it reads the rest.
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
            with contextlib.suppress(OSError):  # a plain file, which cannot be sealed
                if only_ours:
                    with contextlib.suppress(OSError):  # a kernel before 5.1 does not know this seal
                        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _F_SEAL_FUTURE_WRITE)
                fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals | fcntl.F_SEAL_SEAL)
        return fd, buffer

    def _start(
        self,
        device: str,
        lr_fd: int,
        sr_fd: int,
        readable: Sequence[Path],
        hidden: Sequence[Path],
        workdir: Path | None,
        sleeping: bool,
    ) -> None:
        theirs_in, self._requests = os.pipe()
        self._replies, theirs_out = os.pipe()
        os.set_blocking(self._requests, False)  # a worker can fill it: its end can be opened for writing
        self._stack.callback(os.close, self._requests)
        self._stack.callback(os.close, self._replies)
        handed = (theirs_in, theirs_out, lr_fd, sr_fd)
        try:
            self._spawned = spawn(
                _START,
                [device, *map(str, handed), str(self.isolation.allow_pickle)],
                level=self.isolation.level,
                descriptors=handed,
                limits=self._limits,
                files=readable,
                hidden=hidden,
                folder=workdir,
                gpu=device != "cpu",
                sleeping=sleeping,
            )
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self._stack.callback(self._spawned.end)
        self._watch = Watch(self._spawned, self._limits)
        self._stack.callback(self._watch.close)
        process = self._spawned.process
        self._ended: int | None = None
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):  # an older kernel: in most cases the pipe's end shows it
                self._ended = os.pidfd_open(process.pid)
                self._stack.callback(os.close, self._ended)
        # What a submission prints is read away, so that it can neither fill a disk nor block on a full pipe.
        self._drainer = threading.Thread(target=self._drain, args=(process.stdout,), daemon=True)
        self._drainer.start()

    def _drain(self, stream: IO[bytes] | None) -> None:
        if stream is None:
            raise RuntimeError("the worker was started without a pipe")
        left = self._limits.output_bytes
        with stream, contextlib.suppress(ValueError, OSError):  # closed while reading: the worker has ended
            while part := os.read(stream.fileno(), _OUTPUT_KEPT_BYTES // 4):
                self._output.append(part)
                left -= len(part)
                if left < 0:
                    self._watch.end(f"it printed more than {self._limits.output_bytes >> 20} MiB")

    def call(self, operation: str, timeout_s: float, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401
        """Send one request and return its reply, unchecked.

        Args:
            operation: What the worker is to do.
            timeout_s: How long it may take [s]. After a timeout the sandbox is of no more use.
            **parameters: Of the operation; plain JSON values.

        Raises:
            SubmissionError: The worker died, took too long, or sent something that is no reply.
        """
        number = secrets.randbits(64)
        left_s = self._limits.phase_s - self._spent_s[operation]
        begin = time.monotonic()
        allowed_s = max(0.0, min(timeout_s, left_s))
        try:
            request = {"operation": operation, **parameters}
            channel.send(self._requests, number, request, allowed_s, self._ended)
            allowed_s = max(0.0, allowed_s + begin - time.monotonic())
            answered, reply = channel.receive(self._replies, allowed_s, self._ended)
        except channel.ChannelClosed:
            raise self._died(operation) from None
        except channel.ChannelTimeout:
            if self._watch.reason is not None:
                raise self._died(operation) from None
            allowed = f"{timeout_s:.0f} s"
            if left_s < timeout_s:
                allowed = f"{self._limits.phase_s:.0f} s, all its calls together"
            raise TookTooLongError(
                f"did not finish {operation.replace('_', '-')} in {allowed}",
                file=self.file,
                remedy="look for an endless loop, or make it faster",
            ) from None
        except channel.ProtocolViolation as error:
            raise self.forged(str(error)) from None
        finally:
            self._spent_s[operation] += time.monotonic() - begin
        if answered != number:
            raise self.forged("an answer to another request")
        return reply

    def expect_strange_code(self) -> None:
        """Note that the submission's own code runs from now on."""
        self._watch.count_shared()

    def bound_gpu(self, uuid: str, total: int) -> tuple[int, str | None]:
        """Bound what the worker holds of a GPU's memory, once it is on that GPU.

        Args:
            uuid: Of the GPU, as torch gives it.
            total: What it has [bytes].

        Returns:
            How much the worker may hold [bytes], and why nobody sees to that, as a clause; None where it is
            seen to.
        """
        share = gpu_share_bytes(total)
        return share, self._watch.bound_gpu(GpuMemory(uuid), share)

    def limit_met(self, error: SubmissionError) -> str | None:
        """Return which of its limits an error that the worker told of is from, in words; None for none."""
        return met(f"{error.what} {error.found}", self._limits)

    def forged(self, found: str) -> SubmissionError:
        """Return the error for a reply that this program's own code in the worker would not have sent."""
        return SubmissionError(
            "its process does not answer as the harness does",
            file=self.file,
            found=found,
            remedy="leave the file descriptors of the process alone",
        )

    def _died(self, operation: str) -> SubmissionError:
        process = self._spawned.process
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        reason = self._watch.reason or self._spawned.group.broken()
        if reason is not None:
            return SubmissionError(
                f"was ended during {operation.replace('_', '-')}: {reason}",
                file=self.file,
                remedy="stay within the limits that every submission has; see docs/INTEGRITY.md",
            )
        code, number = process.poll(), self._spawned.ended_by
        if code is None:
            how = "it closed its pipe"
        elif number is not None:
            known = {number.value: number.name for number in signal.Signals}
            how = f"signal {known.get(number, number)}"
        else:
            how = f"exit status {code}"
        self._drainer.join(1.0)  # its last words may still be in the pipe
        tail = b"".join(self._output).decode(errors="replace").strip().splitlines()
        said = f"; its last words: {one_line(tail[-1], 300)}" if tail else ""
        return SubmissionError(
            f"its process ended during {operation.replace('_', '-')}",
            file=self.file,
            found=how + said,
            remedy="look for a crash, exit() or too much memory",
        )
