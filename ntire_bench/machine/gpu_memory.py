"""How much of a GPU's memory processes hold, as NVML tells it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

__all__ = ["GpuMemory"]


class GpuMemory:
    """Asks NVML for the memory of processes on one GPU.

    Args:
        uuid: Of the GPU, as torch gives it.

    Attributes:
        missing: Why the last question was not answered, as a clause; None where it was.
    """

    def __init__(self, uuid: str) -> None:
        import pynvml  # type: ignore[import-untyped]

        self.missing: str | None = None
        self._nvml: Any = pynvml
        self._handle: Any = None
        try:
            pynvml.nvmlInit()
            self._handle = pynvml.nvmlDeviceGetHandleByUUID(
                uuid if uuid.startswith("GPU-") else f"GPU-{uuid}"
            )
        except pynvml.NVMLError as error:
            self.missing = f"NVML says {str(error)!r}"

    def held_by(self, pids: Collection[int]) -> int | None:
        """Return what these processes hold together [bytes]; None, with the reason in `missing`, if unknown.

        In a container NVML may give the ids that processes have outside of it. Then nothing is said, rather
        than that some process there is one of these.

        Args:
            pids: Ids of processes, of which one at least is known to be on the GPU.
        """
        if self._handle is None:
            return None
        try:
            present = self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle)
        except self._nvml.NVMLError as error:
            self.missing = f"NVML says {str(error)!r}"
            return None
        held = [process.usedGpuMemory for process in present if int(process.pid) in pids]
        if not held:
            self.missing = "NVML does not list the worker by the id that it has here"
        elif None in held:
            self.missing = "NVML does not tell the memory of each process"
        else:
            self.missing = None
            return sum(map(int, held))
        return None
