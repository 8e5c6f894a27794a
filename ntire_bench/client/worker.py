"""What the parent asks of a worker, with every answer checked for type before it is used."""

from __future__ import annotations

import ast
import dataclasses
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from ntire_bench.client.sandbox import Sandbox, TookTooLongError
from ntire_bench.errors import MeasurementError, SubmissionError, UsageError
from ntire_bench.machine.environment import compute_threads
from ntire_bench.records.record import Complexity, Finding, Inference, Isolation
from ntire_bench.submissions.branch import Branch
from ntire_bench.submissions.submission import Submission
from ntire_bench.text import one_line
from ntire_bench.wire.observation import Observation

__all__ = ["MOST_DIFFERENCE", "Call", "FuseReply", "LoadReply", "WarmUp", "Worker"]

START_TIMEOUT_S = 180.0
LOAD_TIMEOUT_S = 300.0
CALL_TIMEOUT_S = 600.0
_CLOCK = getattr(time, "CLOCK_MONOTONIC_RAW", time.CLOCK_MONOTONIC)  # not slewed by NTP
MOST_DIFFERENCE = 1e-3  # of a merged network; rounding in float32 stays under 1e-4 in all of models/
_AUDIT_PIXELS = 256 * 384  # of the largest LR image that an audit makes up
_MOST_ARGS = 100_000  # characters
_MOST_TEXT = 2_000  # characters of one text; what a worker says goes into records and onto terminals
_MOST_TRACEBACK = 20_000
_MOST_ITEMS = 10_000  # of a list, such as the names of modules
_MOST_FINDINGS = 100
_MOST = 2**53  # a count above it is no count; also what every reader of JSON takes for a whole number


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoadReply:
    """How a submission was resolved; see `records.SubmissionInfo`.

    Attributes:
        model: The class or function that built the network.
        data_range: 1.0 or 255.0.
        tile: Side of the tiles [LR pixels], or None.
        can_fuse: It has a method such as fuse().
        inferred: What was found out rather than declared.
        findings: What a reader of the result must know.
        pixel_s: How long a run takes for each LR pixel [s], where it is slow; else None.
        precision: The types of less than 32 bits that a slow network computes in; "" for none.
    """

    model: str
    data_range: float
    tile: int | None
    can_fuse: bool
    inferred: tuple[Inference, ...]
    findings: tuple[Finding, ...]
    pixel_s: float | None = None
    precision: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FuseReply:
    """What merging a network's training branches changes.

    Attributes:
        before: Costs as loaded.
        after: Costs merged.
        difference_levels: Largest difference of the two outputs on an image [grey levels, 0 to 255].
        relative: Largest difference over the largest value.
        size: Of the merged checkpoint [bytes].
    """

    before: Complexity
    after: Complexity
    difference_levels: float
    relative: float
    size: int

    @property
    def saves(self) -> bool:
        """Whether the merged network costs less."""
        return self.after.params < self.before.params or self.after.flops < self.before.flops

    @property
    def same(self) -> bool:
        """Whether the merged network gives the same image, rounding aside."""
        return self.relative < MOST_DIFFERENCE


class Call(NamedTuple):
    """One timed call.

    Attributes:
        sr: The SR image, uint8 HWC, a copy of its own.
        claimed_ms: The forward pass, as the worker measured it [ms].
        bracket_ms: By this process' clock, from sending the LR image to holding the SR image [ms].
    """

    sr: npt.NDArray[np.uint8]
    claimed_ms: float
    bracket_ms: float


@dataclasses.dataclass(frozen=True)
class WarmUp:
    """What a warm-up tells: the multiple that this size is padded to, 1 for none, and the first call [ms]."""

    pad_to: int
    first_ms: float


class Worker:
    """One submission in a process of its own; use as a context manager.

    Args:
        submission: What it will run.
        scale: Enlargement factor.
        largest_lr: (height, width) of the largest LR image that will be sent; sizes the shared buffers.
        device: "auto", "cpu", "cuda", "cuda:N".
        threads: CPU threads to compute with; None takes `environment.compute_threads()`.
        isolation: What `isolation.isolation_for` returned; None for the best there is.
        hidden: Folders it must not see, even inside what it may read.
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
    ) -> None:
        self._submission = submission
        self._scale = scale
        self._threads = compute_threads() if threads is None else threads
        self._precision = ""
        size = 3 * max(largest_lr[0] * largest_lr[1], _AUDIT_PIXELS)
        self._sandbox = Sandbox(
            submission.file,
            lr_bytes=size,
            sr_bytes=size * scale * scale,
            device=device,
            isolation=isolation,
            readable=submission.readable,
            hidden=hidden,
            workdir=submission.workdir,
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

    def hello(self) -> dict[str, Any]:
        """Return what only the worker knows of the environment (see `device.describe`).

        Raises:
            UsageError: No worker comes up, or it has no such device; no submission's code has run by then.
            MeasurementError: Somebody killed this one.
        """
        try:
            return self._call("hello", START_TIMEOUT_S, threads=self._threads)
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

    def load(self, probe: npt.NDArray[np.uint8]) -> LoadReply:
        """Load the submission; `probe` is a real LR image, uint8 HWC, to find the input range with."""
        submission = self._submission
        self._sandbox.expect_strange_code()
        if submission.branch is not None:
            return self._load_checkout(submission.branch)
        declaration = dataclasses.asdict(submission.declaration)
        declaration["args"] = self._literal(submission.declaration.args)
        height, width = self._put(probe)
        reply = self._call(
            "load",
            LOAD_TIMEOUT_S,
            file=str(submission.file.resolve()),
            name=submission.name,
            checkpoint=None if submission.checkpoint is None else str(submission.checkpoint.resolve()),
            declaration=declaration,
            scale=self._scale,
            height=height,
            width=width,
        )
        return self._load_reply(reply)

    def _load_checkout(self, branch: Branch) -> LoadReply:
        reply = self._call(
            "load_checkout",
            LOAD_TIMEOUT_S,
            id_=self._submission.id,
            root=str(branch.root.resolve()),
            script=str(branch.script.resolve()),
            file=str(self._submission.file.resolve()),
            parameter=branch.parameter,
            attribute=branch.attribute,
            as_text=branch.as_text,
            checkpoints=[os.path.abspath(path) for path in branch.checkpoints],
            scale=self._scale,
        )
        return self._load_reply(reply)

    def _load_reply(self, reply: dict[str, Any]) -> LoadReply:
        result: LoadReply = self._convert(reply, LoadReply)
        if result.data_range not in (1.0, 255.0):
            raise self._sandbox.forged(f"a data range of {result.data_range}")
        if result.tile is not None and result.tile < 1:
            raise self._sandbox.forged(f"tiles of {result.tile}")
        if result.pixel_s is not None and not 0 < result.pixel_s <= LOAD_TIMEOUT_S:
            raise self._sandbox.forged(f"a run of {result.pixel_s} s for each pixel")
        self._precision = result.precision
        if len(result.findings) + len(result.inferred) > _MOST_FINDINGS:
            raise self._sandbox.forged(f"{len(result.findings)} findings")
        return result

    def complexity(self, input_shape: tuple[int, int, int, int]) -> Complexity:
        """Return the network's costs on an input of that shape (N, C, H, W)."""
        reply = self._call("complexity", CALL_TIMEOUT_S, input_shape=input_shape)
        result: Complexity = self._convert(reply, Complexity)
        counts = (result.params, result.flops, result.activations, result.convs)
        if result.input_shape != input_shape or not all(0 <= count <= _MOST for count in counts):
            raise self._sandbox.forged(f"costs of {counts} on an input of {result.input_shape}")
        self._observation(result.audit.get("observed"))
        return result

    def audit(self, lr: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], Observation]:
        """Run an LR image (uint8 HWC) once under observation; return the SR image and what was seen."""
        height, width = self._put(lr)
        reply = self._call("audit", CALL_TIMEOUT_S, height=height, width=width)
        return self._take(height, width), self._observation(reply)

    def parameters(self) -> int:
        """Return the number of parameters as it is now."""
        count: int = self._convert(self._call("parameters", CALL_TIMEOUT_S).get("params"), int)
        if not 0 <= count <= _MOST:
            raise self._sandbox.forged(f"{count} parameters")
        return count

    def _observation(self, value: Any) -> Observation:  # noqa: ANN401
        seen: Observation = self._convert(value, Observation)
        numbers = [number for number in dataclasses.astuple(seen) if isinstance(number, int)]
        if not all(0 <= number <= _MOST for number in (*numbers, *seen.uncounted.values())):
            raise self._sandbox.forged("counts that are none")
        return seen

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
        result: FuseReply = self._convert(reply, FuseReply)
        if not 0 <= result.size <= len(self._sandbox.sr):
            raise self._sandbox.forged(f"a checkpoint of {result.size} bytes")
        return result, bytes(self._sandbox.sr[: result.size])

    def warm_up(self, lr: npt.NDArray[np.uint8], calls: int) -> WarmUp:
        """Run an LR image `calls` times, not to be counted."""
        height, width = self._put(lr)
        reply = self._call("warm_up", CALL_TIMEOUT_S, height=height, width=width, calls=calls)
        result: WarmUp = self._convert(reply, WarmUp)
        if not 0 < result.pad_to <= _MOST:
            raise self._sandbox.forged(f"an input padded to a multiple of {result.pad_to}")
        if not 0 <= result.first_ms <= CALL_TIMEOUT_S * 1000:
            raise self._sandbox.forged(f"a first call of {result.first_ms} ms")
        return result

    @property
    def threads(self) -> int:
        """CPU threads that it computes with."""
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
        claimed_ms = self._convert(reply.get("runtime_ms"), float)
        if not 0 < claimed_ms <= CALL_TIMEOUT_S * 1000:
            raise self._sandbox.forged(f"a runtime of {claimed_ms} ms")
        return Call(sr, claimed_ms, bracket_ms)

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
        peak: float | None = self._convert(reply.get("memory_mib"), float | None)
        if peak is not None and not 0 <= peak <= _MOST:
            raise self._sandbox.forged(f"a memory peak of {peak} MiB")
        return peak

    def flags(self) -> dict[str, Any]:
        """Return torch's settings as they are now in the worker."""
        reply = self._call("flags", CALL_TIMEOUT_S).get("flags")
        flags: dict[str, bool | int | str] = self._convert(reply, dict[str, bool | int | str])
        return flags

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
            if not self._precision:
                raise
            raise SubmissionError(
                error.what,
                file=error.file,
                found=f"a network that computes in {self._precision}, for which a CPU may take a hundred "
                "times as long as for float32",
                remedy="evaluate it on a GPU, or on fewer and smaller images",
            ) from error
        if "error" in reply:
            raise self._error(reply["error"])
        if not isinstance(reply.get("ok"), dict):
            raise self._sandbox.forged("an answer without a result")
        result: dict[str, Any] = reply["ok"]
        return result

    def _convert(self, value: Any, type_: Any) -> Any:  # noqa: ANN401
        try:
            return msgspec.convert(_tame(value), type_)
        except (msgspec.ValidationError, _WildError, RecursionError) as error:
            raise self._sandbox.forged(one_line(str(error), _MOST_TEXT)) from None

    def _error(self, error: Any) -> Exception:  # noqa: ANN401
        if not isinstance(error, dict) or error.get("kind") not in ("submission", "measurement", "program"):
            return self._sandbox.forged("an error of no known kind")
        what = one_line(str(error.get("what")), _MOST_TEXT)
        if error["kind"] == "program":
            lines = str(error.get("traceback", ""))[-_MOST_TRACEBACK:].splitlines()
            trace = "\n".join("| " + "".join(c if c.isprintable() else " " for c in line) for line in lines)
            return MeasurementError(
                f"the harness failed inside the worker: {what}\n{trace}",
                file=self._submission.file,
                remedy="report this with the lines above, unless the submission patches torch",
            )
        kind = SubmissionError if error["kind"] == "submission" else MeasurementError
        text = {
            key: None if error.get(key) is None else one_line(str(error[key]), _MOST_TEXT)
            for key in ("expected", "found", "remedy")
        }
        file = error.get("file")
        return kind(what, file=None if file is None else one_line(str(file), _MOST_TEXT), **text)


class _WildError(Exception):
    """A value that no answer of the harness has."""


def _tame(value: Any) -> Any:  # noqa: ANN401 - what JSON holds
    """Return a value with every text on one line and cut, or refuse it for its numbers or its size."""
    if isinstance(value, str):
        return one_line(value, _MOST_TEXT)
    if isinstance(value, int) and not -_MOST <= value <= _MOST:
        raise _WildError("a number that counts nothing")
    if isinstance(value, (list, dict)) and len(value) > _MOST_ITEMS:
        raise _WildError(f"a list of {len(value)}")
    if isinstance(value, list):
        return [_tame(item) for item in value]
    if isinstance(value, dict):
        return {_tame(key): _tame(item) for key, item in value.items()}
    return value


def _clock_ns() -> int:
    return time.clock_gettime_ns(_CLOCK)
