"""The errors that ntire_bench raises for faults that are not its own.

Each message is complete on its own: the file (or thing) at fault, what was expected there, what was found,
and what to do about it. A fault of the program itself is never one of these: it keeps its traceback.
"""

from __future__ import annotations

import os
from pathlib import Path

from ntire_bench.text import one_line, relative

__all__ = [
    "DatasetError",
    "MeasurementError",
    "NtireBenchError",
    "RecordError",
    "SubmissionError",
    "UsageError",
]


class NtireBenchError(Exception):
    """A fault of the user's or of the machine's, told in one plain message.

    Args:
        what: The problem in one clause, without a full stop.
        file: The file or folder at fault; printed relative to the working directory.
        expected: What should have been there.
        found: What was there instead.
        remedy: What the reader can do about it.

    >>> print(NtireBenchError("unreadable", file="a.png", expected="PNG", found="text", remedy="copy anew"))
    a.png: unreadable; expected PNG; found text. Remedy: copy anew.
    """

    def __init__(
        self,
        what: str,
        *,
        file: str | os.PathLike[str] | None = None,
        expected: str | None = None,
        found: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.file = None if file is None else Path(file)
        self.expected = expected
        self.found = found
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        """Return the one message a user reads."""
        text = self.what if self.file is None else f"{relative(self.file)}: {self.what}"
        if self.expected is not None:
            text += f"; expected {self.expected}"
        if self.found is not None:
            text += f"; found {self.found}"
        text = text.rstrip(".") + "."
        if self.remedy is not None:
            text += f" Remedy: {self.remedy.rstrip('.')}."
        return text


class UsageError(NtireBenchError):
    """The command was called wrongly: an unknown id, protocol or folder."""


class SubmissionError(NtireBenchError):
    """A team's model file or checkpoint cannot be loaded or does not do what a submission must."""

    def __str__(self) -> str:
        """Return the one message on one line: names and words in it are a stranger's."""
        return one_line(super().__str__())


class DatasetError(NtireBenchError):
    """LR or HR images are missing, unreadable or do not fit together."""


class MeasurementError(NtireBenchError):
    """A measurement could not be made for a reason that is not the submission's."""


class RecordError(NtireBenchError):
    """A stored record cannot be read or does not hold what was asked of it."""
