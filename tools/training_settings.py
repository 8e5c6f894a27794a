"""What a training run depends on, and its learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["FINAL_LR", "Settings", "learning_rate"]

FINAL_LR = 1e-6


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that the weights depend on, besides the number of threads; a resumed run must have the same."""

    steps: int
    batch: int
    patch: int
    lr: float
    warmup: int
    seed: int
    float32: bool = False
    data_range: float = 0.0  # until the model file has been read
    model_sha256: str = ""
    data_sha256: str = ""
    begun_sha256: str = ""  # of the state that a second stage begins with


def learning_rate(step: int, settings: Settings) -> float:
    """Return the learning rate of a step counted from 0: linear warm-up, then half a cosine.

    >>> run = Settings(steps=100, batch=1, patch=8, lr=1e-3, warmup=10, seed=0, data_range=1)
    >>> [f"{learning_rate(step, run):.6f}" for step in (0, 9, 10, 55, 100)]
    ['0.000100', '0.001000', '0.001000', '0.000501', '0.000001']
    """
    if step < settings.warmup:
        return settings.lr * (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return FINAL_LR + (settings.lr - FINAL_LR) * 0.5 * (1 + math.cos(math.pi * done))
