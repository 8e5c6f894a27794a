"""The submissions of a challenge's own checkout: the branches of select_model in its test_demo.py.

The file is read as a syntax tree and never run here, like everything that strangers wrote. What cannot be
read from it is left open; the worker runs the file, and its values are the ones that count.
"""

from __future__ import annotations

import ast
import fnmatch
import os
import posixpath
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ntire_bench.errors import UsageError
from ntire_bench.source.files import is_file, parse
from ntire_bench.source.syntax import function_named
from ntire_bench.source.values import TooMuchError
from ntire_bench.submissions.branch import Branch
from ntire_bench.submissions.catalogue import Catalogue
from ntire_bench.submissions.checkout import branches
from ntire_bench.submissions.checkout.walk import Reading, Selector
from ntire_bench.submissions.declaration import kernel_declared
from ntire_bench.submissions.submission import CHECKPOINT_SUFFIXES, Submission
from ntire_bench.wire.messages import SCRIPT, SELECT_MODEL

__all__ = ["find"]

_WEIGHTS = (*CHECKPOINT_SUFFIXES, ".bin", ".npz", ".t7", ".tar", ".h5")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|]+')  # not allowed in file names on some system
_LONGEST_NAME = 100


def find(root: Path) -> Catalogue:
    """List the submissions of a challenge's checkout.

    Args:
        root: The checkout, with test_demo.py, models/ and model_zoo/.

    Returns:
        One submission per number for which select_model builds a network.

    Raises:
        UsageError: There is no such checkout, or its select_model has no branches that can be read.
        SubmissionError: test_demo.py is not Python.
    """
    script = root / SCRIPT
    remedy = "name the folder of the challenge's checkout, with test_demo.py, models/ and model_zoo/"
    if not script.is_file():
        found = "no such file" if root.is_dir() else "no such folder"
        raise UsageError("is not there", file=script, found=found, remedy=remedy)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # of a stranger's backslashes
        tree = parse(script)
    function = function_named(tree, SELECT_MODEL)
    if function is None:
        raise _no_function(tree, script, remedy)
    try:
        known = branches.read(tree, function)
    except (RecursionError, TooMuchError):
        known = branches.Found()
    if known.selector is None:
        raise UsageError(
            f"{SELECT_MODEL} has no branch that can be read",
            file=script,
            expected="numbers that args.model_id is compared with",
            remedy=f"see whether {SCRIPT} is the challenge's",
        )
    readings = known.readings
    submissions = {id_: _submission(root, known.selector, readings[id_]) for id_ in sorted(readings)}
    ignored = [f"{SCRIPT}: {SELECT_MODEL} builds no network for model_id {id_}." for id_ in known.empty]
    ignored += [f"{SCRIPT}: model_id {id_} is left out, ids begin at 0." for id_ in known.negative]
    ignored += [
        f"{SCRIPT}: the numbers in {text} cannot be read; what {SELECT_MODEL} finds there is not listed."
        for text in known.untold
    ]
    return Catalogue(submissions, {}, tuple(ignored), script)


def _no_function(tree: ast.Module, script: Path, remedy: str) -> UsageError:
    imports = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and SELECT_MODEL in [alias.name for alias in node.names]
    ]
    if not imports:
        return UsageError(f"has no function {SELECT_MODEL}(args, device)", file=script, remedy=remedy)
    return UsageError(
        f"gets its {SELECT_MODEL} from another file",
        file=script,
        expected=f"a function {SELECT_MODEL}(args, device) in {SCRIPT} itself",
        found=ast.unparse(imports[0]),
        remedy=f"move the function into {SCRIPT}: its branches are read there",
    )


def _submission(root: Path, selector: Selector, reading: Reading) -> Submission:
    returned = (*(reading.returned or ()), None)[:4]
    title = _printable(returned[1]) if isinstance(returned[1], str) else None
    files = _model_files(root, reading)
    checkpoints = list(_weights(root, reading.paths))
    there = [path for path in checkpoints if is_file(path)]
    branch = Branch(
        root=root,
        script=root / SCRIPT,
        line=reading.line,
        parameter=selector.parameter,
        attribute=selector.attribute,
        as_text=selector.as_text,
        title=title,
        data_range=_number(returned[2]),
        tile=returned[3] if type(returned[3]) is int else None,
        files=tuple(files),
        checkpoints=tuple(checkpoints),
    )
    return Submission(
        id=reading.id,
        name=_name(reading.id, title, files),
        file=files[0] if files else root / SCRIPT,
        checkpoint=there[0] if there else None,
        declaration=kernel_declared(files),
        has_build_model=False,
        branch=branch,
    )


def _weights(root: Path, texts: list[str]) -> Iterator[Path]:
    """Yield the checkpoint files that a branch names; for a pattern, the file that fits if only one does."""
    for text in texts:
        path = _inside(text)
        if not path or Path(path).suffix.lower() not in _WEIGHTS:
            continue
        folder, _, pattern = path.rpartition("/")
        if re.search(r"[*?[]", pattern) and not is_file(root / path):
            fitting = _fitting(root, folder, pattern)
            if len(fitting) == 1:
                yield fitting[0]
        else:
            yield root / path


def _fitting(root: Path, folder: str, pattern: str) -> list[Path]:
    """Return the files of a folder whose names fit a pattern, links aside: they may lead anywhere."""
    try:
        if not (root / folder).resolve().is_relative_to(root.resolve()):
            return []
        with os.scandir(root / folder) as entries:
            names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except OSError:  # no such folder, or one that may not be read
        return []
    return [root / folder / name for name in fnmatch.filter(names, pattern)]


def _printable(text: str) -> str:
    """Return a text that can be written to any file: a stranger's may hold half a character (a surrogate).

    >>> _printable(f"A{chr(0xD800)}")
    'A?'
    """
    return text.encode(errors="replace").decode()


def _number(value: Any) -> float | None:  # noqa: ANN401 - whatever was read
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _name(id_: int, title: str | None, files: list[Path]) -> str:
    """Return a name for tables and folders: the title without its number, else that of the model file."""
    file = files[0] if files else None
    stem = None if file is None else file.parent.name if file.stem == "__init__" else file.stem
    for text in (title, stem):
        if text is None:
            continue
        name = re.sub(rf"^(?:team)?[_\s-]*0*{id_}(?![0-9])[_\s-]*", "", text, flags=re.IGNORECASE)
        name = re.sub(r"\s+", " ", _UNSAFE.sub("_", name)).strip(" .")[:_LONGEST_NAME]
        if name:
            return name
    return "unnamed"


def _model_files(root: Path, reading: Reading) -> list[Path]:
    """Return the files of the checkout that a branch imports, those of models/ first."""
    found: list[Path] = []
    for module in reading.modules:
        path = _inside(module.replace(".", "/"))
        if not path:
            continue
        candidates = [root / f"{path}.py", root / path / "__init__.py"]
        found += [file for file in candidates if is_file(file)][:1]
    for text in reading.paths:
        path = _inside(text)
        if path and path.endswith(".py") and is_file(root / path):
            found.append(root / path)
    found = [file for file in dict.fromkeys(found) if file != root / SCRIPT]
    # A package's own file is left out where a module of the package is imported as well.
    inner = [file for file in found if file.name != "__init__.py"]
    found = [file for file in found if file in inner or not any(file.parent in f.parents for f in inner)]
    return sorted(found, key=lambda file: file.relative_to(root).parts[0] != "models")


def _inside(text: str) -> str | None:
    """Return a path relative to the checkout, or None where it leads out of it."""
    path = posixpath.normpath(text)
    usable = (
        text and "\x00" not in text and not posixpath.isabs(path) and path.split("/")[0] not in ("..", ".")
    )
    return path if usable else None
