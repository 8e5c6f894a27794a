"""One model file and its checkpoint to an eval-mode network and its input range. Worker only.

How the network is built is found in this order: what the submission declares, a function build_model(), else
the one class of the file that takes the checkpoint strictly.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ntire_bench import checkpoint as checkpoints
from ntire_bench.checkpoint import StateDict
from ntire_bench.declaration import Declaration
from ntire_bench.errors import SubmissionError
from ntire_bench.fitting import Attempt, Fit, fit, mismatch
from ntire_bench.inference import Upscaler, blame
from ntire_bench.input_range import infer_data_range
from ntire_bench.records import Finding, Inference

__all__ = ["Loaded", "import_file", "load"]


@dataclass
class Loaded:
    """A network ready to run.

    Attributes:
        upscaler: The network and how to run it.
        model: The class or function that built it.
        inferred: All that was not declared.
        findings: What a reader of the result must know.
    """

    upscaler: Upscaler
    model: str
    inferred: list[Inference] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def load(
    file: Path,
    name: str,
    checkpoint: Path | None,
    declaration: Declaration,
    *,
    scale: int,
    device: torch.device,
    probe: npt.NDArray[np.uint8],
) -> Loaded:
    """Build the network of a submission and load its checkpoint.

    Args:
        file: The model file; it is executed.
        name: NAME in its file name.
        checkpoint: The checkpoint, or None for a network without one.
        declaration: What the submission says of itself.
        scale: Enlargement factor.
        device: Where the network is to lie.
        probe: A real LR image, uint8 HWC, to find the input range with.

    Raises:
        SubmissionError: The file does not run, no class takes the checkpoint, or the range cannot be told.
    """
    module = import_file(file)
    states: list[StateDict] = []
    if checkpoint is not None:
        content = checkpoints.read(checkpoint)
        states = checkpoints.state_dicts(content, checkpoint, declaration.state_key)
    inferred: list[Inference] = []
    findings: list[Finding] = []
    if declaration.model is not None:
        build = getattr(module, declaration.model, None)
        if not callable(build):
            raise SubmissionError(
                f"{declaration.source} declares the model {declaration.model!r}",
                file=file,
                expected="a class or function of the file",
                found=", ".join(c.__name__ for c in _classes(module)) or "no class",
                remedy="correct the name",
            )
        model = declaration.model
        network = _build_one(build, model, file, checkpoint, states, declaration, scale, inferred, findings)
    elif callable(build := getattr(module, "build_model", None)):
        model = "build_model"
        inferred.append(Inference(key="model", value="build_model()", how="the file defines it"))
        network = _build_one(build, model, file, checkpoint, states, declaration, scale, inferred, findings)
    else:
        network, model = _infer(module, file, name, checkpoint, states, declaration, scale, inferred)
    network = network.eval().requires_grad_(False)
    try:
        network = network.to(device)
    except Exception as error:
        raise SubmissionError(
            f"cannot be moved to {device}", file=file, found=blame(error, file), remedy="mend the network"
        ) from error
    upscaler = Upscaler(
        network,
        file,
        scale,
        device,
        pad_to=declaration.pad_to,
        pad_declared=declaration.pad_to is not None,
        tile=declaration.tile,
    )
    if declaration.data_range is not None:
        upscaler.data_range = float(declaration.data_range)
    else:
        inferred.append(infer_data_range(upscaler, probe))
    return Loaded(upscaler, model, inferred, findings)


def import_file(file: Path) -> ModuleType:
    """Execute a model file and return it as a module.

    Raises:
        SubmissionError: The file raises, or wants a package that is not there.
    """
    name = f"submission_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise SubmissionError("cannot be imported", file=file, expected="a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and torch.jit look their module up by name
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise SubmissionError(
            "needs a package that is not installed",
            file=file,
            found=blame(error, file),
            remedy="use torch and the standard library alone, or ask the organizer to install it",
        ) from error
    except (Exception, SystemExit) as error:
        raise SubmissionError(
            "raises when it is imported", file=file, found=blame(error, file), remedy="mend the file"
        ) from error
    return module


def _classes(module: ModuleType) -> list[type[nn.Module]]:
    """Return the nn.Module classes that the file itself defines, each once."""
    own = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, nn.Module) and value.__module__ == module.__name__
    ]
    return list(dict.fromkeys(own))


def _build_one(
    build: Any,  # noqa: ANN401 - a stranger's class or function
    model: str,
    file: Path,
    checkpoint: Path | None,
    states: list[StateDict],
    declaration: Declaration,
    scale: int,
    inferred: list[Inference],
    findings: list[Finding],
) -> nn.Module:
    if checkpoint is None or not declaration.strict:
        try:
            network = build(**declaration.args)
        except Exception as error:
            raise SubmissionError(
                f"{model}({', '.join(declaration.args)}) raises",
                file=file,
                found=blame(error, file),
                remedy="mend it",
            ) from error
        if not isinstance(network, nn.Module):
            raise SubmissionError(
                f"{model} gives no network", file=file, expected="an nn.Module", found=type(network).__name__
            )
        if checkpoint is not None:
            _load_loosely(network, states[0], checkpoint, findings)
        return network
    found, attempts = fit(build, states, declaration.args, scale)
    if found is None:
        raise _no_fit(file, checkpoint, states, attempts)
    _note(found, inferred, declaration)
    return found.network


def _load_loosely(network: nn.Module, state: StateDict, checkpoint: Path, findings: list[Finding]) -> None:
    problem = mismatch(network, state)
    try:
        network.load_state_dict(state.tensors, strict=False)
    except RuntimeError as error:
        raise SubmissionError(
            "does not fit the network, even with strict = False", file=checkpoint, found=blame(error)
        ) from error
    if problem is not None:
        message = f"the checkpoint was loaded with strict = False: {problem}; save it anew from this network"
        findings.append(Finding(code="checkpoint-not-strict", severity="warning", message=message))


def _infer(
    module: ModuleType,
    file: Path,
    name: str,
    checkpoint: Path | None,
    states: list[StateDict],
    declaration: Declaration,
    scale: int,
    inferred: list[Inference],
) -> tuple[nn.Module, str]:
    classes = _classes(module)
    remedy = 'declare it: SUBMISSION = {"model": "...", "args": {...}}'
    if not classes:
        raise SubmissionError("defines no nn.Module", file=file, remedy="define the network in this file")
    if checkpoint is None:
        raise SubmissionError("does not say which class is the network", file=file, remedy=remedy)
    fits: dict[str, Fit] = {}
    attempts: list[Attempt] = []
    for cls in classes:
        found, failed = fit(cls, states, declaration.args, scale)
        if found is not None:
            fits[cls.__name__] = found
        attempts += failed
    if not fits:
        raise _no_fit(file, checkpoint, states, attempts)
    how = "the only class of the file that takes the checkpoint strictly"
    chosen = next(iter(fits))
    if len(fits) > 1:
        named = [cls for cls in fits if cls.lower() == name.lower()]
        if len(named) != 1:
            raise SubmissionError(
                "several classes take the checkpoint strictly",
                file=file,
                found=", ".join(fits),
                remedy=remedy,
            )
        chosen = named[0]
        how = f"of {', '.join(fits)}, which all take the checkpoint strictly, the one the file is named after"
    inferred.append(Inference(key="model", value=chosen, how=how))
    _note(fits[chosen], inferred, declaration)
    return fits[chosen].network, chosen


def _note(found: Fit, inferred: list[Inference], declaration: Declaration) -> None:
    for key, value in found.derived.items():
        how = "the value with which the checkpoint loads strictly"
        inferred.append(Inference(key=f"args.{key}", value=repr(value), how=how))
    if found.state.where and declaration.state_key is None:
        how = "where the state dict lies in the checkpoint"
        inferred.append(Inference(key="state_key", value=found.state.where, how=how))


def _no_fit(
    file: Path, checkpoint: Path, states: list[StateDict], attempts: list[Attempt]
) -> SubmissionError:
    shown = [f"{a.call}: {a.reason}" for a in attempts[:6]]
    if len(attempts) > len(shown):
        shown.append(f"and {len(attempts) - len(shown)} more attempts")
    keys = ", ".join(state.where or "the top" for state in states)
    return SubmissionError(
        f"no way to build the network takes {checkpoint.name} strictly",
        file=file,
        expected=f"the {len(states[0].tensors)} tensors of the checkpoint (state dict at {keys})",
        found="; ".join(shown) or "nothing to try",
        remedy="put the matching checkpoint into model_zoo/, or declare model, args, state_key in SUBMISSION",
    )
