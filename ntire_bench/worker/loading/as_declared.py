"""Builds a network as it is declared, without looking for arguments in the checkpoint. Worker only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from ntire_bench.errors import SubmissionError
from ntire_bench.records.record import Finding
from ntire_bench.worker.fitting.shapes import difference, mismatch, shapes_of
from ntire_bench.worker.fitting.signature import Signature, flatten
from ntire_bench.worker.network import packages
from ntire_bench.worker.network.state_dict import StateDict
from ntire_bench.worker.network.upscaler import blame

__all__ = ["build", "load_loosely", "take_merged"]


def build(made: Any, model: str, file: Path, args: dict[str, Any]) -> nn.Module:  # noqa: ANN401 - a stranger's
    """Return the network that a class or function gives with the declared arguments.

    Args:
        made: The class or function.
        model: Its name.
        file: The model file, for messages.
        args: Keyword arguments.

    Raises:
        SubmissionError: It raises, or gives no network.
    """
    try:
        signature = Signature.of(made)
        network = signature.call(flatten(signature, args))
    except ModuleNotFoundError as error:
        raise packages.needed(file, blame(error, file), [packages.missing_by(error)]) from error
    except Exception as error:
        call = f"{model}({', '.join(f'{k}={v!r}' for k, v in args.items())})"
        raise SubmissionError(
            f"{call} raises", file=file, found=blame(error, file), remedy="mend it, or the args declared"
        ) from error
    if not isinstance(network, nn.Module):
        raise SubmissionError(
            f"{model} gives no network",
            file=file,
            expected="an nn.Module",
            found=type(network).__name__,
            remedy="name the class of the network, or a function that returns one",
        )
    return network


def take_merged(made: Any, args: dict[str, Any], states: list[StateDict]) -> nn.Module | None:  # noqa: ANN401
    """Return the network with its branches for training merged and a state dict loaded, where one fits so.

    Args:
        made: The class or function.
        args: Keyword arguments.
        states: The state dicts of the checkpoint; none for a network without one.

    Returns:
        None where a state dict fits the network as it is built, or none fits the merged one.
    """
    try:
        signature = Signature.of(made)
        plain = shapes_of(signature.call(flatten(signature, args))) if states else {}
        if not states or any(difference(plain, state) is None for state in states):
            return None
        network: nn.Module = signature.merged().call(flatten(signature, args))
        shapes = shapes_of(network)
        for state in states:
            if difference(shapes, state) is None:
                network.load_state_dict(state.tensors, strict=False)  # it may lack a counter of batches
                return network
    except Exception:  # the network fails at merging: it is then taken as it is built
        return None
    return None


def load_loosely(network: nn.Module, states: list[StateDict], checkpoint: Path) -> list[Finding]:
    """Load the part of a checkpoint that fits, and return a finding on the rest.

    Raises:
        SubmissionError: Nothing fits, or a tensor has another shape.
    """
    own = network.state_dict().keys()
    state = max(states, key=lambda state: len(own & state.tensors.keys()))
    problem = mismatch(network, state)
    if not own & state.tensors.keys():
        raise SubmissionError(
            "has not one tensor of the network, even with strict = False",
            file=checkpoint,
            expected=", ".join(list(own)[:4]) + " ...",
            found=", ".join(list(state.tensors)[:4]) + " ...",
            remedy="put the matching checkpoint into model_zoo/",
        )
    try:
        network.load_state_dict(state.tensors, strict=False)
    except Exception as error:  # torch's own or that of a load_state_dict of the network's
        raise SubmissionError(
            "does not fit the network, even with strict = False",
            file=checkpoint,
            found=problem or blame(error),
            remedy="put the matching checkpoint into model_zoo/, or declare model or args",
        ) from error
    if problem is None:
        return []
    message = f"the checkpoint was loaded with strict = False: {problem}; save it anew from this network"
    return [Finding(code="checkpoint-not-strict", severity="warning", message=message)]
