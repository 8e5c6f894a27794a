"""Whether a network needs what its checkpoint lacks. Worker only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ntire_bench import trial as trials
from ntire_bench.checkpoint import StateDict
from ntire_bench.variants import Variant

__all__ = ["does_not_need", "not_strict"]

_SAME = 1e-6  # of white


def does_not_need(variant: Variant, probe: npt.NDArray[np.uint8]) -> bool:
    """Return whether a network gives the same SR image whatever the tensors hold that its checkpoint lacks.

    Args:
        variant: A network that works, with those tensors as its constructor left them.
        probe: A real LR image, uint8 HWC.
    """
    best = variant.trial.best
    with _spoilt(variant.upscaler.network, variant.fit.state.missing):
        again = trials.run(variant.upscaler, probe, (best,))
    if best not in again.images:
        return False
    return float((again.images[best] - variant.trial.images[best]).abs().max()) < _SAME


def not_strict(state: StateDict) -> str:
    """Return in words what a checkpoint has too much or too little of, where it was taken all the same.

    >>> not_strict(StateDict({}, "", dropped=("up.bias",)))
    'the checkpoint holds 1 tensor that the network has not (first up.bias); save it anew from this network'
    """
    told = []
    if state.dropped:
        told.append(f"holds {_tensors(state.dropped)} that the network has not (first {state.dropped[0]})")
    if state.missing:
        told.append(
            f"lacks {_tensors(state.missing)} of the network (first {state.missing[0]}), and the SR image is "
            f"the same whatever {'it holds' if len(state.missing) == 1 else 'they hold'}"
        )
    return f"the checkpoint {' and '.join(told)}; save it anew from this network"


def _tensors(names: Sequence[str]) -> str:
    return f"{len(names)} tensor{'' if len(names) == 1 else 's'}"


@contextlib.contextmanager
def _spoilt(network: nn.Module, names: Sequence[str]) -> Iterator[None]:
    """Fill some tensors of a network with what spoils every result it enters, for the time of the context."""
    tensors = {name: tensor for name, tensor in network.state_dict().items() if isinstance(tensor, Tensor)}
    kept = {name: tensors[name].clone() for name in names}
    with torch.no_grad():
        for name in names:
            tensor = tensors[name]
            if tensor.is_floating_point() or tensor.is_complex():
                tensor.fill_(float("nan"))
            elif tensor.dtype == torch.bool:
                tensor.logical_not_()
            else:
                tensor.add_(1)
        try:
            yield
        finally:
            for name in names:
                tensors[name].copy_(kept[name])
