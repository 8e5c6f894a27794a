"""What a stranger's process answered, checked before anything here uses it.

A worker runs a submission's code, which can write to its pipe whatever it likes. So every answer is converted
to the class that it should be, its texts are put on one line and cut, and its numbers must be possible.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ntire_bench.errors import MeasurementError, NtireBenchError, SubmissionError
from ntire_bench.records.record import Complexity
from ntire_bench.text import one_line
from ntire_bench.wire.messages import FuseReply, LoadReply, WarmUp
from ntire_bench.wire.observation import Observation

__all__ = [
    "ForgedAnswerError",
    "costs",
    "error",
    "flags",
    "fused",
    "loaded",
    "memory_mib",
    "observation",
    "parameters",
    "runtime_ms",
    "warm_up",
]

_MOST_TEXT = 2_000  # characters of one text; what a worker says goes into records and onto terminals
_MOST_TRACEBACK = 20_000
_MOST_ITEMS = 10_000  # of a list, such as the names of modules
_MOST_FINDINGS = 100
_MOST = 2**53  # a count above it is no count; also what every reader of JSON takes for a whole number

_Answer = TypeVar("_Answer")


class ForgedAnswerError(Exception):
    """An answer that the program's own code in the worker would not have given; the text says why."""


def loaded(reply: object, longest_s: float) -> LoadReply:
    """Return how a submission was resolved.

    Args:
        reply: The worker's.
        longest_s: What a run may take for one LR pixel [s].
    """
    result = _convert(reply, LoadReply)
    if result.data_range not in (1.0, 255.0):
        raise ForgedAnswerError(f"a data range of {result.data_range}")
    if result.tile is not None and result.tile < 1:
        raise ForgedAnswerError(f"tiles of {result.tile}")
    if result.pixel_s is not None and not 0 < result.pixel_s <= longest_s:
        raise ForgedAnswerError(f"a run of {result.pixel_s} s for each pixel")
    if len(result.findings) + len(result.inferred) > _MOST_FINDINGS:
        raise ForgedAnswerError(f"{len(result.findings)} findings")
    return result


def costs(reply: object, input_shape: tuple[int, int, int, int]) -> Complexity:
    """Return a network's costs on an input of that shape (N, C, H, W)."""
    result = _convert(reply, Complexity)
    counts = (result.params, result.flops, result.activations, result.convs)
    if result.input_shape != input_shape or not all(0 <= count <= _MOST for count in counts):
        raise ForgedAnswerError(f"costs of {counts} on an input of {result.input_shape}")
    observation(result.audit.get("observed"))
    return result


def observation(reply: object) -> Observation:
    """Return what was seen of a forward pass."""
    seen = _convert(reply, Observation)
    numbers = [number for number in dataclasses.astuple(seen) if isinstance(number, int)]
    if not all(0 <= number <= _MOST for number in (*numbers, *seen.uncounted.values())):
        raise ForgedAnswerError("counts that are none")
    return seen


def parameters(reply: dict[str, Any]) -> int:
    """Return a number of parameters."""
    count = _convert(reply.get("params"), int)
    if not 0 <= count <= _MOST:
        raise ForgedAnswerError(f"{count} parameters")
    return count


def fused(reply: object, most_bytes: int) -> FuseReply:
    """Return what merging a network's branches changes.

    Args:
        reply: The worker's.
        most_bytes: What a merged checkpoint may have.
    """
    result = _convert(reply, FuseReply)
    if not 0 <= result.size <= most_bytes:
        raise ForgedAnswerError(f"a checkpoint of {result.size} bytes")
    return result


def warm_up(reply: object, longest_s: float) -> WarmUp:
    """Return what a warm-up told, whose first call can have taken no longer than the whole of it."""
    result = _convert(reply, WarmUp)
    if not 0 < result.pad_to <= _MOST:
        raise ForgedAnswerError(f"an input padded to a multiple of {result.pad_to}")
    if not 0 <= result.first_ms <= longest_s * 1000:
        raise ForgedAnswerError(f"a first call of {result.first_ms} ms")
    return result


def runtime_ms(reply: dict[str, Any], longest_s: float) -> float:
    """Return the runtime of a timed call [ms], which can have taken no longer than the whole of it."""
    claimed_ms = _convert(reply.get("runtime_ms"), float)
    if not 0 < claimed_ms <= longest_s * 1000:
        raise ForgedAnswerError(f"a runtime of {claimed_ms} ms")
    return claimed_ms


def memory_mib(reply: dict[str, Any]) -> float | None:
    """Return a memory peak [MiB], or None where it cannot be measured."""
    if reply.get("memory_mib") is None:
        return None
    peak = _convert(reply["memory_mib"], float)
    if not 0 <= peak <= _MOST:
        raise ForgedAnswerError(f"a memory peak of {peak} MiB")
    return peak


def flags(reply: dict[str, Any]) -> dict[str, bool | int | str]:
    """Return torch's settings."""
    return _convert(reply.get("flags"), dict[str, bool | int | str])


def error(reply: Any, file: Path) -> NtireBenchError:  # noqa: ANN401 - what JSON holds
    """Return the error that a worker's answer tells of.

    Args:
        reply: The worker's.
        file: The model file, for a fault of this program's in the worker.
    """
    if not isinstance(reply, dict) or reply.get("kind") not in ("submission", "measurement", "program"):
        raise ForgedAnswerError("an error of no known kind")
    what = one_line(str(reply.get("what")), _MOST_TEXT)
    if reply["kind"] == "program":
        lines = str(reply.get("traceback", ""))[-_MOST_TRACEBACK:].splitlines()
        trace = "\n".join("| " + "".join(c if c.isprintable() else " " for c in line) for line in lines)
        return MeasurementError(
            f"the harness failed inside the worker: {what}\n{trace}",
            file=file,
            remedy="report this with the lines above, unless the submission patches torch",
        )
    kind = SubmissionError if reply["kind"] == "submission" else MeasurementError
    text = {
        key: None if reply.get(key) is None else one_line(str(reply[key]), _MOST_TEXT)
        for key in ("file", "expected", "found", "remedy")
    }
    return kind(what, **text)


def _convert(value: object, type_: type[_Answer]) -> _Answer:
    try:
        return msgspec.convert(_tame(value), type_)
    except (msgspec.ValidationError, RecursionError) as problem:
        raise ForgedAnswerError(one_line(str(problem), _MOST_TEXT)) from None


def _tame(value: Any) -> Any:  # noqa: ANN401 - what JSON holds
    """Return a value with every text on one line and cut, or refuse it for its numbers or its size."""
    if isinstance(value, str):
        return one_line(value, _MOST_TEXT)
    if isinstance(value, int) and not -_MOST <= value <= _MOST:
        raise ForgedAnswerError("a number that counts nothing")
    if isinstance(value, (list, dict)) and len(value) > _MOST_ITEMS:
        raise ForgedAnswerError(f"a list of {len(value)}")
    if isinstance(value, list):
        return [_tame(item) for item in value]
    if isinstance(value, dict):
        return {_tame(key): _tame(item) for key, item in value.items()}
    return value
