"""The branches of `challenge_checkout`: which run, and what the messages of the others must say."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import challenge_checkout as checkout
import numpy as np
from places import HELPERS

RUNNING = {
    checkout.PLAIN: "00_RLFN_baseline",
    checkout.SPACES: "01_Team / Two Words",
    checkout.CUDA: "02_Cuda",
    checkout.PARAMS: "03_Params",
    checkout.EMA: "04_Ema",
    checkout.DYNAMIC: "05_Dynamic",
    checkout.PACKAGE: "06_Package",
    checkout.ARGUMENT: "07_Argument",
    checkout.PADDED: "13_Padded",
    checkout.TILED: "14_Tiled",
    checkout.RANGE_255: "15_Range",
    checkout.OWN_UTILS: "16_OwnUtils",
    checkout.RELATIVE: "17_Relative",
    checkout.SPEC: "21_Spec",
    checkout.FACTORY: "22_Factory",
    checkout.TOP: "24_Top",
    30: "30_Pair",
    31: "31_Pair",
    checkout.HALF: "32_Half",
    checkout.HELPERS: "34_Helpers",
}


# What the message of a branch that cannot run must say: what is wrong, where, and what to do.
FAILING = {
    checkout.NO_PACKAGE: (
        "models/team08_NoPackage.py: needs a package that is not installed",
        "No module named 'package_nobody_has'",
        "install package_nobody_has",
    ),
    checkout.POINTER: ("model_zoo/team09_Pointer.pth: is a Git LFS pointer", "of 108 bytes", "git lfs pull"),
    checkout.WRONG_SIZE: (
        "model_zoo/team10_WrongSize.pth: does not fit the network",
        "size mismatch for head.weight",
        "shape in current model is torch.Size([8, 3, 3, 3])",
        "put the checkpoint that belongs to this network",
    ),
    checkout.RAISES: (
        "models/team11_Raises.py: select_model raises for model_id 11",
        "ValueError: width must be even (line 10)",
        "mend the branch",
    ),
    checkout.KERNEL: (
        "models/team12_Kernel.py: forward failed",
        "Jiterator is only supported on CUDA",
        "evaluate it on a machine with a GPU",
    ),
    checkout.WRITES: (
        "models/team18_Writes.py: writes to log.txt, and the checkout is read-only",
        "write to a temporary folder",
    ),
    checkout.NO_CHECKPOINT: ("model_zoo/team19_NoCheckpoint.pth: is not there", "put it there"),
    checkout.PICKLE: ("model_zoo/team20_Pickle.pth: holds more than tensors", "PosixPath", "save it again"),
    checkout.TOP_MISSING: (
        "test_demo.py: imports models.team25_TopMissing, which the checkout does not have",
        "put models/team25_TopMissing.py into the checkout",
    ),
    checkout.NO_FILE: (
        "test_demo.py: imports models.team33_NoFile, which the checkout does not have",
        "put models/team33_NoFile.py into the checkout",
    ),
    checkout.DEFORM: (
        "models/team35_Deform.py: needs a package that is not installed",
        "torchvision.ops.DeformConv2d is used, and No module named 'torchvision",
        "(line 15)",
        "Remedy: install torchvision, or do without it; ",
        "docs/PACKAGES.md",
    ),
    checkout.EINOPS: (
        "models/team36_Einops.py: needs a package that is not installed",
        "einops.rearrange is used, and import of einops halted",
        "Remedy: pip install 'ntire-bench[submissions]', which brings einops",
    ),
    checkout.OWN_ABSENT: (
        "models/team37_OwnAbsent.py: imports models.team37_parts, which the checkout does not have",
        "put models/team37_parts.py into the checkout",
    ),
}


def run_all(how, root, images, out, ids):
    """Run branches in processes forked from one that has imported torch; return what each left."""
    words = [sys.executable, HELPERS / "challenge_runner.py", how, root, images, out, *ids]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        list(map(str, words)), capture_output=True, text=True, timeout=300, check=False, env=environment
    )
    assert done.returncode == 0 and not done.stderr, done.stderr[-3000:]
    found = {}
    for id_ in ids:
        with np.load(out / f"{id_}.npz") as arrays:
            found[id_] = (json.loads((out / f"{id_}.json").read_text()), list(arrays.values()))
    return found
