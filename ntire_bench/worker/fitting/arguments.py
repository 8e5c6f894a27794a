"""Reads from a checkpoint which constructor arguments it may have been made with. Worker only.

Nothing is decided here: these are values worth trying, and `fit` keeps those that the checkpoint proves.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from ntire_bench.worker.fitting.signature import Signature, flatten
from ntire_bench.worker.fitting.source_text import EMPTY, Parameter
from ntire_bench.worker.network.state_dict import StateDict

__all__ = ["Start", "has_few_values", "is_deploy_flag", "other_numbers", "start", "variations", "widths"]

_RGB = re.compile(
    r"^(num_|n_)?(in|out|input|output|inp|img|image)_?(planes|channels?|ch|chans?|nc|c)$|^n?_?colou?rs?$"
)
_RGB_TOO = {"num_in_ch", "num_out_ch", "in_nc", "out_nc", "nc_in", "nc_out", "n_colors", "num_colors"}
_SCALE = re.compile(
    r"^(up_?|sr_?|super_?)?(scale|scales|scale_factor|scaling_factor|sf)$"
    r"|^(up|upscale|upscaling|upsample|upsampling|upsampler|enlarge|sr)_?(scale|factor|ratio|rate)$|^upscale$"
    r"|^upsampling$|^upscaling$"
)
_COUNT = re.compile(r"block|layer|depth|module|cell|stage|group|^n_?b$|num_?b$|repeat|^m$|^nb_")
_WIDTH = re.compile(r"dim|ch|feat|width|hidden|mid|plane|nf$|^nc$|embed")
_KERNEL = re.compile(r"kernel|ksize|^ks?$")
_WINDOW = re.compile(r"window|win_|^ws$|patch|shift|(img|image|input)_?size|resolution")
_WINDOWS = (8, 16, 4, 7, 32)  # larger windows have huge tables and masks of positions
_FORM = re.compile(r"deploy|infer|train|rep(aram|_|$)|fuse|merge|test|eval|export")
_FLAG = re.compile(rf"{_FORM.pattern}|mode$|^is_|^use_|^with_|bias$|clamp|residual$|skip$")
_SHARE = re.compile(r"^res_?scale$|^residual_scal")
_WHITE = re.compile(r"(img|rgb|image|data|pixel|value|input)_?range$|^(max_?val(ue)?|range|peak)$")
_DEVICE = re.compile(r"(^|_)device$")
_INERT = re.compile(r"drop|(^|_)eps(ilon)?$|momentum")  # without effect in eval mode, or nearly so
_INTEGERS = (EMPTY, int, "int", "int | None", "Optional[int]")
_MOST = 6  # candidates of a kind
_FEW_VALUES = 4  # of a mean of colours, or a factor
_FEW = 24  # stages of a network, or blocks of a stage


@dataclass
class Start:
    """Where a search for constructor arguments begins.

    Attributes:
        args: Those to begin with: declared ones, and a first value for each that has no default.
        options: Values to try instead, by argument, the likeliest first.
        required: Arguments without a default that nobody declared.
        conventional: Values that every x4 RGB network has, whether or not the checkpoint shows them.
        defaults: Default values, by argument.
    """

    args: dict[str, Any]
    options: dict[str, list[Any]] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    conventional: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)


def start(
    signature: Signature, states: Sequence[StateDict], declared: dict[str, Any], scale: int
) -> Start | str:
    """Return where to begin, or why there is nothing to try.

    Args:
        signature: The class, or a function that returns a network.
        states: State dicts of the checkpoint, the most likely first.
        declared: Arguments that are fixed.
        scale: Enlargement factor, for arguments that ask for it.
    """
    known = {p.name for p in signature.parameters}
    fixed = flatten(signature, declared)
    unknown = [key for key in fixed if key not in known and not signature.open_ended and "." not in key]
    if unknown:
        return f"takes no argument {', '.join(map(repr, unknown))} (declared in args)"
    for parameter in signature.parameters:  # TOML has no tuples
        if isinstance(parameter.default, tuple) and isinstance(fixed.get(parameter.name), list):
            fixed[parameter.name] = tuple(fixed[parameter.name])
    result = Start(fixed)
    for parameter in signature.parameters:
        if parameter.name in fixed:
            continue
        if problem := _consider(parameter, states, scale, result):
            return problem
    return result


def _consider(parameter: Parameter, states: Sequence[StateDict], scale: int, result: Start) -> str | None:
    name, default = parameter.name, parameter.default
    required = default is EMPTY
    convention = _convention(parameter, scale)
    values = [] if convention is None else [convention]
    values += [v for v in parameter.examples if required and convention is None]
    values += [value for value in _candidates(parameter, states) if value not in values]
    if convention is not None:
        result.conventional[name] = convention
    if required and not values:
        if "." in name:
            return None  # perhaps only training reads this key; if the constructor does, it raises
        return (
            f"the argument {name!r} has no default, and the checkpoint does not show it: declare it in args"
        )
    if required:
        result.required.add(name)
        result.args[name] = values[0]
    else:
        result.defaults[name] = default
        if _SCALE.search(parameter.word) and type(default) is int and default > 1 and default != scale:
            result.args[name] = scale
            values.append(default)
        else:
            values = [value for value in values if type(value) is not type(default) or value != default]
            if convention is not None and type(default) is not int:
                values = []  # a residual scale of 0.1, say, or None
    if values:
        result.options[name] = values
    return None


def _convention(parameter: Parameter, scale: int) -> Any:  # noqa: ANN401 - 4, or [4]
    if _SCALE.search(parameter.word):
        listed = parameter.listed or isinstance(parameter.default, (list, tuple))
        return [scale] if listed else scale
    return 3 if _RGB.search(parameter.word) or parameter.word in _RGB_TOO else None


def _candidates(parameter: Parameter, states: Sequence[StateDict]) -> list[Any]:
    """Return values worth trying for an argument, the likeliest first; its default may be among them."""
    name, default, state = parameter.word, parameter.default, states[0]
    if isinstance(default, bool):
        return [not default]
    if parameter.annotation in (bool, "bool"):
        return [True, False]
    if default is EMPTY and _DEVICE.search(name):
        return ["cuda" if torch.cuda.is_available() else "cpu"]
    if parameter.choices and (isinstance(default, str) or default in (EMPTY, None)):
        return list(parameter.choices)
    if _SCALE.search(name) or (default is not EMPTY and _INERT.search(name)):
        return []
    if default is EMPTY and _WHITE.search(name):
        return [255, 1]
    if isinstance(default, (list, tuple)) or parameter.listed or parameter.annotation in (list, tuple):
        counting = bool(_COUNT.search(name))
        return _lists(default if isinstance(default, (list, tuple)) else [], state, counting)
    if isinstance(default, float):
        return [value for value in (1.0, 2.0, 1.5, 3.0, 4.0, 2.66, 0.5, 0.25) if value != default]
    if parameter.annotation not in _INTEGERS or not (isinstance(default, int) or default in (EMPTY, None)):
        return [] if default is not None else _given(state)
    if default is EMPTY and _FLAG.search(name):
        return [True, False]
    if default is EMPTY and _SHARE.search(name):
        return [1, 0.1, 0.2]
    if _WINDOW.search(name):
        return list(_WINDOWS)
    if _WIDTH.search(name):
        return widths(state)
    if _COUNT.search(name):
        return _counts(state)
    if _KERNEL.search(name):
        return _kernels(state)
    if default is None:
        return _given(state)
    return list(dict.fromkeys([*widths(state)[:3], *_counts(state)[:3], 1]))


def is_deploy_flag(name: str) -> bool:
    """Return whether an argument's name says that it chooses between the forms of a network.

    >>> is_deploy_flag("deploy"), is_deploy_flag("is_train"), is_deploy_flag("pretrained")
    (True, True, False)
    """
    return _FORM.search(name.lower().replace("pretrain", "")) is not None  # "pretrained" may start a download


def has_few_values(parameter: Parameter) -> bool:
    """Whether the candidates of an argument are all that it may be, and not a few of many numbers."""
    return bool(
        isinstance(parameter.default, bool)
        or parameter.annotation in (bool, "bool")
        or parameter.choices
        or (parameter.default is EMPTY and re.search(f"{_FLAG.pattern}|{_SHARE.pattern}", parameter.word))
        or _WHITE.search(parameter.word)
    )


def variations(parameter: Parameter) -> list[Any]:
    """Return other values of an argument with a default that may change what is computed, but no tensor."""
    default = parameter.default
    if isinstance(default, bool):
        return [not default]
    others: list[Any] = [v for v in parameter.choices if isinstance(default, str) and v != default]
    if _WHITE.search(parameter.word) and isinstance(default, (int, float)):
        others = [type(default)(value) for value in (1, 255) if value != default]
    others += [v for v in parameter.examples if v != default and type(v) is type(default)]
    return [value for i, value in enumerate(others) if value not in others[:i]][:4]


def other_numbers(parameter: Parameter) -> list[Any]:
    """Return other numbers for an argument with a default, such as a number of heads, which no tensor shows.

    The first two are to be tried first. If both change the tensors, or neither changes the image, the others
    may be left out.
    """
    default = parameter.default
    usual: tuple[float, ...] = (1, 2, 3, 4, 6, 8) if isinstance(default, int) else (0.05, 0.1, 0.2, 0.5, 1.0)
    if isinstance(default, bool) or not isinstance(default, (int, float)) or not default:
        return []
    if any(word.search(parameter.word) for word in (_INERT, _SCALE, _RGB, _WHITE)):
        return []
    near = (default * 2, default // 2 or 3) if isinstance(default, int) else (default * 2, default / 2)
    return [value for value in dict.fromkeys([*near, *usual]) if value != default]


def _lists(default: Sequence[Any], state: StateDict, counting: bool) -> list[Any]:
    """Return candidates for a list: how many blocks each stage has, and equal numbers, one for each block."""
    kind = type(default) if isinstance(default, (list, tuple)) else list
    if default and not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in default):
        return []
    first = default[0] if default else 1
    found: list[list[Any]] = [list(counts) for counts in _nested(state)]
    found += [[first] * count for count in _counts(state)]
    if default:
        numbers = _counts(state) if counting else widths(state) + _counts(state)
        found += [[number] * len(default) for number in numbers]
    few = [count for count in _counts(state) if count <= _FEW]
    found += [[inner] * count for count in few for inner in few]
    unique = list(dict.fromkeys(tuple(v) for v in found))
    return [kind(v) for v in unique][: 3 * _MOST]


def _nested(state: StateDict) -> Iterator[tuple[int, ...]]:
    """Yield, for each row of stages, how many blocks each of them has."""
    inner: dict[tuple[str, str], dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for name in state.shapes:
        parts = name.split(".")
        numbers = [i for i, part in enumerate(parts) if part.isdigit()]
        for one, two in zip(numbers, numbers[1:], strict=False):
            key = (".".join(parts[:one]), ".".join(parts[one + 1 : two]))
            inner[key][int(parts[one])].add(int(parts[two]))
    for stages in sorted(inner.values(), key=len, reverse=True):
        yield tuple(len(stages[number]) for number in sorted(stages))


def _given(state: StateDict) -> list[Any]:
    """Return values for an argument whose default is None: a buffer may exist only if it is given.

    Such a buffer is often the mean of three colours or one factor, so the checkpoint itself may hold the
    value.
    """
    few = [
        tensor
        for name, tensor in state.tensors.items()
        if tensor.is_floating_point()
        and 0 < tensor.numel() <= _FEW_VALUES
        and not name.endswith(("weight", "bias"))
    ]
    return [*([float(value) for value in tensor.flatten()] for tensor in few[:2]), True, 1.0]


def widths(state: StateDict) -> list[int]:
    """Return the output widths of convolutions and linear layers, the commonest first."""
    weights = (
        shape
        for name, shape in state.shapes.items()
        if len(shape) == 4 or (len(shape) == 2 and "weight" in name)
    )  # tables of positions, which can have hundreds of rows, are left out
    widths = Counter(shape[0] for shape in weights if shape[0] > 1)
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
