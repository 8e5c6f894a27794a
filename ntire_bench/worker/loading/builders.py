"""Which classes and functions of a file may build the network, and why none of them does. Worker only."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from ntire_bench.errors import SubmissionError
from ntire_bench.worker.fitting.search import Attempt
from ntire_bench.worker.loading import missing_packages, own_files
from ntire_bench.worker.network import packages
from ntire_bench.worker.network.state_dict import StateDict

__all__ = ["classes", "declare", "factories", "no_fit", "no_network", "several"]

_FACTORY = re.compile(
    r"^(make|get|build|create|define|init)_?\w*(model|net|network|arch|generator|sr)\w*$", re.I
)
# What helps where nothing is built, by what the errors say.
_REMEDIES = (
    (
        re.compile(r"FileNotFoundError|No such file|PermissionError"),
        "leave loading to this program: return the network as it is built, without torch.load",
    ),
    (re.compile(r"gives a "), "return the network alone"),
    (
        re.compile(r"torchscript|torch\.jit|redefine method", re.IGNORECASE),
        "return the network itself, not scripted, or write it so that it can be",
    ),
)
_FACTORY_NAMES = {"model", "net", "network", "make", "build"}


def classes(module: ModuleType) -> list[type[nn.Module]]:
    """Return the nn.Module classes that the file itself defines, each once."""
    own = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, nn.Module) and own_files.is_own(value, module)
    ]
    return list(dict.fromkeys(own))


def factories(module: ModuleType) -> list[Callable[..., Any]]:
    """Return the functions of the file whose names say that they make a network, such as make_model."""
    own = [
        value
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and own_files.is_own(value, module)
        and (_FACTORY.match(name) or name.lower() in _FACTORY_NAMES)
    ]
    return list(dict.fromkeys(own))


def declare(example: str) -> str:
    """Return the remedy where nothing says which class is the network: how to declare it, by an example."""
    return f'declare it in the file, such as SUBMISSION = {{"model": "{example}"}}'


def no_network(module: ModuleType, file: Path) -> SubmissionError:
    """Return the message for a file without a network."""
    missing = missing_packages.missing(module)
    if missing:
        return packages.needed(file, _reasons(missing), missing)
    remedy = "define the network in this file"
    if own_files.is_package(file):
        remedy = "import the network's class here, as in `from .model import Net`, or define it in this file"
    return SubmissionError("defines no nn.Module", file=file, remedy=remedy)


def several(file: Path, name: str, names: list[str], told: str) -> SubmissionError:
    """Return the message for a checkpoint that several classes take.

    Args:
        file: The model file.
        name: NAME in its file name.
        names: The classes.
        told: What speaks for each of them.
    """
    toml = file.with_suffix(".toml").name
    lines = " or ".join(f'`model = "{one}"`' for one in names)
    return SubmissionError(
        "several classes take the checkpoint strictly",
        file=file,
        expected=f"one class that does, or one that is named {name}",
        found=f"{', '.join(names)} ({told})",
        remedy=f"{declare(names[0])}; or put {lines} into {toml} beside it "
        "(check --write with --set does so)",
    )


def no_fit(
    module: ModuleType, file: Path, checkpoint: Path, states: list[StateDict], attempts: list[Attempt]
) -> SubmissionError:
    """Return the message for a checkpoint that nothing in the file takes.

    Args:
        module: The model file, executed.
        file: Its path, for the message.
        checkpoint: The checkpoint.
        states: The state dicts in it.
        attempts: What was tried.
    """
    best: dict[str, Attempt] = {}
    for attempt in attempts:
        if attempt.name not in best or attempt.likeness > best[attempt.name].likeness:
            best[attempt.name] = attempt
    ordered = sorted(best.values(), key=lambda attempt: -attempt.likeness)
    # Building blocks of the network are classes too; their reasons would only hide the one that matters.
    told = [a for a in ordered if a.likeness >= 0.05][:3]
    missing = missing_packages.missing(module)
    wanting = [a for a in ordered if a.missing]
    if not told and wanting:
        first = wanting[:3]
        reasons = "; ".join(f"{attempt.call}: {attempt.reason}" for attempt in first)
        return packages.needed(file, reasons, [one.missing for one in first if one.missing is not None])
    told = told or [a for a in ordered if a.likeness < 0][:3]
    if told and all(attempt.likeness < 0 for attempt in told):
        return _nothing_built(file, told)
    found = [f"{attempt.call}: {attempt.reason}" for attempt in told]
    tensors = states[0].tensors
    if rest := [attempt.name for attempt in ordered if attempt not in told]:
        shown = ", ".join(rest[:8]) + (" ..." if len(rest) > 8 else "")
        found.append(f"none or few of the names (first {next(iter(tensors))}) in {shown}")
    if len(attempts) > len(ordered):
        found[-1] += f" ({len(attempts)} ways to build the network were tried)"
    if missing:
        found.append(f"imports that failed: {_reasons(missing)}")
    keys = ", ".join(state.where or "its top" for state in states)
    return SubmissionError(
        f"no network of this file takes {checkpoint.name} strictly",
        file=file,
        expected=f"the {len(tensors)} tensors of the checkpoint (state dict at {keys})",
        found="; ".join(found),
        remedy="put the matching checkpoint into model_zoo/, or declare model, args, state_key in SUBMISSION",
    )


def _nothing_built(file: Path, attempts: list[Attempt]) -> SubmissionError:
    """Return the message where no class or function gave a network, so that no checkpoint was compared."""
    found = "; ".join(f"{attempt.call}: {attempt.reason}" for attempt in attempts)
    remedy = "mend it, or declare model or args in SUBMISSION"
    for words, other in _REMEDIES:
        if words.search(found):
            remedy = other
            break
    return SubmissionError(
        "no class or function of this file gives a network",
        file=file,
        expected="an nn.Module, without weights: the checkpoint is loaded afterwards",
        found=found,
        remedy=remedy,
    )


def _reasons(missing: list[packages.Missing]) -> str:
    return "; ".join(dict.fromkeys(one.reason for one in missing))
