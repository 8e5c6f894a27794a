"""Reads from a checkpoint what constructor arguments may have been. Worker only.

Nothing here decides: these are values worth trying, and `fitting` keeps those that the checkpoint proves.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ntire_bench.checkpoint import StateDict

__all__ = ["Start", "start"]

_RGB = re.compile(
    r"^(num_|n_)?(in|out|input|output|inp|img|image)_?(planes|channels?|ch|chans?|nc|c)$|^n?_?colors$"
)
_RGB_TOO = {"num_in_ch", "num_out_ch", "in_nc", "out_nc", "nc_in", "nc_out", "n_colors", "num_colors"}
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
_WIDTH = re.compile(r"dim|ch|feat|width|hidden|mid|plane|nf$")
_KERNEL = re.compile(r"kernel|ksize|^ks?$")
_INTEGERS = (inspect.Parameter.empty, int, "int")
_MOST = 6  # candidates of a kind


@dataclass
class Start:
    """Where a search for constructor arguments begins.

    Attributes:
        args: Those to begin with: declared ones, and a first value for each that has no default.
        options: Values to try instead, by argument, the likeliest first.
        required: Arguments without a default that nobody declared.
        conventional: Values that every x4 RGB network has, whether or not the checkpoint shows them.
    """

    args: dict[str, Any]
    options: dict[str, list[Any]] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    conventional: dict[str, Any] = field(default_factory=dict)


def start(
    build: Callable[..., Any], states: Sequence[StateDict], declared: dict[str, Any], scale: int
) -> Start | str:
    """Return where to begin, or why there is nothing to try.

    Args:
        build: The class, or a function that returns a network.
        states: State dicts of the checkpoint, the most likely first.
        declared: Arguments that are fixed.
        scale: Enlargement factor, for arguments that ask for it.
    """
    try:
        parameters = inspect.signature(build).parameters.values()
    except (TypeError, ValueError) as error:
        return f"its signature cannot be read ({error})"
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    named = [p for p in parameters if p.kind in kinds]
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    unknown = [key for key in declared if key not in {p.name for p in named} and not open_ended]
    if unknown:
        return f"takes no argument {', '.join(map(repr, unknown))} (declared in args)"
    result = Start(dict(declared))
    for parameter in named:
        if parameter.name in declared:
            continue
        if problem := _consider(parameter, states, scale, result):
            return problem
    return result


def _consider(
    parameter: inspect.Parameter, states: Sequence[StateDict], scale: int, result: Start
) -> str | None:
    name, default = parameter.name, parameter.default
    required = default is inspect.Parameter.empty
    convention = _convention(name.lower(), scale)
    values = [] if convention is None else [convention]
    values += [value for value in _candidates(parameter, states) if value not in values]
    if convention is not None:
        result.conventional[name] = convention
    if required and not values:
        return (
            f"the argument {name!r} has no default, and the checkpoint does not tell it: declare it in args"
        )
    if required:
        result.required.add(name)
        result.args[name] = values[0]
    elif name.lower() in _SCALE and type(default) is int and default > 1 and default != scale:
        result.args[name] = scale
        values.append(default)
    else:
        values = [value for value in values if type(value) is not type(default) or value != default]
        if convention is not None and type(default) is not int:
            values = []  # a residual scale of 0.1, say, or None
    if values:
        result.options[name] = values
    return None


def _convention(name: str, scale: int) -> int | None:
    if name in _SCALE:
        return scale
    return 3 if _RGB.search(name) or name in _RGB_TOO else None


def _candidates(parameter: inspect.Parameter, states: Sequence[StateDict]) -> list[Any]:
    """Return values worth trying for an argument, the likeliest first; its default may be among them."""
    name, default = parameter.name.lower(), parameter.default
    if isinstance(default, bool):
        return [not default]
    if parameter.annotation in (bool, "bool"):
        return [True, False]
    if name in _SCALE:
        return []
    if not isinstance(default, int) and (
        default is not inspect.Parameter.empty or parameter.annotation not in _INTEGERS
    ):
        return []
    if _WIDTH.search(name):
        return _widths(states[0])
    if _COUNT.search(name):
        return _counts(states[0])
    if _KERNEL.search(name):
        return _kernels(states[0])
    return list(dict.fromkeys(_widths(states[0]) + _counts(states[0])))


def _widths(state: StateDict) -> list[int]:
    """Return the output widths of convolutions and linear layers, the commonest first."""
    widths = Counter(shape[0] for shape in state.shapes.values() if len(shape) in (2, 4) and shape[0] > 1)
    return [width for width, _ in widths.most_common(_MOST)]


def _kernels(state: StateDict) -> list[int]:
    """Return the sides of square convolution kernels, the commonest first."""
    sides = Counter(s[2] for s in state.shapes.values() if len(s) == 4 and s[2] == s[3])
    return [side for side, _ in sides.most_common(_MOST)]


def _counts(state: StateDict) -> list[int]:
    """Return how many numbered siblings there are, the outermost first.

    "block_1" to "block_4" are four. Of "body.0" to "body.6" those that look alike are counted first, since
    a row of blocks often ends in a convolution, and then all of them.
    """
    siblings: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name in state.shapes:
        parts = name.split(".")
        for depth, part in enumerate(parts):
            if match := re.search(r"\d+", part):
                pattern = ".".join([*parts[:depth], part[: match.start()] + "#" + part[match.end() :]])
                siblings[pattern][match[0]].add(".".join(parts[depth + 1 :]))
    found: list[int] = []
    for pattern in sorted(siblings, key=lambda pattern: (pattern.count("."), -len(siblings[pattern]))):
        alike = Counter(frozenset(rest) for rest in siblings[pattern].values())
        found += [alike.most_common(1)[0][1], len(siblings[pattern])]
    return list(dict.fromkeys(found))[:_MOST]
