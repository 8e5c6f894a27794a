"""What the attacks on FLOPs and parameters are examined with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from attack_tables import LARGE_IMAGES
from in_process import examine

from ntire_bench.data import sample
from ntire_bench.records.record import Complexity, Finding


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """An LR image that is larger than the cost input: the sample photograph, put together from copies."""
    return np.tile(sample.probe_lr(), (5, 5, 1))[:260, :300]


@pytest.fixture(scope="module")
def examined(photograph: np.ndarray):
    """Examine a file once, however many rows it has."""
    known: dict[Path, tuple[Complexity, list[Finding]]] = {}

    def examine_once(file: Path) -> tuple[Complexity, list[Finding]]:
        if file not in known:
            small = sample.probe_lr()  # as `check` has it; whole images come with `run`
            image = photograph if file.stem in LARGE_IMAGES else small
            known[file] = examine(file, image, calls=20 if file.stem.startswith("26_") else 0)
        return known[file]

    return examine_once
