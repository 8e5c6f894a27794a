"""A branch of a checkout's own select_model to a network that runs as the checkout runs it. Worker only."""

from __future__ import annotations

import ast
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from ntire_bench import PACKAGE
from ntire_bench.errors import SubmissionError
from ntire_bench.records.record import Finding, Inference
from ntire_bench.source.syntax import argument_defaults
from ntire_bench.submissions import declaration
from ntire_bench.submissions.branch import SELECT_MODEL, Asked
from ntire_bench.wire.messages import Slow
from ntire_bench.worker.checkout import explain, imports
from ntire_bench.worker.checkout.loop import MAKE, Loop, find_loop
from ntire_bench.worker.checkout.read_only import protect
from ntire_bench.worker.checkout.script import Absent, Script
from ntire_bench.worker.checkout.slicer import names_read
from ntire_bench.worker.checkout.torch_load import CheckpointReads
from ntire_bench.worker.loading.cuda_on_cpu import answer_on_cpu
from ntire_bench.worker.loading.load import Loaded
from ntire_bench.worker.loading.trial_image import reduced
from ntire_bench.worker.network.upscaler import Upscaler, ready

__all__ = ["load"]


def load(asked: Asked, *, scale: int, device: torch.device, allow_pickle: bool = False) -> Loaded:
    """Build a network by running the checkout's select_model.

    The process is the checkout's from here on: its folder is the working directory and the first place where
    modules are looked for, and is not to be written to.

    Args:
        asked: The branch.
        scale: Enlargement factor.
        device: Where the network is to lie; on the CPU, calls for a GPU are answered there.
        allow_pickle: Whether checkpoints may hold more than tensors and plain values.

    Raises:
        SubmissionError: Whatever select_model fails at.
    """
    _move_in(asked)
    stand_ins = imports.serve(asked.root)
    answered = answer_on_cpu() if device.type == "cpu" else None
    if device.index is not None:
        torch.cuda.set_device(device)  # where .cuda() puts things
    reads = CheckpointReads(on_cpu=device.type == "cpu", allow_pickle=allow_pickle)
    tree = declaration.parse(asked.script)
    select = next(
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == SELECT_MODEL
    )
    loop = find_loop(tree, select, asked.parameter)
    defaults = [part for both in argument_defaults(tree).values() for part in both if part is not None]
    wanted = {SELECT_MODEL, *names_read(defaults), *(loop.reads if loop else ())}
    wanted |= loop.whole.reads if loop is not None and loop.whole is not None else set()
    try:
        script = Script(asked.script, tree, wanted, SELECT_MODEL, stand_ins)
        arguments = script.arguments()
        number: Any = str(asked.id) if asked.as_text else asked.id
        if asked.attribute is not None:
            setattr(arguments, asked.attribute, number)
            number = arguments
        # Functions of the file may count on what its main program leaves behind at the top level.
        script.namespace.setdefault("args", arguments)
        script.namespace.setdefault("device", device)
        result = script.namespace[SELECT_MODEL](**_parameters(select, asked.parameter, number, device))
        given = _unpacked(result, asked)
        asked_for = arguments.names_asked()
        roles = {**vars(given), "args": arguments, "device": device}
        roles |= {f"returned_{place}": value for place, value in enumerate(result) if place > 3}
        step, loop = _step(script, loop, roles, scale)
    except (Exception, SystemExit) as error:
        raise explain.explain(error, asked, reads, device) from error
    ready(given.model, asked.file, device)
    upscaler = Upscaler(
        given.model,
        asked.file,
        scale,
        device,
        data_range=given.data_range,
        pad_declared=step is not None,  # the checkout pads where it pads; nothing is added to what it does
        tile=given.tile if isinstance(given.tile, int) else None,
        own_forward=step,
    )
    inferred = _returned_told(given)
    inferred.append(_forward_told(loop, asked.script, step))
    inferred += [
        Inference(
            key=f"args.{name}",
            value=repr(getattr(arguments, name))[:100],
            how=f"the default of {asked.script.name}'s own command line",
        )
        for name in asked_for
        if name != asked.attribute
    ]
    inferred += stand_ins.used.values()
    if answered is not None:
        inferred.append(_answers_told(answered, reads))
    for what, why in script.absent.items():
        how = f"{asked.script.name} could not get it, and nothing that was run needed it: {why}"
        inferred.append(Inference(key="absent", value=what, how=how))
    findings = [] if step is not None else [_not_followed(asked.script)]
    dropped = _dropped(script, loop, roles) if loop is not None and step is not None else []
    if dropped:
        findings.append(_partly_followed(asked.script, dropped))
    types = [parameter.dtype for parameter in given.model.parameters()]
    precision = reduced(types) if device.type == "cpu" else ""
    slow = Slow(precision=precision) if precision else None
    return Loaded(upscaler, type(given.model).__name__, inferred, findings, slow)


def _returned_told(given: _Returned) -> list[Inference]:
    returned = {"name": given.name, "data_range": f"{given.data_range:g}", "tile": given.tile}
    return [
        Inference(key=key, value=str(value), how=f"{SELECT_MODEL} returns it")
        for key, value in returned.items()
        if value is not None
    ]


def _answers_told(answered: Counter[str], reads: CheckpointReads) -> Inference:
    kinds = [f"{kind} ({count})" for kind, count in answered.items()]
    kinds += [f"tensors saved on {place}" for place in sorted(reads.places)]
    how = "no GPU is used: calls for one are answered on the CPU"
    how += f" (so far: {', '.join(kinds)})" if kinds else ""
    return Inference(key="device", value="cpu", how=how)


def _move_in(asked: Asked) -> None:
    sys.dont_write_bytecode = True
    os.chdir(asked.root)
    own = PACKAGE.parent
    if not {"site-packages", "dist-packages"} & set(own.parts):
        # Run from its own checkout, this program must not lend its models/ to another's.
        sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != own]
    sys.path.insert(0, str(asked.root))
    sys.argv = [str(asked.script)]
    protect(str(asked.root))


def _parameters(
    select: ast.FunctionDef, parameter: str, number: object, device: torch.device
) -> dict[str, Any]:
    """Return what select_model is called with."""
    own = select.args
    names = [part.arg for part in (*own.args, *own.kwonlyargs)]
    optional = {part.arg for part in own.args[len(own.args) - len(own.defaults) :]}
    optional |= {part.arg for part, default in zip(own.kwonlyargs, own.kw_defaults, strict=True) if default}
    given: dict[str, Any] = {}
    for name in names:
        if name == parameter:
            given[name] = number
        elif "device" in name:
            given[name] = device
        elif name not in optional:
            given[name] = Absent(name, f"only the main program gives it to {SELECT_MODEL}")
    return given


@dataclass(frozen=True)
class _Returned:
    """What select_model returns; names are those of `checkout_loop.ROLES`."""

    model: nn.Module
    name: str
    data_range: float
    tile: int | Sequence[int] | None


def _unpacked(result: object, asked: Asked) -> _Returned:
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
        f"{SELECT_MODEL} returns something else for model_id {asked.id}",
        file=asked.script,
        expected="an nn.Module, its name, the data range 1 or 255, and None or a tile of at least 1 pixel",
        found=found[:200],
        remedy="correct the branch",
    )


def _step(
    script: Script, loop: Loop | None, roles: dict[str, Any], scale: int
) -> tuple[_Step | None, Loop | None]:
    """Return what the checkout's loop runs, and that loop; None where it cannot be followed."""
    if loop is None:
        return None, None
    sides = roles["tile"] if isinstance(roles["tile"], (list, tuple)) else [roles["tile"] or 0]
    side = min(509, max(67, 2 * max(sides, default=0) + 1))  # no multiple of what a loop may pad to
    pixels = torch.randint(0, 256, (1, 3, side, side + 6), device=roles["device"])
    lr = pixels.float() / 255 * roles["data_range"]
    probe = _Probe(script, loop, roles, scale, lr)
    if loop.whole is not None:
        whole = _Probe(script, loop.whole, roles, scale, lr)
        if whole.seen is not None and not probe.sees_as(whole):
            probe, loop = whole, loop.whole
    if loop.surmised and probe.seen is not None and not _resembles(probe.seen, lr):
        return None, None
    return _Step(_made(script, loop, _given(loop, roles)), probe.taken()), loop


def _given(loop: Loop, roles: dict[str, Any]) -> dict[str, Any]:
    return {
        own: roles[role] if role in roles else Absent(own, f"only the loop in {loop.function}() has it")
        for own, role in loop.roles.items()
    }


def _made(script: Script, loop: Loop, given: dict[str, Any]) -> Callable[[Tensor], Any]:
    script.define(loop.code)
    step: Callable[[Tensor], Any] = script.namespace[MAKE](**given)
    return step


class _Probe:
    """One run of a loop with a network that costs nothing: which way it takes, what the network is given."""

    def __init__(self, script: Script, loop: Loop, roles: dict[str, Any], scale: int, lr: Tensor) -> None:
        self.loop = loop
        self.lines: set[int] = set()
        network = _StandIn(scale)
        given = {own: network if loop.roles[own] == "model" else v for own, v in _given(loop, roles).items()}
        code = None

        def note(frame: FrameType, event: str, _: object) -> None:
            outer = frame.f_back
            if event == "call" and outer is not None and outer.f_code is code:
                self.lines.add(outer.f_lineno)

        try:
            step = _made(script, loop, given)
            code = getattr(step, "__code__", None)
            sys.setprofile(note)
            with torch.inference_mode():
                step(lr)
        except Exception:  # it asks more of the network than a stand-in has: all the ways are told then
            self.lines.clear()
        finally:
            sys.setprofile(None)
        self.seen = network.seen

    def taken(self) -> str:
        """Return the calls that were made, or all there are where that cannot be told."""
        lines = {text: range(first, last + 1) for text, (first, last) in self.loop.lines.items()}
        made = [text for text in self.loop.calls if any(line in lines[text] for line in self.lines)]
        return " or ".join(made or self.loop.calls)

    def sees_as(self, other: _Probe) -> bool:
        """Return whether the network is given the same as in another loop."""
        one, two = self.seen, other.seen
        if one is None or two is None or one.shape != two.shape:
            return False
        return torch.allclose(one.float(), two.float(), rtol=1e-4, atol=1e-4)


def _resembles(seen: Tensor, lr: Tensor) -> bool:
    """Return whether what reaches a network has four dimensions and the range of the LR tensor."""
    return seen.dim() == 4 and 0.5 <= float(seen.float().abs().max() / lr.max()) <= 2.0


class _StandIn(nn.Module):
    """A network that costs nothing, to see which way a loop takes and what it is given first."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.seen: Tensor | None = None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a method that the real network may have
        """Return a method that does nothing, such as model.fuse()."""
        return lambda *_, **__: self

    def forward(self, lr: Tensor, *_: object, **__: object) -> Tensor:
        self.seen = lr.clone() if self.seen is None else self.seen
        return lr.new_zeros(*lr.shape[:-2], self.scale * lr.shape[-2], self.scale * lr.shape[-1])


@dataclass(frozen=True)
class _Step:
    """What is run on an LR tensor, and the calls in it, as text."""

    run: Callable[[Tensor], Any]
    calls: str

    def __call__(self, lr: Tensor) -> Tensor:
        output: Tensor = self.run(lr)
        if isinstance(output, Tensor):  # what the challenge's tensor2uint makes of it
            output = output.float()
            output = output.unsqueeze(0) if output.dim() == 3 else output
        return output  # anything else is refused where outputs are checked


def _not_followed(script: Path) -> Finding:
    message = (
        f"{script.name} has no loop over images that could be followed, so the network is called as it is: "
        "passes that only that loop makes are not made, and padding only where it must be"
    )
    return Finding(code="loop-not-followed", severity="warning", message=message)


def _dropped(script: Script, loop: Loop, roles: dict[str, Any]) -> list[str]:
    """Return what is not done to this branch's SR images, though the loop does it."""
    names = {own: roles.get(role) for own, role in loop.roles.items()} | {"args": roles["args"]}
    told = []
    for condition, text in loop.dropped:
        try:
            applies = bool(
                eval(condition, script.namespace, names)
            )  # a stranger's, in the process made for it
        except Exception:  # what only the loop knows
            applies = True
        told += [text] if applies else []
    return told


def _partly_followed(script: Path, dropped: Sequence[str]) -> Finding:
    message = (
        f"what {script.name} does to an SR image after its conversion to 8 bits is not done: "
        f"{'; '.join(dropped)[:200]}"
    )
    return Finding(code="loop-partly-followed", severity="warning", message=message)


def _forward_told(loop: Loop | None, script: Path, step: _Step | None) -> Inference:
    if loop is None or step is None:
        how = f"{script.name} has no loop over images that could be followed: the network is called as it is"
        return Inference(key="forward", value="model(LR)", how=how)
    where = f"{loop.function}() of {script.name}" if loop.function else script.name
    return Inference(key="forward", value=step.calls[:300], how=f"as {where} runs it")
