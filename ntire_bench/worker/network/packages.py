"""What a submission imports and cannot have, and what to do about it. Worker only."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ntire_bench.errors import SubmissionError

__all__ = [
    "FITTING",
    "Missing",
    "MissingPackage",
    "missing_by",
    "needed",
    "package_in",
    "remedy_for",
]

_DO_WITHOUT = "use torch and the standard library alone, or ask the organizer to install it"

# The torchvision that fits each torch, from the metadata of torchvision's releases X.Y.0.
FITTING = {"2.10": "0.25", "2.11": "0.26", "2.12": "0.27", "2.13": "0.28", "2.14": "0.29"}
# Python's own words, which packages repeat in exceptions of theirs.
_MISSING = re.compile(r"No module named '([^']+)'|import of (\S+) halted")
_OF_THE_EXTRA = ("einops",)
_DOCUMENT = "docs/PACKAGES.md"


@dataclass(frozen=True)
class Missing:
    """Something that a submission imports and cannot have.

    Attributes:
        reason: Why, in Python's words.
        package: The package that would have to be installed; None where that is not known.
        another_file: Whether it is another file of the submission's own repository.
    """

    reason: str
    package: str | None = None
    another_file: bool = False


class MissingPackage(ModuleNotFoundError):
    """A package that is not installed is wanted for more than being imported.

    Args:
        text: What is wanted of it, and why it cannot be had.
        name: The module that is missing.
        missing: The same, for a remedy.
    """

    def __init__(self, text: str, *, name: str, missing: Missing) -> None:
        super().__init__(text, name=name)
        self.missing = missing


def missing_by(error: ModuleNotFoundError) -> Missing:
    """Return what an exception says is missing.

    >>> missing_by(ModuleNotFoundError("No module named 'timm.layers'", name="timm.layers"))
    Missing(reason="No module named 'timm.layers'", package='timm', another_file=False)
    """
    if isinstance(error, MissingPackage):
        return error.missing
    return Missing(str(error), package_in(error))


def package_in(error: Exception) -> str | None:
    """Return the package that an exception of an import says is missing; None where it says none.

    >>> package_in(ImportError("it needs more: No module named 'torchvision.ops'"))
    'torchvision'
    >>> package_in(ValueError("x")) is None
    True
    """
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    match = _MISSING.search(str(error))
    if name is None and match is not None:
        name = match[1] or match[2]
    return None if name is None else name.split(".")[0]


def needed(
    file: Path, found: str, missing: Sequence[Missing], otherwise: str = _DO_WITHOUT
) -> SubmissionError:
    """Return the message for a file that cannot do without what is missing.

    Args:
        file: It.
        found: What Python says of it.
        missing: What is missing; where several packages are, the remedy is for one that more is known of.
        otherwise: The remedy for packages that nothing more is known of.
    """
    if any(one.another_file for one in missing):
        remedy = "put all that the network needs into this one file"
        return SubmissionError("needs another file", file=file, found=found, remedy=remedy)
    remedies = [remedy_for(one.package) for one in missing if one.package is not None]
    return SubmissionError(
        "needs a package that is not installed",
        file=file,
        found=found,
        remedy=next(filter(None, remedies), otherwise),
    )


def remedy_for(package: str) -> str | None:
    """Return what a reader can do about a package of which more is known than its name.

    >>> remedy_for("einops"), remedy_for("thop")
    ("pip install 'ntire-bench[submissions]', which brings einops, or do without it", None)
    """
    if package in _OF_THE_EXTRA:
        return f"pip install 'ntire-bench[submissions]', which brings {package}, or do without it"
    if package in ("timm", "torchvision"):
        what = "torchvision" if package == "torchvision" else "timm and torchvision"
        return f"install {what}, or do without it; {_pair()} (pairs that fit: {_DOCUMENT})"
    return None


def _pair() -> str:
    try:
        torch = ".".join(importlib.metadata.version("torch").split(".")[:2])
    except importlib.metadata.PackageNotFoundError:  # built from source, say
        torch = ""
    if torch not in FITTING:
        return "torchvision must be the one made for the torch that is installed"
    return f"to the torch {torch} here fits torchvision {FITTING[torch]}"
