"""Reads a stranger's checkpoint and finds the state dict in it. Worker only."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ntire_bench.errors import SubmissionError

__all__ = ["STATE_KEYS", "StateDict", "read", "state_dicts"]

# Where training code keeps the weights, in the order they are tried: averaged weights before the raw ones.
# Whatever else holds tensors is tried after these.
STATE_KEYS = (
    "params_ema",
    "params",
    "model_ema",
    "ema",
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "generator",
    "module",
)
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "generator.")
_SAVE = "save it again with torch.save(network.state_dict(), path)"


@dataclass(frozen=True)
class StateDict:
    """A state dict and where in the checkpoint it was found ("" at the top, or "params_ema", ...)."""

    tensors: dict[str, Tensor]
    where: str

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor, by name."""
        return {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}


def read(path: Path) -> Any:  # noqa: ANN401 - a checkpoint may hold anything
    """Read a checkpoint to the CPU, refusing anything but plain data.

    Raises:
        SubmissionError: The file is no checkpoint, is damaged, or holds pickled objects.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(40)
    except OSError as error:
        raise SubmissionError(
            "cannot be read", file=path, found=error.strerror or str(error), remedy="check the file"
        ) from None
    if begin.startswith(b"version https://git-lfs"):
        raise SubmissionError(
            "is a Git LFS pointer, not the checkpoint",
            file=path,
            remedy="run git lfs pull, or download the file",
        )
    if not begin:
        raise SubmissionError("is empty", file=path, expected="a checkpoint", remedy="copy it anew")
    try:
        if path.suffix.lower() == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path, device="cpu")
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        code = re.search(r"GLOBAL ([\w.]+)", str(error))
        raise SubmissionError(
            "holds more than tensors and plain values" if code else "is no file of torch.save, or is damaged",
            file=path,
            expected="a state dict that torch.load(..., weights_only=True) reads",
            found=f"the Python object {code[1]}" if code else f"a file that begins with {begin[:16]!r}",
            remedy=_SAVE,
        ) from None
    except Exception as error:
        message = (str(error).splitlines() or ["no message"])[0].split(". ")[0][:300]
        raise SubmissionError(
            "cannot be read as a checkpoint",
            file=path,
            found=f"{type(error).__name__}: {message}",
            remedy=f"copy it anew, or {_SAVE}",
        ) from None


def state_dicts(content: Any, path: Path, state_key: str | None = None) -> list[StateDict]:  # noqa: ANN401
    """Return the state dicts in a checkpoint, in the order they should be tried.

    Args:
        content: What `read` returned.
        path: The checkpoint, for messages.
        state_key: Declared key; only this one is returned then. Dots go down ("ema.params").

    Raises:
        SubmissionError: There is no state dict, or none at `state_key`.
    """
    if state_key is not None:
        value = content
        for part in state_key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        tensors = _tensors(value)
        if tensors is None:
            raise SubmissionError(
                f"has no state dict at the declared state_key {state_key!r}",
                file=path,
                found=_describe(content),
                remedy="declare one of these, or leave state_key out",
            )
        return [StateDict(tensors, state_key)]
    found = [StateDict(tensors, where) for tensors, where in _walk(content, "")]
    found += [StateDict(s, w) for d in found for s, w in _without_prefix(d)]
    if not found:
        raise SubmissionError(
            "holds no state dict",
            file=path,
            expected=f"a dictionary of tensors, alone or under one of {', '.join(STATE_KEYS)}",
            found=_describe(content),
            remedy="save network.state_dict(), or declare state_key",
        )
    return found


def _tensors(value: Any) -> dict[str, Tensor] | None:  # noqa: ANN401
    if not isinstance(value, Mapping) or not value:
        return None
    if not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items()):
        return None
    return dict(value)


def _walk(value: Any, where: str, depth: int = 0) -> Iterator[tuple[dict[str, Tensor], str]]:  # noqa: ANN401
    tensors = _tensors(value)
    if tensors is not None:
        yield tensors, where
    elif isinstance(value, Mapping) and depth < 3:
        others = [key for key in value if isinstance(key, str) and key not in STATE_KEYS]
        for key in [key for key in STATE_KEYS if key in value] + others:
            yield from _walk(value[key], f"{where}.{key}".lstrip("."), depth + 1)


def _without_prefix(state: StateDict) -> Iterator[tuple[dict[str, Tensor], str]]:
    tensors, where = state.tensors, state.where
    while prefix := next((p for p in _PREFIXES if all(name.startswith(p) for name in tensors)), None):
        tensors = {name[len(prefix) :]: tensor for name, tensor in tensors.items()}
        where = f"{where} without the prefix {prefix!r}".strip()
        yield tensors, where


def _describe(content: Any) -> str:  # noqa: ANN401
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    keys = [str(key) for key in content][:8]
    return (
        f"a dictionary with {', '.join(keys)}{' ...' if len(content) > 8 else ''}" if keys else "an empty one"
    )
