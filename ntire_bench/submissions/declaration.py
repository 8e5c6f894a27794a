"""Reads what a submission declares of itself, from its syntax tree or a TOML file, executing nothing."""

from __future__ import annotations

import ast
import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.source import files

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["TILE_OVERLAP", "Declaration", "parse", "parse_settings", "read", "toml_value"]

_DEEPEST = 20  # of lists and dictionaries in each other
_MOST = 2**63  # Python cannot even write out an integer of thousands of digits
TILE_OVERLAP = 32  # LR pixels that neighbouring tiles share, as in the challenge's own loop


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What a submission says of itself; None where it says nothing.

    Attributes:
        model: Name of the class or function in the file that builds the network.
        args: Keyword arguments for it.
        data_range: 1 or 255, the value of white in the network's input and output.
        checkpoint: File name in model_zoo/; "" for a network that has no checkpoint.
        state_key: Key of the state dict inside the checkpoint; "" for the top.
        prefix: What the names of the state dict begin with and the network's do not, such as "module.".
        strict: Whether every key of network and checkpoint must match.
        tile: Side [LR pixels] of the tiles the image is to be run in.
        pad_to: The input is to be padded to a multiple of this.
        output: Which one is the SR image, where the network returns several things: its number or key.
        source: Where it was declared; "" if nothing was.
    """

    model: str | None = None
    args: dict[str, Any] = field(default_factory=dict)
    data_range: float | None = None
    checkpoint: str | None = None
    state_key: str | None = None
    prefix: str | None = None
    strict: bool = True
    tile: int | None = None
    pad_to: int | None = None
    output: int | str | None = None
    source: str = ""


def parse(file: Path) -> ast.Module:
    """Return the syntax tree of a model file.

    Raises:
        SubmissionError: The file is not Python, is too large, or cannot be read.
    """
    content = files.read(file)
    try:
        return ast.parse(content, filename=file.name)
    except SyntaxError as error:
        where = f"line {error.lineno}" if error.lineno else "the file"
        found = f"{error.msg} at {where}"
    except (ValueError, RecursionError, MemoryError) as error:
        found = f"{type(error).__name__}: {error}"
    raise SubmissionError("is not Python", file=file, found=found, remedy="mend the file") from None


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


def parse_settings(settings: Sequence[str], declared: Declaration, file: Path) -> Declaration:
    """Return a declaration with settings such as "data_range=1" or "args.deploy=true" added to it.

    Args:
        settings: KEY=VALUE, the value as TOML writes it; a word that is no TOML is a string.
        declared: What is declared already.
        file: The model file, for messages.

    Raises:
        UsageError: A setting is not KEY=VALUE.
        SubmissionError: There is no such key, or it has no such value.
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
    return dataclasses.replace(_validated(file, values, "--set"), source=declared.source or "--set")


def toml_value(value: Any) -> str:  # noqa: ANN401 - what a TOML file can hold
    """Return a value as TOML writes it.

    Raises:
        ValueError: TOML has no such value: None, a set, a key that is no string.

    >>> toml_value([True, 1.0, "a", (2, 3)])
    '[true, 1.0, "a", [2, 3]]'
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return f"{{{', '.join(f'{json.dumps(k)} = {toml_value(v)}' for k, v in value.items())}}}"
    raise ValueError(f"TOML has no {type(value).__name__}")


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


def _validated(file: Path, declared: dict[Any, Any], source: str) -> Declaration:
    keys = [name for name in Declaration.__dataclass_fields__ if name != "source"]
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
    return result
