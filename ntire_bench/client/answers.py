"""What a stranger's process answered, checked before anything here uses it.

A worker runs a submission's code, which can write to its pipe whatever it likes. So every answer is
converted to the class that it should be (but that to hello, which comes before any strange code), its
texts are put on one line and cut, and its numbers must be possible.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET

from ntire_bench.errors import MeasurementError, NtireBenchError, SubmissionError
from ntire_bench.text import one_line
from ntire_bench.wire.messages import (
    LOADING_FACTS,
    LOADING_FINDINGS,
    Built,
    Counted,
    ErrorReply,
    Flags,
    FuseReply,
    LoadReply,
    Parameters,
    PeakMemory,
    Saved,
    Timed,
    WarmUp,
    is_plain_path,
)
from ntire_bench.wire.observation import Observation

__all__ = [
    "ForgedAnswerError",
    "built",
    "counted",
    "error",
    "flags",
    "fused",
    "loaded",
    "memory_mib",
    "observation",
    "parameters",
    "saved",
    "timed",
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
    pixel_s = None if result.slow is None else result.slow.pixel_s
    if pixel_s is not None and not 0 < pixel_s <= longest_s:
        raise ForgedAnswerError(f"a run of {pixel_s} s for each pixel")
    if len(result.findings) + len(result.inferred) > _MOST_FINDINGS:
        raise ForgedAnswerError(f"{len(result.findings)} findings")
    for finding in result.findings:
        if finding.code not in LOADING_FINDINGS or finding.severity == "reject":
            raise ForgedAnswerError(f"a finding {finding.code} of severity {finding.severity}")
    for fact in result.inferred:
        if fact.key not in LOADING_FACTS and not fact.key.startswith("args."):
            raise ForgedAnswerError(f"{fact.key}, found out as it was loaded")
    return result


def counted(reply: object, input_shape: tuple[int, int, int, int]) -> Counted:
    """Return a network's costs on an input of that shape (N, C, H, W)."""
    result = _convert(reply, Counted)
    costs = result.costs
    counts = (costs.params, costs.flops, costs.activations, costs.convs)
    traced = costs.audit.traced_products
    if costs.input_shape != input_shape or not all(0 <= count <= _MOST for count in counts):
        raise ForgedAnswerError(f"costs of {counts} on an input of {costs.input_shape}")
    if traced is UNSET or not 0 <= traced <= _MOST or costs.audit.counter not in ("fvcore", "operators"):
        raise ForgedAnswerError("costs that do not say how they were counted")
    _check_counts(result.observed)
    return result


def observation(reply: object) -> Observation:
    """Return what was seen of a forward pass."""
    seen = _convert(reply, Observation)
    _check_counts(seen)
    return seen


def _check_counts(seen: Observation) -> None:
    numbers = [number for number in dataclasses.astuple(seen) if isinstance(number, int)]
    numbers += [*seen.uncounted.values(), *seen.uncountable.values(), *itertools.chain(*seen.tables.values())]
    if not all(0 <= number <= _MOST for number in numbers):
        raise ForgedAnswerError("counts that cannot be")


def parameters(reply: object) -> int:
    """Return a number of parameters."""
    count = _convert(reply, Parameters).params
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


def built(reply: object, most_bytes: int) -> Built:
    """Return what was built of a submission's kernels: names of files, to be written in the cache folder.

    Args:
        reply: The worker's.
        most_bytes: What all files may have.
    """
    result = _convert(reply, Built)
    paths = [file.path for file in result.files]
    if len(set(paths)) != len(paths) or not all(map(is_plain_path, paths)):
        raise ForgedAnswerError("files with names that cannot be")
    folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    if folders & set(paths):
        raise ForgedAnswerError("a file that is a folder as well")
    sizes = [file.size for file in result.files]
    if not all(0 <= size <= most_bytes for size in sizes) or sum(sizes) > most_bytes:
        raise ForgedAnswerError(f"{sum(sizes)} bytes of built files")
    if not set(result.extensions.values()) <= set(paths) or not all(
        map(is_plain_path, result.setups.values())
    ):
        raise ForgedAnswerError("an extension that is none of the built files")
    return result


def saved(reply: object, most_bytes: int) -> int:
    """Return the size of a checkpoint that a worker wrote [bytes].

    Args:
        reply: The worker's.
        most_bytes: What it may have.
    """
    size = _convert(reply, Saved).size
    if not 0 < size <= most_bytes:
        raise ForgedAnswerError(f"a checkpoint of {size} bytes")
    return size


def warm_up(reply: object, longest_s: float) -> WarmUp:
    """Return what a warm-up told, whose first call can have taken no longer than the whole of it."""
    result = _convert(reply, WarmUp)
    if not 0 < result.pad_to <= _MOST:
        raise ForgedAnswerError(f"an input padded to a multiple of {result.pad_to}")
    if not 0 <= result.first_ms <= longest_s * 1000:
        raise ForgedAnswerError(f"a first call of {result.first_ms} ms")
    return result


def timed(reply: object, longest_s: float) -> Timed:
    """Return what was told of a timed call, none of whose times can be longer than the whole of it."""
    told = _convert(reply, Timed)
    longest_ms = longest_s * 1000
    if not 0 < told.runtime_ms <= longest_ms:
        raise ForgedAnswerError(f"a runtime of {told.runtime_ms} ms")
    for value_ms in (told.host_ms, told.wait_ms):
        if value_ms is not None and not 0 <= value_ms <= longest_ms:
            raise ForgedAnswerError(f"{value_ms} ms of a call")
    if not (0 <= told.allocations <= _MOST and 0 <= told.switches <= _MOST):
        raise ForgedAnswerError(f"{told.allocations} allocations and {told.switches} interruptions")
    return told


def memory_mib(reply: object) -> float | None:
    """Return a memory peak [MiB], or None where it cannot be measured."""
    peak = _convert(reply, PeakMemory).memory_mib
    if peak is not None and not 0 <= peak <= _MOST:
        raise ForgedAnswerError(f"a memory peak of {peak} MiB")
    return peak


def flags(reply: object) -> dict[str, bool | int | str]:
    """Return torch's settings."""
    return _convert(reply, Flags).flags


def error(reply: object, file: Path) -> NtireBenchError:
    """Return the error that a worker's answer tells of.

    Args:
        reply: The worker's.
        file: The model file, for a fault of this program's in the worker.
    """
    try:
        told = msgspec.convert(reply, ErrorReply)
    except msgspec.ValidationError:
        raise ForgedAnswerError("an error of no known kind") from None
    what = one_line(told.what, _MOST_TEXT)
    if told.kind == "program":
        lines = told.traceback[-_MOST_TRACEBACK:].splitlines()
        trace = "\n".join("| " + "".join(c if c.isprintable() else " " for c in line) for line in lines)
        return MeasurementError(
            f"the harness failed inside the worker: {what}\n{trace}",
            file=file,
            remedy="report this with the lines above, unless the submission patches torch",
        )
    kind = SubmissionError if told.kind == "submission" else MeasurementError
    return kind(
        what,
        file=_one_line(told.file),
        expected=_one_line(told.expected),
        found=_one_line(told.found),
        remedy=_one_line(told.remedy),
    )


def _one_line(text: str | None) -> str | None:
    return None if text is None else one_line(text, _MOST_TEXT)


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
        raise ForgedAnswerError(f"a number beyond {_MOST}")
    if isinstance(value, (list, dict)) and len(value) > _MOST_ITEMS:
        raise ForgedAnswerError(f"a list of {len(value)}")
    if isinstance(value, list):
        return [_tame(item) for item in value]
    if isinstance(value, dict):
        return {_tame(key): _tame(item) for key, item in value.items()}
    return value
