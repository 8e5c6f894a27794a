"""The unit of work: one command that evaluates one team beside the baseline and stores a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["PROGRAM", "Job", "command"]

PROGRAM = ("ntire-bench",)
_ERRORS_READ = 1 << 20  # bytes of a job's output


def command(program: Sequence[str], id_: int, options: Sequence[str]) -> tuple[str, ...]:
    """Return the command that evaluates a team.

    Args:
        program: What stands for `ntire-bench`, in a container for example.
        id_: The team's.
        options: Of `run`, with --results.

    >>> " ".join(command(PROGRAM, 5, ["--results", "shared"]))
    'ntire-bench run 5 --resume --results shared --json'
    """
    return (*program, "run", str(id_), "--resume", *options, "--json")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One command to be run somewhere, from this working directory.

    Attributes:
        label: The team's.
        words: The command.
        log: Path of its output without a suffix: .out is standard output, .err the other.
    """

    label: str
    words: tuple[str, ...]
    log: Path

    @property
    def error(self) -> tuple[str, str]:
        """The type and message of the error that its JSON document ends with; both empty for none."""
        try:
            with self.log.with_suffix(".out").open("rb") as file:
                document: Any = msgspec.json.decode(file.read(_ERRORS_READ))
            error = document["error"]
            return str(error["type"]), str(error["message"])
        # It ended before it could say anything, or what it said is no such document.
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
            return "", ""
