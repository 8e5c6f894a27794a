"""The example networks that ship with the program, for users who have no submissions of their own yet."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ntire_bench import PACKAGE

__all__ = ["Folders", "folders", "folders_without_own"]


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Where submissions lie.

    Attributes:
        models: Folder of the model files.
        model_zoo: Folder of the checkpoints.
    """

    models: Path
    model_zoo: Path


def folders() -> Folders | None:
    """Return the folders of the examples; None where this installation has none.

    In a wheel they lie inside the package, in a checkout beside it.
    """
    inside, beside = PACKAGE / "examples", PACKAGE.parent
    is_checkout = (beside / "pyproject.toml").is_file()  # else packages are installed there
    place = inside if (inside / "models").is_dir() or not is_checkout else beside
    found = Folders(models=place / "models", model_zoo=place / "model_zoo")
    return found if found.models.is_dir() and found.model_zoo.is_dir() else None


def folders_without_own(*own: Path) -> Folders | None:
    """Return the folders of the examples where none of the user's own folders is there; else None.

    A link that leads nowhere counts as a folder of the user's: the user must hear that it is broken.
    """
    return None if any(map(os.path.lexists, own)) else folders()
