"""An NVML with one GPU and some processes on it, in the place of the module pynvml."""

from __future__ import annotations

from types import SimpleNamespace


class FakeNvml:
    """Tells what each process holds [bytes].

    Attributes:
        held: By process id; None for what the GPU does not tell.
        silent: Whether it refuses to list processes.
    """

    uuid = "11111111-2222-3333-4444-555555555555"

    class NVMLError(Exception):
        """NVML's own."""

    def __init__(self) -> None:
        self.held: dict[int, int | None] = {}
        self.silent = False

    def nvmlInit(self) -> None:
        """Do nothing."""

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        if uuid != f"GPU-{self.uuid}":
            raise self.NVMLError("Not Found")
        return "the GPU"

    def nvmlDeviceGetComputeRunningProcesses(self, gpu: str) -> list[SimpleNamespace]:
        assert gpu == "the GPU"
        if self.silent:
            raise self.NVMLError("Not Supported")
        return [SimpleNamespace(pid=pid, usedGpuMemory=size) for pid, size in self.held.items()]
