"""What a worker is asked and what it answers: the same classes on both sides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["SCRIPT", "SELECT_MODEL", "BranchRequest"]

SCRIPT = "test_demo.py"
"""The file of a challenge's checkout that runs the networks."""

SELECT_MODEL = "select_model"
"""The function in it that builds them."""


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
    """

    id: int
    root: Path
    script: Path
    file: Path
    parameter: str
    attribute: str | None
    as_text: bool
    checkpoints: tuple[Path, ...]
