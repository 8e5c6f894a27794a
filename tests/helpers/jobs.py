"""An engine whose jobs do what a test says, and evaluations that take no time."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from record_factory import make_record

from ntire_bench.claims.desk import Desk
from ntire_bench.claims.turn import Turn
from ntire_bench.fleet.driver import Driver, Team
from ntire_bench.fleet.engine import Seen
from ntire_bench.fleet.job import Job
from ntire_bench.records import store

NODE_MS = {"n1": 10.0, "n2": 10.1, "slow": 11.0}
"""Runtime of the baseline on each node."""

Script = Callable[[Job], Seen]


def evaluate(
    desk: Desk,
    label: str,
    digest: str,
    node: str = "n1",
    number: int = 0,
    baseline: tuple[str, str] | None = None,
) -> Path | None:
    """Do what `run ID --resume` does on a node, with made-up numbers; None where somebody has the team.

    Args:
        desk: The claims.
        label: The team's.
        digest: Of the evaluation.
        node: Where it is done.
        number: Tells this record's time from others'.
        baseline: Hashes of the baseline's model file and checkpoint; None for made-up ones.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "NTIRE_BENCH_NODE", node)
        held = desk.take(label, digest)
    if isinstance(held, Turn):
        return None
    id_, _, name = label.partition("_")
    ms = NODE_MS[node]
    record = make_record(
        int(id_),
        name,
        images=1,
        rounds=1,
        runtime_ms={"valid": ms, "test": ms},
        baseline_runtime_ms={"valid": ms, "test": ms},
        created_utc=f"2026-11-20T10:53:{number % 60:02d}.{number:06d}Z",
    )
    if baseline is not None:
        assert record.baseline is not None
        base = dataclasses.replace(
            record.baseline.submission, file_sha256=baseline[0], checkpoint_sha256=baseline[1]
        )
        record = dataclasses.replace(record, baseline=dataclasses.replace(record.baseline, submission=base))
    with held:
        assert held.storing()
        path = store.save(record, desk.results)
        held.done(path.relative_to(desk.results).as_posix(), "ok")
    return path


@dataclass
class Scripted:
    """An engine that has each job do what a script says, at once.

    Attributes:
        script: What a job does, and how it is seen then.
        places: How many jobs it takes at a time; None for any number.
        jobs: All that were asked for.
        silent: Whether it gives no answer.
    """

    script: Script
    places: int | None = None
    name: str = "scripted"
    look_s: float = 0.0
    jobs: list[Job] = field(default_factory=list)
    seen: dict[str, Seen] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    silent: bool = False

    def free(self) -> int | None:
        active = sum(one.state != "over" for one in self.seen.values())
        return None if self.places is None else self.places - active

    def submit(self, jobs: Sequence[Job]) -> list[str]:
        handles = []
        for job in jobs:
            handle = f"j{len(self.jobs)}"
            self.jobs.append(job)
            self.seen[handle] = self.script(job)
            handles.append(handle)
        return handles

    def look(self, handles: Sequence[str]) -> Mapping[str, Seen] | None:
        return None if self.silent else {one: self.seen[one] for one in handles if one in self.seen}

    def cancel(self, handles: Sequence[str]) -> None:
        for handle in handles:
            self.seen[handle] = dataclasses.replace(self.seen[handle], state="over", reason="CANCELLED")

    def leave_out(self, nodes: Sequence[str]) -> None:
        self.left_out = list(nodes)

    def how_to_cancel(self, handles: Sequence[str]) -> str:
        return "end " + " ".join(handles)


def teams(count: int) -> list[Team]:
    return [
        Team(id=number, label=f"{number:02d}_Net{number}", digest=f"d{number}", words=("run", str(number)))
        for number in range(count)
    ]


def finish(driver: Driver, steps: int = 200) -> None:
    """Have a driver go on until all is done."""
    for _ in range(steps):
        if driver.step():
            return
    raise AssertionError(f"not done after {steps} looks: {driver.finished}")
