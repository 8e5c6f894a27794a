"""A branch of select_model: a submission as it lies in a challenge's own checkout."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ntire_bench.errors import SubmissionError
from ntire_bench.source import files

if TYPE_CHECKING:
    from ntire_bench.wire.messages import BranchRequest

__all__ = ["Branch"]

if TYPE_CHECKING:
    from hashlib import _Hash as Digest

_MOST_SMALL_BYTES = 1 << 20
# Python, and what kernels are compiled of.
_CODE = frozenset(".py .pyx .c .cc .cpp .cxx .cu .cuh .h .hpp .hxx .inl .cl".split())


@dataclass(frozen=True, kw_only=True)
class Branch:
    """What can be read of one number of a select_model without running it.

    Attributes:
        root: The checkout.
        script: Its test_demo.py, whose select_model builds the network.
        line: The line of it where the branch begins.
        parameter: The parameter of select_model that holds the number.
        attribute: The attribute of that parameter that is the number; None where the parameter itself is.
        as_text: Whether the number is given as text.
        title: The name that the branch returns; None where it cannot be read.
        data_range: The range that it returns; None where it cannot be read.
        tile: The tile that it returns; None where there is none, or it cannot be read.
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

    def request(self, id_: int, file: Path) -> BranchRequest:
        """Return what a worker is asked for; it works in another folder, so all paths are absolute.

        Args:
            id_: The number of the branch.
            file: Its model file.
        """
        from ntire_bench.wire.messages import BranchRequest  # slow to import; `list` needs none

        return BranchRequest(
            id=id_,
            root=self.root.resolve(),
            script=self.script.resolve(),
            file=file.resolve(),
            parameter=self.parameter,
            attribute=self.attribute,
            as_text=self.as_text,
            checkpoints=tuple(Path(os.path.abspath(path)) for path in self.checkpoints),
        )

    def sources_sha256(self) -> str:
        """Return a hash that changes with all that the branch may be made of.

        That is all code of the checkout, and the checkpoints that the branch names. Where none of the
        checkpoints is there, the sizes and times of all files in model_zoo/ take their place.
        """
        named = [file for file in self.checkpoints if files.is_file(file)]
        digest = self._digest([*self._code(), *named])
        zoo = self.root / "model_zoo"
        for file in sorted(zoo.rglob("*")) if not named and zoo.is_dir() else ():
            if file.is_file():
                state = file.stat()
                line = f"{file.relative_to(self.root)}\0{state.st_size} {state.st_mtime_ns}\n"
                digest.update(line.encode(errors="replace"))
        return digest.hexdigest()

    def code_sha256(self) -> str:
        """Return a hash that changes with what kernels may be built of.

        That is the code of the checkout, and beside the branch's own files all that is small and no
        checkpoint: a kernel may include a file of any name, and a setup.py may read one.
        """
        shared = {self.root.resolve(), (self.root / "models").resolve()}
        own: set[Path] = set()
        for folder in {file.parent.resolve() for file in self.files}:
            found = folder.iterdir() if folder in shared else folder.rglob("*")
            own.update(file for file in found if _may_be_built_of(file))
        root = self.root.resolve()
        beside = [self.root / file.relative_to(root) for file in own if file.is_relative_to(root)]
        return self._digest({*self._code(), *beside}).hexdigest()

    def _code(self) -> list[Path]:
        found = (file for file in self.root.rglob("*") if file.suffix in _CODE)
        return [file for file in found if not _hidden(file.relative_to(self.root))]

    def _digest(self, those: Iterable[Path]) -> Digest:
        digest = hashlib.sha256()
        for file in filter(Path.is_file, sorted(those)):
            try:
                own = files.sha256(file)
            except SubmissionError:  # whoever needs it will tell that it cannot be read
                own = ""
            digest.update(f"{file.relative_to(self.root)}\0{own}\n".encode(errors="replace"))
        return digest


def _may_be_built_of(file: Path) -> bool:
    if "__pycache__" in file.parts or file.suffix.lower() in files.CHECKPOINT_SUFFIXES:
        return False
    return file.is_file() and file.stat().st_size <= _MOST_SMALL_BYTES


def _hidden(path: Path) -> bool:
    """Return whether a file is none of the checkout's own code: hidden, or of a virtual environment."""
    return any(part.startswith(".") or part == "site-packages" for part in path.parts)
