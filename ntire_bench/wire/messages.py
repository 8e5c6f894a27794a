"""What a worker is asked and what it answers: the same classes on both sides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["SCRIPT", "SELECT_MODEL", "BranchRequest"]

SCRIPT = "test_demo.py"
SELECT_MODEL = "select_model"


@dataclass(frozen=True, kw_only=True)
class BranchRequest:
    """Which branch is wanted; see `submissions.branch.Branch`.

    Attributes:
        id: The number.
        root: The checkout.
        script: Its test_demo.py.
        file: The model file, for messages.
        parameter: The parameter of select_model that tells it the number.
        attribute: The attribute of it that is the number; None where the parameter is.
        as_text: Whether the number is given as text.
        checkpoints: Files that the branch is known to name.
    """

    id: int
    root: Path
    script: Path
    file: Path
    parameter: str
    attribute: str | None
    as_text: bool
    checkpoints: tuple[Path, ...]
