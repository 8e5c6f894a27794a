"""What lies in models/ and model_zoo/ and belongs to no submission: nothing is passed over without a word."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ntire_bench.submissions.submission import (
    CHECKPOINT_SUFFIXES,
    PACKAGE_FILE,
    Submission,
    Unusable,
)
from ntire_bench.text import relative

__all__ = ["ARCHIVE_SUFFIXES", "told"]

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")
_EXPECTED = re.compile(
    r"(readme|license|licence|copying|notice)(\..*)?|__pycache__|__init__\.py", re.IGNORECASE
)
_ID = re.compile(r"(?:team)?(?P<id>\d+)(?![0-9])", re.IGNORECASE)


def told(
    models: Path, model_zoo: Path, submissions: Mapping[int, Submission], problems: Mapping[int, Unusable]
) -> Iterator[str]:
    """Yield a sentence for each file or folder that nothing was made of.

    Hidden files, README and LICENSE are expected. Model files with other names are told by whoever looks for
    model files.

    Args:
        models: Folder of the model files.
        model_zoo: Folder of the checkpoints; may be the same.
        submissions: Those that can be tried.
        problems: Those that cannot: what is wrong with their files is said there.
    """
    taken = {item.checkpoint.name for item in submissions.values() if item.checkpoint is not None}
    one_folder = os.path.realpath(models) == os.path.realpath(model_zoo)
    for entry in _entries(models):
        if one_folder and entry.suffix.lower() in CHECKPOINT_SUFFIXES:
            continue
        if why := _in_models(entry, submissions, problems):
            yield f"{relative(entry)}: {why}."
    for entry in _entries(model_zoo):
        if one_folder and entry.suffix.lower() not in CHECKPOINT_SUFFIXES:
            continue
        if entry.name not in taken and (why := _in_zoo(entry, submissions, problems)):
            yield f"{relative(entry)}: {why}."


def _entries(folder: Path) -> list[Path]:
    try:
        found = sorted(folder.iterdir())
    except OSError:
        return []
    return [path for path in found if not path.name.startswith(".") and not _EXPECTED.fullmatch(path.name)]


def _in_models(path: Path, submissions: Mapping[int, Submission], problems: Mapping[int, Unusable]) -> str:
    """Return why nothing was made of what lies in models/; empty where something was."""
    if path.suffix == ".py" and not path.is_dir():
        return ""
    if path.is_dir():
        if os.path.lexists(path / PACKAGE_FILE):
            return ""
        return f"a folder without {PACKAGE_FILE}; a package begins with one, other files need not lie here"
    if path.suffix == ".toml":
        used = any(item.file.with_suffix(".toml").name == path.name for item in submissions.values())
        if used or _id(path) in problems:
            return ""
        return "declares something of no model file; name it as the model file is named"
    return _archive(path) or "not a model file by its ending; take it out, or name it team{ID}_{Name}.py"


def _in_zoo(path: Path, submissions: Mapping[int, Submission], problems: Mapping[int, Unusable]) -> str:
    """Return why nothing was made of what lies in model_zoo/; empty where that is said elsewhere."""
    if path.is_dir():
        return "a folder; checkpoints lie in model_zoo/ itself"
    if path.suffix.lower() not in CHECKPOINT_SUFFIXES:
        endings = " ".join(CHECKPOINT_SUFFIXES)
        return _archive(path) or f"not a checkpoint by its ending; these are {endings}"
    id_ = _id(path)
    if id_ is None:
        return "a checkpoint whose name begins with no id; name it as the model file is named"
    if id_ in problems:
        return ""
    item = submissions.get(id_)
    if item is None:
        return f"belongs to no submission: no model file has the id {id_:02d}"
    if item.checkpoint is None:
        return f"not used: {item.label} declares that it has no checkpoint"
    return f"not used: of {item.label}'s checkpoints {item.checkpoint.name} is taken"


def _archive(path: Path) -> str:
    if path.suffix.lower() in ARCHIVE_SUFFIXES:
        return "an archive; `ntire-bench intake` takes it in"
    return ""


def _id(path: Path) -> int | None:
    match = _ID.match(path.stem)
    return None if match is None else int(match["id"])
