"""The published checkpoints of the networks in models/, which `fetching` fetches. None is opened here."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import msgspec

from ntire_bench import PACKAGE
from ntire_bench.errors import UsageError
from ntire_bench.submissions import spelling
from ntire_bench.submissions.catalogue import Catalogue
from ntire_bench.submissions.submission import CheckpointMissing

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Published", "catalogue", "find", "unfetched"]


@dataclass(frozen=True, kw_only=True)
class Published:
    """One published checkpoint.

    Attributes:
        id: Number of the submission in models/ that it belongs to.
        name: NAME of that submission.
        title: What this program calls the authors' release, such as "rlfn_x4".
        repositories: OWNER/NAME of the public repositories that may hold it, the likeliest first.
        bytes: Size of the file.
        blob: Git object id (SHA-1) of its content.
        sha256: SHA-256 of its content.
    """

    id: int
    name: str
    title: str
    repositories: tuple[str, ...]
    bytes: int
    blob: str
    sha256: str

    @property
    def label(self) -> str:
        """The submission as tables and folders call it, such as "00_RLFN"."""
        return f"{self.id:02d}_{self.name}"

    @property
    def file_name(self) -> str:
        """The file's name in model_zoo/."""
        return f"team{self.label}.pth"


def catalogue() -> list[Published]:
    """Return all published checkpoints, by id.

    >>> [item.file_name for item in catalogue()][0]
    'team00_RLFN.pth'
    """
    raw = tomllib.loads((PACKAGE / "submissions" / "zoo.toml").read_text(encoding="utf-8"))
    return sorted(msgspec.convert(raw["checkpoint"], list[Published]), key=lambda item: item.id)


def find(text: str) -> Published:
    """Return the published checkpoint of a submission.

    Args:
        text: What the user wrote: an id, a name, or a path.

    Raises:
        UsageError: There is none of that id or name.
    """
    id_ = spelling.resolve(text, catalogue(), None)
    for item in catalogue():
        if item.id == id_:
            return item
    there = ", ".join(item.label for item in catalogue())
    raise UsageError(
        f"there is no published checkpoint of {id_:02d}", found=there, remedy="choose one of these"
    )


def unfetched(catalogue_: Catalogue) -> list[Published]:
    """Return the published checkpoints of the submissions that have none yet, by id."""
    missing = {
        (item.id, item.name)
        for item in catalogue_.problems.values()
        if isinstance(item.error, CheckpointMissing)
    }
    return [item for item in catalogue() if (item.id, item.name) in missing]
