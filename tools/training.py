"""A training run, step by step: network, averaged weights, optimizer."""

from __future__ import annotations

import copy
import dataclasses
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from training_images import SCALE, Pairs, crop_batch
from training_settings import Settings, learning_rate
from training_state import read_state, save_atomically

from ntire_bench.errors import MeasurementError, SubmissionError, UsageError
from ntire_bench.metrics.psnr import psnr
from ntire_bench.worker.network.pixels import to_tensor, to_uint8
from ntire_bench.worker.network.upscaler import Upscaler, blame

__all__ = ["Training", "mean_psnr_y_db", "update_average"]

MAX_GRADIENT_NORM = 50.0  # of a loss in grey levels (0 to 255)
EMA_DECAY = 0.999

State = dict[str, Tensor]


def update_average(average: State, network: nn.Module, step: int) -> None:
    """Move the averaged weights towards the network's; buffers that are not floating point are copied.

    The decay grows to `EMA_DECAY` as (1 + step) / (10 + step), lest the first weights weigh on short runs.
    """
    weight = 1 - min(EMA_DECAY, (1 + step) / (10 + step))
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                average[key].lerp_(value, weight)
            else:
                average[key].copy_(value)


def mean_psnr_y_db(upscaler: Upscaler, pairs: Pairs) -> float:
    """Return the mean PSNR Y [dB] over image pairs: in float32, as the leaderboard measures it."""
    values = []
    for lr, hr in zip(pairs.lr, pairs.hr, strict=True):
        with torch.inference_mode():
            output = upscaler.checked(to_tensor(lr, upscaler.data_range))
        values.append(psnr(to_uint8(output, upscaler.data_range).numpy(), hr).y_db)
    return float(np.mean(values))


class Training:
    """A run: network, averaged weights, optimizer and the number of steps done.

    Args:
        network: In the state it starts from.
        settings: Of the run.
        file: The model file, for messages.
    """

    def __init__(self, network: nn.Module, settings: Settings, file: Path) -> None:
        # oneDNN's bfloat16 convolutions are up to a half faster with the channels last.
        self.network: nn.Module = network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.settings = settings
        self.file = file
        self.average: State = {k: v.detach().clone() for k, v in network.state_dict().items()}
        self.optimizer = torch.optim.Adam(network.parameters(), lr=settings.lr, betas=(0.9, 0.99), fused=True)
        self.step = 0

    def do_step(self, pairs: Pairs) -> float:
        """Do one step and return its loss, the mean absolute difference [grey levels, 0 to 255].

        Raises:
            SubmissionError: The network fails, or its output is not 4 times as large as its input.
            MeasurementError: The loss is not finite.
        """
        lr, hr = crop_batch(pairs, self.settings, self.step)
        white = self.settings.data_range
        x = lr.float().mul_(white / 255).contiguous(memory_format=torch.channels_last)
        try:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not self.settings.float32):
                sr = self.network(x)
        except Exception as error:
            raise self._wrong(blame(error, self.file), lr) from error
        if not isinstance(sr, Tensor):
            raise self._wrong(f"a {type(sr).__name__}", lr)
        if sr.shape != hr.shape:
            raise self._wrong("x".join(map(str, sr.shape)), lr)
        loss = nn.functional.l1_loss(sr.float() * (255 / white), hr.float())
        value = loss.item()
        if not math.isfinite(value):
            raise MeasurementError(
                f"training diverged at step {self.step + 1}",
                found=f"a loss of {value}",
                remedy="lower --lr, or give --float32",
            )
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), MAX_GRADIENT_NORM)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.settings)
        self.optimizer.step()
        update_average(self.average, self.network, self.step)
        self.step += 1
        return value

    def _wrong(self, found: str, lr: Tensor) -> SubmissionError:
        count, colours, height, width = lr.shape
        return SubmissionError(
            f"forward gives no SR for a batch of {count}x{colours}x{height}x{width}",
            file=self.file,
            expected=f"{count}x{colours}x{height * SCALE}x{width * SCALE}",
            found=found,
            remedy=f"mend the network, or choose a --patch it can take; it must enlarge {SCALE} times",
        )

    def averaged_network(self) -> nn.Module:
        """Return a copy of the network in eval mode that has the averaged weights, fused if it can fuse."""
        network = copy.deepcopy(self.network).eval()
        network.load_state_dict(self.average)
        fuse = getattr(network, "fuse", None)
        if callable(fuse):
            fuse()
        return network

    def save(self, path: Path) -> None:
        """Store everything that the rest of the run depends on."""
        state = {
            "settings": dataclasses.asdict(self.settings),
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "torch_rng": torch.get_rng_state(),  # for networks with dropout; crops need no state
        }
        save_atomically(state, path)

    def restore(self, path: Path) -> None:
        """Go back to what `save` stored.

        Raises:
            RecordError: The file cannot be read.
            UsageError: It is the state of a run with other settings.
        """
        state = read_state(path)
        stored = state["settings"]
        now = dataclasses.asdict(self.settings)
        # A run may be shortened or prolonged: the learning rate goes on from where the new schedule has it.
        different = [key for key in now if stored.get(key, "") != now[key] and key != "steps"]
        if state["step"] > self.settings.steps:
            different.append("steps")
        if different:
            raise UsageError(
                "belongs to a run with other settings",
                file=path,
                expected=", ".join(f"{key} {stored.get(key)}" for key in different),
                found=", ".join(f"{key} {now[key]}" for key in different),
                remedy="give the same options, model file and photographs as before, or another --out",
            )
        self.network.load_state_dict(state["network"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["torch_rng"])
        self.step = state["step"]
