"""Torch's settings: the benchmark's, whatever a model file has done to them."""

from __future__ import annotations

import subprocess
import sys

import pytest

SETTINGS = (
    "import torch; from ntire_bench.worker.network import device; {changes}; device.apply_settings(1); "
    "found = device.settings(); print(found['float32_matmul_precision'], found['matmul_allow_tf32'])"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        "torch.backends.cuda.matmul.allow_tf32 = True; torch.set_float32_matmul_precision('high')",
        "torch.backends.cuda.matmul.fp32_precision = 'tf32'",
    ],
)
def test_both_ways_to_set_the_precision_of_products_are_undone(changes):
    code = SETTINGS.format(changes=changes)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["highest", "False"], done.stderr
