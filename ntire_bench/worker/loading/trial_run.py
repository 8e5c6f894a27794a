"""Runs a network on one real LR image, to see whether it works as it was built. Worker only."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from ntire_bench.errors import SubmissionError
from ntire_bench.worker.network.pixels import to_tensor
from ntire_bench.worker.network.upscaler import Upscaler

__all__ = ["CLEAR_LEAD_DB", "LEAST_DB", "LEAST_DENOISED_DB", "RANGES", "TrialRun", "detail_gain_db", "run"]

# Published x4 networks (AGDN, EFDN, ESPAN, LKDN, RLFN, SPAN on Set5 and three photographs): 48 to 68 dB at
# their own range, 15 dB or more above the other.
LEAST_DB = 25.0
# At scale 1 the input is noisy. Reduced, what is left of noise of 50 levels is 33 dB, and less where much is
# black or white, as noise is clipped there; a network that is not trained gives 10 dB and less. Being closer
# still is no merit: the input itself is closest.
LEAST_DENOISED_DB = 15.0
_DENOISED_DB = 22.0
CLEAR_LEAD_DB = 8.0
_DENOISED_REDUCTION = 8  # of both images at scale 1, so that hardly any noise is left
RANGES = (1.0, 255.0)
_SAME = 0.5 / 255  # of white; merged branches differ by far less, other computations by more


@dataclass
class TrialRun:
    """What a network makes of an LR image at one input range, or at both.

    Attributes:
        likeness: PSNR between the LR image and the SR image reduced bicubically [dB], by range; -inf where
            the network fails.
        images: The SR image in [0, 1], by range.
        failure: The error at the first range at which it fails; None where it does not.
        least_db: The likeness of a network that works, at least.
        count: Runs the network once more and counts its operations. It is called at most once, and only where
            costs are compared.
    """

    likeness: dict[float, float] = field(default_factory=dict)
    images: dict[float, torch.Tensor] = field(default_factory=dict)
    failure: SubmissionError | None = None
    least_db: float = LEAST_DB
    count: Callable[[], int | None] = lambda: None

    @functools.cached_property
    def flops(self) -> int | None:
        """Torch's count of one run [operations, two per multiply-accumulate]; None if torch cannot count."""
        return self.count()

    @property
    def best(self) -> float:
        """The input range at which the SR image, reduced, is closest to the LR image."""
        return max(self.likeness, key=lambda key: self.likeness[key])

    @property
    def best_db(self) -> float:
        """The likeness at that range [dB]."""
        return self.likeness[self.best]

    @property
    def works(self) -> bool:
        """Whether it gives an SR image of this LR image at one of the ranges."""
        return self.best_db >= self.least_db

    def same(self, other: TrialRun) -> bool:
        """Whether both give the same image at each range."""
        return self.images.keys() == other.images.keys() and all(
            float((image - other.images[key]).abs().max()) < _SAME for key, image in self.images.items()
        )

    def told(self) -> str:
        """Return the likeness at each range in words."""
        return ", ".join(
            f"{value:.1f} dB at range {key:g}" if key in self.images else f"it fails at range {key:g}"
            for key, value in self.likeness.items()
        )


def run(upscaler: Upscaler, probe: npt.NDArray[np.uint8], ranges: tuple[float, ...] = RANGES) -> TrialRun:
    """Run a network on an LR image, reduce the SR image, and compare it with the LR image.

    The LR image is the bicubic reduction of its HR image, so the SR image of a network that works must reduce
    to it closely. Comparing the SR image with the bicubic enlargement would not do: that counts against a
    network that recovers detail, and some networks come closer to the enlargement at the wrong range. At
    scale 1 the input is noisy, and both images are reduced, which leaves hardly any noise.

    Args:
        upscaler: A loaded network. Its padding may be found out on the way; its range is left as it was.
        probe: A real LR image, uint8 HWC.
        ranges: The values of white to try.
    """
    trial, before = (
        TrialRun(least_db=LEAST_DB if upscaler.scale > 1 else LEAST_DENOISED_DB),
        upscaler.data_range,
    )
    given = to_tensor(probe, 1.0).double()
    reduction = upscaler.scale
    if upscaler.scale == 1:
        reduction = _DENOISED_REDUCTION
        given = _reduced(given, reduction)
    for data_range in ranges:
        upscaler.data_range = data_range
        try:
            sr = _sr(upscaler, probe)
        except SubmissionError as error:  # the wrong range may overflow, say
            trial.failure = trial.failure or error
            trial.likeness[data_range] = -math.inf
            continue
        trial.images[data_range] = sr
        found = _psnr_db(_reduced(sr, reduction), given)
        trial.likeness[data_range] = found if upscaler.scale > 1 else min(found, _DENOISED_DB)
    upscaler.data_range = before
    if trial.images:
        trial.count = functools.partial(_flops, upscaler, probe)
    return trial


def detail_gain_db(upscaler: Upscaler, probe: npt.NDArray[np.uint8], data_range: float) -> float:
    """Return how much better than bicubic a network enlarges the reduced LR image, by PSNR [dB].

    The LR image serves as the HR image: it is reduced once more, then enlarged by the network and
    bicubically, and both results are compared with it. At scale 1 it is how much closer the network's image
    is to a clean one than its input: the LR image made smooth serves as the clean one, and gets as much noise
    as was taken from it.

    Args:
        upscaler: A network that works.
        probe: A real LR image, uint8 HWC.
        data_range: The value of white.
    """
    scale, before = upscaler.scale, upscaler.data_range
    multiple = scale if scale > 1 else _DENOISED_REDUCTION
    height, width = (side // multiple * multiple for side in probe.shape[:2])
    truth = to_tensor(probe[:height, :width], 1.0).double()
    if scale > 1:
        small = (_reduced(truth, scale).clamp(0, 1) * 255).round()
        plain = functional.interpolate(small / 255, scale_factor=scale, mode="bicubic").clamp(0, 1)
    else:
        truth, small = _smooth_and_noisy(truth)
        plain = small / 255
    lr = small[0].permute(1, 2, 0).to(torch.uint8).numpy()
    upscaler.data_range = data_range
    try:
        own = _psnr_db(_sr(upscaler, lr), truth, border=scale)
    finally:
        upscaler.data_range = before
    return own - _psnr_db(plain, truth, border=scale)


def _smooth_and_noisy(noisy: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a smooth version of a noisy image in [0, 1], and that with new noise in 8-bit levels."""
    down = _reduced(noisy, _DENOISED_REDUCTION)
    smooth = functional.interpolate(down, scale_factor=_DENOISED_REDUCTION, mode="bicubic").clamp(0, 1)
    sigma = (noisy - smooth).std()
    generator = torch.Generator().manual_seed(0)
    again = smooth + sigma * torch.randn(smooth.shape, generator=generator, dtype=smooth.dtype)
    return smooth, (again.clamp(0, 1) * 255).round()


def _flops(upscaler: Upscaler, lr: npt.NDArray[np.uint8]) -> int | None:
    try:
        with FlopCounterMode(display=False) as counter:
            _sr(upscaler, lr)
    except Exception:  # of the counter's own: the network has just run on this image
        return None
    return int(counter.get_total_flops())


def _sr(upscaler: Upscaler, lr: npt.NDArray[np.uint8]) -> torch.Tensor:
    with torch.inference_mode():
        output = upscaler.checked(to_tensor(lr, upscaler.data_range).to(upscaler.device))
        return (output.cpu().double() / upscaler.data_range).clamp(0.0, 1.0)


def _reduced(image: torch.Tensor, scale: int) -> torch.Tensor:
    # The cubic part of MATLAB's imresize.
    return functional.interpolate(image, scale_factor=1 / scale, mode="bicubic", antialias=True)


def _psnr_db(image: torch.Tensor, truth: torch.Tensor, border: int = 0) -> float:
    error = (image - truth).square()[..., border : -border or None, border : -border or None].mean()
    return float(-10 * torch.log10(error.clamp_min(1e-12)))
