"""Finds the input range of a network, 1 or 255, without any HR image. Worker only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from ntire_bench.errors import SubmissionError
from ntire_bench.records.record import Finding, Inference
from ntire_bench.worker.loading import trial_run
from ntire_bench.worker.loading.trial_run import CLEAR_LEAD_DB, RANGES, TrialRun
from ntire_bench.worker.network.pixels import to_tensor
from ntire_bench.worker.network.upscaler import Upscaler

__all__ = ["contradicted", "infer_data_range"]

# Measured with nine small networks that add a residual to an enlarged input, on six LR images. At their own
# range they are 0.04 to 1.9 dB better than bicubic. The five trained at range 255 lose 15 dB of likeness and
# more at range 1. Of the four trained at range 1, three gain 0.3 to 5.7 dB more there than at 255; one gains
# only -0.07 to 0.3 dB more, and its likeness is 0.4 to 4.5 dB higher. So neither figure alone decides.
_LEAST_GAIN_DB = 0.3  # over bicubic, and over the other range
_LEAST_LEAD_DB = 1.0  # of the likeness, where the gain leads by less


def infer_data_range(
    upscaler: Upscaler, probe: npt.NDArray[np.uint8], trial: TrialRun | None = None
) -> Inference:
    """Set `upscaler.data_range` to the range at which the network works.

    First choice is the range at which the SR image, reduced bicubically, is the LR image again (see
    `trial_run.run`). The SR image of a network that adds a residual to an enlarged input may do so at both
    ranges. Then it is the range at which the network recovers detail: at which it enlarges the LR image,
    reduced once more, clearly better than bicubic does, and better than at the other range. At scale 1
    both images are reduced before they are compared, and the second question is at which range it takes noise
    away.

    Args:
        upscaler: A loaded network; its padding may be found out on the way.
        probe: A real LR image, uint8 HWC.
        trial: Its run on the probe at both ranges, if there has been one.

    Returns:
        The range and how it was found.

    Raises:
        SubmissionError: The network fails at both ranges, or neither comparison decides.
    """
    trial = trial or trial_run.run(upscaler, probe)
    if trial.failure is not None and not trial.images:
        raise trial.failure
    scale = upscaler.scale
    what = (
        f"PSNR of an LR image and its SR image{', both' * (scale == 1)} reduced bicubically: {trial.told()}"
    )
    low, high = (trial.likeness[data_range] for data_range in RANGES)
    if trial.works and len(trial.images) == 2 and _equal(trial):
        return _settled(upscaler, RANGES[0], f"both ranges give the same image ({trial.told()})")
    if trial.works and abs(low - high) >= CLEAR_LEAD_DB:
        return _settled(upscaler, trial.best, what)
    remedy = 'declare it: SUBMISSION = {"data_range": 1} (or 255)'
    found = trial.told()
    if trial.works:
        gains = _gains(upscaler, probe)
        best, other = sorted(gains, key=lambda key: -gains[key])
        gained = ", ".join(f"{gain:+.2f} dB at range {key:g}" for key, gain in gains.items())
        over = "over bicubic on the LR image reduced once more"
        detail = f"PSNR {over if scale > 1 else 'over the input on a smooth image with noise'}: {gained}"
        ahead, lead = gains[best] - gains[other], trial.likeness[best] - trial.likeness[other]
        if gains[best] >= _LEAST_GAIN_DB and (
            (ahead >= _LEAST_GAIN_DB and lead > -_LEAST_LEAD_DB) or (ahead > 0 and lead >= _LEAST_LEAD_DB)
        ):
            return _settled(upscaler, best, f"{what}, which does not decide it; {detail}")
        found += f"; {detail}"
    else:
        remedy = f"check that the checkpoint is trained and belongs to this network; if so, {remedy}"
    raise SubmissionError(
        "its input range cannot be determined",
        file=upscaler.file,
        expected=f"an SR image that reduces to the LR image (over {trial.least_db:g} dB) at range 1 or 255, "
        "and clearly less so at the other",
        found=found,
        remedy=remedy,
    )


def contradicted(
    upscaler: Upscaler, probe: npt.NDArray[np.uint8], source: str, trial: TrialRun | None = None
) -> Finding | None:
    """Return a finding where a network does not work at the range that was declared for it.

    Args:
        upscaler: A loaded network, at its declared range.
        probe: A real LR image, uint8 HWC.
        source: Where the range was declared.
        trial: Its run on the probe at that range, if there has been one.

    Returns:
        A finding where the SR image, reduced bicubically, is not the LR image. None where it is, and where
        the network fails: another message says so.
    """
    declared = upscaler.data_range
    trial = trial or trial_run.run(upscaler, probe, (declared,))
    if declared not in trial.images or trial.likeness[declared] >= trial.least_db:
        return None
    with torch.inference_mode():
        output = upscaler.checked(to_tensor(probe, declared).to(upscaler.device))
    message = (
        f"{source} declares data_range {declared:g}, and the SR image at that range does not fit the LR one: "
        f"reduced bicubically, its PSNR with it is {trial.likeness[declared]:.1f} dB (of networks that work, "
        f"over {trial.least_db:g} dB), and its values go from {output.min():.4g} to {output.max():.4g}"
    )
    other = RANGES[1] if declared == RANGES[0] else RANGES[0]
    against = trial_run.run(upscaler, probe, (other,))
    if against.works:
        message += f"; at data_range {other:g} it has {against.best_db:.1f} dB"
    return Finding(code="range-contradicted", severity="warning", message=message)


def _settled(upscaler: Upscaler, data_range: float, how: str) -> Inference:
    upscaler.data_range = data_range
    return Inference(key="data_range", value=f"{data_range:g}", how=how)


def _equal(trial: TrialRun) -> bool:
    one, two = trial.images.values()
    return float((one - two).abs().max()) < 1e-4


def _gains(upscaler: Upscaler, probe: npt.NDArray[np.uint8]) -> dict[float, float]:
    gains = {}
    for data_range in RANGES:
        try:
            gains[data_range] = trial_run.detail_gain_db(upscaler, probe, data_range)
        except SubmissionError:  # an image as small as that is too small for some networks
            gains[data_range] = -99.0
    return gains
