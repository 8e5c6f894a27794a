"""What a submission is: a model file and its checkpoint, or a branch of a challenge's checkout."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ntire_bench.errors import SubmissionError
from ntire_bench.source.files import CHECKPOINT_SUFFIXES, is_file
from ntire_bench.submissions.branch import Branch
from ntire_bench.wire.declaration import Declaration

__all__ = ["CHECKPOINT_SUFFIXES", "PACKAGE_FILE", "CheckpointMissing", "Submission", "Unusable"]

PACKAGE_FILE = "__init__.py"  # of a submission with several files, which lie in a folder of models/


class CheckpointMissing(SubmissionError):
    """A model file without its checkpoint: perhaps one that can be fetched."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One model file and its checkpoint.

    Attributes:
        id: The team's number.
        name: NAME in the file's name.
        file: The model file; of a package, its __init__.py.
        checkpoint: The checkpoint; None where the submission declares that it has none.
        declaration: What the submission says of itself.
        has_build_model: Whether the file defines a function build_model().
        branch: The branch of a challenge's select_model that it is; None for a file of models/. Then `file`
            and `checkpoint` are the first that the branch names, and test_demo.py builds the network.
        baseline_because: Why it is taken for the baseline, where that was inferred; else empty.
        checkpoint_of: Label of another submission whose checkpoint it is, by its name; empty for its own.
    """

    id: int
    name: str
    file: Path
    checkpoint: Path | None
    declaration: Declaration
    has_build_model: bool
    branch: Branch | None = None
    baseline_because: str = ""
    checkpoint_of: str = ""

    @property
    def label(self) -> str:
        """The submission as tables and folders call it, such as "00_RLFN"."""
        return f"{self.id:02d}_{self.name}"

    @property
    def package(self) -> Path | None:
        """Its folder, where it is a package of several files that its model file, __init__.py, begins."""
        return self.file.parent if self.branch is None and self.file.name == PACKAGE_FILE else None

    @property
    def stem(self) -> str:
        """What its files are named by: the model file's stem, or the package's name."""
        return self.file.stem if self.package is None else self.package.name

    def is_same_as(self, other: Submission) -> bool:
        """Return whether both have the same id and the same files, whatever paths lead to them."""
        return self._place() == other._place()

    def _place(self) -> tuple[int, Path, Path | None, Path | None]:
        checkpoint = None if self.checkpoint is None else self.checkpoint.resolve()
        return self.id, self.file.resolve(), checkpoint, self.workdir

    @property
    def readable(self) -> tuple[Path, ...]:
        """All files and folders that its process must be able to read."""
        own = [self.package or self.file, self.checkpoint]
        if self.branch is not None:  # its checkpoints may be links out of the checkout
            named = (*self.branch.checkpoints, *_behind_linked_zoo(self.branch.root))
            there = [path for path in named if is_file(path) and path.resolve().suffix == path.suffix]
            hops = [hop for path in there for hop in _hops(Path(os.path.abspath(path)))]
            return tuple(dict.fromkeys([self.branch.root.resolve(), *hops]))
        return tuple(dict.fromkeys(path.resolve() for path in own if path is not None))

    @property
    def unhashed(self) -> tuple[Path, ...]:
        """Folders inside of what is readable that its hash does not cover: its process must not see them."""
        return () if self.package is None else tuple(sorted(self.package.rglob("__pycache__")))

    @property
    def outside(self) -> tuple[Path, ...]:
        """Files outside of the checkout that its process can read: links in the checkout lead there."""
        root = None if self.branch is None else self.branch.root.resolve()
        real = dict.fromkeys(path.resolve() for path in self.readable)
        return () if root is None else tuple(path for path in real if not path.is_relative_to(root))

    @property
    def workdir(self) -> Path | None:
        """The working directory that its code relies on; None where any will do."""
        return None if self.branch is None else self.branch.root.resolve()


def _behind_linked_zoo(root: Path) -> Iterator[Path]:
    """Yield the checkpoints in a checkout's model_zoo/, where that folder is a link, to a larger disk say.

    Not the whole folder: it too is a stranger's, and may hold links that lead to anything.
    """
    folder = root / "model_zoo"
    if folder.is_symlink():
        with contextlib.suppress(OSError):
            yield from (file for file in sorted(folder.iterdir()) if file.suffix in CHECKPOINT_SUFFIXES)


def _hops(path: Path) -> Iterator[Path]:
    """Yield the paths that a path leads to, link by link; folders on the way may be links too.

    All of them must be readable for the file to be found. The last one may come twice.
    """
    for _ in range(40):  # Linux follows as many
        steps = [*reversed(path.parents), path]
        link = next((step for step in steps if step.is_symlink()), None)
        if link is None:
            break
        onward = os.path.normpath(link.parent / os.readlink(link))
        path = Path(onward) / path.relative_to(link)
        yield path
    yield path.resolve()


@dataclass(frozen=True)
class Unusable:
    """A submission that cannot be tried.

    Attributes:
        id: The team's number.
        name: NAME in the file's name; of the first file where there are several.
        file: The model file, alike.
        error: Why.
    """

    id: int
    name: str
    file: Path
    error: SubmissionError

    @property
    def label(self) -> str:
        """The submission as tables and folders call it, such as "00_RLFN"."""
        return f"{self.id:02d}_{self.name}"
