"""The device a worker computes on: choice, settings, description, peak memory. Worker only."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import torch

from ntire_bench.errors import MeasurementError

__all__ = [
    "apply_settings",
    "bound_memory",
    "describe",
    "peak_memory_mib",
    "reset_peak_memory",
    "select",
    "settings",
]

_MIB = 1024.0 * 1024.0
_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def select(name: str) -> torch.device:
    """Return the device of that name.

    Args:
        name: "auto" (a GPU where there is one), "cpu", "cuda" or "cuda:N".

    Raises:
        MeasurementError: A GPU was asked for and there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise MeasurementError(
            f"the device {name} was asked for, and torch {torch.__version__} sees no GPU",
            remedy="leave --device out, or install a torch build that matches the driver",
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise MeasurementError(
            f"the device {name} was asked for, and torch sees {torch.cuda.device_count()} GPUs",
            remedy="count them from cuda:0, or leave --device out",
        )
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)  # events are recorded on the current device, whatever computes
    return device


def apply_settings(threads: int) -> None:
    """Put torch into the benchmark's settings: before a submission is loaded, and before every round.

    Args:
        threads: CPU threads to compute with.
    """
    torch.set_num_threads(threads)
    # As in the challenge's loop; the autotuner would time several algorithms at every new image size.
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = False
    # torch's own defaults, which a model file may have changed when it was imported.
    torch.backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("highest")  # two names of one setting; `settings` reads both
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.set_default_dtype(torch.float32)


def settings() -> dict[str, bool | int | str]:
    """Return torch's settings that change runtime or rounding, as they are now."""
    return {
        "cudnn_benchmark": bool(torch.backends.cudnn.benchmark),
        "cudnn_deterministic": bool(torch.backends.cudnn.deterministic),
        "cudnn_allow_tf32": bool(torch.backends.cudnn.allow_tf32),
        "matmul_allow_tf32": bool(torch.backends.cuda.matmul.allow_tf32),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "default_dtype": str(torch.get_default_dtype()),
        "threads": torch.get_num_threads(),
        "malloc": os.environ.get("GLIBC_TUNABLES", ""),
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", ""),
        "gomp_spincount": os.environ.get("GOMP_SPINCOUNT", ""),
    }


def describe(device: torch.device) -> dict[str, Any]:
    """Return the fields of `records.Environment` that only a process with torch knows."""
    found: dict[str, Any] = {
        "device": device.type,
        "device_name": None,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "fvcore": importlib.metadata.version("fvcore"),
        "python": platform.python_version(),
        "flags": settings(),
        "clock": "CUDA events" if device.type == "cuda" else "time.perf_counter_ns",
        "memory_source": _memory_source(device),
    }
    if device.type == "cuda":
        found["device_name"] = torch.cuda.get_device_name(device)
        found["gpu_uuid"] = str(torch.cuda.get_device_properties(device).uuid)
        found["cuda"] = torch.version.cuda
        found["cudnn"] = str(torch.backends.cudnn.version())  # type: ignore[no-untyped-call]
        found["gpu_memory_bytes"] = torch.cuda.get_device_properties(device).total_memory
    return found


def bound_memory(device: torch.device, memory_bytes: int) -> None:
    """Have torch give memory back, or fail, before it takes more of the GPU's than that for tensors."""
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, memory_bytes / total), device.index)


def _memory_source(device: torch.device) -> str | None:
    if device.type == "cuda":
        return "torch.cuda.max_memory_allocated"
    return "peak resident set of the worker (VmHWM)" if _reset_resident_peak() else None


def _reset_resident_peak() -> bool:
    """Reset VmHWM, as proc(5) describes, and return whether that is possible here."""
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        return False
    return True


def reset_peak_memory(device: torch.device) -> bool:
    """Start a new peak: allocated memory of the GPU, or resident memory of this process.

    Returns:
        Whether that was possible. If not, a peak may be an earlier split's, and is not reported.
    """
    if device.type != "cuda":
        return _reset_resident_peak()
    torch.cuda.reset_peak_memory_stats(device)
    return True


def peak_memory_mib(device: torch.device) -> float | None:
    """Return the peak since the last reset [MiB], or None where the system does not report it."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / _MIB
    lines = _STATUS.read_text().splitlines() if _STATUS.exists() else []
    peaks = [int(line.split()[1]) / 1024.0 for line in lines if line.startswith("VmHWM:")]
    return peaks[0] if peaks else None
