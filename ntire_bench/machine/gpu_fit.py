"""Whether the torch that is installed can use the GPU and its driver, told without importing torch."""

from __future__ import annotations

from dataclasses import dataclass

from ntire_bench.machine.installed import Gpus, Torch

__all__ = ["Fit", "fit"]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What comes of GPU, driver and torch together.

    Attributes:
        gpu: Whether networks can be expected to run on a GPU.
        why: Why not, or what is not known, as a clause; empty where all fits.
        remedy: What to do about it; empty where there is nothing to do.
    """

    gpu: bool
    why: str = ""
    remedy: str = ""


def fit(build: Torch | None, gpus: Gpus | None, driver_cuda: str | None) -> Fit:
    """Say whether torch can use the GPUs.

    NVIDIA's drivers run what was built for an earlier CUDA, and what was built for another minor version of
    the same one; they run nothing that was built for a later major version.

    Args:
        build: The torch that is installed; None where there is none, or it does not say what it is.
        gpus: As `installed.gpus` returns them.
        driver_cuda: The latest CUDA that the driver knows, such as "13.0"; None where that is not known.

    >>> card = Gpus(models=("NVIDIA H100",), driver="535.1")
    >>> fit(Torch(version="2.11.0+cu130", cuda="13.0", cudnn=None), card, "12.2").why
    'torch was built for CUDA 13.0, and the driver 535.1 knows CUDA up to 12.2'
    >>> fit(Torch(version="2.11.0+cu126", cuda="12.6", cudnn=None), card, "12.2").gpu
    True
    """
    if build is None:
        return Fit(
            gpu=False,
            why="torch is not installed, or does not say what it is",
            remedy="install torch: python -m pip install -c constraints.txt torch",
        )
    if gpus is None:
        return Fit(
            gpu=build.cuda is not None,
            why="the driver is there, and NVML does not answer: whether a GPU can be used is not known",
            remedy="see whether nvidia-smi works; a driver that was updated needs a restart of the machine",
        )
    if not gpus.models:
        return Fit(gpu=False, why="no GPU is seen: networks run on the CPU")
    if build.cuda is None:
        return Fit(
            gpu=False,
            why=f"torch {build.version} was built without CUDA, and there is a GPU",
            remedy="install a torch that was built for CUDA "
            + (f"{driver_cuda} or earlier" if driver_cuda else "as late as the driver's")
            + ": see pytorch.org/get-started",
        )
    if driver_cuda is None:
        return Fit(gpu=True, why="which CUDA the driver knows cannot be told")
    if int(build.cuda.split(".")[0]) > int(driver_cuda.split(".")[0]):
        return Fit(
            gpu=False,
            why=f"torch was built for CUDA {build.cuda}, and the driver {gpus.driver} knows CUDA up to "
            f"{driver_cuda}",
            remedy=f"update the driver, or install a torch that was built for CUDA {driver_cuda} or earlier",
        )
    return Fit(gpu=True)
