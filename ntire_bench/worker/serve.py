"""The untrusted side: runs one submission, answers the parent's requests, holds no ground truth.

Started by `client.Sandbox` as a process of its own. Requests and replies cross two pipes as JSON; LR and SR
pixels cross two shared buffers. Every number that leaves here is a claim of the submission's process.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import mmap
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ntire_bench.errors import NtireBenchError, SubmissionError
from ntire_bench.wire import channel
from ntire_bench.wire.declaration import Declaration
from ntire_bench.wire.messages import (
    BranchRequest,
    BuildRequest,
    Built,
    Counted,
    ErrorReply,
    Flags,
    FuseReply,
    LoadReply,
    LoadRequest,
    Parameters,
    PeakMemory,
    Saved,
    Timed,
    WarmUp,
    plain,
    received,
)
from ntire_bench.wire.observation import Observation
from ntire_bench.worker.checkout.load import load as load_branch
from ntire_bench.worker.costs import count, fusion, reachable
from ntire_bench.worker.loading import kernel_build, kernels
from ntire_bench.worker.loading.load import Loaded, load
from ntire_bench.worker.network import checkpoint, device, timing
from ntire_bench.worker.network.pixels import to_tensor
from ntire_bench.worker.network.transfer import transfer_for
from ntire_bench.worker.network.upscaler import Upscaler

__all__ = ["main"]


class _Worker:
    """Handles requests: one method per operation, named after it."""

    def __init__(self, device_name: str, lr: mmap.mmap, sr: mmap.mmap, allow_pickle: bool) -> None:
        self.allow_pickle = allow_pickle
        self.device = device.select(device_name)
        self.lr = np.frombuffer(lr, np.uint8)
        self.sr = torch.frombuffer(sr, dtype=torch.uint8)
        self.pixels = transfer_for(self.device, self.lr, self.sr)
        self.loaded: Loaded | None = None
        self.declared = Declaration()
        self.peak_is_fresh = False
        self.threads = 1

    @property
    def _upscaler(self) -> Upscaler:
        if self.loaded is None:
            raise RuntimeError("no submission is loaded")
        return self.loaded.upscaler

    def _image(self, height: int, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return self.lr[: height * width * 3].reshape(height, width, 3)

    def _tensor(self, upscaler: Upscaler, height: int, width: int) -> torch.Tensor:
        """Return the LR image that lies in the buffer, as a network takes it."""
        return self.pixels.take(height, width, upscaler.data_range)

    def hello(self, threads: int | None, cpu_threads: int) -> dict[str, Any]:
        """Take the threads that were asked for; else one on a GPU, to launch kernels, and `cpu_threads`."""
        self.threads = threads or (cpu_threads if self.device.type == "cpu" else 1)
        device.apply_settings(self.threads)
        return device.describe(self.device)

    def bound_memory(self, memory_bytes: int) -> None:
        device.bound_memory(self.device, memory_bytes)

    def null_run(self, height: int, width: int, scale: int) -> Timed:
        """Run torch's nearest neighbour before anything is loaded: what a call costs without a network."""
        if self.loaded is not None:
            raise RuntimeError("a submission is loaded")
        nearest = nn.Upsample(scale_factor=scale)
        return self._timed(Upscaler(nearest, Path(), scale, self.device, data_range=255.0), height, width)

    def begin_round(self) -> None:
        device.apply_settings(self.threads)

    def load(self, request: dict[str, Any], scale: int, height: int, width: int) -> LoadReply:
        wanted = received(request, LoadRequest)
        self.declared = wanted.declaration
        if wanted.kernels is not None:
            (kernels.stand_in if wanted.twin else kernels.serve)(wanted.kernels)
        reachable.begin()
        self.loaded = self._load(wanted, scale, self._image(height, width).copy())
        return self._loaded_reply(can_fuse=not self.loaded.merged and fusion.can_fuse(self._upscaler.network))

    def _load(self, wanted: LoadRequest, scale: int, probe: np.ndarray[Any, np.dtype[np.uint8]]) -> Loaded:
        return load(
            wanted.file,
            wanted.name,
            wanted.checkpoint,
            dataclasses.replace(wanted.declaration, args=ast.literal_eval(wanted.args)),
            scale=scale,
            device=self.device,
            probe=probe,
            allow_pickle=self.allow_pickle,
            twin=wanted.declaration.twin if wanted.twin else None,
        )

    def build(self, request: dict[str, Any]) -> Built:
        wanted = received(request, BuildRequest)

        def load_it(probe: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
            if wanted.load is not None:
                loaded = self._load(wanted.load, wanted.scale, probe)
            elif wanted.branch is not None:
                loaded = load_branch(
                    wanted.branch, scale=wanted.scale, device=self.device, allow_pickle=self.allow_pickle
                )
            else:
                raise RuntimeError("nothing to load")
            with torch.inference_mode():  # some kernels are compiled when they are first called
                loaded.upscaler.checked(to_tensor(probe, loaded.upscaler.data_range).to(self.device))

        outcome = kernel_build.build(wanted, load_it)
        self._give(b"".join(file.read_bytes() for file in outcome.contents), "what is built of its kernels")
        return outcome.reply

    def load_checkout(self, request: dict[str, Any], scale: int) -> LoadReply:
        wanted = received(request, BranchRequest)
        if wanted.kernels is not None:
            (kernels.serve if wanted.twin is None else kernels.stand_in)(wanted.kernels)
        reachable.begin()
        self.loaded = load_branch(wanted, scale=scale, device=self.device, allow_pickle=self.allow_pickle)
        return self._loaded_reply(can_fuse=False)  # a branch is measured as its checkout runs it

    def _loaded_reply(self, *, can_fuse: bool) -> LoadReply:
        if self.loaded is None:
            raise RuntimeError("no submission is loaded")
        return LoadReply(
            model=self.loaded.model,
            data_range=self._upscaler.data_range,
            tile=self._upscaler.tile,
            can_fuse=can_fuse,
            inferred=tuple(self.loaded.inferred),
            findings=tuple(self.loaded.findings),
            slow=self.loaded.slow,
        )

    def complexity(self, input_shape: list[int]) -> Counted:
        n, c, h, w = input_shape
        return count.measure(self._upscaler, (n, c, h, w))

    def audit(self, height: int, width: int) -> Observation:
        upscaler = self._upscaler
        image = self._tensor(upscaler, height, width)
        output, seen = count.audit(upscaler, image)
        self.pixels.give(output, upscaler.data_range)
        return seen

    def parameters(self) -> Parameters:
        return Parameters(count.count_parameters(self._upscaler.network))

    def fuse(self, height: int, width: int, input_shape: list[int], keep: bool) -> FuseReply:
        n, c, h, w = input_shape
        # Where the submission declares that its weights lie, so that they are found there again.
        write = functools.partial(
            checkpoint.written, state_key=self.declared.state_key, prefix=self.declared.prefix
        )
        reply, merged = fusion.fuse(self._upscaler, self._image(height, width).copy(), (n, c, h, w), write)
        if not keep:
            return dataclasses.replace(reply, size=0)
        self._give(merged)
        return reply

    def save(self) -> Saved:
        content = checkpoint.written(self._upscaler.network)
        self._give(content)
        return Saved(len(content))

    def exact(self, height: int, width: int) -> None:
        """Run an LR image once, and hand its SR image over as float32."""
        image = self._tensor(self._upscaler, height, width)
        with torch.inference_mode():
            output = self._upscaler.checked(image)
        self._give(output.float().div(self._upscaler.data_range).cpu().contiguous().numpy().tobytes())

    def _give(self, content: bytes, what: str = "a checkpoint that this program writes") -> None:
        """Hand bytes over in the SR buffer."""
        if not content:
            return
        if len(content) > len(self.sr):
            raise SubmissionError(
                f"is too large for {what}",
                file=None if self.loaded is None else self._upscaler.file,
                expected=f"at most {len(self.sr):,} bytes",
                found=f"{len(content):,}",
                remedy="make it smaller; a checkpoint can be written with torch.save in a script of your own",
            )
        self.sr[: len(content)] = torch.frombuffer(bytearray(content), dtype=torch.uint8)

    def warm_up(self, height: int, width: int, calls: int) -> WarmUp:
        first_ms = 0.0
        with torch.inference_mode():
            image = self._tensor(self._upscaler, height, width)
            for call in range(calls):
                _, told = timing.timed(self._upscaler.checked, image)
                first_ms = told.runtime_ms if call == 0 else first_ms
        return WarmUp(self._upscaler.multiple(image), first_ms)

    def run(self, height: int, width: int) -> Timed:
        return self._timed(self._upscaler, height, width)

    def _timed(self, upscaler: Upscaler, height: int, width: int) -> Timed:
        with torch.inference_mode():
            image = self._tensor(upscaler, height, width)
            try:
                output, told = timing.timed(upscaler.forward, image)
            except Exception as error:
                raise upscaler.failure(error, image) from error
            upscaler.verify(output, image)
            self.pixels.give(output, upscaler.data_range)
        return told

    def reset_memory(self) -> None:
        self.peak_is_fresh = device.reset_peak_memory(self.device)

    def peak_memory(self) -> PeakMemory:
        return PeakMemory(device.peak_memory_mib(self.device) if self.peak_is_fresh else None)

    def flags(self) -> Flags:
        return Flags(device.settings())


def _error(error: BaseException) -> ErrorReply:
    if isinstance(error, NtireBenchError):
        return ErrorReply(
            kind="submission" if isinstance(error, SubmissionError) else "measurement",
            what=error.what,
            file=None if error.file is None else str(error.file),
            expected=error.expected,
            found=error.found,
            remedy=error.remedy,
        )
    text = "".join(traceback.format_exception(error))
    return ErrorReply(kind="program", what=f"{type(error).__name__}: {error}", traceback=text[-20_000:])


def main(arguments: list[str]) -> None:
    """Answer requests until the parent closes the pipe.

    Args:
        arguments: Device name, four inherited descriptors (requests, replies, LR, SR), and whether a
            checkpoint may run code ("True").
    """
    device_name = arguments[0]
    requests, replies, lr_fd, sr_fd = map(int, arguments[1:5])
    allow_pickle = arguments[5] == "True"
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
                worker = _Worker(device_name, lr, sr, allow_pickle)
            result = getattr(worker, operation)(**request)
            reply = {"ok": {} if result is None else plain(result)}
        except Exception as error:
            reply = {"error": plain(_error(error))}
        channel.send(replies, number, reply)


if __name__ == "__main__":
    main(sys.argv[1:])
