"""Finds the constructor arguments with which a class takes a checkpoint strictly. Worker only.

The answer is proven by the checkpoint itself: names and shapes of every tensor must match. Arguments are only
guessed at to be tried; a guess that does not fit is discarded.
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from ntire_bench.checkpoint import StateDict
from ntire_bench.inference import blame

__all__ = ["Attempt", "Fit", "fit", "mismatch"]

MAX_ATTEMPTS = (
    400  # constructing a small network takes milliseconds; more would be a search, not an inference
)

_IN_OUT = re.compile(
    r"^(num_|n_)?(in|out|input|output|inp|img|image)_?(planes|channels?|ch|chans?|nc|c)$|^n?_?colors$"
)
_IN_OUT_EXTRA = {"num_in_ch", "num_out_ch", "in_nc", "out_nc", "nc_in", "nc_out", "n_colors", "num_colors"}
_SCALE = {
    "scale",
    "upscale",
    "upscale_factor",
    "scale_factor",
    "sf",
    "up_scale",
    "upsampling",
    "upsample_factor",
}
_COUNT = re.compile(r"block|layer|depth|module|cell|stage|group|^n_?b$|num_?b$|repeat|^m$")


@dataclass(frozen=True)
class Attempt:
    """One way to build the network that was tried, and why it does not fit."""

    call: str
    reason: str


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
        The first fit, with as few arguments other than the defaults as will do, or None; and what failed.
    """
    name = getattr(build, "__name__", str(build))
    attempts: list[Attempt] = []
    for count, args in enumerate(_calls(build, states, declared, scale)):
        if isinstance(args, str):
            return None, [Attempt(f"{name}(...)", args)]
        call = f"{name}({', '.join(f'{k}={v!r}' for k, v in args.items())})"
        try:
            network = build(**args)
        except Exception as error:
            attempts.append(Attempt(call, blame(error)))
            continue
        if not isinstance(network, nn.Module):
            attempts.append(Attempt(call, f"gives a {type(network).__name__}, not an nn.Module"))
            return None, attempts
        reasons = []
        for state in states:
            reason = mismatch(network, state)
            if reason is None:
                network.load_state_dict(state.tensors, strict=True)
                derived = {k: v for k, v in args.items() if k not in declared}
                return Fit(network, state, args, derived), attempts
            reasons.append((len(_names(network) & state.shapes.keys()), reason))
        attempts.append(Attempt(call, max(reasons, key=lambda pair: pair[0])[1]))
        if count == 0 and not any(_akin(network, state) for state in states):
            break  # a building block of the network, not the network: other arguments will not change that
    return None, attempts


def mismatch(network: nn.Module, state: StateDict) -> str | None:
    """Return why a network cannot take a state dict strictly, or None if it can."""
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    missing = [name for name in shapes if name not in state.shapes]
    unexpected = [name for name in state.shapes if name not in shapes]
    differing = [name for name, shape in state.shapes.items() if name in shapes and shapes[name] != shape]
    parts = []
    if missing:
        parts.append(f"{len(missing)} missing in the checkpoint (first {missing[0]})")
    if unexpected:
        parts.append(f"{len(unexpected)} unknown to the network (first {unexpected[0]})")
    if differing:
        first = differing[0]
        parts.append(
            f"{len(differing)} of another shape (first {first}: checkpoint {_size(state.shapes[first])}, "
            f"network {_size(shapes[first])})"
        )
    return ", ".join(parts) or None


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _names(network: nn.Module) -> set[str]:
    return set(network.state_dict())


def _akin(network: nn.Module, state: StateDict) -> bool:
    """Whether at least a third of the checkpoint's top-level names are the network's, numbers aside."""

    def top(names: Sequence[str]) -> set[str]:
        return {re.sub(r"\d+", "#", name.split(".")[0]) for name in names}

    wanted = top(list(state.shapes))
    return 3 * len(wanted & top(list(_names(network)))) >= len(wanted)


def _calls(
    build: Callable[..., Any], states: Sequence[StateDict], declared: dict[str, Any], scale: int
) -> Iterator[dict[str, Any] | str]:
    """Yield keyword arguments to try, fewest changes first; a string says why nothing can be tried."""
    try:
        parameters = inspect.signature(build).parameters.values()
    except (TypeError, ValueError) as error:
        yield f"its signature cannot be read ({error})"
        return
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    named = [p for p in parameters if p.kind in kinds]
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    unknown = [key for key in declared if key not in {p.name for p in named} and not open_ended]
    if unknown:
        yield f"takes no argument {', '.join(map(repr, unknown))} (declared in args)"
        return
    options: dict[str, list[Any]] = {}
    required: dict[str, Any] = {}
    for parameter in named:
        if parameter.name in declared:
            continue
        values = _candidates(parameter, states, scale)
        if parameter.default is inspect.Parameter.empty:
            if not values:
                yield (
                    f"the argument {parameter.name!r} has no default and the checkpoint does not tell it: "
                    "declare it in args"
                )
                return
            required[parameter.name] = values[0]
        if alternatives := values[1:] if parameter.name in required else values:
            options[parameter.name] = alternatives
    yield {**required, **declared}
    tried = 1
    for changes in range(1, len(options) + 1):
        for names in itertools.combinations(options, changes):
            for values_ in itertools.product(*(options[name] for name in names)):
                if tried >= MAX_ATTEMPTS:
                    return
                tried += 1
                yield {**required, **declared, **dict(zip(names, values_, strict=True))}


def _candidates(parameter: inspect.Parameter, states: Sequence[StateDict], scale: int) -> list[Any]:
    """Return values worth trying for a constructor argument, the likeliest first, its default left out."""
    name, default = parameter.name.lower(), parameter.default
    wanted: list[Any]
    if _IN_OUT.search(name) or name in _IN_OUT_EXTRA:
        wanted = [3]
    elif name in _SCALE:
        wanted = [scale]
    elif isinstance(default, bool):
        wanted = [not default]
    elif parameter.annotation in (bool, "bool"):
        wanted = [True, False]
    elif isinstance(default, int) or (
        default is inspect.Parameter.empty and parameter.annotation in _INTEGERS
    ):
        counts, widths = _counts(states), _widths(states)
        wanted = counts + widths if _COUNT.search(name) else widths + counts
    else:
        wanted = []
    return [value for value in wanted if isinstance(default, bool) or value != default]


_INTEGERS = (inspect.Parameter.empty, int, "int")


def _widths(states: Sequence[StateDict]) -> list[int]:
    """Return the output widths of convolutions, the commonest first."""
    widths = Counter(shape[0] for shape in states[0].shapes.values() if len(shape) == 4 and shape[0] > 1)
    return [width for width, _ in widths.most_common(6)]


def _counts(states: Sequence[StateDict]) -> list[int]:
    """Return how many numbered siblings there are ("block_1" to "block_4" are four), the outermost first."""
    siblings: dict[str, set[str]] = {}
    for name in states[0].shapes:
        parts = name.split(".")
        for depth, part in enumerate(parts):
            if match := re.search(r"\d+", part):
                pattern = ".".join([*parts[:depth], part[: match.start()] + "#" + part[match.end() :]])
                siblings.setdefault(pattern, set()).add(match[0])
    ordered = sorted(siblings, key=lambda pattern: (pattern.count("."), -len(siblings[pattern])))
    return list(dict.fromkeys(len(siblings[pattern]) for pattern in ordered))[:6]
