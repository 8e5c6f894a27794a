"""Reads what a submission declares of itself, from its syntax tree or a TOML file, executing nothing."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.source import files
from ntire_bench.wire.declaration import TILE_OVERLAP, Declaration

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["kernel_declared", "parse_settings", "read"]

_DEEPEST = 20  # of lists and dictionaries in each other
_MOST = 2**63  # Python cannot even write out an integer of thousands of digits


def read(file: Path, tree: ast.Module) -> Declaration:
    """Return what a model file, or the TOML file beside it, declares.

    Args:
        file: The model file.
        tree: Its syntax tree.

    Raises:
        SubmissionError: The declaration is not a literal, has unknown keys, or values that cannot be.
    """
    literal = _literal(file, tree)
    toml = file.with_suffix(".toml")
    if literal is not None and toml.exists():
        raise SubmissionError(
            f"declares SUBMISSION and has {toml.name} beside it", file=file, remedy="keep one of the two"
        )
    if literal is not None:
        return _validated(file, literal, "SUBMISSION")
    if toml.exists():
        text = files.read(toml, files.MOST_TOML_BYTES)
        try:
            declared = tomllib.loads(text.decode())
        except (ValueError, RecursionError) as error:
            raise SubmissionError(
                "is not TOML", file=toml, found=str(error), remedy="mend the file"
            ) from None
        return _validated(toml, declared, toml.name)
    return Declaration()


def kernel_declared(found: Sequence[Path]) -> Declaration:
    """Return what the model files of a checkout's branch declare of a kernel and its twin, and nothing else.

    All else is said by the checkout's own test_demo.py. A SUBMISSION of another kind means something else.

    Args:
        found: The model files of the branch; the first that declares a kernel counts.
    """
    for file in found:
        try:
            if b"SUBMISSION" not in files.read(file):
                continue
            literal = _literal(file, files.parse(file)) or {}
            wanted = {key: literal[key] for key in ("kernel", "twin") if key in literal}
            if wanted:
                return _validated(file, wanted, "SUBMISSION")
        except SubmissionError:  # it is told by whoever needs the file
            continue
    return Declaration()


def parse_settings(settings: Sequence[str], declared: Declaration, file: Path) -> Declaration:
    """Return a declaration with settings such as "data_range=1" or "args.deploy=true" added to it.

    Args:
        settings: KEY=VALUE, the value as TOML writes it; a word that is no TOML is a string.
        declared: What is declared already.
        file: The model file, for messages.

    Raises:
        UsageError: A setting is not KEY=VALUE, there is no such key, or the key has no such value.
    """
    values = {k: v for k, v in dataclasses.asdict(declared).items() if v is not None and k != "source"}
    for setting in settings:
        key, equals, value = setting.partition("=")
        path = key.strip().split(".")
        if path == ["checkpoint"]:
            raise UsageError(
                "--set does not choose the checkpoint",
                found=setting,
                remedy="name the file after the model file, or declare it in the TOML file",
            )
        if equals and path[0] and path[0] not in _keys():
            near = difflib.get_close_matches(path[0], _keys(), n=1, cutoff=0.5)
            raise UsageError(
                f"--set knows no key {path[0]}",
                expected=", ".join(key for key in _keys() if key != "checkpoint"),
                found=setting,
                remedy=f"write {near[0]}={value}" if near else "choose one of these",
            )
        if not equals or not all(path):
            raise UsageError(
                "--set wants KEY=VALUE",
                found=setting,
                remedy="write --set data_range=1, --set args.deploy=true",
            )
        try:
            read_value = tomllib.loads(f"value = {value}")["value"]
        except (tomllib.TOMLDecodeError, KeyError):
            read_value = value.strip()
        into = values
        for part in path[:-1]:
            into = into.setdefault(part, {}) if isinstance(into, dict) else {}
        into[path[-1]] = read_value
    try:
        changed = _validated(file, values, "--set")
    except SubmissionError as error:  # what the files declare was found in order before
        told = {"expected": error.expected, "found": error.found, "remedy": error.remedy}
        raise UsageError(error.what, file=error.file, **told) from None
    return dataclasses.replace(changed, source=declared.source or "--set")


def _literal(file: Path, tree: ast.Module) -> dict[str, Any] | None:
    value = None
    for node in tree.body:
        targets: Iterable[ast.expr] = ()
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = (node.target,)
        if any(isinstance(target, ast.Name) and target.id == "SUBMISSION" for target in targets):
            value = node.value  # type: ignore[attr-defined]
    if value is None:
        return None
    try:
        declared = ast.literal_eval(value)
    except (ValueError, TypeError, RecursionError, MemoryError):
        declared = None
    if not isinstance(declared, dict):
        raise SubmissionError(
            "SUBMISSION is not a literal",
            file=file,
            expected="a dictionary of plain values: it is read without running the file",
            found=f"line {value.lineno}",
            remedy='write it out, such as SUBMISSION = {"model": "Net", "data_range": 1}',
        )
    return declared


def _plain(value: Any, depth: int = 0) -> bool:  # noqa: ANN401
    """Whether a value can be written out again, and read anywhere."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple, set)):
        return depth < _DEEPEST and all(_plain(item, depth + 1) for item in value)
    if isinstance(value, str):
        return "\0" not in value and value == value.encode(errors="replace").decode()
    return not isinstance(value, int) or -_MOST <= value < _MOST


def _keys() -> list[str]:
    """Return the keys that can be declared."""
    return [name for name in Declaration.__dataclass_fields__ if name != "source"]


def _validated(file: Path, declared: dict[Any, Any], source: str) -> Declaration:
    keys = _keys()
    unknown = [repr(key) for key in declared if key not in keys]
    if unknown:
        raise SubmissionError(
            f"{source} has unknown keys",
            file=file,
            expected=", ".join(keys),
            found=", ".join(unknown),
            remedy="remove or correct them",
        )
    if not _plain(declared):
        raise SubmissionError(
            f"{source} has a value that cannot be",
            file=file,
            expected=f"integers of 64 bits, text in Unicode, and at most {_DEEPEST} lists in each other",
            found="another one",
            remedy="build it in build_model()",
        )
    values = dict(declared)
    if "checkpoint" in values and values["checkpoint"] in (None, False):
        values["checkpoint"] = ""
    try:
        result = msgspec.convert({**values, "source": source}, Declaration)
    except msgspec.ValidationError as error:
        raise SubmissionError(
            f"{source} has a value of the wrong type", file=file, found=str(error), remedy="correct it"
        ) from None
    for key, allowed in (
        ("data_range", "1 or 255"),
        ("tile", f"a number of LR pixels above {TILE_OVERLAP}, which is how far tiles overlap"),
        ("pad_to", "a positive number"),
    ):
        value = getattr(result, key)
        least = TILE_OVERLAP + 1 if key == "tile" else 1
        if value is not None and (value not in (1, 255) if key == "data_range" else value < least):
            raise SubmissionError(
                f"{source} declares {key}",
                file=file,
                expected=allowed,
                found=repr(value),
                remedy="correct it",
            )
    if result.twin is not None and (result.twin_args is not None or not result.twin.isidentifier()):
        both = result.twin_args is not None
        raise SubmissionError(
            f"{source} declares {'twin and twin_args' if both else 'twin'}",
            file=file,
            expected="one of the two" if both else "the name of a method or function",
            found="both" if both else repr(result.twin),
            remedy="keep the one that gives the network in torch's operators" if both else "correct it",
        )
    return result
