"""What to do about a package that a submission imports and that is not installed."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

from ntire_bench.errors import SubmissionError

__all__ = ["FITTING", "missing", "named", "remedy_for"]

_DO_WITHOUT = "use torch and the standard library alone, or ask the organizer to install it"

# torchvision by the torch that it says it needs, from the metadata of its releases X.Y.0.
FITTING = {"2.10": "0.25", "2.11": "0.26", "2.12": "0.27", "2.13": "0.28", "2.14": "0.29"}
_MISSING = re.compile(r"No module named '([^']+)'|import of (\S+) halted")
_OF_THE_EXTRA = ("einops",)
_DOCUMENT = "docs/PACKAGES.md"


def missing(
    file: Path, found: str, otherwise: str = _DO_WITHOUT, *, module: str | None = None
) -> SubmissionError:
    """Return the message for a file that cannot do without a package.

    Args:
        file: It.
        found: What Python says of it.
        otherwise: The remedy for a package that nothing more is known of.
        module: The missing module, where that is known; else `found` tells.
    """
    if "another file" in found:
        remedy = "put all that the network needs into this one file"
        return SubmissionError("needs another file", file=file, found=found, remedy=remedy)
    top = named(found) if module is None else module.split(".")[0]
    return SubmissionError(
        "needs a package that is not installed",
        file=file,
        found=found,
        remedy=(remedy_for(top) if top else None) or otherwise,
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


def named(text: str) -> str | None:
    """Return the package that a message of Python's says is missing; where several are, one of known remedy.

    >>> named("MissingPackage: a.b is used, and No module named 'timm.layers'")
    'timm'
    >>> named("No module named 'thop'; No module named 'einops'"), named("ValueError: x")
    ('einops', None)
    """
    found = ["".join(pair).split(".")[0] for pair in _MISSING.findall(text)]
    known = [name for name in found if remedy_for(name)]
    return next(iter([*known, *found]), None)


def _pair() -> str:
    try:
        torch = ".".join(importlib.metadata.version("torch").split(".")[:2])
    except importlib.metadata.PackageNotFoundError:  # built from source, say
        torch = ""
    if torch not in FITTING:
        return "torchvision must be the one made for the torch that is installed"
    return f"to the torch {torch} here fits torchvision {FITTING[torch]}"
