"""Where a submission lies in a challenge's own checkout, and what it is made of there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ntire_bench.errors import SubmissionError
from ntire_bench.source import files as given_file

__all__ = ["Branch"]


@dataclass(frozen=True, kw_only=True)
class Branch:
    """One number of a select_model, as far as it can be read without running it.

    Attributes:
        root: The checkout.
        script: Its test_demo.py, whose select_model builds the network.
        line: Of the branch in it.
        parameter: The parameter of select_model that tells it the number.
        attribute: The attribute of that parameter which is the number; None where the parameter itself is it.
        as_text: Whether the number is given as text.
        title: The name that the branch gives; None where that cannot be read.
        data_range: The range that it gives; None where that cannot be read.
        tile: The tile that it gives; None where there is none, or it cannot be read.
        files: Model files of the checkout that it imports.
        checkpoints: Checkpoint files that it names, whether or not they are there.
    """

    root: Path
    script: Path
    line: int
    parameter: str
    attribute: str | None
    as_text: bool
    title: str | None
    data_range: float | None
    tile: int | None
    files: tuple[Path, ...]
    checkpoints: tuple[Path, ...]

    def sources_sha256(self) -> str:
        """Return a hash that changes with all that the branch may be made of.

        That is all Python files of the checkout, and the checkpoints; where none could be read,
        sizes and times of all that is in model_zoo/ stand in for them.
        """
        code = [file for file in self.root.rglob("*.py") if not _hidden(file.relative_to(self.root))]
        there = [file for file in self.checkpoints if given_file.is_file(file)]
        digest = hashlib.sha256()
        for file in filter(Path.is_file, sorted([*code, *there])):
            try:
                own = given_file.sha256(file)
            except SubmissionError:  # not to be read: whoever needs it will say so
                own = ""
            digest.update(f"{file.relative_to(self.root)}\0{own}\n".encode(errors="replace"))
        zoo = self.root / "model_zoo"
        for file in sorted(zoo.rglob("*")) if not there and zoo.is_dir() else ():
            if file.is_file():
                state = file.stat()
                line = f"{file.relative_to(self.root)}\0{state.st_size} {state.st_mtime_ns}\n"
                digest.update(line.encode(errors="replace"))
        return digest.hexdigest()


def _hidden(path: Path) -> bool:
    """Return whether a file is no part of the checkout's own code: hidden, or of an environment in it."""
    return any(part.startswith(".") or part == "site-packages" for part in path.parts)
