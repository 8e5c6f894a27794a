"""Puts on the CPU what a model file puts on a GPU, on a machine without one. Worker only.

Strangers' constructors call .cuda() and read checkpoints that were saved on a GPU; on a machine without one,
such calls are changed to use the CPU. What really needs a GPU to compute still fails.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.jit._builtins import _find_builtin, _register_builtin

__all__ = ["answer_on_cpu"]

# Functions of torch that make a tensor and take a device.
_MAKERS = """
arange as_tensor asarray empty empty_like empty_strided eye full full_like hann_window linspace logspace ones
ones_like rand rand_like randint randn randn_like randperm tensor tril_indices triu_indices zeros zeros_like
""".split()
_TENSOR_MAKERS = "new_empty new_full new_ones new_tensor new_zeros".split()
# What these do for a GPU has no counterpart on the CPU, and nothing to do there.
_NOTHING_TO_DO = (
    *("synchronize", "set_device", "empty_cache", "manual_seed", "manual_seed_all"),
    "reset_peak_memory_stats",
)
_CONTEXTS = ("device", "stream")
_TYPES = "BFloat16 Bool Byte Char Double Float Half Int Long Short".split()


class Event:
    """Takes the place of torch.cuda.Event: what was started on the CPU is done when it returns."""

    def __init__(self, *_: object, **__: object) -> None:
        self.recorded_s = 0.0

    def record(self, *_: object) -> None:
        """Note the time."""
        self.recorded_s = time.perf_counter()

    def elapsed_time(self, end: Event) -> float:
        """Return the time to another event [ms]."""
        return (end.recorded_s - self.recorded_s) * 1e3

    def query(self) -> bool:
        """Whether what was recorded is done: on a CPU it always is."""
        return True

    def synchronize(self) -> None:
        """Wait for nothing."""

    wait = synchronize


def _names_gpu(value: object) -> bool:
    """Return whether a value is a device that is not there.

    >>> _names_gpu("cuda:0"), _names_gpu(torch.device("cpu")), _names_gpu(torch.float32)
    (True, False, False)
    """
    if isinstance(value, torch.device):
        return value.type == "cuda"
    return isinstance(value, str) and value.split(":")[0] == "cuda"


def _full_name(kind: object) -> str:
    return f"{getattr(kind, '__module__', '')}.{getattr(kind, '__name__', '')}"


def answer_on_cpu() -> Counter[str]:
    """Have torch put on the CPU, from now on in this process, what is meant for a GPU.

    Returns:
        How often each kind of call has been changed; it counts on as they are made.
    """
    answered: Counter[str] = Counter()

    def itself(owner: type[Any]) -> None:
        def cuda(self: Any, *_: object, **__: object) -> Any:  # noqa: ANN401 - a network or tensor
            answered[f"{owner.__name__}.cuda()"] += 1
            return self

        owner.cuda = cuda

    def redirected(owner: Any, name: str, place: int | None = None) -> None:  # noqa: ANN401
        """Answer a call that may name the device by a keyword, or as its argument at `place`."""
        original: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            named = kwargs.get("device")
            if _names_gpu(named) or (isinstance(named, int) and not isinstance(named, bool)):
                answered[f"{name}(device='cuda')"] += 1
                kwargs["device"] = "cpu"
            if place is not None and len(args) > place:
                index = isinstance(args[place], int) and not isinstance(args[place], bool)
                if index or _names_gpu(args[place]):
                    answered[f"{name}('cuda')"] += 1
                    args = (*args[:place], "cpu", *args[place + 1 :])
            return original(*args, **kwargs)

        setattr(owner, name, call)
        builtin = _find_builtin(original) if owner is torch else None  # type: ignore[no-untyped-call]
        if builtin is not None:  # what torch.jit.script takes in its place
            _register_builtin(call, builtin)

    def cast(self: Tensor, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        name = dtype if isinstance(dtype, str) else _full_name(dtype)
        if name.startswith("torch.cuda."):
            answered["type(torch.cuda...)"] += 1
            dtype = name.replace("torch.cuda.", "torch.")
        return original_type(self, *(() if dtype is None else (dtype,)), *args, **kwargs)

    original_type = Tensor.type
    Tensor.type = cast  # type: ignore[method-assign, assignment]
    for owner in (nn.Module, Tensor):
        itself(owner)
        redirected(owner, "to", 1)
    for name in _MAKERS:
        redirected(torch, name)
    for name in _TENSOR_MAKERS:
        redirected(Tensor, name)
    redirected(nn.Module, "to_empty")
    for name in _NOTHING_TO_DO:
        setattr(torch.cuda, name, lambda *_, **__: None)
    torch.cuda.current_device = lambda: 0
    for name in _CONTEXTS:
        setattr(torch.cuda, name, lambda *_, **__: contextlib.nullcontext())
    setattr(torch.cuda, "Event", Event)  # noqa: B010 - mypy takes an assignment for a new type
    for name in _TYPES:  # such as torch.cuda.FloatTensor(1, 3)
        setattr(torch.cuda, f"{name}Tensor", getattr(torch, f"{name}Tensor"))
    redirected(torch, "set_default_device", 0)
    set_default_type = torch.set_default_tensor_type
    torch.set_default_tensor_type = lambda kind: set_default_type(
        kind.replace("torch.cuda.", "torch.") if isinstance(kind, str) else kind
    )
    return answered
