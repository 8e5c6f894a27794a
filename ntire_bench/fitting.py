"""Finds the constructor arguments with which a class takes a checkpoint strictly. Worker only.

The answer is proven by the checkpoint itself: names and shapes of every tensor must match, and an argument
that they do not tell is not guessed. The search climbs: the change of one argument that makes most tensors
match is kept, and the next is looked for. Until all match, networks are built on torch's meta device, without
memory.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ntire_bench.arguments import Start, start
from ntire_bench.checkpoint import StateDict
from ntire_bench.inference import blame

__all__ = ["Attempt", "Fit", "fit", "mismatch"]

MAX_ATTEMPTS = {1: 200, 2: 60}  # by how many arguments are changed at a time; each takes milliseconds
_RELATED = 0.2  # likeness under which a class is a building block of the network, or another network

_Shapes = dict[str, "tuple[int, ...] | None"]  # None: a lazy parameter, which takes any shape


@dataclass(frozen=True)
class Attempt:
    """One way to build the network that was tried.

    Attributes:
        name: Of the class or function.
        call: It and its arguments.
        reason: Why it does not fit.
        likeness: From 0, no tensor in common with the checkpoint, to 1; below 0 where nothing was built.
    """

    name: str
    call: str
    reason: str
    likeness: float = -1.0


@dataclass
class Fit:
    """A network that takes the checkpoint, and how it came about.

    Attributes:
        network: Built, and with the checkpoint loaded.
        state: The state dict it took.
        args: All arguments that were passed.
        derived: Those that nobody declared and that differ from the class's defaults.
    """

    network: nn.Module
    state: StateDict
    args: dict[str, Any]
    derived: dict[str, Any] = field(default_factory=dict)


def fit(
    build: Callable[..., Any],
    states: Sequence[StateDict],
    declared: dict[str, Any],
    scale: int,
) -> tuple[Fit | None, list[Attempt]]:
    """Build a network that takes one of `states` strictly.

    Args:
        build: The class, or a function that returns a network.
        states: State dicts to try, the most likely first.
        declared: Arguments that are fixed.
        scale: Enlargement factor, for arguments that ask for it.

    Returns:
        The fit, with as few arguments other than the defaults as will do, or None; and what failed.
    """
    search = _Search(build, states, declared)
    begin = start(build, states, declared, scale)
    if isinstance(begin, str):
        return None, [Attempt(search.name, f"{search.name}(...)", begin)]
    found = search.climb(begin.args, begin.options)
    if found is not None:
        args, state = found
        untold = search.simplify(args, state, begin)
        if untold is None:
            return search.load(args, state), search.attempts
        search.fail(args, untold, 1.0)
    return None, search.attempts


class _Search:
    """Tries arguments for one class or function, and remembers what came of it."""

    def __init__(
        self, build: Callable[..., Any], states: Sequence[StateDict], declared: dict[str, Any]
    ) -> None:
        self.build = build
        self.name = getattr(build, "__name__", str(build))
        self.states = states
        self.declared = declared
        self.attempts: list[Attempt] = []
        self.hopeless = False

    def climb(
        self, args: dict[str, Any], options: dict[str, list[Any]]
    ) -> tuple[dict[str, Any], StateDict] | None:
        """Change one argument after another for the better; where that gets stuck, two at a time."""
        likeness, state = self.judge(args)
        if state is None and 0 <= likeness < _RELATED and not self.related(args):
            return None  # other arguments do not change what the parts of a network are called
        for together, most in MAX_ATTEMPTS.items():
            most += len(self.attempts)
            while state is None:
                best = args
                for change in _changes(options, together):
                    if self.hopeless:
                        return None
                    trial = {**args, **change}
                    if len(self.attempts) >= most or any(args.get(k, args) == v for k, v in change.items()):
                        continue
                    found, state = self.judge(trial)
                    if found > likeness:
                        likeness, best = found, trial
                    if state is not None:
                        break
                if best is args:
                    break
                args = best
        return None if state is None else (args, state)

    def judge(self, args: dict[str, Any]) -> tuple[float, StateDict | None]:
        """Return how like the checkpoint the network with these arguments is, and the state dict it takes."""
        try:
            shapes = self.shapes(args)
        except Exception as error:
            self.fail(args, blame(error), -1.0)
            return -1.0, None
        if shapes is None:
            self.hopeless = True
            return -1.0, None
        likeness, reason = -1.0, ""
        for state in self.states:
            problem = _difference(shapes, state)
            if problem is None:
                return 1.0, state
            alike = _likeness(shapes, state.shapes)
            if alike > likeness:
                likeness, reason = alike, problem
        self.fail(args, reason, likeness)
        return likeness, None

    def shapes(self, args: dict[str, Any]) -> _Shapes | None:
        """Build the network, without memory if it allows that; None (and an attempt) if it is no network."""
        try:
            with torch.device("meta"):
                network = self.build(**args)
        except Exception:  # such as .item() in a constructor; if it is not for the device, it raises again
            network = self.build(**args)
        if isinstance(network, nn.Module):
            return _shapes(network)
        self.fail(args, f"gives a {type(network).__name__}, not an nn.Module", -1.0)
        return None

    def related(self, args: dict[str, Any]) -> bool:
        """Whether a third of the checkpoint's top-level names are the network's, numbers aside."""

        def top(names: Sequence[str]) -> set[str]:
            return {re.sub(r"\d+", "#", name.split(".")[0]) for name in names}

        own = top(list(self.shapes(args) or {}))
        return any(3 * len(top(list(s.shapes)) & own) >= len(top(list(s.shapes))) for s in self.states)

    def simplify(self, args: dict[str, Any], state: StateDict, begin: Start) -> str | None:
        """Drop changes that are not needed; return why the rest cannot be relied on, or None.

        An argument of which another value would do as well is not told by the checkpoint, though it may
        change what the network computes.
        """

        def takes(trial: dict[str, Any]) -> bool:
            try:
                shapes = self.shapes(trial)
            except Exception:
                return False
            return shapes is not None and _difference(shapes, state) is None

        changed = [key for key in args if key in begin.options]
        changed = [key for key in changed if args[key] != begin.conventional.get(key)]
        for key in [key for key in changed if key not in begin.required]:
            trial = {k: v for k, v in args.items() if k != key}
            if takes(trial):
                del args[key]
        for key in [key for key in changed if key in args]:
            value = args[key]
            others = [v for v in begin.options[key] if v != value]
            if not isinstance(value, bool):
                others = [value + 1, value * 2, *others]
            other = next((v for v in others if takes({**args, key: v})), None)
            if other is not None:
                return (
                    f"the checkpoint does not tell the argument {key!r} ({value!r} and {other!r} would both "
                    "load): declare it in args"
                )
        return None

    def load(self, args: dict[str, Any], state: StateDict) -> Fit | None:
        """Build the network in memory and load the checkpoint."""
        try:
            network = self.build(**args)
            network.load_state_dict(state.tensors, strict=True)
        except Exception as error:  # names and shapes fit: a network with a load_state_dict of its own
            self.fail(args, blame(error), 1.0)
            return None
        return Fit(network, state, args, {k: v for k, v in args.items() if k not in self.declared})

    def fail(self, args: dict[str, Any], reason: str, likeness: float) -> None:
        call = f"{self.name}({', '.join(f'{k}={v!r}' for k, v in args.items())})"
        self.attempts.append(Attempt(self.name, call, reason, likeness))


def _changes(options: dict[str, list[Any]], together: int) -> Iterator[dict[str, Any]]:
    for names in itertools.combinations(options, together):
        for values in itertools.product(*(options[name] for name in names)):
            yield dict(zip(names, values, strict=True))


def _shapes(network: nn.Module) -> _Shapes:
    tensors = {k: v for k, v in network.state_dict().items() if isinstance(v, Tensor)}
    return {name: None if is_lazy(tensor) else tuple(tensor.shape) for name, tensor in tensors.items()}


def _likeness(shapes: _Shapes, wanted: dict[str, tuple[int, ...]]) -> float:
    """Return the share of tensors in common, one whose shape differs counting half and its equal sides."""
    total = 0.0
    for name in shapes.keys() & wanted.keys():
        own, other = shapes[name], wanted[name]
        if own is None or own == other:
            total += 1.0
        elif len(own) == len(other):
            total += 0.5 + 0.4 * sum(a == b for a, b in zip(own, other, strict=True)) / len(own)
        else:
            total += 0.3
    return total / max(len(shapes.keys() | wanted.keys()), 1)


def mismatch(network: nn.Module, state: StateDict) -> str | None:
    """Return why a network cannot take a state dict strictly, or None if it can."""
    return _difference(_shapes(network), state)


def _difference(shapes: _Shapes, state: StateDict) -> str | None:
    missing = [name for name in shapes if name not in state.shapes]
    unexpected = [name for name in state.shapes if name not in shapes]
    differing = [name for name, shape in shapes.items() if shape not in (None, state.shapes.get(name, shape))]
    parts = []
    if missing:
        parts.append(f"{len(missing)} missing in the checkpoint (first {missing[0]})")
    if unexpected:
        parts.append(f"{len(unexpected)} unknown to the network (first {unexpected[0]})")
    if differing:
        first = differing[0]
        parts.append(
            f"{len(differing)} of another shape (first {first}: checkpoint {_size(state.shapes[first])}, "
            f"network {_size(shapes[first] or ())})"
        )
    return ", ".join(parts) or None


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
