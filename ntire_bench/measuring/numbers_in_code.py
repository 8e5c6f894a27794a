"""How many numbers are written into the code of a submission: the text alone, nothing is run."""

from __future__ import annotations

import contextlib

from ntire_bench.audit.literals import numbers_in
from ntire_bench.errors import SubmissionError
from ntire_bench.source import files
from ntire_bench.submissions import package_files
from ntire_bench.submissions.submission import Submission

__all__ = ["numbers_written"]


def numbers_written(submission: Submission) -> int:
    """Return how many numbers are written into the code of a submission: all files of a package."""
    if submission.package is None:
        return numbers_in(files.parse(submission.file))
    total = 0
    for name, path in package_files.files_of(submission.package).items():
        if name.endswith(".py"):
            # What is no Python cannot be imported either; if the network needs it, loading says so.
            with contextlib.suppress(SubmissionError):
                total += numbers_in(files.parse(path))
    return total
