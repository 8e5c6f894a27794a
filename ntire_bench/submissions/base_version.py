"""A submission as it was in a commit, written into a folder of its own. Asks git; runs nothing of it."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.source.files import MOST_CHECKPOINT_BYTES, MOST_TEXT_BYTES
from ntire_bench.submissions.changed import git
from ntire_bench.submissions.models_folder import find, id_of
from ntire_bench.submissions.submission import CHECKPOINT_SUFFIXES, Submission

__all__ = ["version_in"]

_MOST_FILES = 200  # of one id
_TIMEOUT_S = 600  # Git LFS may have to fetch a checkpoint
_PART = 1 << 20


def version_in(commit: str, id_: int, models: Path, model_zoo: Path, folder: Path) -> Submission | None:
    """Write the files of a team as they were in a commit, and return the submission that they make.

    Args:
        commit: As `base_commit` returns it.
        id_: The team's number.
        models: Folder of the model files now.
        model_zoo: Folder of the checkpoints now.
        folder: An empty folder, for models/ and model_zoo/ of that commit.

    Returns:
        The submission; None where that commit has no model file of the team.

    Raises:
        SubmissionError: It is there, and cannot be used.
        UsageError: git cannot tell.
    """
    any_model = False
    for place, name, suffixes in (
        (models, "models", (".py", ".toml")),
        (model_zoo, "model_zoo", CHECKPOINT_SUFFIXES),
    ):
        target = folder / name
        target.mkdir()
        for path, inside in _files(commit, place, id_, suffixes):
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            _write(commit, path, place, target / inside)
            any_model |= path.endswith(".py")
    if not any_model:
        return None
    return find(folder / "models", folder / "model_zoo").get(id_)


def _files(commit: str, place: Path, id_: int, suffixes: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the files of a team in a folder, as a commit has them, those of a package among them.

    Returns:
        Of each, the path from the checkout's top, and the one in the folder.
    """
    top = Path(git(place if place.is_dir() else place.parent, "rev-parse", "--show-toplevel").rstrip("\n"))
    inside = place.resolve().relative_to(top.resolve()).as_posix()
    listed = git(top, "ls-tree", "-r", "-z", "--name-only", commit, "--", f"{inside}/")
    found = []
    for name in filter(None, listed.split("\0")):
        within = PurePosixPath(name).relative_to(inside)
        of_package = len(within.parts) > 1 and ".py" in suffixes
        if id_of(Path(within.parts[0])) == id_ and (of_package or within.suffix.lower() in suffixes):
            found.append((name, str(within)))
    if len(found) > _MOST_FILES:
        raise SubmissionError(
            f"has {len(found)} files in {commit[:12]}",
            file=place,
            expected=f"at most {_MOST_FILES} of one id",
            remedy="give each submission an id of its own",
        )
    return found


def _write(commit: str, path: str, place: Path, target: Path) -> None:
    """Write a file as it was in a commit; what Git LFS keeps elsewhere is fetched as by a checkout."""
    most = MOST_TEXT_BYTES if target.suffix == ".py" else MOST_CHECKPOINT_BYTES
    top = git(place if place.is_dir() else place.parent, "rev-parse", "--show-toplevel").rstrip("\n")
    command = ["git", "-C", top, "cat-file", "--filters", f"{commit}:{path}"]
    written = 0
    with (
        target.open("wb") as out,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process,
    ):
        assert process.stdout is not None
        while part := process.stdout.read(_PART):
            written += len(part)
            if written > most:
                process.kill()
                raise SubmissionError(
                    "is too large",
                    file=path,
                    expected=f"at most {most:,} bytes",
                    remedy="put weights into the checkpoint, and nothing into it that is not needed",
                )
            out.write(part)
        status = process.wait(_TIMEOUT_S)
    if status != 0:
        raise UsageError(
            f"git cannot give {path} as it was in {commit[:12]}",
            remedy="fetch that commit and, where checkpoints lie in Git LFS, its files",
        )
