"""Builds the network of a branch by running the checkout's own select_model. Worker only."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ntire_bench import PACKAGE
from ntire_bench.errors import SubmissionError
from ntire_bench.source.files import parse
from ntire_bench.source.syntax import argument_defaults, function_named, names_read, parameters
from ntire_bench.wire.messages import SELECT_MODEL, BranchRequest, Slow
from ntire_bench.worker.checkout import notes
from ntire_bench.worker.checkout.explain import explain
from ntire_bench.worker.checkout.loop import Loop, find_loop
from ntire_bench.worker.checkout.read_only import protect
from ntire_bench.worker.checkout.script import Absent, Arguments, Script
from ntire_bench.worker.checkout.step import Step, follow, left_out
from ntire_bench.worker.checkout.torch_load import CheckpointReads
from ntire_bench.worker.loading import own_files
from ntire_bench.worker.loading.cuda_on_cpu import answer_on_cpu
from ntire_bench.worker.loading.load import Loaded
from ntire_bench.worker.loading.trial_image import reduced
from ntire_bench.worker.loading.twin import run_twin
from ntire_bench.worker.network.upscaler import Upscaler, ready

__all__ = ["load"]


def load(request: BranchRequest, *, scale: int, device: torch.device, allow_pickle: bool = False) -> Loaded:
    """Build a network by running the checkout's select_model.

    From here on the process belongs to the checkout: its folder is the working directory and the first place
    where modules are looked for, and must not be written to.

    Args:
        request: The branch.
        scale: Enlargement factor.
        device: Where the network is to lie; on the CPU, calls for a GPU are answered there.
        allow_pickle: Whether checkpoints may hold more than tensors and plain values.

    Raises:
        SubmissionError: Whatever select_model fails at.
    """
    _enter(request)
    stand_ins = own_files.serve(request.root)
    answered = answer_on_cpu() if device.type == "cpu" else None
    if device.index is not None:
        torch.cuda.set_device(device)  # where .cuda() puts things
    reads = CheckpointReads(on_cpu=device.type == "cpu", allow_pickle=allow_pickle)
    tree = parse(request.script)
    select = function_named(tree, SELECT_MODEL)
    if select is None:
        raise SubmissionError(
            f"has no function {SELECT_MODEL} any more",
            file=request.script,
            found="the file was changed since it was listed",
            remedy="evaluate it again",
        )
    loop = find_loop(tree, select, request.parameter)
    try:
        script = Script(request.script, tree, _wanted(tree, loop), SELECT_MODEL, stand_ins)
        arguments = script.arguments()
        result = _call_select_model(script, select, request, arguments, device)
        given = _unpacked(result, request)
        read = [name for name in arguments.names_asked() if name != request.attribute]
        roles = {**vars(given), "args": arguments, "device": device}
        roles |= {f"returned_{place}": value for place, value in enumerate(result) if place > 3}
        step = follow(script, loop, roles, scale)
    except (Exception, SystemExit) as error:
        raise explain(error, request, reads, device) from error
    ready(given.model, request.file, device)
    if request.twin is not None:
        run_twin(given.model, request.twin, None, request.file)
    upscaler = _upscaler(given, request, scale, device, step)
    inferred = [
        *notes.returned(given.name, given.data_range, given.tile),
        notes.forward(request.script, step),
        *notes.defaults(request.script, arguments, read),
        *stand_ins.used.values(),
        *([] if answered is None else [notes.answered_calls(answered, reads)]),
        *notes.absent(script),
    ]
    omitted = [] if step is None else left_out(script, step.loop, roles)
    findings = list(notes.findings(request.script, step, omitted))
    types = [parameter.dtype for parameter in given.model.parameters()]
    precision = reduced(types) if device.type == "cpu" else ""
    slow = Slow(precision=precision) if precision else None
    return Loaded(upscaler, type(given.model).__name__, inferred, findings, slow)


def _enter(request: BranchRequest) -> None:
    """Make the checkout the folder that this process works in."""
    sys.dont_write_bytecode = True
    os.chdir(request.root)
    own = PACKAGE.parent
    if not {"site-packages", "dist-packages"} & set(own.parts):
        # When this program runs from its own checkout, a challenge's must not find modules in our models/.
        sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != own]
    sys.path.insert(0, str(request.root))
    sys.argv = [str(request.script)]
    protect(str(request.root))


def _wanted(tree: ast.Module, loop: Loop | None) -> set[str]:
    """Return the names of the file's top level that are needed."""
    defaults = [part for both in argument_defaults(tree).values() for part in both if part is not None]
    wanted = {SELECT_MODEL, *names_read(defaults)}
    for one in (loop, None if loop is None else loop.whole):
        wanted |= set() if one is None else one.reads
    return wanted


def _call_select_model(
    script: Script,
    select: ast.FunctionDef,
    request: BranchRequest,
    arguments: Arguments,
    device: torch.device,
) -> Any:  # noqa: ANN401 - whatever a stranger's function returns
    number: Any = str(request.id) if request.as_text else request.id
    if request.attribute is not None:
        setattr(arguments, request.attribute, number)
        number = arguments
    # Functions of the file may read what its main program leaves behind at the top level.
    script.namespace.setdefault("args", arguments)
    script.namespace.setdefault("device", device)
    given: dict[str, Any] = {}
    for name in parameters(select):
        if name == request.parameter:
            given[name] = number
        elif "device" in name:
            given[name] = device
        elif name not in _optional(select):
            given[name] = Absent(name, f"only the main program gives it to {SELECT_MODEL}")
    return script.namespace[SELECT_MODEL](**given)


def _optional(function: ast.FunctionDef) -> set[str]:
    """Return the parameters that have a default."""
    own = function.args
    placed = [*own.posonlyargs, *own.args]
    optional = {part.arg for part in placed[len(placed) - len(own.defaults) :]}
    named = zip(own.kwonlyargs, own.kw_defaults, strict=True)
    return optional | {part.arg for part, default in named if default is not None}


@dataclass(frozen=True)
class _Returned:
    """What select_model returns first; the names are those of `roles.ROLES`."""

    model: nn.Module
    name: str
    data_range: float
    tile: int | Sequence[int] | None


def _unpacked(result: object, request: BranchRequest) -> _Returned:
    found = type(result).__name__
    if isinstance(result, (tuple, list)) and len(result) >= 3:
        network, name, data_range, tile = (*result, None)[:4]
        usable = isinstance(data_range, (int, float)) and data_range in (1, 255)
        sides = tile if isinstance(tile, (list, tuple)) else [tile]
        tiled = all(type(side) is int and side > 0 for side in sides)
        if isinstance(network, nn.Module) and usable and (tile is None or tiled):
            return _Returned(network, str(name), float(data_range), tile)
        found = f"{type(network).__name__}, {name!r}, {data_range!r}, {tile!r}"
    raise SubmissionError(
        f"{SELECT_MODEL} returns something else for model_id {request.id}",
        file=request.script,
        expected="an nn.Module, its name, the data range 1 or 255, and None or a tile of at least 1 pixel",
        found=found[:200],
        remedy="correct the branch",
    )


def _upscaler(
    given: _Returned, request: BranchRequest, scale: int, device: torch.device, step: Step | None
) -> Upscaler:
    return Upscaler(
        given.model,
        request.file,
        scale,
        device,
        data_range=given.data_range,
        pad_declared=step is not None,  # the loop pads where the checkout pads; nothing is added to that
        tile=given.tile if isinstance(given.tile, int) else None,
        own_forward=step,
    )
