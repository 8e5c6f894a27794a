"""What a worker will compute on and with, as far as it can be told without importing torch."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Gpus", "Torch", "driver_cuda", "gpus", "torch_build"]

_DRIVER = Path("/proc/driver/nvidia/version")  # is there where the kernel has NVIDIA's driver


@dataclass(frozen=True, kw_only=True)
class Torch:
    """The torch that is installed.

    Attributes:
        version: As torch itself gives it, such as "2.11.0+cu130".
        cuda: CUDA version it was built for; None where it was built for none.
        cudnn: cuDNN version as torch gives it, such as "91900"; None where the build brings its own, which
            only torch can tell.
    """

    version: str
    cuda: str | None
    cudnn: str | None


@dataclass(frozen=True, kw_only=True)
class Gpus:
    """The GPUs of the machine.

    Attributes:
        models: Name of each.
        driver: Version; None where there is no GPU.
    """

    models: tuple[str, ...]
    driver: str | None


def torch_build() -> Torch | None:
    """Return what is known of the torch that is installed; None where none is, or it does not say.

    Its file version.py is read as text: torch itself takes a second to import, and only workers do.
    """
    found = importlib.util.find_spec("torch")  # finds it and does not run it
    if found is None or found.origin is None:
        return None
    try:
        tree = ast.parse(Path(found.origin).with_name("version.py").read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None
    values: dict[str, Any] = {}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
            values[target.id] = value.value
    if not isinstance(values.get("__version__"), str) or "cuda" not in values:
        return None
    cuda = values["cuda"]
    return Torch(version=values["__version__"], cuda=cuda, cudnn=None if cuda is None else _cudnn(cuda))


def gpus() -> Gpus | None:
    """Return the GPUs of this machine, as NVML tells; None where there is a driver and NVML does not answer.

    A process that is to see none (CUDA_VISIBLE_DEVICES is empty, or begins with -1) has none.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and (not visible.strip() or visible.strip().startswith("-1")):
        return Gpus(models=(), driver=None)
    import pynvml  # type: ignore[import-untyped]

    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(n) for n in range(pynvml.nvmlDeviceGetCount())]
        models = tuple(_text(pynvml.nvmlDeviceGetName(handle)) for handle in handles)
        return Gpus(models=models, driver=_text(pynvml.nvmlSystemGetDriverVersion()) if models else None)
    except pynvml.NVMLError:
        return None if _DRIVER.exists() else Gpus(models=(), driver=None)


def driver_cuda() -> str | None:
    """Return the latest CUDA version that the driver knows, such as "13.0"; None where NVML does not tell."""
    import pynvml

    try:
        pynvml.nvmlInit()
        number = int(pynvml.nvmlSystemGetCudaDriverVersion())
    except pynvml.NVMLError:
        return None
    return f"{number // 1000}.{number % 1000 // 10}"


def _cudnn(cuda: str) -> str | None:
    """Return the version of the cuDNN that a wheel of torch brings as a package of its own.

    As one number: of 9.19.0 it is 91900, and up to version 8 it is 8902 of 8.9.2.
    """
    try:
        version = importlib.metadata.version(f"nvidia-cudnn-cu{cuda.split('.')[0]}")
        major, minor, patch = map(int, version.split(".")[:3])
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None
    return str(major * (10_000 if major >= 9 else 1000) + minor * 100 + patch)


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
