"""Starts a worker process and carries messages to and from it. The parent's side of the seam.

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
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

from ntire_bench import channel
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.records import Isolation

__all__ = ["ISOLATION_CHOICES", "Sandbox", "isolation_for"]

ISOLATION_CHOICES = ("auto", "none", "required")
_OUTPUT_KEPT_BYTES = 16 * 1024
# What a worker may know of the environment: enough to find libraries and devices, no secrets of the user.
_ENVIRONMENT = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "CUDA_DEVICE_ORDER",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "CUDA_HOME",
)
# -I keeps the user's settings out; where the packages lie is handed over, as they may lie in PYTHONPATH.
_START = "import sys; sys.path += {paths!r}; from ntire_bench.worker import main; main(sys.argv[1:])"


def isolation_for(choice: str) -> Isolation:
    """Return the isolation that workers get.

    Args:
        choice: "auto" (the best there is), "none", or "required" (refuse anything under L2).

    Raises:
        UsageError: More was required than there is.
    """
    if choice == "required":
        raise UsageError(
            "isolation of level L2 or better was required, and this version has L0, a separate process",
            remedy="leave --isolation required out, and run only submissions you trust",
        )
    return Isolation(level="L0", detail="a separate process of the same user, without the HR images")


class Sandbox:
    """One worker process, its two pixel buffers and its two pipes; use as a context manager.

    Args:
        file: The model file it will run, for messages.
        lr_bytes: Size of the buffer for LR pixels, which the worker reads.
        sr_bytes: Size of the buffer for SR pixels, which the worker writes.
        device: "auto", "cpu", "cuda", "cuda:N".

    Attributes:
        lr: The LR buffer.
        sr: The SR buffer.
    """

    def __init__(self, file: Path, *, lr_bytes: int, sr_bytes: int, device: str) -> None:
        self.file = file
        self._stack = contextlib.ExitStack()
        self._output: collections.deque[bytes] = collections.deque(maxlen=64)
        try:
            lr_fd, self.lr = self._buffer(lr_bytes)
            sr_fd, self.sr = self._buffer(sr_bytes)
            self._start(device, lr_fd, sr_fd)
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
        """Process id, for tests."""
        return self._process.pid

    @property
    def killed(self) -> bool:
        """Whether a signal has ended the process."""
        return (self._process.poll() or 0) < 0

    def _buffer(self, size: int) -> tuple[int, mmap.mmap]:
        if hasattr(os, "memfd_create"):
            fd = os.memfd_create("ntire_bench", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        else:
            file = self._stack.enter_context(tempfile.TemporaryFile())
            fd = os.dup(file.fileno())
        self._stack.callback(os.close, fd)
        os.ftruncate(fd, size)
        if hasattr(fcntl, "F_ADD_SEALS"):
            with contextlib.suppress(OSError):  # a plain file, which cannot be sealed
                # Were the worker to shorten it, the kernel would end this process when it reads the rest.
                fcntl.fcntl(
                    fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
                )
        buffer = mmap.mmap(fd, size)
        self._stack.callback(buffer.close)  # it holds a descriptor of its own
        return fd, buffer

    def _start(self, device: str, lr_fd: int, sr_fd: int) -> None:
        theirs_in, self._requests = os.pipe()
        self._replies, theirs_out = os.pipe()
        self._stack.callback(os.close, self._requests)
        self._stack.callback(os.close, self._replies)
        scratch = self._stack.enter_context(
            tempfile.TemporaryDirectory(prefix="ntire_bench_", ignore_cleanup_errors=True)
        )
        root = str(Path(__file__).resolve().parent.parent)
        paths = [root, *(path for path in sys.path if os.path.isabs(path) and path != root)]
        environment = {key: os.environ[key] for key in _ENVIRONMENT if key in os.environ}
        handed = (theirs_in, theirs_out, lr_fd, sr_fd)
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-c",
                    _START.format(paths=paths),
                    str(os.getpid()),
                    device,
                    *map(str, handed),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=handed,
                cwd=scratch,
                env={**environment, "HOME": scratch, "TMPDIR": scratch},
                start_new_session=True,  # Ctrl-C is the parent's to handle
            )
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self._stack.callback(self._end)
        self._ended: int | None = None
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):  # an older kernel: its pipe's end tells, in most cases
                self._ended = os.pidfd_open(self._process.pid)
                self._stack.callback(os.close, self._ended)
        # What a submission prints is read away, so that it can neither fill a disk nor block on a full pipe.
        self._drainer = threading.Thread(target=self._drain, args=(self._process.stdout,), daemon=True)
        self._drainer.start()

    def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _drain(self, stream: IO[bytes] | None) -> None:
        if stream is None:
            raise RuntimeError("the worker was started without a pipe")
        with stream, contextlib.suppress(ValueError, OSError):  # closed while reading: the worker has ended
            while part := os.read(stream.fileno(), _OUTPUT_KEPT_BYTES // 4):
                self._output.append(part)

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
        try:
            channel.send(self._requests, number, {"operation": operation, **parameters})
            answered, reply = channel.receive(self._replies, timeout_s, self._ended)
        except channel.ChannelClosed:
            raise self._died(operation) from None
        except channel.ChannelTimeout:
            raise SubmissionError(
                f"did not finish {operation.replace('_', '-')} in {timeout_s:.0f} s",
                file=self.file,
                remedy="look for an endless loop, or make it faster",
            ) from None
        except channel.ProtocolViolation as error:
            raise self.forged(str(error)) from None
        if answered != number:
            raise self.forged("an answer to another request")
        return reply

    def forged(self, found: str) -> SubmissionError:
        """Return the error for a reply that the harness would not have sent."""
        return SubmissionError(
            "its process does not answer as the harness does",
            file=self.file,
            found=found,
            remedy="leave the file descriptors of the process alone",
        )

    def _died(self, operation: str) -> SubmissionError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        code = self._process.poll()
        if code is None:
            how = "it closed its pipe"
        elif code < 0:
            known = {number.value: number.name for number in signal.Signals}
            how = f"signal {known.get(-code, -code)}"
        else:
            how = f"exit status {code}"
        self._drainer.join(1.0)  # its last words may still be in the pipe
        tail = b"".join(self._output).decode(errors="replace").strip().splitlines()
        said = f"; its last words: {tail[-1][:300]}" if tail else ""
        return SubmissionError(
            f"its process ended during {operation.replace('_', '-')}",
            file=self.file,
            found=how + said,
            remedy="look for a crash, exit() or too much memory",
        )
