"""What the parent asks of a worker; `answers` checks what comes back before it is used."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ntire_bench.client import answers
from ntire_bench.client.kernel_builds import KernelBuild, build_of
from ntire_bench.client.sandbox import Sandbox, TookTooLongError
from ntire_bench.errors import MeasurementError, NtireBenchError, SubmissionError, UsageError
from ntire_bench.isolation.choose import isolation_for
from ntire_bench.isolation.limits import tensors_share_bytes
from ntire_bench.machine.environment import compute_threads
from ntire_bench.records.record import Isolation, SubmissionInfo
from ntire_bench.submissions.branch import Branch
from ntire_bench.submissions.submission import Submission
from ntire_bench.wire.messages import (
    Counted,
    FuseReply,
    Kernels,
    LoadReply,
    LoadRequest,
    Slow,
    WarmUp,
    plain,
)
from ntire_bench.wire.observation import Observation

__all__ = ["Call", "Worker"]

START_TIMEOUT_S = 180.0
LOAD_TIMEOUT_S = 300.0
CALL_TIMEOUT_S = 600.0
_CLOCK = getattr(time, "CLOCK_MONOTONIC_RAW", time.CLOCK_MONOTONIC)  # not slewed by NTP
_AUDIT_PIXELS = 256 * 384  # of the largest LR image that an audit makes up
_MOST_ARGS = 100_000  # characters

_Answer = TypeVar("_Answer")


class Call(NamedTuple):
    """One timed call.

    Attributes:
        sr: The SR image, uint8 HWC, a copy of its own.
        claimed_ms: The forward pass, as the worker measured it [ms].
        bracket_ms: By this process' clock, from sending the LR image to holding the SR image [ms].
        host_ms: Until its last kernel was queued [ms], as the worker measured it; None on a CPU.
        allocations: How often GPU memory was taken from the driver in it, as the worker says.
        switches: How often its thread was interrupted in it, as the worker says.
        wait_ms: How long the device took to answer before it [ms], as the worker says; None on a CPU.
    """

    sr: npt.NDArray[np.uint8]
    claimed_ms: float
    bracket_ms: float
    host_ms: float | None = None
    allocations: int = 0
    switches: int = 0
    wait_ms: float | None = None


class Worker:
    """One submission in a process of its own; use as a context manager.

    Args:
        submission: What it will run.
        scale: Enlargement factor.
        largest_lr: (height, width) of the largest LR image that will be sent; sizes the shared buffers.
        device: "auto", "cpu", "cuda", "cuda:N".
        threads: CPU threads to compute with; None takes one on a GPU, and `environment.compute_threads()` on
            a CPU.
        isolation: What `isolation.isolation_for` returned; None for the best there is.
        hidden: Folders it must not see, even inside what it may read.
        twin: Whether it runs the twin of a network that has a kernel: what was built is out of its sight.
        tell: Called with a sentence before kernels are built, which may take minutes.
        untimed: Whether nothing is timed in it: then it computes with all cores, unless OMP_NUM_THREADS says
            otherwise, and its idle threads sleep, so that they take no core from anybody.
    """

    def __init__(
        self,
        submission: Submission,
        *,
        scale: int,
        largest_lr: tuple[int, int],
        device: str = "auto",
        threads: int | None = None,
        isolation: Isolation | None = None,
        hidden: Sequence[Path] = (),
        untimed: bool = False,
        twin: bool = False,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._submission = submission
        self._scale = scale
        self._asked_threads = threads
        self._usual_threads = compute_threads(0 if untimed else 1)
        self._threads = threads or self._usual_threads  # until the worker has told which device it has
        self._slow: Slow | None = None
        # Landlock knows folders as a whole: with something hidden in one, it could not be listed any more.
        walled = isolation is not None and isolation.level in ("L2", "L3")
        self._twin = twin
        self._builds: KernelBuild | None = None
        self._not_built: SubmissionError | None = None
        concealed = [*hidden, *(submission.unhashed if walled else ())]
        isolation = isolation_for("auto") if isolation is None else isolation
        try:
            self._builds = self._built(isolation, device, concealed, tell)
        except SubmissionError as error:
            self._not_built = error  # raised when it is to be loaded: then it is this submission's turn
        built = [] if twin or self._builds is None else [self._builds.files]
        size = 3 * max(largest_lr[0] * largest_lr[1], _AUDIT_PIXELS)
        self._sandbox = Sandbox(
            submission.file,
            lr_bytes=size,
            sr_bytes=size * scale * scale,
            device=device,
            isolation=isolation,
            readable=[*submission.readable, *built],
            hidden=concealed,
            workdir=submission.workdir,
            sleeping=untimed,
        )

    def __enter__(self) -> Worker:
        """Return the worker."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process and free the buffers."""
        self._sandbox.close()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._sandbox.pid

    def cpu_seconds(self) -> float:
        """Return the CPU time that its processes have used so far [s], whoever of them still runs."""
        return self._sandbox.cpu_seconds()

    @property
    def cpu_time_is_exact(self) -> bool:
        """Whether a control group counts that; else it is in steps of 10 ms, and may miss processes."""
        return self._sandbox.cpu_time_is_exact

    def paused(self) -> contextlib.AbstractContextManager[bool]:
        """Have all its processes stand still in the body; gives whether they do."""
        return self._sandbox.paused()

    def hello(self) -> dict[str, Any]:
        """Return what only the worker knows of the environment (see `device.describe`).

        On a GPU its memory is bounded from then on; `gpu_unbounded` says why not, as a clause, where nobody
        can see what each process holds.

        Raises:
            UsageError: No worker comes up, or it has no such device; no submission's code has run by then.
            MeasurementError: Somebody killed this one.
        """
        import cv2  # noqa: F401 - `_take` needs it; this process has nothing to do until the worker is there

        try:
            told = self._call(
                "hello", START_TIMEOUT_S, threads=self._asked_threads, cpu_threads=self._usual_threads
            )
        except SubmissionError as error:
            if self._sandbox.killed:
                raise MeasurementError(
                    "its worker was killed while it started",
                    file=self._submission.file,
                    found=error.found,
                    remedy="evaluate it again; see whether the machine has run out of memory",
                ) from error
            raise UsageError(
                "no worker process comes up",
                found=error.found or error.what,
                remedy="see whether Python can import torch here, and whether there is memory for it",
            ) from error
        except MeasurementError as error:
            raise UsageError(error.what, remedy=error.remedy) from error
        self._threads = told["threads"]
        if told["device"] == "cuda":
            share, unseen = self._sandbox.bound_gpu(told["gpu_uuid"], told["gpu_memory_bytes"])
            self._call("bound_memory", START_TIMEOUT_S, memory_bytes=tensors_share_bytes(share))
            told["gpu_unbounded"] = unseen
        return told

    def _built(
        self, isolation: Isolation, device: str, hidden: Sequence[Path], tell: Callable[[str], None]
    ) -> KernelBuild | None:
        branch = self._submission.branch
        load = self._request(None, twin=False) if branch is None else None
        request = None if branch is None else branch.request(self._submission.id, self._submission.file)
        return build_of(
            self._submission,
            load,
            request,
            scale=self._scale,
            device=device,
            isolation=isolation,
            hidden=hidden,
            tell=tell,
        )

    @property
    def builds(self) -> KernelBuild | None:
        """What was built of the submission's kernels; None where there was nothing to build."""
        return self._builds

    def _request(self, kernels: Kernels | None, *, twin: bool) -> LoadRequest:
        submission = self._submission
        declared = submission.declaration
        args = {**declared.args, **(declared.twin_args or {})} if twin else declared.args
        return LoadRequest(
            file=submission.file.resolve(),
            name=submission.name,
            checkpoint=None if submission.checkpoint is None else submission.checkpoint.resolve(),
            declaration=dataclasses.replace(declared, args={}, twin_args=None),
            args=self._literal(args),
            kernels=kernels,
            twin=twin,
        )

    def load(self, probe: npt.NDArray[np.uint8], resolved: SubmissionInfo | None = None) -> LoadReply:
        """Load the submission.

        Args:
            probe: A real LR image, uint8 HWC, to find the input range with.
            resolved: How it was resolved in another process, so that its range and tile need not be found;
                None to find out.
        """
        submission = self._submission
        if self._not_built is not None:
            raise self._not_built
        self._sandbox.expect_strange_code()
        kernels = None if self._builds is None else self._builds.kernels
        if submission.branch is not None:
            return self._load_checkout(submission.branch, kernels)
        request = self._request(kernels, twin=self._twin)
        if resolved is not None:
            as_known = dataclasses.replace(
                request.declaration,
                data_range=resolved.data_range,
                tile=resolved.tile,
                pad_to=resolved.pad_to,
            )
            request = dataclasses.replace(request, declaration=as_known)
        height, width = self._put(probe)
        size = {"height": height, "width": width}
        reply = self._call("load", LOAD_TIMEOUT_S, request=plain(request), scale=self._scale, **size)
        return self._loaded(reply)

    def _load_checkout(self, branch: Branch, kernels: Kernels | None) -> LoadReply:
        request = dataclasses.replace(
            branch.request(self._submission.id, self._submission.file),
            kernels=kernels,
            twin=self._submission.declaration.twin if self._twin else None,
        )
        reply = self._call("load_checkout", LOAD_TIMEOUT_S, request=plain(request), scale=self._scale)
        return self._loaded(reply)

    def _loaded(self, reply: dict[str, Any]) -> LoadReply:
        result = self._checked(lambda: answers.loaded(reply, LOAD_TIMEOUT_S))
        self._slow = result.slow
        return result

    def complexity(self, input_shape: tuple[int, int, int, int]) -> Counted:
        """Return the network's costs on an input of that shape (N, C, H, W)."""
        reply = self._call("complexity", CALL_TIMEOUT_S, input_shape=input_shape)
        return self._checked(lambda: answers.counted(reply, input_shape))

    def audit(self, lr: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], Observation]:
        """Run an LR image (uint8 HWC) once under observation; return the SR image and what was seen."""
        height, width = self._put(lr)
        reply = self._call("audit", CALL_TIMEOUT_S, height=height, width=width)
        return self._take(height, width), self._checked(lambda: answers.observation(reply))

    def exact(self, lr: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Run an LR image (uint8 HWC) once, and return its SR image before it is rounded.

        Returns:
            (3, rH, rW), 1.0 is white. Four times the bytes of a rounded one must fit the SR buffer.
        """
        height, width = self._put(lr)
        shape = (3, height * self._scale, width * self._scale)
        count = math.prod(shape)
        if 4 * count > len(self._sandbox.sr):
            raise ValueError(f"an SR image of {shape} in float32 does not fit the buffer")
        self._call("exact", CALL_TIMEOUT_S, height=height, width=width)
        pixels = np.frombuffer(self._sandbox.sr, np.float32, count).reshape(shape)
        return np.array(pixels, np.float32)  # a copy: the worker can still write to the buffer

    def parameters(self) -> int:
        """Return the number of parameters as it is now."""
        reply = self._call("parameters", CALL_TIMEOUT_S)
        return self._checked(lambda: answers.parameters(reply))

    def fuse(
        self, lr: npt.NDArray[np.uint8], input_shape: tuple[int, int, int, int], *, keep: bool
    ) -> tuple[FuseReply, bytes]:
        """Have the network merge its training branches; `run` gives the merged network's images afterwards.

        Args:
            lr: A real LR image, uint8 HWC, to compare the two forms on.
            input_shape: (N, C, H, W) to count costs on.
            keep: Whether the merged checkpoint is wanted; it must fit the SR buffer.

        Returns:
            What it changes, and the merged checkpoint, or nothing: a stranger's bytes, not to be opened here.
        """
        height, width = self._put(lr)
        reply = self._call(
            "fuse", CALL_TIMEOUT_S, height=height, width=width, input_shape=input_shape, keep=keep
        )
        result = self._checked(lambda: answers.fused(reply, len(self._sandbox.sr)))
        return result, bytes(self._sandbox.sr[: result.size])

    def save(self) -> bytes:
        """Return the network's state dict as torch.save writes it; it must fit the SR buffer."""
        reply = self._call("save", CALL_TIMEOUT_S)
        size = self._checked(lambda: answers.saved(reply, len(self._sandbox.sr)))
        return bytes(self._sandbox.sr[:size])

    def warm_up(self, lr: npt.NDArray[np.uint8], calls: int) -> WarmUp:
        """Run an LR image `calls` times, not to be counted."""
        height, width = self._put(lr)
        reply = self._call("warm_up", CALL_TIMEOUT_S, height=height, width=width, calls=calls)
        return self._checked(lambda: answers.warm_up(reply, CALL_TIMEOUT_S))

    @property
    def slow(self) -> Slow | None:
        """How slow the network is; None for one that is not, and before it is loaded."""
        return self._slow

    @property
    def threads(self) -> int:
        """CPU threads that it computes with; certain after `hello`."""
        return self._threads

    def begin_round(self) -> None:
        """Put torch's settings back to the benchmark's."""
        self._call("begin_round", CALL_TIMEOUT_S)

    def run(self, lr: npt.NDArray[np.uint8]) -> Call:
        """Run an LR image (uint8 HWC) once, timed."""
        return self._timed("run", lr)

    def null_run(self, lr: npt.NDArray[np.uint8]) -> Call:
        """Run nearest-neighbour enlargement in the submission's place; before it is loaded."""
        return self._timed("null_run", lr, scale=self._scale)

    def _timed(self, operation: str, lr: npt.NDArray[np.uint8], **parameters: int) -> Call:
        begin = _clock_ns()
        height, width = self._put(lr)
        reply = self._call(operation, CALL_TIMEOUT_S, height=height, width=width, **parameters)
        sr = self._take(height, width)
        bracket_ms = (_clock_ns() - begin) / 1e6
        told = self._checked(lambda: answers.timed(reply, CALL_TIMEOUT_S))
        beside = told.host_ms, told.allocations, told.switches, told.wait_ms
        return Call(sr, told.runtime_ms, bracket_ms, *beside)

    def _take(self, height: int, width: int) -> npt.NDArray[np.uint8]:
        """Return a copy of the SR image of an LR image of that size, uint8 HWC."""
        import cv2

        shape = (3, height * self._scale, width * self._scale)
        planes = np.frombuffer(self._sandbox.sr, np.uint8, math.prod(shape)).reshape(shape)
        sr: npt.NDArray[np.uint8] = np.asarray(cv2.merge(list(planes)), np.uint8)  # a new array
        return sr

    def reset_memory(self) -> None:
        """Start a new memory peak."""
        self._call("reset_memory", CALL_TIMEOUT_S)

    def peak_memory_mib(self) -> float | None:
        """Return the memory peak since the last reset [MiB], or None where it cannot be measured."""
        reply = self._call("peak_memory", CALL_TIMEOUT_S)
        return self._checked(lambda: answers.memory_mib(reply))

    def flags(self) -> dict[str, Any]:
        """Return torch's settings as they are now in the worker."""
        reply = self._call("flags", CALL_TIMEOUT_S)
        return self._checked(lambda: answers.flags(reply))

    def _with_limit(self, error: NtireBenchError) -> NtireBenchError:
        """Return an error that the worker told of, with the limit that it is from, if it is from one."""
        limit = self._sandbox.limit_met(error) if isinstance(error, SubmissionError) else None
        if limit is not None:
            error.remedy = f"stay within {limit}, as every submission must; see Limits in docs/INTEGRITY.md"
        return error

    def _literal(self, args: dict[str, Any]) -> str:
        """Return declared arguments as Python writes them: JSON would make a list of a tuple."""
        text = repr(args)
        try:
            same = bool(ast.literal_eval(text) == args)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            same = False
        if not same or len(text) > _MOST_ARGS:
            raise SubmissionError(
                f"{self._submission.declaration.source} has args that cannot be handed to its process",
                file=self._submission.file,
                expected="a few finite numbers, strings, tuples, lists and dictionaries",
                found=text[:100],
                remedy="build the rest in build_model()",
            )
        return text

    def _put(self, lr: npt.NDArray[np.uint8]) -> tuple[int, int]:
        lr_buffer = self._sandbox.lr
        height, width, channels = lr.shape
        if lr.dtype != np.uint8 or channels != 3 or lr.size > len(lr_buffer):
            raise ValueError(
                f"an LR image of {lr.shape} {lr.dtype} does not fit the buffer of {len(lr_buffer)} bytes"
            )
        lr_buffer[: lr.size] = lr.tobytes()
        return height, width

    def _call(self, operation: str, timeout_s: float, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401
        try:
            reply = self._sandbox.call(operation, timeout_s, **parameters)
        except TookTooLongError as error:
            if self._slow is None or not self._slow.precision:
                raise
            raise SubmissionError(
                error.what,
                file=error.file,
                found=f"a network that computes in {self._slow.precision}, for which a CPU may take a "
                "hundred times as long as for float32",
                remedy="evaluate it on a GPU, or on fewer and smaller images",
            ) from error
        if "error" in reply:
            raise self._with_limit(
                self._checked(lambda: answers.error(reply["error"], self._submission.file))
            )
        if not isinstance(reply.get("ok"), dict):
            raise self._sandbox.forged("an answer without a result")
        result: dict[str, Any] = reply["ok"]
        return result

    def _checked(self, check: Callable[[], _Answer]) -> _Answer:
        try:
            return check()
        except answers.ForgedAnswerError as problem:
            raise self._sandbox.forged(str(problem)) from None


def _clock_ns() -> int:
    return time.clock_gettime_ns(_CLOCK)
