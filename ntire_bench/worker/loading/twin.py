"""Has a network run its twin: the same, computed in torch's operators. Worker only."""

from __future__ import annotations

import functools
from pathlib import Path
from types import ModuleType

from torch import nn

from ntire_bench.errors import SubmissionError

__all__ = ["run_twin"]


def run_twin(network: nn.Module, name: str, module: ModuleType | None, file: Path) -> None:
    """Have each module of a network that has a method of that name run it in place of forward.

    Where none has, a function of the model file is called with the network and its input.

    Args:
        network: Built and loaded.
        name: The twin, as it is declared.
        module: The model file, executed; None for a branch of a checkout.
        file: Its path, for messages.

    Raises:
        SubmissionError: There is no such method or function.
    """
    own = [part for part in network.modules() if callable(getattr(type(part), name, None))]
    for part in own:
        part.forward = getattr(part, name)
    function = getattr(module, name, None)
    if own:
        return
    if callable(function):
        network.forward = functools.partial(function, network)
        return
    raise SubmissionError(
        f"declares the twin {name!r}",
        file=file,
        expected="a method of the network or of its blocks, or a function of the file that takes the network "
        "and the LR image",
        found=f"none in {type(network).__name__}",
        remedy="correct the name",
    )
