"""Merges the branches that a network has for training only, and says what that changes. Worker only.

The convention: a network with a training form has a method `fuse()` that merges every branch in place, after
which its state dict is that of the inference form. Where its class takes an argument `deploy`, that is the
form that `deploy=True` builds.
"""

from __future__ import annotations

import dataclasses
import inspect
import io
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ntire_bench import complexity
from ntire_bench.errors import SubmissionError
from ntire_bench.inference import Upscaler, blame, to_tensor

__all__ = ["can_fuse", "fuse"]


def can_fuse(network: nn.Module) -> bool:
    """Return whether a network has a method fuse() that needs no arguments; a submodule of that name is none.

    >>> can_fuse(nn.Identity())
    False
    """
    method = getattr(network, "fuse", None)
    if not inspect.ismethod(method):
        return False
    parameters = inspect.signature(method).parameters.values()
    return all(p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)


def fuse(
    upscaler: Upscaler, probe: npt.NDArray[np.uint8], input_shape: tuple[int, int, int, int]
) -> tuple[dict[str, Any], bytes]:
    """Merge a network in place.

    Args:
        upscaler: The loaded network, in eval mode.
        probe: A real LR image, uint8 HWC, that both forms are run on.
        input_shape: (N, C, H, W) that costs are counted on.

    Returns:
        The fields of `client.FuseReply` but for the size, and the merged state dict as torch.save writes it.

    Raises:
        SubmissionError: The network has no fuse(), or it fails.
    """
    network = upscaler.network
    if not can_fuse(network):
        raise SubmissionError(
            "has nothing to fuse",
            file=upscaler.file,
            expected="a network with a method fuse() that merges its training branches in place",
            remedy="write one, or submit the network as it is",
        )
    image = to_tensor(probe, upscaler.data_range).to(upscaler.device)
    before = complexity.measure(upscaler, input_shape)
    with torch.no_grad():
        first = upscaler.checked(image)
        try:
            network.fuse()  # type: ignore[operator]
        except Exception as error:
            remedy = "mend the method"
            raise SubmissionError(
                "fuse() fails", file=upscaler.file, found=blame(error, upscaler.file), remedy=remedy
            ) from error
        network.eval()
        for parameter in network.parameters():
            parameter.requires_grad_(False)
        second = upscaler.checked(image)
    after = complexity.measure(upscaler, input_shape)
    difference = float((first.double() - second.double()).abs().max())
    buffer = io.BytesIO()
    torch.save({name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}, buffer)
    return {
        "before": dataclasses.asdict(before),
        "after": dataclasses.asdict(after),
        "difference_levels": difference * 255.0 / upscaler.data_range,
        "relative": difference / max(float(first.abs().max()), 1e-12),
    }, buffer.getvalue()
