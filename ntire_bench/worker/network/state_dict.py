"""Finds the state dict in what a checkpoint holds. Worker only."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ntire_bench.errors import SubmissionError

__all__ = ["STATE_KEYS", "StateDict", "state_dicts"]

# Where training code keeps the weights, in the order they are tried; averaged weights go before all others.
# Whatever else holds tensors is tried after these.
STATE_KEYS = (
    "params_ema",
    "model_ema",
    "net_g_ema",
    "ema",
    "params",
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "generator",
    "module",
    "net_g",
    "netG",
    "student",
    "weights",
)
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "generator.")
# A prefix that training code gives to one network among others, or to the network inside a wrapper.
_TRAINERS = re.compile(r"\w*(model|module|net|network|generator|student|ema|arch)\w*\.", re.IGNORECASE)
_OF_SEVERAL = ("net_g.", "netG.", "generator.", "student.", "model.", "network.", "net.", "ema_model.")
# As in state_dict_ema, and in modelEMA.
_AVERAGED = re.compile(
    r"((^|[_.])(ema|swa|averaged?|avg|moving|polyak)|(?-i:(?<=[a-z])(EMA|Ema|SWA|Swa)))([_.]|$)",
    re.IGNORECASE,
)
# As in student_net.head.weight.
_STUDENT = re.compile(r"\w*(student|ema|swa|averaged?|avg|moving|polyak|generator)\w*\.", re.IGNORECASE)
_SCALARS = (bool, int, float, str, np.number)
_FEW = 8
# Buffers that the FLOP counter thop leaves in a network it has seen, and torch's AveragedModel around one.
_COUNTS = ("total_ops", "total_params", "n_averaged")


@dataclass(frozen=True)
class StateDict:
    """A state dict, and how it was taken out of the checkpoint.

    Attributes:
        tensors: By name, as a network takes them.
        key: Where in the checkpoint it lies: "" at the top, or "params_ema", ...
        prefix: What was taken off the names.
        dropped: Names of tensors beside the network's, which were left out.
        part: Whether it is that part of a larger state dict whose names begin with `prefix`.
        converted: How its tensors were made, where the checkpoint holds something else; "" elsewhere.
        missing: Names of the network's tensors that it lacks, where it is loaded without them.
    """

    tensors: dict[str, Tensor]
    key: str
    prefix: str = ""
    dropped: tuple[str, ...] = ()
    part: bool = False
    converted: str = ""
    missing: tuple[str, ...] = ()

    @property
    def averaged(self) -> bool:
        """Whether its place in the checkpoint says that these are averaged weights.

        >>> [StateDict({}, key).averaged for key in ("net_g_ema", "modelEMA", "schema", "SCHEMA")]
        [True, True, False, False]
        """
        return any(map(_AVERAGED.search, (self.key, self.prefix)))

    @property
    def averaged_beside_raw(self) -> bool:
        """Whether it is a part of a larger state dict that holds the raw form of all these weights too.

        >>> part = StateDict({"head.bias": torch.ones(1)}, "", "ema.", ("net.head.bias",), part=True)
        >>> other = dataclasses.replace(part, dropped=("net.tail.bias",))
        >>> part.averaged_beside_raw, other.averaged_beside_raw
        (True, False)
        """
        ends = {name[at:] for name in self.dropped for at in _beginnings(name)}
        return self.part and self.averaged and all(name in ends for name in self.tensors)

    @property
    def where(self) -> str:
        """Key and prefix in words."""
        return f"{self.key} without the prefix {self.prefix!r}".strip() if self.prefix else self.key

    @functools.cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor, by name."""
        return {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}


def state_dicts(
    content: Any,  # noqa: ANN401
    path: Path,
    state_key: str | None = None,
    prefix: str | None = None,
) -> list[StateDict]:
    """Return the state dicts in a checkpoint, in the order they should be tried.

    Args:
        content: What `read` returned.
        path: The checkpoint, for messages.
        state_key: Declared key; only what lies there is returned then. Dots go down ("ema.params"), "" is the
            top.
        prefix: Declared prefix of the names, which is taken off; names without it are left out.

    Raises:
        SubmissionError: There is no state dict, or none at `state_key` or with `prefix`.
    """
    if state_key is not None:
        value = content
        for part in state_key.split(".") if state_key else ():
            if isinstance(value, (list, tuple)):
                value = dict(zip(map(str, range(len(value))), value, strict=True))
            value = value.get(part) if isinstance(value, Mapping) else None
        state = _state(value, state_key)
        if state is None:
            raise SubmissionError(
                f"has no state dict at the declared state_key {state_key!r}",
                file=path,
                found=_describe(content),
                remedy="declare one of these, or leave state_key out",
            )
        found = [state]
    else:
        found = list(_walk(content, ""))
    if not found:
        raise SubmissionError(
            "holds no state dict",
            file=path,
            expected=f"a dictionary of tensors, alone or under one of {', '.join(STATE_KEYS)}",
            found=_describe(content),
            remedy="save network.state_dict(), or declare state_key",
        )
    if prefix is not None:
        with_it = [
            _without(state, prefix) for state in found if any(n.startswith(prefix) for n in state.tensors)
        ]
        if not with_it:
            raise SubmissionError(
                f"has no tensor with the declared prefix {prefix!r}",
                file=path,
                found=", ".join(list(found[0].tensors)[:4]) + " ...",
                remedy="correct the prefix, or leave it out",
            )
        return with_it
    whole = list(found)
    found = [one for state in whole for one in (state, *_without_prefixes(state))]
    # Averaged weights go before raw ones, however deep either lies.
    found.sort(key=lambda state: not state.averaged)
    parts = []
    for state in found:  # parts come last: what they leave out may belong to the network
        named = [match[0] for name in state.tensors if (match := _STUDENT.match(name))]
        for several in dict.fromkeys((*_OF_SEVERAL, *named)):
            having = [name for name in state.tensors if name.startswith(several)]
            if 0 < len(having) < len(state.tensors):
                one = dataclasses.replace(_without(state, several), part=True)
                parts += [one, *_without_prefixes(one)]  # torch's AveragedModel adds one of its own
    parts.sort(key=lambda state: not state.averaged)
    return found + parts


def _state(value: Any, key: str) -> StateDict | None:  # noqa: ANN401
    """Return a value as a state dict, or None if it is none: it must be a dictionary that is mostly tensors.

    Numbers and texts, such as an epoch, may lie among them. NumPy arrays count as tensors where there is no
    tensor at all.
    """
    if not isinstance(value, Mapping) or not value or not all(isinstance(name, str) for name in value):
        return None
    converted = ""
    if not any(isinstance(part, Tensor) for part in value.values()):
        value = {name: _tensor_of(part) for name, part in value.items()}
        converted = "NumPy arrays, taken as tensors"
    tensors = {name: part for name, part in value.items() if isinstance(part, Tensor)}
    others = [part for part in value.values() if not isinstance(part, Tensor)]
    if len(others) >= len(tensors) or not all(part is None or isinstance(part, _SCALARS) for part in others):
        return None
    kept = {name: part for name, part in tensors.items() if name.rsplit(".", 1)[-1] not in _COUNTS}
    dropped = tuple(name for name in value if name not in kept)
    if not kept:
        return None
    return StateDict(kept, key, dropped=dropped, converted=converted)


def _beginnings(name: str) -> list[int]:
    """Return where the parts of a tensor's name begin."""
    return [0, *(at + 1 for at, character in enumerate(name) if character == ".")]


def _tensor_of(value: Any) -> Any:  # noqa: ANN401 - what a checkpoint holds
    """Return an array of numbers as a tensor, and anything else as it is."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "bfiu":
        return torch.from_numpy(value.astype(value.dtype.newbyteorder("=")))  # a copy of its own
    return value


def _walk(value: Any, where: str, depth: int = 0) -> Iterator[StateDict]:  # noqa: ANN401
    state = _state(value, where)
    if state is not None:
        yield state
        return
    if isinstance(value, (list, tuple)):  # [state dict, epoch]
        value = {str(index): part for index, part in enumerate(value[:_FEW])}
    if isinstance(value, Mapping) and depth < 3:
        others = [key for key in value if isinstance(key, str) and key not in STATE_KEYS]
        for key in [*(key for key in STATE_KEYS if key in value), *others]:
            yield from _walk(value[key], f"{where}.{key}".lstrip("."), depth + 1)


def _without(state: StateDict, prefix: str) -> StateDict:
    """Return the part of a state dict whose names begin with a prefix, and take it off."""
    tensors = {k[len(prefix) :]: v for k, v in state.tensors.items() if k.startswith(prefix)}
    others = tuple(name for name in state.tensors if not name.startswith(prefix))
    prefix, dropped = state.prefix + prefix, state.dropped + others
    return dataclasses.replace(state, tensors=tensors, prefix=prefix, dropped=dropped)


def _without_prefixes(state: StateDict) -> Iterator[StateDict]:
    while prefix := next((p for p in _PREFIXES if all(name.startswith(p) for name in state.tensors)), None):
        state = _without(state, prefix)
        yield state
    match = _TRAINERS.match(next(iter(state.tensors), ""))
    if match and all(name.startswith(match[0]) for name in state.tensors):
        yield _without(state, match[0])


def _describe(content: Any) -> str:  # noqa: ANN401
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    keys = [str(key) for key in content][:8]
    return (
        f"a dictionary with {', '.join(keys)}{' ...' if len(content) > 8 else ''}" if keys else "an empty one"
    )
