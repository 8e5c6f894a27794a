"""Merges the branches that a network has only for training, and measures what that changes. Worker only.

Which methods do so, `network.merging` finds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ntire_bench.errors import SubmissionError
from ntire_bench.wire.messages import FuseReply
from ntire_bench.worker.costs import count
from ntire_bench.worker.network.checkpoint import written
from ntire_bench.worker.network.merging import NAMES, merging_methods
from ntire_bench.worker.network.pixels import to_tensor
from ntire_bench.worker.network.upscaler import Upscaler, blame, ready

__all__ = ["can_fuse", "fuse"]


def can_fuse(network: nn.Module) -> bool:
    """Return whether a network has a method such as fuse() that needs no arguments, or its blocks have one.

    >>> can_fuse(nn.Identity())
    False
    """
    return bool(merging_methods(network))


def fuse(
    upscaler: Upscaler,
    probe: npt.NDArray[np.uint8],
    input_shape: tuple[int, int, int, int],
    write: Callable[[nn.Module], bytes] = written,
) -> tuple[FuseReply, bytes]:
    """Merge a network in place.

    Args:
        upscaler: The loaded network, in eval mode.
        probe: A real LR image, uint8 HWC, that both forms are run on.
        input_shape: (N, C, H, W) that costs are counted on.
        write: Returns the checkpoint of a network.

    Returns:
        What that changes, and the merged network's checkpoint.

    Raises:
        SubmissionError: The network has no such method, or it fails.
    """
    network = upscaler.network
    methods = merging_methods(network)
    if not methods:
        raise SubmissionError(
            "has nothing to fuse",
            file=upscaler.file,
            expected="a network, or blocks of it, with a method that merges the training branches in place: "
            f"{', '.join(f'{name}()' for name in NAMES)} or merge...()",
            remedy="write one, or submit the network as it is",
        )
    image = to_tensor(probe, upscaler.data_range).to(upscaler.device)
    before = count.measure(upscaler, input_shape).costs
    with torch.no_grad():
        first = upscaler.checked(image)
        name = ""
        try:
            for method in methods:
                name = getattr(method, "__name__", "fuse")
                method()
        except Exception as error:
            remedy = "mend the method"
            raise SubmissionError(
                f"{name}() fails", file=upscaler.file, found=blame(error, upscaler.file), remedy=remedy
            ) from error
        ready(network, upscaler.file, upscaler.device)
        second = upscaler.checked(image)
    after = count.measure(upscaler, input_shape).costs
    difference = float((first.double() - second.double()).abs().max())
    checkpoint = write(network)
    reply = FuseReply(
        before=before,
        after=after,
        difference_levels=difference * 255.0 / upscaler.data_range,
        relative=difference / max(float(first.abs().max()), 1e-12),
        size=len(checkpoint),
    )
    return reply, checkpoint
