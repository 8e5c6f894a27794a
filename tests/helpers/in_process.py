"""A submission's audit in this process, through the worker's functions: a worker takes seconds to start."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from ntire_bench.client.kernel_builds import KernelBuild
from ntire_bench.measuring import resolve
from ntire_bench.measuring.side import Side
from ntire_bench.protocols import protocol
from ntire_bench.records.record import Complexity, Finding, SubmissionInfo
from ntire_bench.source.files import parse
from ntire_bench.submissions.declaration import read
from ntire_bench.submissions.submission import Submission
from ntire_bench.wire.messages import Counted, WarmUp, plain
from ntire_bench.wire.observation import Observation
from ntire_bench.worker.costs import count, reachable
from ntire_bench.worker.network.pixels import to_tensor, to_uint8
from ntire_bench.worker.network.upscaler import Upscaler, ready

CPU = torch.device("cpu")
torch.set_num_threads(1)  # modules of tests run side by side; a second thread saves little and costs a core


@dataclass
class InProcess:
    """What the audit asks of `client.Worker`, answered here, through JSON as by a worker."""

    upscaler: Upscaler
    builds: KernelBuild | None = None

    def __enter__(self) -> InProcess:
        """As a worker's; nothing is to be closed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close nothing."""

    def hello(self) -> None:
        """Has nothing to wait for."""

    def load(self, *_: object, **__: object) -> None:
        """It is loaded."""

    def exact(self, lr: np.ndarray) -> np.ndarray:
        return (self._run(lr)[0] / self.upscaler.data_range).numpy()

    def complexity(self, input_shape: tuple[int, int, int, int]) -> Counted:
        return through_json(count.measure(self.upscaler, input_shape), Counted)

    def audit(self, lr: np.ndarray) -> tuple[np.ndarray, Observation]:
        sr, seen = count.audit(self.upscaler, self._tensor(lr))
        return to_uint8(sr, self.upscaler.data_range).numpy().copy(), through_json(seen, Observation)

    def warm_up(self, lr: np.ndarray, calls: int) -> WarmUp:
        for _ in range(calls):
            self._run(lr)
        return WarmUp(self.upscaler.multiple(to_tensor(lr, 1.0)), 1.0)

    def run(self, lr: np.ndarray) -> Any:
        sr = to_uint8(self._run(lr), self.upscaler.data_range).numpy().copy()
        return dataclasses.make_dataclass("Call", ["sr"])(sr)

    def parameters(self) -> int:
        return count.count_parameters(self.upscaler.network)

    def _tensor(self, lr: np.ndarray) -> torch.Tensor:
        return to_tensor(lr, self.upscaler.data_range)

    def _run(self, lr: np.ndarray) -> torch.Tensor:
        with torch.inference_mode():
            return self.upscaler.checked(self._tensor(lr))


def through_json(value: Any, type_: Any) -> Any:
    return msgspec.convert(json.loads(json.dumps(plain(value))), type_, strict=False)


def submission(file: Path) -> Submission:
    """Return a model file without a checkpoint as a submission."""
    declaration = read(file, parse(file))
    return Submission(
        id=5, name="Net", file=file, checkpoint=None, declaration=declaration, has_build_model=False
    )


def load(file: Path) -> Upscaler:
    """Build the network of a model file."""
    reachable.begin()
    spec = importlib.util.spec_from_file_location(f"submission_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # torch.jit looks its module up by name
    spec.loader.exec_module(module)
    network = module.Net()
    ready(network, file, CPU)
    tile = submission(file).declaration.tile
    return Upscaler(network, file, 4, CPU, data_range=1.0, tile=tile)


def examine(file: Path, image: np.ndarray, *, calls: int = 0) -> tuple[Complexity, list[Finding]]:
    """Count and audit a submission.

    Args:
        file: Its model file.
        image: A real LR image.
        calls: Ordinary calls afterwards, before its parameters are counted again.
    """
    item = submission(file)
    worker = InProcess(load(file))
    tile = item.declaration.tile
    info = SubmissionInfo(id=5, name="Net", file=file.name, file_sha256="0" * 64, tile=tile)
    side = Side(item, worker, False, info)  # type: ignore[arg-type] - it answers like one
    resolve.count(side, protocol.load(), image)
    other = InProcess(load(file))  # as another process: it has not been watched
    resolve.compare_elsewhere(side, lambda lr: other.run(lr).sr)
    for _ in range(calls):
        worker.run(np.ascontiguousarray(image[:64, :64]))
    resolve.recount(side)
    assert side.complexity is not None
    return side.complexity, side.findings
