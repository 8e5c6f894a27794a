"""Which submissions a git branch changes, for a gate on pull requests. Asks git; opens no file."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from ntire_bench.errors import UsageError
from ntire_bench.submissions.catalogue import Catalogue
from ntire_bench.submissions.models_folder import id_of
from ntire_bench.submissions.submission import CHECKPOINT_SUFFIXES
from ntire_bench.text import one_line

__all__ = ["base_commit", "changed_since", "git"]


def base_commit(base: str, models: Path) -> str:
    """Return the commit in which a branch left another one.

    Args:
        base: The other branch, a tag or a commit.
        models: A folder of the checkout.

    Raises:
        UsageError: It is empty, or git knows no such commit.
    """
    if not base.strip() or base.startswith("-"):
        raise UsageError(
            "BASE names no commit",
            expected="a commit, branch or tag to compare with",
            found=one_line(base) or "nothing",
            remedy="name one: on GitHub, github.event.pull_request.base.sha of a pull request, "
            "github.event.before of a push",
        )
    return git(models, "merge-base", base, "HEAD").strip()


def changed_since(
    base: str, catalogue: Catalogue, models: Path, model_zoo: Path
) -> tuple[list[int], list[str]]:
    """Return the submissions whose model file, declaration or checkpoint changed since a commit.

    What is not committed yet counts as well, as it is what would be run; what git ignores does not.

    Args:
        base: The commit, branch or tag that the branch started from.
        catalogue: The submissions in the two folders as they are now.
        models: Folder of the model files, in a git checkout.
        model_zoo: Folder of the checkpoints, in the same checkout.

    Returns:
        The ids, and the changed files that look like parts of a submission and belong to none.

    Raises:
        UsageError: git is not there, or knows no such commit.
    """
    owners: dict[Path, int] = {}
    for item in catalogue.submissions.values():
        for file in (item.file, item.file.with_suffix(".toml"), item.checkpoint):
            if file is not None:
                owners[file.resolve()] = item.id
    packages = {
        item.package.resolve(): item.id for item in catalogue.submissions.values() if item.package is not None
    }
    ids: set[int] = set()
    strays: list[str] = []
    for path in _changed_files(base, models, model_zoo):
        place = _in_folder(path, models, model_zoo)
        id_ = id_of(place)
        if path.resolve() in owners:
            ids.add(owners[path.resolve()])
        elif place.resolve() in packages:
            ids.add(packages[place.resolve()])
        elif id_ in catalogue.entries:
            ids.add(id_)  # a checkpoint that was taken away, or one of several
        elif path.exists() and path.suffix.lower() in (".py", ".toml", *CHECKPOINT_SUFFIXES):
            strays.append(str(path))
    return sorted(ids), strays


def _in_folder(path: Path, models: Path, model_zoo: Path) -> Path:
    """Return a changed file, or the folder of models/ or model_zoo/ that it lies in."""
    for folder in (models, model_zoo):
        here = path.absolute()
        if here.is_relative_to(folder.absolute()):
            return folder / here.relative_to(folder.absolute()).parts[0]
    return path


def _changed_files(base: str, models: Path, model_zoo: Path) -> list[Path]:
    if shutil.which("git") is None:
        raise UsageError("git is not installed", remedy="install it, or name the IDs")
    commit = base_commit(base, models)
    top = Path(git(models, "rev-parse", "--show-toplevel").rstrip("\n"))
    folders = [str(folder.resolve()) for folder in (models, model_zoo)]
    names = git(top, "diff", "--name-only", "--no-renames", "-z", commit, "--", *folders)
    names += git(top, "ls-files", "--others", "--exclude-standard", "-z", "--", *folders)
    here = Path.cwd().resolve()
    paths = [top / name for name in dict.fromkeys(names.split("\0")) if name and "__pycache__" not in name]
    return [path.relative_to(here) if path.is_relative_to(here) else path for path in paths]


def git(folder: Path, *words: str) -> str:
    """Return what git prints, asked in a folder.

    Args:
        folder: In a checkout.
        words: Of the command line.

    Raises:
        UsageError: It fails.
    """
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0:
        found = (done.stderr.strip().splitlines() or ["no message"])[0]
        raise UsageError(
            "git cannot tell what changed",
            file=folder,
            found=found,
            remedy="run in a checkout that has BASE; a shallow one may lack it (fetch-depth: 0)",
        )
    return done.stdout
