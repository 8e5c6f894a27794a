"""The arms: one session each, of which one thing differs from what `ntire-bench run` does.

Each arm is an option, or a patch of one name of the package, in force as long as its session runs. An arm
that is what `run` does anyway (one thread on a GPU, say) is measured all the same: two figures of one thing
show what difference means nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from ntire_bench.client import sandbox
from ntire_bench.estimating import stopping
from ntire_bench.machine.environment import cores
from ntire_bench.measuring import plan, rounds

__all__ = ["ARMS", "Arm", "one_launch", "turn"]

# What a worker runs before it serves requests: trusted code, as no submission is there yet. Libraries read
# these variables when they are loaded, which comes later.
_SLEEP = """\
import os
os.environ.update(OMP_WAIT_POLICY="PASSIVE", GOMP_SPINCOUNT="0")
"""
_SPIN = """\
import os
for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
    os.environ.pop(name, None)
"""
_CONVERT_ON_CPU = """\
from ntire_bench.worker.network import transfer

class OnCpu(transfer.HostTransfer):
    def __init__(self, device, lr, sr):
        super().__init__(lr, sr)
        self._device = device

    def take(self, height, width, data_range):
        return super().take(height, width, data_range).to(self._device)

    def give(self, output, data_range):
        super().give(output.cpu(), data_range)

transfer.transfer_for = OnCpu
"""

Patch = Callable[[], AbstractContextManager[Any]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arm:
    """One arm.

    Attributes:
        what: In words.
        threads: CPU threads of the workers, asked for when it is measured; None for the default.
        patch: Makes what differs, as long as it is entered.
    """

    what: str
    threads: Callable[[], int] | None = None
    patch: Patch = contextlib.nullcontext


@contextlib.contextmanager
def one_launch() -> Iterator[None]:
    """Have a session of a given number of rounds make all of them in one launch."""
    with mock.patch.object(stopping, "LAUNCHES", 1), mock.patch.object(plan, "LAUNCHES", 1):
        yield


@contextlib.contextmanager
def _in_workers(code: str) -> Iterator[None]:
    """Have every worker run this before it serves requests."""
    with mock.patch.object(sandbox, "_START", code + sandbox._START):
        yield


@contextlib.contextmanager
def turn(calls: int) -> Iterator[None]:
    """Have turns of so many calls; of more than one, the first does not count."""
    with mock.patch.dict(rounds.TURN_CALLS, {"cpu": calls, "cuda": calls}):
        yield


@contextlib.contextmanager
def _exact_images() -> Iterator[None]:
    """Have every call get the data set's LR image itself."""
    real = rounds.Rounds._content

    def exact(self: rounds.Rounds, split: Any, index: int, _: str | None) -> Any:  # noqa: ANN401
        return real(self, split, index, None)

    with mock.patch.object(rounds.Rounds, "_content", exact):
        yield


ARMS: dict[str, Arm] = {
    "as-run": Arm(what="as `run` does it"),
    "threads-1": Arm(what="one CPU thread", threads=lambda: 1),
    "threads-all": Arm(what="all CPU threads but one", threads=lambda: max(1, cores() - 1)),
    "waiting-sleep": Arm(what="idle OpenMP threads sleep", patch=functools.partial(_in_workers, _SLEEP)),
    "waiting-spin": Arm(what="idle OpenMP threads spin", patch=functools.partial(_in_workers, _SPIN)),
    "conversions-cpu": Arm(
        what="pixels converted on the CPU", patch=functools.partial(_in_workers, _CONVERT_ON_CPU)
    ),
    "content-exact": Arm(what="exact LR images alone", patch=_exact_images),
    **{
        f"turn-{calls}": Arm(what=f"turns of {calls} calls", patch=functools.partial(turn, calls))
        for calls in (1, 2, 4, 8)
    },
    "as-run-again": Arm(what="as `run` does it, once more"),
}
"""By name, in the order in which they are measured."""
