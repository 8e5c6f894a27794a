"""Finds the input range of a network, 1 or 255, without any HR image. Worker only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from ntire_bench.errors import SubmissionError
from ntire_bench.inference import Upscaler, to_tensor
from ntire_bench.records import Inference

__all__ = ["infer_data_range"]

_MIN_LIKENESS_DB = 12.0  # a blurred or shifted enlargement is above it, noise or a wrong range below
_CLEAR_LEAD_DB = 3.0


def infer_data_range(upscaler: Upscaler, probe: npt.NDArray[np.uint8]) -> Inference:
    """Set `upscaler.data_range` to the range whose output resembles the bicubic enlargement.

    Args:
        upscaler: A loaded network; its padding may be inferred on the way.
        probe: A real LR image, uint8 HWC.

    Returns:
        The range and how it was told.

    Raises:
        SubmissionError: The network fails, resembles the enlargement at neither range, or at both.
    """
    with torch.inference_mode():
        bicubic = functional.interpolate(
            to_tensor(probe, 1.0).double(), scale_factor=upscaler.scale, mode="bicubic", antialias=False
        )
        likeness: dict[float, float] = {}
        for data_range in (1.0, 255.0):
            upscaler.data_range = data_range
            output = upscaler.checked(to_tensor(probe, data_range).to(upscaler.device))
            error = (output.cpu().double() / data_range - bicubic).square().mean()
            likeness[data_range] = float(-10 * torch.log10(error.clamp_min(1e-12)))
    best = max(likeness, key=lambda key: likeness[key])
    told = f"{likeness[1.0]:.1f} dB at range 1, {likeness[255.0]:.1f} dB at range 255"
    lead = abs(likeness[1.0] - likeness[255.0])
    if likeness[best] < _MIN_LIKENESS_DB or 1e-3 < lead < _CLEAR_LEAD_DB:
        raise SubmissionError(
            "its input range cannot be told",
            file=upscaler.file,
            expected="an output like the bicubic enlargement of the input at range 1 or 255, but not both",
            found=told,
            remedy='declare it: SUBMISSION = {"data_range": 1} (or 255)',
        )
    how = f"likeness to the bicubic enlargement of an LR image: {told}"
    if lead <= 1e-3:
        best, how = 1.0, f"both ranges give the same image ({told})"
    upscaler.data_range = best
    return Inference(key="data_range", value=f"{best:g}", how=how)
