"""Puts an exception of a checkout's select_model into one plain message with a remedy. Worker only."""

from __future__ import annotations

import errno
import os
import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ntire_bench.errors import SubmissionError
from ntire_bench.text import few
from ntire_bench.wire.messages import SELECT_MODEL, BranchRequest
from ntire_bench.worker.checkout.torch_load import CheckpointReads
from ntire_bench.worker.network import checkpoint as checkpoints
from ntire_bench.worker.network import packages
from ntire_bench.worker.network.upscaler import wants_gpu

__all__ = ["explain"]

_MOST_KEYS = 3  # of a state dict, in a message that lists them
_LINE = 250  # characters
_POINTER = b"version https://git-lfs"


def explain(
    error: BaseException, request: BranchRequest, reads: CheckpointReads, device: torch.device
) -> SubmissionError:
    """Return the message for an exception of select_model.

    Args:
        error: What was raised.
        request: The branch.
        reads: What was read with torch.load.
        device: What the network was to run on.
    """
    if isinstance(error, SubmissionError):
        return error
    failure = _Failure(error, request, reads, device)
    for known in _KNOWN:
        message = known(failure)
        if message is not None:
            return message
    return SubmissionError(
        f"{SELECT_MODEL} raises for model_id {request.id}",
        file=failure.file,
        found=failure.found,
        remedy=f"mend the branch in {request.script.name}, or the team's file",
    )


@dataclass
class _Failure:
    """An exception, and where it comes from.

    Attributes:
        error: The exception.
        request: The branch.
        reads: What was read with torch.load.
        device: What the network was to run on.
        file: The last file of the checkout that it came through; test_demo.py if there is none.
        line: The line in it, or None.
        misfit: Whether a checkpoint does not fit its network.
        found: The exception on one line.
        unread: The checkpoint that could not be read, or None.
    """

    error: BaseException
    request: BranchRequest
    reads: CheckpointReads
    device: torch.device

    def __post_init__(self) -> None:
        root = self.request.root
        self.file, self.line = _where(self.error, root, self.request.script)
        # load_state_dict tells a misfit by its text alone.
        self.misfit = isinstance(self.error, RuntimeError) and "loading state_dict" in str(self.error)
        text = _one_line(self.error, keys=_MOST_KEYS if self.misfit else 0)
        self.found = f"{text} (line {self.line})" if self.line else text
        self.unread = None if self.reads.failed is None else root / self.reads.failed


def _pointer(failure: _Failure) -> SubmissionError | None:
    unread = [] if failure.unread is None else [failure.unread]
    for path in dict.fromkeys([*unread, *failure.request.checkpoints]):
        if _is_pointer(path):
            return SubmissionError(
                "is a Git LFS pointer, not the checkpoint",
                file=path,
                found=f"a text of {path.stat().st_size} bytes that names the file",
                remedy="run git lfs pull in the checkout, or download the file",
            )
    return None


def _file_missing(failure: _Failure) -> SubmissionError | None:
    error = failure.error
    if not isinstance(error, FileNotFoundError) or not error.filename:
        return None
    name = str(error.filename)
    if "/" not in name and "." not in name:  # a program that was to be run, such as nvidia-smi
        return None
    return SubmissionError(
        "is not there",
        file=failure.request.root / name,
        expected="a file that the branch reads",
        found=failure.found,
        remedy="put it there: the checkout is not complete",
    )


def _module_missing(failure: _Failure) -> SubmissionError | None:
    error, root, found = failure.error, failure.request.root, failure.found
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    name = error.name
    first = name.split(".")[0]
    if (root / first).is_symlink() and not (root / first).exists():
        return SubmissionError(
            "is a link out of the checkout, and a submission sees the checkout alone",
            file=root / first,
            found=found,
            remedy="copy the folder into the checkout",
        )
    stem = name.removesuffix(".py")
    if stem != name and (root / f"{stem.replace('.', '/')}.py").is_file():
        return SubmissionError(
            f"imports {name}, which is the name of a file and not of a module",
            file=failure.file,
            expected=stem,
            found=found,
            remedy="import it without .py",
        )
    if (root / first).is_dir() or name == f"{first}.py":
        return SubmissionError(
            f"imports {name}, which the checkout does not have",
            file=failure.file,
            found=found,
            remedy=f"put {stem.replace('.', '/')}.py into the checkout: it is not complete",
        )
    otherwise = f"install {first} beside ntire_bench, or have the team do without it"
    return packages.needed(failure.file, found, [packages.Missing(found, first)], otherwise)


def _not_readable(failure: _Failure) -> SubmissionError | None:
    error = failure.error
    if not isinstance(error, PermissionError) or not error.filename:
        return None
    path = failure.request.root / str(error.filename)
    if not _exists(path):
        return None
    return SubmissionError(
        "may not be read",
        file=path,
        found=failure.found,
        remedy="let everybody read it (chmod a+r), and copy what links lead to into the checkout",
    )


def _writes(failure: _Failure) -> SubmissionError | None:
    error = failure.error
    if not isinstance(error, OSError) or error.errno not in (errno.EROFS, errno.EACCES):
        return None
    return SubmissionError(
        f"writes to {error.filename}, and the checkout is read-only",
        file=failure.file,
        found=failure.found,
        remedy="have it write to a temporary folder (tempfile), or not at all",
    )


def _checkpoint_unreadable(failure: _Failure) -> SubmissionError | None:
    raised = isinstance(failure.error, (pickle.UnpicklingError, EOFError, RuntimeError))
    if failure.unread is None or not raised:
        return None
    try:
        checkpoints.read(failure.unread)
    except SubmissionError as told:
        return told
    return None


def _checkpoint_misfit(failure: _Failure) -> SubmissionError | None:
    if not failure.misfit:
        return None
    last = failure.reads.last
    return SubmissionError(
        "does not fit the network",
        file=failure.file if last is None else failure.request.root / last,
        found=f"{failure.found} of {failure.file.name}" if failure.line else failure.found,
        remedy="put the checkpoint that belongs to this network into the checkout",
    )


def _no_gpu(failure: _Failure) -> SubmissionError | None:
    if failure.device.type != "cpu" or not (wants_gpu(failure.error) or _asserts_gpu(failure.error)):
        return None
    return SubmissionError(
        "needs a GPU",
        file=failure.file,
        found=failure.found,
        remedy="evaluate it on a machine that has one",
    )


# What is asked first decides, so the order counts: a pointer is also a checkpoint that cannot be read.
_KNOWN: tuple[Callable[[_Failure], SubmissionError | None], ...] = (
    _pointer,
    _file_missing,
    _module_missing,
    _not_readable,
    _writes,
    _checkpoint_unreadable,
    _checkpoint_misfit,
    _no_gpu,
)


def _exists(path: Path) -> bool:
    try:
        return os.path.lexists(path)
    except OSError:  # a name that is too long, or behind a folder that may not be entered
        return False


def _where(error: BaseException, root: Path, script: Path) -> tuple[Path, int | None]:
    """Return the last file of the checkout that an exception came through, and the line in it."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path == script or root in path.parents:
            return path, frame.lineno
    return script, None


def _asserts_gpu(error: BaseException) -> bool:
    """Return whether an assertion without a message asserts that there is a GPU."""
    frames = traceback.extract_tb(error.__traceback__)
    line = frames[-1].line if frames else None
    return isinstance(error, AssertionError) and line is not None and wants_gpu(AssertionError(line))


def _one_line(error: BaseException, *, keys: int) -> str:
    """Return an exception as one line.

    Args:
        error: The exception.
        keys: How many lines after the first are added; the others are counted. 0 leaves all of them out.
    """
    lines = [line.strip()[:_LINE] for line in str(error).splitlines() if line.strip()]
    head = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return f"{head} {few(lines[1:], keys, between='; ')}" if keys and lines[1:] else head


def _is_pointer(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_POINTER)) == _POINTER
    except OSError:
        return False
