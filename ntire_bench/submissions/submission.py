"""What a submission is: a model file and its checkpoint, or a branch of a challenge's checkout."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ntire_bench.errors import SubmissionError
from ntire_bench.source.files import is_file
from ntire_bench.submissions.branch import Branch
from ntire_bench.submissions.declaration import Declaration

__all__ = ["CHECKPOINT_SUFFIXES", "CheckpointMissing", "Submission", "Unusable"]

CHECKPOINT_SUFFIXES = (".pth", ".pt", ".ckpt", ".pkl", ".safetensors")


class CheckpointMissing(SubmissionError):
    """A model file without its checkpoint: perhaps one that can be fetched."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One model file and its checkpoint.

    Attributes:
        id: The team's number.
        name: NAME in the file's name.
        file: The model file.
        checkpoint: The checkpoint; None where the submission declares that it has none.
        declaration: What the submission says of itself.
        has_build_model: Whether the file defines a function build_model().
        branch: Where it lies in a challenge's checkout; None for a file of models/. With it, `file` and
            `checkpoint` are the first of those that the branch names, and test_demo.py builds the network.
        baseline_because: Why it is the baseline, where that was inferred; empty for all else.
    """

    id: int
    name: str
    file: Path
    checkpoint: Path | None
    declaration: Declaration
    has_build_model: bool
    branch: Branch | None = None
    baseline_because: str = ""

    @property
    def label(self) -> str:
        """The submission as tables and folders call it, such as "00_RLFN"."""
        return f"{self.id:02d}_{self.name}"

    def is_same_as(self, other: Submission) -> bool:
        """Return whether both are one: of one id and made of the same files, by whatever path."""
        return self._place() == other._place()

    def _place(self) -> tuple[int, Path, Path | None, Path | None]:
        checkpoint = None if self.checkpoint is None else self.checkpoint.resolve()
        return self.id, self.file.resolve(), checkpoint, self.workdir

    @property
    def readable(self) -> tuple[Path, ...]:
        """All that its process must be able to read."""
        own = [self.file, self.checkpoint]
        if self.branch is not None:  # a checkpoint may be a link to somewhere else
            named = (*self.branch.checkpoints, *_behind_linked_zoo(self.branch.root))
            there = [path for path in named if is_file(path) and path.resolve().suffix == path.suffix]
            hops = [hop for path in there for hop in _hops(Path(os.path.abspath(path)))]
            return tuple(dict.fromkeys([self.branch.root.resolve(), *hops]))
        return tuple(dict.fromkeys(path.resolve() for path in own if path is not None))

    @property
    def outside(self) -> tuple[Path, ...]:
        """Files beside a checkout that its process can read, as links in the checkout lead to them."""
        root = None if self.branch is None else self.branch.root.resolve()
        real = dict.fromkeys(path.resolve() for path in self.readable)
        return () if root is None else tuple(path for path in real if not path.is_relative_to(root))

    @property
    def workdir(self) -> Path | None:
        """The working directory that its code counts on; None where it may be any."""
        return None if self.branch is None else self.branch.root.resolve()


def _behind_linked_zoo(root: Path) -> Iterator[Path]:
    """Yield the checkpoints in a checkout's model_zoo/ where that is a link, as to a larger disk.

    Not the folder itself, nor links inside it: those are strangers' as well, and may lead to anything.
    """
    folder = root / "model_zoo"
    if folder.is_symlink():
        with contextlib.suppress(OSError):
            yield from (file for file in sorted(folder.iterdir()) if file.suffix in CHECKPOINT_SUFFIXES)


def _hops(path: Path) -> Iterator[Path]:
    """Yield where a path leads, link by link, of folders too: each must be there for the next to be found.

    The last may come twice.
    """
    for _ in range(40):  # as many as Linux follows
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
