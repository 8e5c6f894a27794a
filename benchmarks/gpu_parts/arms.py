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

from ntire_bench.estimating import stopping
from ntire_bench.isolation import spawn
from ntire_bench.machine.environment import cores
from ntire_bench.measuring import plan, rounds

__all__ = ["ARMS", "Arm", "NoSwitchError", "one_launch"]


class NoSwitchError(Exception):
    """This version of the package cannot do what an arm is about."""


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


def _switch(holder: Any, name: str) -> Any:  # noqa: ANN401
    try:
        return getattr(holder, name)
    except AttributeError:
        raise NoSwitchError(f"{holder.__name__} has no {name}") from None


@contextlib.contextmanager
def _waiting(**environment: str) -> Iterator[None]:
    """Have OpenMP's idle threads in a worker wait as this environment says."""
    with mock.patch.dict(_switch(spawn, "WAITING"), environment, clear=True):
        yield


@contextlib.contextmanager
def _turn(calls: int) -> Iterator[None]:
    """Have turns of so many calls; of more than one, the first does not count."""
    with mock.patch.dict(_switch(rounds, "TURN_CALLS"), {"cpu": calls, "cuda": calls}):
        yield


@contextlib.contextmanager
def _exact_images() -> Iterator[None]:
    """Have every call get the data set's LR image itself."""
    real = _switch(rounds.Rounds, "_content")

    def exact(self: rounds.Rounds, split: Any, index: int, _: str | None) -> Any:  # noqa: ANN401
        return real(self, split, index, None)

    with mock.patch.object(rounds.Rounds, "_content", exact):
        yield


ARMS: dict[str, Arm] = {
    "as-run": Arm(what="as `run` does it"),
    "threads-1": Arm(what="one CPU thread", threads=lambda: 1),
    "threads-all": Arm(what="all CPU threads but one", threads=lambda: max(1, cores() - 1)),
    "waiting-passive": Arm(
        what="idle OpenMP threads sleep",
        patch=functools.partial(_waiting, OMP_WAIT_POLICY="PASSIVE", GOMP_SPINCOUNT="0"),
    ),
    "waiting-default": Arm(what="idle OpenMP threads spin, as by default", patch=_waiting),
    "content-exact": Arm(what="exact LR images alone", patch=_exact_images),
    **{
        f"turn-{calls}": Arm(what=f"turns of {calls} calls", patch=functools.partial(_turn, calls))
        for calls in (1, 2, 4, 8)
    },
    "as-run-again": Arm(what="as `run` does it, once more"),
}
"""By name, in the order in which they are measured."""
