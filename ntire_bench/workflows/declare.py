"""check --write: writes what a check inferred into models/team05_NAME.toml, so that a run infers nothing."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ntire_bench import interruption
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.records.record import SubmissionInfo
from ntire_bench.submissions import declaration as declarations
from ntire_bench.submissions.submission import Submission
from ntire_bench.wire.declaration import Declaration, toml_value
from ntire_bench.workflows.check import Check

__all__ = ["proven", "refuse_if_declared", "settled", "text"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_INFERRED = ("state_key", "prefix", "output", "strict")  # and args.*; the rest are fields of SubmissionInfo
# What no declaration can say: it depends on this machine, or on the checkpoint as it is.
_INFERRED_ANYWAY = {"stand_in", "cuda", "left_out", "converted", "padded_sizes", "merged", "kernel"}


def settled(submission: Submission, settings: Sequence[str]) -> Submission:
    """Return a submission with KEY=VALUE added to what it declares; values are written as in TOML.

    Raises:
        UsageError: A setting is not KEY=VALUE, there is no such key or it has no such value, or the
            submission is a branch of a checkout.
    """
    if not settings:
        return submission
    if submission.branch is not None:
        raise UsageError(
            "a checkout's submissions are not declared",
            file=submission.file,
            found=f"--set {settings[0]}",
            remedy="its own test_demo.py builds them: check without --set",
        )
    changed = declarations.parse_settings(settings, submission.declaration, submission.file)
    return dataclasses.replace(submission, declaration=changed)


def refuse_if_declared(submission: Submission) -> None:
    """Refuse to add a TOML file where there is a declaration already.

    Raises:
        UsageError: The submission declares something already, or is a branch of a checkout.
    """
    toml = submission.file.with_suffix(".toml")
    source = submission.declaration.source
    if submission.branch is not None:
        raise UsageError(
            "a checkout's submissions are not declared",
            file=submission.file,
            remedy="its own test_demo.py builds them: check without --write",
        )
    if source == "SUBMISSION":
        raise UsageError(
            "declares SUBMISSION, which is not overwritten",
            file=submission.file,
            remedy="complete it by hand, or remove it and run check --write again",
        )
    if source or toml.exists():
        raise UsageError(
            "is there already, and is not overwritten",
            file=toml,
            remedy="complete it by hand, or remove it and run check --write again",
        )


def text(found: SubmissionInfo, declaration: Declaration) -> str:
    """Return the TOML that declares how a submission was resolved.

    Args:
        found: What a check says of it.
        declaration: What was declared for that check.

    Raises:
        SubmissionError: A value cannot be written in TOML.
    """
    values: dict[str, Any] = {"model": found.model, "data_range": round(found.data_range or 0)}
    args: dict[str, Any] = _deep_copy(declaration.args)
    for item in found.inferred:
        try:
            if item.key.startswith("args."):
                _put(args, item.key.split(".")[1:], ast.literal_eval(item.value))
            elif item.key in ("output", "strict"):
                values[item.key] = ast.literal_eval(item.value)
            elif item.key in _INFERRED:
                values[item.key] = item.value
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError, AttributeError):
            raise _not_writable(found, f"{item.key} = {item.value[:80]}") from None
    for key in ("state_key", "prefix", "tile", "pad_to", "output", "kernel", "twin", "twin_args"):
        declared = getattr(declaration, key)
        values.update({key: declared} if declared is not None else {})
    values.update({} if declaration.strict else {"strict": False})
    values.update({"pad_to": found.pad_to} if found.pad_to else {})
    if declaration.checkpoint == "" or found.checkpoint is None:
        values["checkpoint"] = False
    elif Path(found.checkpoint).stem.lower() != Path(found.file).stem.lower():
        values["checkpoint"] = Path(found.checkpoint).name
    try:
        lines = [f"{key} = {toml_value(value)}" for key, value in values.items() if value is not None]
        lines += ["", "[args]"] if args else []
        lines += [f"{_key(key)} = {toml_value(value)}" for key, value in args.items()]
    except ValueError as error:
        raise _not_writable(found, str(error)) from None
    file = Path(found.file).name
    head = f"# How {file} is built and run; written by `ntire-bench check {found.id} --write`.\n"
    return head + "\n".join(lines) + "\n"


def proven(first: Check, submission: Submission, again: Callable[[], Check]) -> Path:
    """Write the declaration of a submission, and keep it if a second check that reads it finds the same.

    Args:
        first: The check that inferred it.
        submission: What was checked.
        again: Finds the submission again, now with the declaration, and checks it.

    Returns:
        The file.

    Raises:
        SubmissionError: With the declaration the network is another one; the file is removed then.
        UsageError: There is one already, or it cannot be written.
    """
    toml = submission.file.with_suffix(".toml")
    content = text(first.submission, submission.declaration)
    with contextlib.ExitStack() as undo:
        try:
            with interruption.held(), toml.open("x", encoding="utf-8") as file:
                undo.callback(toml.unlink)
                file.write(content)
        except FileExistsError:
            refuse_if_declared(submission)
            raise
        except OSError as error:
            raise UsageError(
                "cannot be written",
                file=toml,
                found=error.strerror,
                remedy="allow this user to write to that folder",
            ) from None
        differing = _difference(first, again())
        if differing:
            raise SubmissionError(
                "is resolved differently once what was inferred is declared",
                file=submission.file,
                found=differing,
                remedy="declare it by hand, or define a function build_model()",
            )
        undo.pop_all()
    return toml


def _difference(first: Check, second: Check) -> str:
    """Return how a check by the declaration differs from the one that inferred it; empty if it does not."""
    one, two = first.submission, second.submission
    pairs = [(key, getattr(one, key), getattr(two, key)) for key in ("model", "data_range", "pad_to", "tile")]
    pairs += [(k, getattr(first.complexity, k), getattr(second.complexity, k)) for k in ("params", "flops")]
    told = [f"{key} {before} and then {after}" for key, before, after in pairs if before != after]
    left = [item.key for item in two.inferred if item.key not in _INFERRED_ANYWAY]
    told += [f"{', '.join(left)} inferred again"] if left else []
    return "; ".join(told)


def _put(into: dict[str, Any], path: Sequence[str], value: Any) -> None:  # noqa: ANN401
    for part in path[:-1]:
        into = into.setdefault(part, {})
    into[path[-1]] = value


def _deep_copy(value: Any) -> Any:  # noqa: ANN401
    return {k: _deep_copy(v) for k, v in value.items()} if isinstance(value, dict) else value


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml_value(name)


def _not_writable(found: SubmissionInfo, what: str) -> SubmissionError:
    return SubmissionError(
        "was resolved with a value that TOML cannot hold",
        file=found.file,
        found=what,
        remedy="define a function build_model() that passes it",
    )
