"""torch.load for a checkout's own code: it gives tensors and plain values, on the CPU if need be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from ntire_bench.worker.network.checkpoint import plain_types

__all__ = ["CheckpointReads"]


class CheckpointReads:
    """Takes the place of torch.load in this process.

    Args:
        on_cpu: Whether all tensors are put on the CPU, wherever they were saved and whatever the caller asks.
        allow_pickle: Whether a checkpoint may hold more than tensors and plain values. If not, a caller's
            weights_only=False has no effect.

    Attributes:
        places: Devices, other than the CPU, that tensors were saved on.
        failed: The last file that could not be read.
        last: The last file that was read.
    """

    def __init__(self, *, on_cpu: bool, allow_pickle: bool) -> None:
        self.on_cpu = on_cpu
        self.allow_pickle = allow_pickle
        self.places: set[str] = set()
        self.failed: Path | None = None
        self.last: Path | None = None
        self._load = torch.load
        self._load_script = torch.jit.load
        torch.load = self.load
        if on_cpu:
            torch.jit.load = self.load_script

    def load(self, f: Any, map_location: Any = None, *_: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Read a checkpoint; the arguments are those of torch.load."""
        kwargs.pop("pickle_module", None)
        if not self.allow_pickle:
            kwargs["weights_only"] = True
        elif kwargs.get("weights_only") is None:
            kwargs["weights_only"] = False  # torch.load's default when the challenges' code was written
        path = Path(f) if isinstance(f, (str, os.PathLike)) else None
        try:
            with torch.serialization.safe_globals(plain_types()):
                content = self._load(f, self._to_cpu if self.on_cpu else map_location, **kwargs)
        except Exception:
            self.failed = path
            raise
        self.last = path
        return content

    def load_script(self, f: Any, *_: Any, **__: Any) -> Any:  # noqa: ANN401
        """Read a scripted network to the CPU."""
        return self._load_script(f, map_location="cpu")  # type: ignore[no-untyped-call]

    def _to_cpu(self, storage: Any, place: str) -> Any:  # noqa: ANN401 - torch's storages have no common type
        if place != "cpu":
            self.places.add(place)
        return storage
