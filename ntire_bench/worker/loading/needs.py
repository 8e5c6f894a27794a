"""Whether a network needs the tensors that its checkpoint lacks. Worker only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from torch import nn

from ntire_bench.worker.loading import trial_run
from ntire_bench.worker.loading.rivals import Variant
from ntire_bench.worker.network.upscaler import Upscaler

__all__ = ["without_need"]

_SAME = 1e-6  # of white


def without_need(
    variant: Variant, probe: npt.NDArray[np.uint8], upscaler: Callable[[nn.Module], Upscaler]
) -> Upscaler | None:
    """Return a network with NaN in the tensors that its checkpoint lacks, if its SR image stays the same.

    The network is built anew for this: one that has run, or has only been put into eval mode, may have merged
    those tensors into others. It is this network that is measured afterwards. If another image needs the
    tensors after all, its NaN shows.

    Args:
        variant: A network that works, with those tensors as its constructor left them.
        probe: A real LR image, uint8 HWC.
        upscaler: Puts a network into an `Upscaler`, ready to run.

    Returns:
        None where the SR image changes, or the network fails.
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
