"""Named references: tables that come with this program, and results files that a user keeps by a name."""

from __future__ import annotations

import re
from pathlib import Path

from ntire_bench.errors import UsageError
from ntire_bench.ranking import reference
from ntire_bench.ranking.anew import Changes
from ntire_bench.ranking.board import Board, board_from_reference
from ntire_bench.ranking.stored import board_of_records, protocols_with_records

__all__ = ["available", "board_named", "folder_for", "kept"]


def kept(references: Path) -> list[str]:
    """Return the names of the references that a user has kept in a folder.

    >>> kept(Path("no such folder"))
    []
    """
    return sorted(folder.name for folder in references.glob("*/") if protocols_with_records(folder))


def available(references: Path) -> list[str]:
    """Return the names of all references, those that come with this program first.

    >>> available(Path("no such folder"))
    ['ntire2024']
    """
    return [*reference.available(), *kept(references)]


def folder_for(references: Path, name: str) -> Path:
    """Return the folder that a new reference goes to: a results folder of its own.

    Args:
        references: The folder of all that are kept.
        name: Of the new one.

    Raises:
        UsageError: The name is taken, or no folder can be called so.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.+-]{0,63}", name, re.ASCII):
        raise UsageError(
            "a reference cannot be called so", expected="letters, digits and . _ + -", found=repr(name)
        )
    if name in reference.available():
        raise UsageError(
            f"{name} is a reference that comes with this program", remedy="choose another --name"
        )
    return references / name


def board_named(references: Path, name: str, changes: Changes | None = None) -> Board:
    """Return the board of a reference, by the rules that it was kept under.

    Args:
        references: The folder of those that a user has kept.
        name: Of one of them, or of a table that comes with this program.
        changes: What is to be ranked otherwise than the rules say.

    Raises:
        UsageError: There is no reference of that name.
    """
    if name in reference.available():
        return board_from_reference(name, changes)
    if name in kept(references):
        return board_of_records(references / name, changes=changes)
    raise UsageError(
        f"there is no reference {name!r}",
        found=", ".join(available(references)),
        remedy="name one of these, or keep another with `ntire-bench reference add`",
    )
