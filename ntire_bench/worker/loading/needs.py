"""Whether a network needs what its checkpoint lacks. Worker only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from torch import nn

from ntire_bench.worker.loading import trial_run
from ntire_bench.worker.loading.rivals import Variant
from ntire_bench.worker.network.checkpoint import StateDict
from ntire_bench.worker.network.upscaler import Upscaler

__all__ = ["not_strict", "without_need"]

_SAME = 1e-6  # of white


def without_need(
    variant: Variant, probe: npt.NDArray[np.uint8], upscaler: Callable[[nn.Module], Upscaler]
) -> Upscaler | None:
    """Return a network with NaN in the tensors that its checkpoint lacks, if its SR image is the same so.

    They are spoilt in a network that is built anew: one that has run, or that has only been put into eval
    mode, may have merged them into others. It is this network that is to be measured: should another image
    need those tensors all the same, it shows.

    Args:
        variant: A network that works, with those tensors as its constructor left them.
        probe: A real LR image, uint8 HWC.
        upscaler: Makes a network ready to run.

    Returns:
        None where the SR image is another one, or fails.
    """
    best = variant.trial.best
    try:
        network = variant.fit.spoilt()
    except Exception:  # the first network was loaded in the same way, so what is spoilt is needed
        return None
    again = upscaler(network)
    again.output = variant.upscaler.output
    trial = trial_run.run(again, probe, (best,))
    if best not in trial.images:
        return None
    difference = float((trial.images[best] - variant.trial.images[best]).abs().max())
    return again if difference < _SAME else None


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
