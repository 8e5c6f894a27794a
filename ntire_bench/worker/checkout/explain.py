"""What went wrong in a checkout's select_model, in one plain message with a remedy. Worker only."""

from __future__ import annotations

import errno
import os
import pickle
import traceback
from pathlib import Path

import torch

from ntire_bench.errors import SubmissionError
from ntire_bench.submissions.branch import Asked
from ntire_bench.text import few
from ntire_bench.worker.checkout.torch_load import CheckpointReads
from ntire_bench.worker.network import checkpoint as checkpoints
from ntire_bench.worker.network import packages
from ntire_bench.worker.network.upscaler import wants_gpu

__all__ = ["explain"]

_MOST_LINES = 3  # of a message that lists keys
_LINE = 250
_POINTER = b"version https://git-lfs"


def explain(
    error: BaseException, asked: Asked, reads: CheckpointReads, device: torch.device
) -> SubmissionError:
    """Return an exception of select_model as a message.

    Args:
        error: What was raised.
        asked: The branch.
        reads: What was read with torch.load.
        device: What the network was to run on.
    """
    if isinstance(error, SubmissionError):
        return error
    root, script = asked.root, asked.script
    file, line = _where(error, root, script)
    found = f"{_told(error)} (line {line})" if line else _told(error)
    failed = None if reads.failed is None else root / reads.failed
    for path in dict.fromkeys([*([failed] if failed else []), *asked.checkpoints]):
        if _is_pointer(path):
            return SubmissionError(
                "is a Git LFS pointer, not the checkpoint",
                file=path,
                found=f"a text of {path.stat().st_size} bytes that names the file",
                remedy="run git lfs pull in the checkout, or download the file",
            )
    program = isinstance(error, FileNotFoundError) and _is_program(str(error.filename))
    if isinstance(error, FileNotFoundError) and error.filename and not program:
        return SubmissionError(
            "is not there",
            file=root / str(error.filename),
            expected="a file that the branch reads",
            found=found,
            remedy="put it there: the checkout is not complete",
        )
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _module_missing(error.name, root, file, found)
    if isinstance(error, PermissionError) and error.filename and _is_there(root / str(error.filename)):
        return SubmissionError(
            "may not be read",
            file=root / str(error.filename),
            found=found,
            remedy="let everybody read it (chmod a+r), and copy what links lead to into the checkout",
        )
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES):
        return SubmissionError(
            f"writes to {error.filename}, and the checkout is read-only",
            file=file,
            found=found,
            remedy="have it write to a temporary folder (tempfile), or not at all",
        )
    if failed is not None and isinstance(error, (pickle.UnpicklingError, EOFError, RuntimeError)):
        try:
            checkpoints.read(failed)
        except SubmissionError as told:
            return told
    if isinstance(error, RuntimeError) and "loading state_dict" in str(error):
        return SubmissionError(
            "does not fit the network",
            file=file if reads.last is None else root / reads.last,
            found=f"{found} of {file.name}" if line else found,
            remedy="put the checkpoint that belongs to this network into the checkout",
        )
    if device.type == "cpu" and (wants_gpu(error) or _asserts_gpu(error)):
        return SubmissionError(
            "needs a GPU", file=file, found=found, remedy="evaluate it on a machine that has one"
        )
    return SubmissionError(
        f"select_model raises for model_id {asked.id}",
        file=file,
        found=found,
        remedy=f"mend the branch in {script.name}, or the team's file",
    )


def _module_missing(name: str, root: Path, file: Path, found: str) -> SubmissionError:
    first = name.split(".")[0]
    if (root / first).is_symlink() and not (root / first).exists():
        return SubmissionError(
            "is a link out of the checkout, and a submission sees the checkout alone",
            file=root / first,
            found=found,
            remedy="copy the folder into the checkout",
        )
    if (root / first).is_dir() or name == first + ".py":
        return SubmissionError(
            f"imports {name}, which the checkout does not have",
            file=file,
            found=found,
            remedy=f"put {name.replace('.', '/')}.py into the checkout: it is not complete",
        )
    otherwise = f"install {first} beside ntire_bench, or have the team do without it"
    return packages.needed(file, found, [packages.Missing(found, first)], otherwise)


def _is_program(filename: str) -> bool:
    """Return whether a missing file is a program that was to run, such as nvidia-smi."""
    return "/" not in filename and "." not in filename


def _is_there(path: Path) -> bool:
    try:
        return os.path.lexists(path)
    except OSError:
        return False


def _where(error: BaseException, root: Path, script: Path) -> tuple[Path, int | None]:
    """Return the last line of the checkout that an exception came through."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path == script or root in path.parents:
            return path, frame.lineno
    return script, None


def _asserts_gpu(error: BaseException) -> bool:
    """Return whether an assertion without a message is one that there be a GPU."""
    frames = traceback.extract_tb(error.__traceback__)
    line = frames[-1].line if frames else None
    return isinstance(error, AssertionError) and line is not None and wants_gpu(AssertionError(line))


def _told(error: BaseException) -> str:
    """Return an exception as one line; of a long list of keys, the first few and how many more."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    head = f"{type(error).__name__}: {lines[0][:_LINE]}" if lines else type(error).__name__
    listed = "loading state_dict" in head
    rest = [line[:_LINE] for line in lines[1:]] if listed else []
    return f"{head} {few(rest, _MOST_LINES, between='; ')}".strip()


def _is_pointer(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_POINTER)) == _POINTER
    except OSError:
        return False
