"""The shipped networks give on composed LR images what they give on exact ones: images, not nonsense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ntire_bench.data import sample
from ntire_bench.data.dataset import load_splits, read_lr
from ntire_bench.measuring.content import centre, compose
from ntire_bench.submissions.models_folder import find
from ntire_bench.worker.loading import load as loader
from ntire_bench.worker.network.pixels import to_tensor

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("id_", [0, 31, 36, 38, 39, 40])
def test_outputs_stay_in_range(id_: int) -> None:
    """ESPAN's demonstration weights gave values of 340 times white where colours were exchanged."""
    (split,) = load_splits(["valid"], sample.sample_dir())
    team = find(ROOT / "models", ROOT / "model_zoo").get(id_)
    probe = centre(split.pairs[0], 96, 96, 4, 1).lr(read_lr)
    loaded = loader.load(
        team.file,
        team.name,
        team.checkpoint,
        team.declaration,
        scale=4,
        device=torch.device("cpu"),
        probe=probe,
    )
    assert loaded.findings == []
    for seed in range(12):
        lr = compose(48, 64, split.pairs, 4, seed).lr(read_lr)
        with torch.inference_mode():
            sr = loaded.upscaler.forward(to_tensor(np.ascontiguousarray(lr), loaded.upscaler.data_range))
        assert float(sr.abs().max()) < 1.6 * loaded.upscaler.data_range
