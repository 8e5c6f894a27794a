"""How much time a campaign takes over the ideal: the real driver and claims, with jobs that only sleep.

So many teams are evaluated on so many slots of this process; each evaluation takes its team's claim, sleeps,
stores a record and gives the claim back, as a job on a node does. Some are lost: they end without a record,
and their claim expires. The ideal is the time in which as many slots do the same jobs, the lost ones among
them, one after the other without a pause.

    python benchmarks/fleet.py [--teams 1000] [--slots 64] [--seconds 6] [--lost 0.02]
"""

from __future__ import annotations

import heapq
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import msgspec

from ntire_bench.claims.desk import Desk
from ntire_bench.claims.held import Held
from ntire_bench.fleet import progress
from ntire_bench.fleet.driver import Driver, Team
from ntire_bench.fleet.engine import Seen
from ntire_bench.fleet.job import Job
from ntire_bench.records import store
from ntire_bench.records.record import Record

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "helpers"))

_MOST = 1.05  # time over the ideal that is meant to be reached
_LOST_LEASE_S = 1.0  # of a claim whose job is lost: a real one expires after two minutes


@dataclass
class Sleepers:
    """An engine whose jobs sleep in threads of this process.

    Attributes:
        results: Folder of the records.
        slots: How many sleep at the same time.
        seconds: Each job's time, in the order in which jobs are asked for [s].
        lost: Whether each job is lost; those that are asked for again are not.
        record: What each of them stores, but for the team.
    """

    results: Path
    slots: int
    seconds: Sequence[float]
    lost: Sequence[bool]
    record: dict[str, Any]
    name: str = "sleepers"
    look_s: float = 0.1
    took_s: list[float] = field(default_factory=list)
    _jobs: dict[str, Future[None]] = field(default_factory=dict)
    _pool: ThreadPoolExecutor | None = None

    def free(self) -> int:
        """Return how many slots have nothing to do."""
        return self.slots - sum(not future.done() for future in self._jobs.values())

    def submit(self, jobs: Sequence[Job]) -> list[str]:
        """Have jobs sleep."""
        self._pool = self._pool or ThreadPoolExecutor(self.slots)
        handles = []
        for job in jobs:
            number = len(self.took_s)
            again = number >= len(self.seconds)
            place = number % len(self.seconds)
            is_lost = self.lost[place] and not again
            self.took_s.append(self.seconds[place] / (2 if is_lost else 1))
            handle = str(number)
            self._jobs[handle] = self._pool.submit(self._sleep, job, self.took_s[-1], is_lost)
            handles.append(handle)
        return handles

    def look(self, handles: Sequence[str]) -> Mapping[str, Seen]:
        """Return which jobs are over."""
        states = {handle: "over" if self._jobs[handle].done() else "running" for handle in handles}
        return {handle: Seen(state=state) for handle, state in states.items()}  # type: ignore[arg-type]

    def cancel(self, handles: Sequence[str]) -> None:
        """Do nothing: no job is cancelled here."""

    def leave_out(self, nodes: Sequence[str]) -> None:
        """Do nothing: there is one node."""

    def how_to_cancel(self, handles: Sequence[str]) -> str:
        """Return nothing."""
        return ""

    def _sleep(self, job: Job, seconds: float, is_lost: bool) -> None:
        desk = Desk(self.results, lease_s=_LOST_LEASE_S) if is_lost else Desk(self.results)
        held = desk.take(job.label, job.words[1])
        if not isinstance(held, Held):
            return
        if is_lost:
            time.sleep(seconds)
            return
        with held:
            time.sleep(seconds)
            team = {**self.record["submission"], "id": int(job.words[1]), "name": job.label.partition("_")[2]}
            record = msgspec.convert({**self.record, "submission": team}, Record)
            if held.storing():
                path = store.save(record, self.results)
                held.done(path.relative_to(self.results).as_posix(), "ok")


def ideal_s(seconds: Sequence[float], slots: int) -> float:
    """Return how long slots take for jobs one after the other without a pause [s]."""
    free_at = [0.0] * slots
    for one in seconds:
        heapq.heappush(free_at, heapq.heappop(free_at) + one)
    return max(free_at)


@click.command()
@click.option("--teams", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--slots", type=click.IntRange(1), default=64, show_default=True)
@click.option("--seconds", default=6.0, show_default=True, help="Mean time of an evaluation.")
@click.option("--lost", default=0.02, show_default=True, help="Share of the evaluations that are lost.")
def main(teams: int, slots: int, seconds: float, lost: float) -> None:
    """Time a campaign of sleeping jobs."""
    from record_factory import make_record  # type: ignore[import-not-found]

    drawn = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        engine = Sleepers(
            results=desk.results,
            slots=slots,
            seconds=[seconds * drawn.uniform(0.5, 1.5) for _ in range(teams)],
            lost=[drawn.random() < lost for _ in range(teams)],
            record=msgspec.to_builtins(make_record(images=1, rounds=1)),
        )
        driver = Driver(
            teams=[
                Team(id=n, label=f"{n:02d}_Team{n}", digest=str(n), words=("run", str(n)))
                for n in range(teams)
            ],
            desk=desk,
            engine=engine,
            counts=lambda team, path: True,
            lost=lambda team, ends: None,
        )
        begin = time.perf_counter()
        driver.begin()
        while not driver.step():
            time.sleep(engine.look_s)
        took_s = time.perf_counter() - begin
        stored, problems = store.load_all(desk.results)
        labels = [item.record.submission.label for item in stored]
        if problems or len(set(labels)) != teams or len(labels) != teams:
            raise SystemExit(f"{len(labels)} records of {len(set(labels))} teams, {len(problems)} unreadable")
        begin = time.perf_counter()
        states = progress.states(desk)
        status_s = time.perf_counter() - begin
        best_s = ideal_s(engine.took_s, slots)
        print(
            f"{teams} teams on {slots} slots, {sum(engine.lost)} jobs lost: one good record each, "
            f"{progress.counted(states)['done']} done"
        )
        print(f"took {took_s:.1f} s, ideal {best_s:.1f} s: {took_s / best_s:.3f} (meant: {_MOST} at most)")
        print(f"their states, read once: {status_s:.2f} s")


if __name__ == "__main__":
    main()
