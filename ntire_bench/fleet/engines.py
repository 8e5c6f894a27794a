"""The engine that settings name, on this machine."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from ntire_bench.claims.desk import claims_folder
from ntire_bench.errors import UsageError
from ntire_bench.fleet.engine import Engine
from ntire_bench.fleet.local import Local, slots
from ntire_bench.fleet.settings import FleetSettings
from ntire_bench.fleet.slurm import Slurm
from ntire_bench.machine import environment, installed
from ntire_bench.text import one_line

__all__ = ["engine_for"]


def engine_for(
    settings: FleetSettings, results: Path, device: str, tell: Callable[[str], None] = lambda text: None
) -> Engine:
    """Return the engine that settings name.

    Args:
        settings: With an engine.
        results: Folder of the records, which all nodes share.
        device: "auto", "cpu" or "cuda", as the evaluations take it.
        tell: Called with sentences for the user.

    Raises:
        UsageError: It cannot be had here.
    """
    if settings.engine == "slurm":
        return Slurm(settings.slurm, (claims_folder(results) / "slurm").absolute(), settings.jobs)
    if settings.program and shutil.which(settings.program[0]) is None:
        raise UsageError(
            "the program of the engine's settings is not there",
            found=one_line(settings.program[0], 80),
            remedy="correct the key program; docs/CLUSTER.md has it",
        )
    affinity = getattr(os, "sched_getaffinity", None)
    cores = sorted(affinity(0)) if affinity is not None else list(range(environment.cores()))
    gpus = [] if device == "cpu" else _gpus()
    if device == "cuda" and not gpus:
        raise UsageError("--device cuda was asked for, and there is no GPU", remedy="leave --device out")
    parts = slots(cores, gpus, settings.jobs, settings.local.cores_per_job, socket.gethostname())
    unused = len(gpus) - len(parts)
    if unused > 0 and len(parts) != settings.jobs:
        tell(f"{unused} of {len(gpus)} GPUs take no part: each needs a CPU core, and there are {len(cores)}.")
    return Local(parts)


def _gpus() -> list[str]:
    """Return what CUDA_VISIBLE_DEVICES calls each GPU that this process may use."""
    found = installed.gpus()
    if found is not None and not found.models:
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:  # NVML lists all that there are
        return list(dict.fromkeys(name.strip() for name in visible.split(",") if name.strip()))
    # Where NVML does not answer, there is one at least: the driver is loaded.
    return [str(number) for number in range(1 if found is None else len(found.models))]
