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
    try:
        network.eval()  # its return value is not used: a train() of the network's own may forget to give one
        for parameter in network.parameters():  # not requires_grad_(), which scripted modules do not have
            parameter.requires_grad_(False)
        network.to(device)
    except Exception as error:
        raise SubmissionError(
            f"cannot be put into eval mode on {device}",
            file=file,
            found=blame(error, file),
            remedy="mend the network",
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
            call = f"{model}({', '.join(f'{k}={v!r}' for k, v in declaration.args.items())})"
            raise SubmissionError(
                f"{call} raises", file=file, found=blame(error, file), remedy="mend it, or the args declared"
            ) from error
        if not isinstance(network, nn.Module):
            raise SubmissionError(
                f"{model} gives no network",
                file=file,
                expected="an nn.Module",
                found=type(network).__name__,
                remedy="name the class of the network, or a function that returns one",
            )
        if checkpoint is not None:
            _load_loosely(network, states, checkpoint, findings)
        return network
    found, attempts = fit(build, states, declaration.args, scale)
    if found is None:
        raise _no_fit(file, checkpoint, states, attempts)
    _note(found, inferred, declaration)
    return found.network


def _load_loosely(
    network: nn.Module, states: list[StateDict], checkpoint: Path, findings: list[Finding]
) -> None:
    own = network.state_dict().keys()
    state = max(states, key=lambda state: len(own & state.tensors.keys()))
    problem = mismatch(network, state)
    if not own & state.tensors.keys():
        raise SubmissionError(
            "has not one tensor of the network, even with strict = False",
            file=checkpoint,
            expected=", ".join(list(own)[:4]) + " ...",
            found=", ".join(list(state.tensors)[:4]) + " ...",
            remedy="put the matching checkpoint into model_zoo/",
        )
    try:
        network.load_state_dict(state.tensors, strict=False)
    except Exception as error:  # torch's own or that of a load_state_dict of the network's
        raise SubmissionError(
            "does not fit the network, even with strict = False",
            file=checkpoint,
            found=problem or blame(error),
            remedy="put the matching checkpoint into model_zoo/, or declare model or args",
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
    if not classes:
        raise SubmissionError("defines no nn.Module", file=file, remedy="define the network in this file")
    if checkpoint is None:
        raise SubmissionError(
            "does not say which class is the network, and has no checkpoint to tell",
            file=file,
            found=", ".join(cls.__name__ for cls in classes),
            remedy=_declare(classes[-1].__name__),
        )
    fits: dict[str, Fit] = {}
    attempts: list[Attempt] = []
    for cls in classes:
        found, failed = fit(cls, states, declaration.args, scale)
        if found is not None:
            fits[cls.__name__] = found
        attempts += failed
    if not fits:
        raise _no_fit(file, checkpoint, states, attempts)
    # A state dict as it was saved goes before one with a prefix removed, which may fit a part of the network.
    order = {id(state): number for number, state in enumerate(states)}
    first = min(order[id(found.state)] for found in fits.values())
    fits = {cls: found for cls, found in fits.items() if order[id(found.state)] == first}
    how = "the only class of the file that takes the checkpoint strictly"
    chosen = next(iter(fits))
    if len(fits) > 1:
        named = [cls for cls in fits if cls.lower() == name.lower()]
        if len(named) != 1:
            raise SubmissionError(
                "several classes take the checkpoint strictly",
                file=file,
                expected=f"one class that does, or one that is named {name}",
                found=", ".join(fits),
                remedy=_declare(next(iter(fits))),
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


def _declare(example: str) -> str:
    return f'declare it in the file, such as SUBMISSION = {{"model": "{example}"}}'


def _no_fit(
    file: Path, checkpoint: Path, states: list[StateDict], attempts: list[Attempt]
) -> SubmissionError:
    best: dict[str, Attempt] = {}
    for attempt in attempts:
        if attempt.name not in best or attempt.likeness > best[attempt.name].likeness:
            best[attempt.name] = attempt
    ordered = sorted(best.values(), key=lambda attempt: -attempt.likeness)
    # Building blocks of the network are classes too; their reasons would only hide the one that matters.
    told = [a for a in ordered if a.likeness >= 0.05][:3] or [a for a in ordered if a.likeness < 0][:3]
    found = [f"{attempt.call}: {attempt.reason}" for attempt in told]
    if rest := [attempt.name for attempt in ordered if attempt not in told]:
        example = next(iter(states[0].tensors))
        shown = ", ".join(rest[:8]) + (" ..." if len(rest) > 8 else "")
        found.append(f"none or few of the names (first {example}) in {shown}")
    if len(attempts) > len(ordered):
        found[-1] += f" ({len(attempts)} ways to build the network were tried)"
    keys = ", ".join(state.where or "its top" for state in states)
    return SubmissionError(
        f"no network of this file takes {checkpoint.name} strictly",
        file=file,
        expected=f"the {len(states[0].tensors)} tensors of the checkpoint (state dict at {keys})",
        found="; ".join(found),
        remedy="put the matching checkpoint into model_zoo/, or declare model, args, state_key in SUBMISSION",
    )
