"""What a worker is asked and what it answers: the same classes on both sides.

Two requests are more than a few numbers and have classes; the others are parameters of the methods of
worker/serve.py.

What crosses is JSON. `plain` makes it of a message. In the worker, `received` makes a request of it again; in
the parent, `client.answers` makes a reply of it and checks that it can be true.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from ntire_bench.records.record import Complexity, Finding, Inference
from ntire_bench.wire.declaration import Declaration
from ntire_bench.wire.observation import Observation

__all__ = [
    "LOADING_FACTS",
    "LOADING_FINDINGS",
    "MOST_DEPTH",
    "MOST_DIFFERENCE",
    "SCRIPT",
    "SELECT_MODEL",
    "BranchRequest",
    "BuildRequest",
    "Built",
    "BuiltFile",
    "Counted",
    "ErrorReply",
    "Flags",
    "FuseReply",
    "Kernels",
    "LoadReply",
    "LoadRequest",
    "Parameters",
    "PeakMemory",
    "Saved",
    "Slow",
    "Timed",
    "WarmUp",
    "is_plain_path",
    "plain",
    "received",
]

MOST_DIFFERENCE = 1e-3  # of a merged network; rounding in float32 stays under 1e-4 in all of models/
MOST_DEPTH = 8
"""Parts of the path of a built file, its name included."""

SCRIPT = "test_demo.py"
"""The file of a challenge's checkout that runs the networks."""

SELECT_MODEL = "select_model"
"""The function in it that builds them."""

LOADING_FINDINGS = frozenset(
    (
        "averaged-not-taken",
        "checkpoint-not-strict",
        "loop-not-followed",
        "loop-partly-followed",
        "other-weights-fit",
        "range-contradicted",
    )
)
"""Codes of what a worker may find as it loads a submission: none of them is of severity reject."""

LOADING_FACTS = frozenset(
    "absent converted cuda data_range device forward left_out merged model name output prefix stand_in"
    " state_key strict tile".split()
)
"""Keys of what it may find out, beside "args." and a name."""

_Request = TypeVar("_Request")


@dataclass(frozen=True, kw_only=True)
class Kernels:
    """What was built of a submission's kernels, and where that lies.

    Attributes:
        folder: Of the built files, to read only; a process that runs the twin does not see it.
        setups: Folders that have a setup.py, and the folder in `folder` that holds what it built.
        extensions: What torch.utils.cpp_extension was asked for by name, and the file in `folder`.
        failed: What could not be built, by the same names, and why.
        loaded: Why the network could not be loaded when they were built; None where it could.
    """

    folder: Path
    setups: dict[str, str] = field(default_factory=dict)
    extensions: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    loaded: str | None = None


@dataclass(frozen=True, kw_only=True)
class LoadRequest:
    """Which submission is to be loaded: a model file, and what belongs to it.

    Attributes:
        file: The model file.
        name: NAME in its file name.
        checkpoint: The checkpoint; None for a network without one.
        declaration: What the submission declares of itself, without its `args`.
        args: Those, as Python writes them: JSON would make a list of a tuple.
        kernels: What was built of it; None where nothing was to be built.
        twin: Whether the twin is to run in place of the network as it is.
    """

    file: Path
    name: str
    checkpoint: Path | None
    declaration: Declaration
    args: str
    kernels: Kernels | None = None
    twin: bool = False


@dataclass(frozen=True, kw_only=True)
class BranchRequest:
    """Which branch of a challenge's checkout a worker is to load.

    Attributes:
        id: Its number.
        root: The checkout.
        script: Its test_demo.py.
        file: The branch's model file, which messages name.
        parameter: The parameter of select_model that holds the number.
        attribute: The attribute of that parameter that is the number; None where the parameter itself is.
        as_text: Whether the number is given as text.
        checkpoints: The checkpoint files that the branch is known to name.
        kernels: What was built of it; None where nothing was to be built.
        twin: Name of the method that is to run in place of forward; None for none.
    """

    id: int
    root: Path
    script: Path
    file: Path
    parameter: str
    attribute: str | None
    as_text: bool
    checkpoints: tuple[Path, ...]
    kernels: Kernels | None = None
    twin: str | None = None


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """Whose kernels are to be built. They are what setup.py builds, and what loading the network asks for.

    Attributes:
        load: How it is loaded; None for a branch.
        branch: The branch; None for a file of models/.
        setups: Folders that have a setup.py with extensions.
        scale: Enlargement factor.
    """

    load: LoadRequest | None
    branch: BranchRequest | None
    setups: tuple[Path, ...]
    scale: int


@dataclass(frozen=True)
class BuiltFile:
    """A file that was built: its path with slashes, and its size [bytes]."""

    path: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a build gave.

    Attributes:
        files: All of them, in the order in which they lie in the SR buffer.
        setups: See `Kernels`.
        extensions: Alike.
        failed: Alike.
        loaded: Why the network could not be loaded afterwards; None where it could.
    """

    files: tuple[BuiltFile, ...]
    setups: dict[str, str]
    extensions: dict[str, str]
    failed: dict[str, str]
    loaded: str | None = None


@dataclass(frozen=True)
class Slow:
    """A network that is slow, or that may be so because of the types it computes in.

    Attributes:
        pixel_s: How long a run takes for each LR pixel [s]; None where that was not measured.
        precision: The types of less than 32 bits that it computes in on a CPU; "" for none, and on a GPU.
    """

    pixel_s: float | None = None
    precision: str = ""


@dataclass(frozen=True, kw_only=True)
class LoadReply:
    """How a submission was resolved; see `records.SubmissionInfo`.

    Attributes:
        model: The class or function that built the network.
        data_range: 1.0 or 255.0.
        tile: Side of the tiles [LR pixels], or None.
        can_fuse: It has a method such as fuse().
        inferred: What was found out rather than declared.
        findings: What a reader of the result must know.
        slow: How slow it is; None where nothing says that it is slow.
    """

    model: str
    data_range: float
    tile: int | None
    can_fuse: bool
    inferred: tuple[Inference, ...]
    findings: tuple[Finding, ...]
    slow: Slow | None = None


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A network's costs, before they are audited.

    Attributes:
        costs: Of its `audit`, `counter`, `traced_products` and `not_traced` are set.
        observed: What was seen of one forward pass on the same input.
    """

    costs: Complexity
    observed: Observation


@dataclass(frozen=True, kw_only=True)
class FuseReply:
    """What merging a network's training branches changes.

    Attributes:
        before: Costs as loaded.
        after: Costs merged.
        difference_levels: Largest difference of the two outputs on an image [grey levels, 0 to 255].
        relative: Largest difference over the largest value.
        size: Of the merged checkpoint [bytes]; 0 where it is not wanted.
    """

    before: Complexity
    after: Complexity
    difference_levels: float
    relative: float
    size: int = 0

    @property
    def saves(self) -> bool:
        """Whether the merged network costs less."""
        return self.after.params < self.before.params or self.after.flops < self.before.flops

    @property
    def same(self) -> bool:
        """Whether the merged network gives the same image, rounding aside."""
        return self.relative < MOST_DIFFERENCE


@dataclass(frozen=True)
class Saved:
    """How many bytes of the SR buffer a network's state dict takes, as torch.save writes it."""

    size: int


@dataclass(frozen=True)
class WarmUp:
    """What a warm-up tells: the multiple that this size is padded to, 1 for none, and the first call [ms]."""

    pad_to: int
    first_ms: float


@dataclass(frozen=True)
class Timed:
    """One timed forward pass, as the worker saw it.

    Attributes:
        runtime_ms: By its own clock.
        host_ms: From its start until the last kernel was queued; None on a CPU.
        allocations: How often GPU memory was taken from the driver in it.
        switches: How often its thread was interrupted in it (involuntary context switches).
        wait_ms: How long an idle device took to answer before the clock was started: longer where another
            process has left it work. None on a CPU.
    """

    runtime_ms: float
    host_ms: float | None = None
    allocations: int = 0
    switches: int = 0
    wait_ms: float | None = None


@dataclass(frozen=True)
class Parameters:
    """How many elements parameters() has."""

    params: int


@dataclass(frozen=True)
class PeakMemory:
    """The memory peak since the last reset [MiB]; None where it cannot be measured."""

    memory_mib: float | None


@dataclass(frozen=True)
class Flags:
    """torch's settings that change runtime or rounding, by name."""

    flags: dict[str, bool | int | str]


@dataclass(frozen=True, kw_only=True)
class ErrorReply:
    """An operation that failed.

    Attributes:
        kind: Whose fault it is: the submission's, the measurement's, or this program's own.
        what: See `errors.NtireBenchError`, as for the four below.
        file: The file at fault.
        expected: What should have been there.
        found: What was there instead.
        remedy: What the reader can do.
        traceback: Of a fault of this program's own; else "".
    """

    kind: Literal["submission", "measurement", "program"]
    what: str
    file: str | None = None
    expected: str | None = None
    found: str | None = None
    remedy: str | None = None
    traceback: str = ""


def plain(message: object) -> Any:  # noqa: ANN401 - what JSON holds
    """Return a message as JSON holds it.

    >>> plain(Timed(1.5))
    {'runtime_ms': 1.5, 'host_ms': None, 'allocations': 0, 'switches': 0, 'wait_ms': None}
    """
    return msgspec.to_builtins(message, enc_hook=_simple)


def received(value: object, type_: type[_Request]) -> _Request:
    """Return a request as its class, of what JSON holds. Only a worker uses it: it trusts what is asked.

    >>> request = LoadRequest(
    ...     file=Path("a.py"), name="A", checkpoint=None, declaration=Declaration(), args="{}"
    ... )
    >>> received(plain(request), LoadRequest) == request
    True
    """
    return msgspec.convert(value, type_, dec_hook=_path)


def _path(type_: type, value: object) -> object:
    return type_(value)


def _simple(value: object) -> str | int | float:
    """Return a path as text, and a text or number of another class, such as torch's version, as Python's."""
    if isinstance(value, Path):
        return str(value)
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    raise NotImplementedError(f"{type(value).__name__} in a message")


_PLAIN = re.compile(r"[A-Za-z0-9_.+=@,-]{1,160}")  # a part of a path


def is_plain_path(path: str) -> bool:
    """Whether a path has a few parts of letters, digits and signs that mean nothing to a file system.

    >>> [is_plain_path(path) for path in ("a/b.so", "../b.so", "/b.so", "a//b", "a/.", "a b")]
    [True, False, False, False, False, False]
    """
    parts = path.split("/")
    return len(parts) <= MOST_DEPTH and all(_PLAIN.fullmatch(part) and part.strip(".") for part in parts)
