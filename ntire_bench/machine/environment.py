"""What the parent can tell of the machine and of this program; no host name, no user name."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import ntire_bench
from ntire_bench.records.record import Environment

__all__ = ["commit", "compute_threads", "cores", "cpu_model", "describe"]

_NOT_RECORDED = ("gpu_uuid", "gpu_memory_bytes", "gpu_unbounded")  # the first names one GPU of the world


def describe(worker: dict[str, Any]) -> Environment:
    """Join what the worker and the parent can tell.

    Args:
        worker: Fields of `Environment` that only a process with torch can tell (see `device.describe`).
    """
    cpu = cpu_model()
    known = {key: value for key, value in worker.items() if key not in _NOT_RECORDED}
    return Environment(
        **{**known, "device_name": worker["device_name"] or cpu},
        cpu=cpu,
        cpu_cores=cores(),
        driver=_driver() if worker["device"] == "cuda" else None,
        os=f"{platform.system()} {platform.release()}",
        ntire_bench=ntire_bench.__version__,
        commit=commit(),
    )


def cores() -> int:
    """Return the number of CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def compute_threads(spare: int = 1) -> int:
    """Return with how many threads a worker computes on a CPU: OMP_NUM_THREADS, else all cores but one.

    That one is for what runs beside the calls in the parent: decoding and metrics. It also makes a runtime
    steadier, as threads that wait for each other wait for whatever takes the core of one of them.

    Args:
        spare: How many cores are left free; 0 where nothing is timed.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() and int(asked) > 0 else max(1, cores() - spare)


def commit() -> str | None:
    """Return the commit of the checkout this program runs from, "+dirty" appended if it has changes."""
    if shutil.which("git") is None or not (ntire_bench.PACKAGE.parent / ".git").exists():
        return None  # installed, perhaps inside somebody else's repository
    head = _output("git", "-C", str(ntire_bench.PACKAGE.parent), "rev-parse", "HEAD")
    if head is None:
        return None
    changed = _output(
        "git", "-C", str(ntire_bench.PACKAGE.parent), "status", "--porcelain", "--untracked-files=no"
    )
    return head + ("+dirty" if changed else "")


def cpu_model() -> str:
    """Return the model of the CPU, with family and model number where the kernel tells them."""
    # Marketing names such as "AMD EPYC" cover several generations; family and model tell them apart.
    info = Path("/proc/cpuinfo")
    found: dict[str, str] = {}
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            found.setdefault(key.strip(), value.strip())
    if "model name" not in found:
        return platform.processor() or platform.machine()
    numbers = [f"{key.split()[-1]} {found[key]}" for key in ("cpu family", "model") if key in found]
    return found["model name"] + (f" ({', '.join(numbers)})" if numbers else "")


def _driver() -> str | None:
    found = _output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    return found.splitlines()[0] if found else None


def _output(*command: str) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
