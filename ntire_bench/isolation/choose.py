"""Which level of isolation workers get: the best one that a test process, the canary, cannot break out of."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ntire_bench.errors import UsageError
from ntire_bench.isolation.bait import run_canary
from ntire_bench.isolation.inside.canary import CHECKS
from ntire_bench.isolation.spawn import LEVELS
from ntire_bench.records.record import Isolation

__all__ = ["ISOLATION_CHOICES", "LEVEL_NAMES", "isolation_for", "lost", "try_level"]

ISOLATION_CHOICES = ("auto", "none", "required", *reversed(LEVELS))
LEVEL_NAMES = {"L3": "bubblewrap", "L2": "namespaces", "L1": "Landlock", "L0": "a plain process"}
# What must hold for a level to be given its name. What holds beyond that is recorded too.
PROMISED: dict[str, frozenset[str]] = {
    "L3": frozenset(CHECKS),
    "L2": frozenset(CHECKS),
    "L1": frozenset({"files", "writing", "time"}),
    "L0": frozenset(),
}
_PICKLE_LEVELS = ("L3", "L2")


@dataclass(frozen=True)
class LevelTrial:
    """What a canary found out at one level.

    Attributes:
        level: "L0" to "L3".
        held: Names of the checks (see `canary.CHECKS`) that held.
        got: For the checks that did not hold: (name, what the canary reached).
        reason: Why the level is not available; None where all that it promises held.
    """

    level: str
    held: tuple[str, ...] = ()
    got: tuple[tuple[str, str], ...] = ()
    reason: str | None = None


def isolation_for(choice: str, ground_truth: Sequence[Path] = (), *, allow_pickle: bool = False) -> Isolation:
    """Return the isolation that workers get.

    Args:
        choice: "auto" (the best there is), "none" (L0), "required" (L2 or better), or a level by name.
        ground_truth: Files that a worker must not be able to read; the canary tries.
        allow_pickle: Whether checkpoints may run code as they are loaded, which needs L2.

    Raises:
        UsageError: This machine does not have what was asked for.
    """
    levels = {"auto": LEVELS, "none": ("L0",), "required": ("L3", "L2")}.get(choice, (choice,))
    trials: list[LevelTrial] = []
    for level in levels:
        trials.append(try_level(level, tuple(ground_truth)))
        if trials[-1].reason is None:
            break
    found = trials[-1]
    refusals = tuple(f"{trial.level}: {trial.reason}" for trial in trials if trial.reason is not None)
    if found.reason is not None:
        wanted = "of level L2 or better" if choice == "required" else f"of level {choice}"
        raise UsageError(
            f"isolation {wanted} was asked for and cannot be had",
            found="; ".join(refusals),
            remedy="install bubblewrap (bwrap) and allow user namespaces, or take --isolation auto and run "
            "only submissions you trust",
        )
    if allow_pickle and found.level not in _PICKLE_LEVELS:
        raise UsageError(
            "--allow-pickle lets a checkpoint run code, which needs isolation of level L2 or better",
            found=f"{found.level}" + (f" ({'; '.join(refusals)})" if refusals else ""),
            remedy="install bubblewrap (bwrap), or have the checkpoint saved as a state dict",
        )
    return Isolation(
        level=found.level,
        detail=_detail(found) + ("; checkpoints may run code (--allow-pickle)" if allow_pickle else ""),
        held=found.held,
        broken=dict(found.got),
        refused=refusals,
        allow_pickle=allow_pickle,
    )


def lost(isolation: Isolation) -> str | None:
    """Return in one line what is lost under L3, or None where nothing is.

    >>> print(lost(Isolation(level="L0", detail="")))
    isolation L0 (a plain process): submissions can reach all that this user can; run only those you trust
    """
    if isolation.level == "L3":
        return None
    head = f"isolation {isolation.level} ({LEVEL_NAMES[isolation.level]})"
    if isolation.level == "L0":
        return f"{head}: submissions can reach all that this user can; run only those you trust"
    if isolation.broken:
        things = ", ".join(CHECKS[name] for name in isolation.broken)
        return f"{head}: submissions are not kept from {things}; run only those you trust"
    return f"{head}: the same walls as bubblewrap's, without its review by others"


def _detail(trial: LevelTrial) -> str:
    name = LEVEL_NAMES[trial.level]
    if trial.level == "L0":
        return f"{name} of the same user, without the HR images"
    if trial.got:
        return f"{name}; not kept from {', '.join(CHECKS[check] for check, _ in trial.got)}"
    return f"{name}, with no HR image, network or other process in reach"


@functools.cache
def try_level(level: str, ground_truth: tuple[Path, ...] = ()) -> LevelTrial:
    """Run a canary at a level and return what it was kept from. Each level is tried once per process.

    Args:
        level: One of `spawn.LEVELS`.
        ground_truth: Files that it tries to read.
    """
    if level == "L0":
        return LevelTrial(level)
    if sys.platform != "linux":
        return LevelTrial(level, reason="it needs Linux")
    try:
        claims, found = run_canary(level, ground_truth)
    except OSError as error:
        return LevelTrial(level, reason=error.strerror or str(error))
    except subprocess.SubprocessError as error:
        return LevelTrial(level, reason=str(error))
    got = {check: [*claims.get(check, []), *found.get(check, [])] for check in CHECKS}
    held = tuple(check for check in CHECKS if not got[check])
    missing = [check for check in CHECKS if check in PROMISED[level] and got[check]]
    reason = None
    if missing:
        listed = ", ".join(f"{CHECKS[check]} ({', '.join(got[check][:3])})" for check in missing)
        reason = f"a canary was not kept from {listed}"
    return LevelTrial(
        level, held, tuple((check, ", ".join(got[check][:5])) for check in CHECKS if got[check]), reason
    )
