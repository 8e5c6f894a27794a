"""Finds the input range of a network, 1 or 255, without any HR image. Worker only."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from ntire_bench.errors import SubmissionError
from ntire_bench.inference import Upscaler, to_tensor
from ntire_bench.records import Inference

__all__ = ["infer_data_range"]

# Published x4 networks (AGDN, EFDN, ESPAN, LKDN, RLFN, SPAN on Set5 and three photographs): 48 to 68 dB at
# their own range, 15 dB or more above the other. Those that add a residual to an enlarged input may work at
# either: two small ones trained at range 1 gave 36 to 51 dB at both, 0.4 to 2.1 dB apart. Such a network must
# say it.
_LEAST_DB = 25.0
_CLEAR_LEAD_DB = 8.0


def infer_data_range(upscaler: Upscaler, probe: npt.NDArray[np.uint8]) -> Inference:
    """Set `upscaler.data_range` to the range at which the output, reduced bicubically, is the input again.

    The LR image is the bicubic reduction of its HR image, so the SR image of a network that works must reduce
    to it closely. Likeness of the SR image to the bicubic enlargement would not do: it counts against a
    network that recovers detail, and some networks are nearer to the enlargement at the wrong range.

    Args:
        upscaler: A loaded network; its padding may be inferred on the way.
        probe: A real LR image, uint8 HWC.

    Returns:
        The range and how it was told.

    Raises:
        SubmissionError: The network fails at both ranges, or reduces to the input at neither, or at both.
    """
    likeness: dict[float, float] = {}
    outputs: dict[float, torch.Tensor] = {}
    failure: SubmissionError | None = None
    for data_range in (1.0, 255.0):
        upscaler.data_range = data_range
        try:
            likeness[data_range], outputs[data_range] = _likeness_db(upscaler, probe)
        except SubmissionError as error:  # the wrong range may overflow, say
            failure = failure or error
            likeness[data_range] = -math.inf
    if failure is not None and not outputs:
        raise failure
    best = max(likeness, key=lambda key: likeness[key])
    told = ", ".join(
        f"{value:.1f} dB at range {key:g}" if key in outputs else f"it fails at range {key:g}"
        for key, value in likeness.items()
    )
    what = "PSNR of an LR image and its SR image reduced bicubically"
    same = len(outputs) == 2 and float((outputs[1.0] - outputs[255.0]).abs().max()) < 1e-4
    clear = abs(likeness[1.0] - likeness[255.0]) >= _CLEAR_LEAD_DB
    if likeness[best] < _LEAST_DB or not (same or clear):
        remedy = 'declare it: SUBMISSION = {"data_range": 1} (or 255)'
        if likeness[best] < _LEAST_DB:
            remedy = f"check that the checkpoint is trained and belongs to this network; if so, {remedy}"
        raise SubmissionError(
            "its input range cannot be told",
            file=upscaler.file,
            expected=f"an SR image that reduces to the LR image (over {_LEAST_DB:g} dB) at range 1 or 255, "
            "and clearly less so at the other",
            found=told,
            remedy=remedy,
        )
    how = f"{what}: {told}"
    if same:
        best, how = 1.0, f"both ranges give the same image ({told})"
    upscaler.data_range = best
    return Inference(key="data_range", value=f"{best:g}", how=how)


def _likeness_db(upscaler: Upscaler, probe: npt.NDArray[np.uint8]) -> tuple[float, torch.Tensor]:
    """Return how closely the SR image reduces to the LR image [dB], and the SR image in [0, 1]."""
    with torch.inference_mode():
        lr = to_tensor(probe, upscaler.data_range).to(upscaler.device)
        sr = (upscaler.checked(lr).cpu().double() / upscaler.data_range).clamp(0.0, 1.0)
        reduced = functional.interpolate(
            sr, scale_factor=1 / upscaler.scale, mode="bicubic", antialias=True
        )  # the cubic part of MATLAB's imresize
        error = (reduced - to_tensor(probe, 1.0).double()).square().mean()
        return float(-10 * torch.log10(error.clamp_min(1e-12))), sr
