"""Whether a submission has kernels to be built, and what they are built of. Nothing is run.

What is looked for by name here only decides whether there is a build step; whether a network computes
outside of torch's operators is for the audit to see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ntire_bench.errors import SubmissionError
from ntire_bench.source import files
from ntire_bench.submissions import package_files
from ntire_bench.submissions.submission import Submission

__all__ = ["has_kernels", "setup_folders", "sources_sha256"]

_SETUP = "setup.py"
_EXTENSION = re.compile(rb"\bExtension\b|\b(Cpp|CUDA|Sycl)Extension\b|ext_modules")
_AT_RUN_TIME = re.compile(rb"\bcpp_extension\b|\bload_inline\b|^\s*(import|from)\s+triton\b", re.MULTILINE)


def has_kernels(submission: Submission) -> bool:
    """Return whether something is to be built before the submission is loaded.

    That is a setup.py with extensions, or a file that mentions torch.utils.cpp_extension or Triton.
    """
    if any(_AT_RUN_TIME.search(_text(file)) for file in _python_files(submission)):
        return True
    return bool(setup_folders(submission))


def setup_folders(submission: Submission) -> tuple[Path, ...]:
    """Return the folders with a setup.py that builds extensions, absolute, the outer ones first."""
    found = [file for file in _python_files(submission) if file.name == _SETUP]
    return tuple(dict.fromkeys(file.parent.resolve() for file in found if _EXTENSION.search(_text(file))))


def sources_sha256(submission: Submission) -> str:
    """Return a hash that changes with every file that kernels may be built of, and not with the checkpoint.

    Raises:
        SubmissionError: A file cannot be read.
    """
    if submission.branch is not None:
        return submission.branch.code_sha256()
    if submission.package is not None:
        return package_files.sha256(submission.package)
    return files.sha256(submission.file)


def _python_files(submission: Submission) -> Iterator[Path]:
    """Yield the Python files of a submission; of a branch, those of the folders that it imports from."""
    if submission.branch is None:
        if submission.package is None:
            yield submission.file
        else:
            found = package_files.files_of(submission.package).values()
            yield from sorted((file for file in found if file.suffix == ".py"), key=_depth)
        return
    root = submission.branch.root.resolve()
    shared = {root, root / "models"}
    seen: dict[Path, None] = {}
    for file in submission.branch.files:
        folder = file.parent.resolve()
        inside = [file] if folder in shared else sorted(folder.rglob("*.py"), key=_depth)
        seen.update(dict.fromkeys(one for one in inside if files.is_file(one)))
    yield from seen


def _depth(file: Path) -> tuple[int, str]:
    return len(file.parts), str(file)


def _text(file: Path) -> bytes:
    try:
        return files.read(file)
    except SubmissionError:  # whoever needs it will tell that it cannot be read
        return b""
