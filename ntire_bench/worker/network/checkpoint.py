"""Reads a stranger's checkpoint and finds the state dict in it. Worker only."""

from __future__ import annotations

import argparse
import codecs
import dataclasses
import functools
import pickle
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ntire_bench.errors import SubmissionError

__all__ = ["STATE_KEYS", "StateDict", "read", "state_dicts"]

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
    r"((^|[_.])(ema|swa|averaged?)|(?-i:(?<=[a-z])(EMA|Ema|SWA|Swa)))([_.]|$)", re.IGNORECASE
)
# As in student_net.head.weight.
_STUDENT = re.compile(r"\w*(student|ema|swa|averaged?|generator)\w*\.", re.IGNORECASE)
_SCALARS = (bool, int, float, str, np.number)
_FEW = 8
# Buffers that the FLOP counter thop leaves in a network it has seen, and torch's AveragedModel around one.
_COUNTS = ("total_ops", "total_params", "n_averaged")
MAX_UNZIPPED_BYTES = 4 * 2**30
_SAVE = "save it again with torch.save(network.state_dict(), path)"


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


def read(path: Path, *, allow_pickle: bool = False) -> Any:  # noqa: ANN401 - a checkpoint may hold anything
    """Read a checkpoint to the CPU, refusing anything but plain data.

    Args:
        path: The file.
        allow_pickle: Whether one that holds more may run its code.

    Raises:
        SubmissionError: The file is no checkpoint, is damaged, too large, or holds pickled objects.
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
    _check_unzipped_size(path)
    try:
        if path.suffix.lower() == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path, device="cpu")
        with torch.serialization.safe_globals(plain_types()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if text := _as_text(begin):
            raise _text_file(path, text) from None
        code = re.search(r"GLOBAL ([\w.]+)", str(error))
        if code and allow_pickle:
            return _read_running_code(path)
        raise SubmissionError(
            "holds more than tensors and plain values" if code else "is no file of torch.save, or is damaged",
            file=path,
            expected="a state dict that torch.load(..., weights_only=True) reads",
            found=f"the Python object {code[1]}" if code else f"a file that begins with {begin[:16]!r}",
            remedy=f"{_SAVE}; an organizer who trusts it can say --allow-pickle" if code else _SAVE,
        ) from None
    except Exception as error:
        if text := _as_text(begin):
            raise _text_file(path, text) from None
        if "TorchScript" in str(error):
            raise SubmissionError(
                "is a TorchScript archive: it holds code in the place of weights",
                file=path,
                expected="a state dict",
                found="a file of torch.jit.save",
                remedy="save the state dict of the network that was scripted or traced: "
                "torch.save(network.state_dict(), path)",
            ) from None
        message = (str(error).splitlines() or ["no message"])[0].split(". ")[0][:300]
        raise SubmissionError(
            "cannot be read as a checkpoint",
            file=path,
            found=f"{type(error).__name__}: {message}",
            remedy=f"copy it anew, or {_SAVE}",
        ) from None


def _as_text(begin: bytes) -> str:
    """Return how a file begins, if it is written text; else "".

    >>> _as_text(b"epoch 12, psnr 28.1"), _as_text(bytes([128, 2, 125])), _as_text(b"PK" + bytes([3, 4]))
    ('epoch 12, psnr 28.1', '', '')
    """
    text = begin.decode("utf-8", errors="ignore").lstrip("\ufeff")
    readable = all(character.isprintable() or character.isspace() for character in text)
    # The last character may be cut, and a byte order mark is none.
    whole = len(text.encode()) >= len(begin) - 6
    return text.strip() if readable and whole else ""


def _text_file(path: Path, begin: str) -> SubmissionError:
    return SubmissionError(
        "is a text file, not a checkpoint",
        file=path,
        expected="a file of torch.save",
        found=f"a file that begins with {begin!r}",
        remedy="copy the checkpoint itself there; a page in its place means that a download failed",
    )


def _check_unzipped_size(path: Path) -> None:
    """Refuse an archive that unpacks to far more than any network of this challenge weighs."""
    try:
        with zipfile.ZipFile(path) as archive:
            unzipped = sum(member.file_size for member in archive.infolist())
    except (OSError, ValueError, zipfile.BadZipFile):
        return  # of another format, or damaged: its reader will say so
    if unzipped > MAX_UNZIPPED_BYTES:
        raise SubmissionError(
            "unpacks to too much",
            file=path,
            expected=f"at most {MAX_UNZIPPED_BYTES >> 30} GiB",
            found=f"{unzipped / 2**30:.1f} GiB in a file of {path.stat().st_size / 2**20:.1f} MiB",
            remedy=_SAVE,
        )


def _read_running_code(path: Path) -> Any:  # noqa: ANN401
    """Read a checkpoint that holds pickled objects: unpickling them runs their code, in this process."""
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:
        raise SubmissionError(
            "cannot be unpickled",
            file=path,
            found=f"{type(error).__name__}: {str(error)[:300]}",
            remedy=_SAVE,
        ) from error


def plain_types() -> list[Any]:
    """Return types that training scripts keep beside the weights and that run no code: numbers, options."""
    scalar, array = np.float64(0).__reduce__()[0], np.zeros(0).__reduce__()[0]
    types = {type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"}
    return [scalar, array, np.ndarray, np.dtype, *types, codecs.encode, argparse.Namespace, defaultdict, dict]


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
