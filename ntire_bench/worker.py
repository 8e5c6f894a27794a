"""The untrusted side: runs one submission, answers the parent's requests, holds no ground truth.

Started by `sandbox.Sandbox` as a process of its own. Requests and replies cross two pipes as JSON; LR and SR
pixels cross two shared buffers. Every number that leaves here is a claim of the submission's process.
"""

from __future__ import annotations

import ast
import ctypes
import dataclasses
import mmap
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ntire_bench import channel, complexity, device, fusion, loader, timing
from ntire_bench.declaration import Declaration
from ntire_bench.errors import NtireBenchError, SubmissionError
from ntire_bench.inference import Upscaler, to_tensor, to_uint8

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1


class _Worker:
    """Handles requests: one method per operation, named after it."""

    def __init__(self, device_name: str, lr: mmap.mmap, sr: mmap.mmap) -> None:
        self.device = device.select(device_name)
        self.lr = np.frombuffer(lr, np.uint8)
        self.sr = torch.frombuffer(sr, dtype=torch.uint8)
        self.loaded: loader.Loaded | None = None
        self.peak_is_fresh = False

    @property
    def _upscaler(self) -> Upscaler:
        if self.loaded is None:
            raise RuntimeError("no submission is loaded")
        return self.loaded.upscaler

    def _image(self, height: int, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return self.lr[: height * width * 3].reshape(height, width, 3)

    def hello(self) -> dict[str, Any]:
        return device.describe(self.device)

    def load(
        self,
        file: str,
        name: str,
        checkpoint: str | None,
        declaration: dict[str, Any],
        scale: int,
        height: int,
        width: int,
    ) -> dict[str, Any]:
        self.loaded = loader.load(
            Path(file),
            name,
            None if checkpoint is None else Path(checkpoint),
            Declaration(**{**declaration, "args": ast.literal_eval(declaration["args"])}),
            scale=scale,
            device=self.device,
            probe=self._image(height, width).copy(),
        )
        return {
            "model": self.loaded.model,
            "data_range": self._upscaler.data_range,
            "tile": self._upscaler.tile,
            "can_fuse": fusion.can_fuse(self._upscaler.network),
            "inferred": [dataclasses.asdict(item) for item in self.loaded.inferred],
            "findings": [dataclasses.asdict(item) for item in self.loaded.findings],
        }

    def complexity(self, input_shape: list[int]) -> dict[str, Any]:
        n, c, h, w = input_shape
        return dataclasses.asdict(complexity.measure(self._upscaler, (n, c, h, w)))

    def fuse(self, height: int, width: int, input_shape: list[int], keep: bool) -> dict[str, Any]:
        n, c, h, w = input_shape
        result, checkpoint = fusion.fuse(self._upscaler, self._image(height, width).copy(), (n, c, h, w))
        if not keep:
            return {**result, "size": 0}
        if len(checkpoint) > len(self.sr):
            raise RuntimeError(f"a checkpoint of {len(checkpoint)} bytes does not fit {len(self.sr)}")
        self.sr[: len(checkpoint)] = torch.frombuffer(bytearray(checkpoint), dtype=torch.uint8)
        return {**result, "size": len(checkpoint)}

    def warm_up(self, height: int, width: int, calls: int) -> dict[str, Any]:
        with torch.inference_mode():
            image = to_tensor(self._image(height, width), self._upscaler.data_range).to(self.device)
            for _ in range(calls):
                self._upscaler.checked(image)
        return {"pad_to": self._upscaler.pad_to}

    def run(self, height: int, width: int) -> dict[str, Any]:
        upscaler = self._upscaler
        with torch.inference_mode():
            image = to_tensor(self._image(height, width), upscaler.data_range).to(self.device)
            try:
                output, runtime_ms = timing.timed(upscaler.forward, image)
            except Exception as error:
                raise upscaler.failure(error, image) from error
            upscaler.verify(output, image)
            sr = to_uint8(output, upscaler.data_range)
            self.sr[: sr.numel()].view(sr.shape).copy_(sr)
        return {"runtime_ms": runtime_ms}

    def reset_memory(self) -> dict[str, Any]:
        self.peak_is_fresh = device.reset_peak_memory(self.device)
        return {}

    def peak_memory(self) -> dict[str, Any]:
        return {"memory_mib": device.peak_memory_mib(self.device) if self.peak_is_fresh else None}

    def flags(self) -> dict[str, Any]:
        return {"flags": device.settings()}


def _error(error: BaseException) -> dict[str, Any]:
    if isinstance(error, NtireBenchError):
        kind = "submission" if isinstance(error, SubmissionError) else "measurement"
        return {
            "kind": kind,
            "what": error.what,
            "file": None if error.file is None else str(error.file),
            "expected": error.expected,
            "found": error.found,
            "remedy": error.remedy,
            "traceback": "",
        }
    text = "".join(traceback.format_exception(error))
    return {"kind": "program", "what": f"{type(error).__name__}: {error}", "traceback": text[-20_000:]}


def _die_with_parent(parent: int) -> None:
    """Have the kernel end this process when the parent ends, however the parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the line above
            os._exit(1)


def main(arguments: list[str]) -> None:
    """Answer requests until the parent closes the pipe.

    Args:
        arguments: Parent's process id, device name, four inherited descriptors (requests, replies, LR, SR).
    """
    parent, device_name = int(arguments[0]), arguments[1]
    requests, replies, lr_fd, sr_fd = map(int, arguments[2:6])
    _die_with_parent(parent)
    lr = mmap.mmap(lr_fd, 0, prot=mmap.PROT_READ)
    sr = mmap.mmap(sr_fd, 0)
    worker: _Worker | None = None
    while True:
        try:
            number, request = channel.receive(requests)
        except channel.ChannelClosed:
            return
        operation = str(request.pop("operation"))
        try:
            if worker is None:
                worker = _Worker(device_name, lr, sr)
            reply = {"ok": getattr(worker, operation)(**request)}
        except Exception as error:
            reply = {"error": _error(error)}
        channel.send(replies, number, reply)


if __name__ == "__main__":
    main(sys.argv[1:])
