"""Asks an engine for a job per team until every team has a record, and again where a job was lost.

The folder of the records is what counts: claims say who evaluates a team, and how that ended. The engine is
only asked whether a job that was asked for may still come to something. So a driver can be killed at any
time, and another one goes on, also beside it.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from ntire_bench.claims.desk import Desk
from ntire_bench.claims.exclusive import writing
from ntire_bench.claims.turn import Asked, Turn
from ntire_bench.errors import UsageError
from ntire_bench.fleet.engine import Engine, Seen
from ntire_bench.fleet.job import Job
from ntire_bench.text import utc

__all__ = ["Driver", "Team"]

_LOOKS_AFTER_THE_END = 3  # as often a job is seen to be over before its claim is judged: NFS may be late
_REFUSALS = 3  # so many jobs that end as wrong use, and none that does not, are the command's fault
_GONE = Seen(state="over", reason="the engine does not know it")


@dataclass(frozen=True, kw_only=True)
class Team:
    """A submission of the campaign.

    Attributes:
        id: Its number.
        label: "05_Net".
        digest: What tells this evaluation from others; see `Claim.digest`.
        words: The command that evaluates it.
    """

    id: int
    label: str
    digest: str
    words: tuple[str, ...]


@dataclass
class _Open:
    """A team without a record.

    Attributes:
        team: Which.
        asked: The job that was asked for; None for none, or where somebody else evaluates it.
        over: How often it was seen that nobody evaluates it any more.
    """

    team: Team
    asked: Asked | None = None
    over: int = 0


@dataclass
class Driver:
    """Has every team of a campaign evaluated.

    Attributes:
        teams: All of them.
        desk: The claims.
        engine: What starts jobs.
        counts: Returns whether a record that was made of a team still counts.
        lost: Stores the failed record of a team whose jobs were lost; is given how each ended.
        odd_nodes: Leaves out nodes, and returns why by name; is given the record of each team so far, and
            whether all are done.
        again: How often a lost job is asked for again.
        tell: Called with sentences for the user.
        finished: The record of each team that is done, relative to the results folder.
        failed: Teams whose record is a failed one.
    """

    teams: Sequence[Team]
    desk: Desk
    engine: Engine
    counts: Callable[[Team, Path], bool]
    lost: Callable[[Team, Sequence[str]], None]
    odd_nodes: Callable[[Mapping[str, str], bool], Mapping[str, str]] = field(
        default=lambda records, all_done: {}
    )
    again: int = 2
    tell: Callable[[str], None] = field(default=lambda text: None)
    finished: dict[str, str] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    _waiting: deque[_Open] = field(default_factory=deque)
    _active: dict[str, _Open] = field(default_factory=dict)
    _before: dict[str, int] = field(default_factory=dict)
    _refused: list[str] = field(default_factory=list)
    _works: bool = False  # whether a job has given a record since this driver began
    _left_out: set[str] = field(default_factory=set)
    _is_silent: bool = False

    def begin(self) -> None:
        """Look at what there is: done by an earlier run, running somewhere, asked for by another driver."""
        for team in self.teams:
            turn = self.desk.last(team.label)
            self._before[team.label] = turn.number if turn is not None and turn.end is not None else 0
            if turn is not None and self._is_done(team, turn):
                self._finish(team, turn)
                continue
            asked = self._asked(team, turn)
            if (turn is not None and turn.alive) or asked is not None:
                self._active[team.label] = _Open(team, asked)
            else:
                self._waiting.append(_Open(team))
        self._see_to_nodes()

    def step(self) -> bool:
        """Look once at all that goes on, ask for what can be asked for, and return whether all is done.

        Raises:
            UsageError: The engine refuses a job, or every job ends as wrong use.
        """
        handles = [one.asked.handle for one in self._active.values() if one.asked is not None]
        seen = self.engine.look(handles) if handles else {}
        if seen is None and not self._is_silent:
            self.tell(f"{self.engine.name} does not answer now; it is asked again and again.")
        self._is_silent = seen is None
        before = len(self.finished)
        for one in list(self._active.values()):
            self._look_at(one, seen)
        if len(self.finished) > before:
            self._see_to_nodes()
        self._ask()
        return not self._active and not self._waiting

    def active_handles(self) -> list[str]:
        """Return the jobs that were asked for and may not be over."""
        return [one.asked.handle for one in self._active.values() if one.asked is not None]

    def _look_at(self, one: _Open, seen: Mapping[str, Seen] | None) -> None:
        team, turn = one.team, self.desk.last(one.team.label)
        if turn is not None and self._is_done(team, turn):
            del self._active[team.label]
            self._finish(team, turn)
            self._works = True
            return
        if seen is None or (turn is not None and turn.alive):
            one.over = 0
            return
        state = _GONE if one.asked is None else seen.get(one.asked.handle, _GONE)
        if state.state != "over":
            one.over = 0
            return
        one.over += 1
        if one.over < _LOOKS_AFTER_THE_END:
            return
        del self._active[team.label]
        if one.asked is None:  # somebody else had it, and has given it back
            self._waiting.append(_Open(team))
        else:
            self._was_lost(one, one.asked, state, turn)

    def _was_lost(self, one: _Open, asked: Asked, state: Seen, turn: Turn | None) -> None:
        kind, message = self._job(one.team, asked.tries, asked.log).error
        ended = _how_it_ended(state, turn, "" if kind == "Interrupted" else message)
        node = state.node or ("" if turn is None else turn.claim.node)
        gone = f" ({turn.why_dead})" if turn is not None and turn.why_dead else ""
        how = f"job {asked.handle}" + (f" on {node}" if node else "") + f" {ended}{gone}"
        if kind == UsageError.__name__:
            self._refused.append(message)
            open_ = len(self._waiting) + len(self._active) + 1
            if len(self._refused) >= min(_REFUSALS, open_) and not self._works:
                raise UsageError(
                    "every job ends as wrong use of the command",
                    found=message,
                    remedy="see that the command runs on a node: `ntire-bench jobs` prints it",
                )
        ends = (*asked.ends, ended)  # a record names no machine
        if asked.tries <= self.again:
            self.tell(f"{one.team.label}: {how}. It is asked for again ({asked.tries} of {self.again}).")
            self._waiting.append(_Open(one.team, dataclasses.replace(asked, ends=ends)))
            return
        self.tell(
            f"{one.team.label}: {how}. It was asked for {asked.tries} times: a failed record is stored."
        )
        self.lost(one.team, ends)
        turn = self.desk.last(one.team.label)
        if turn is not None and self._is_done(one.team, turn):
            self._finish(one.team, turn)
        else:  # somebody has taken it meanwhile
            self._active[one.team.label] = _Open(one.team)

    def _ask(self) -> None:
        """Ask for as many of the waiting teams as the engine takes."""
        free = self.engine.free()
        wanted: list[_Open] = []
        while self._waiting and (free is None or len(wanted) < free):
            one = self._waiting.popleft()
            turn = self.desk.last(one.team.label)
            if turn is not None and self._is_done(one.team, turn):
                self._finish(one.team, turn)
            elif turn is not None and turn.alive:
                self._active[one.team.label] = _Open(one.team)
            else:
                wanted.append(one)
        if not wanted:
            return
        tries = [1 if one.asked is None else one.asked.tries + 1 for one in wanted]
        jobs = [self._job(one.team, number) for one, number in zip(wanted, tries, strict=True)]
        handles = self.engine.submit(jobs)
        for one, number, job, handle in zip(wanted, tries, jobs, handles, strict=True):
            asked = Asked(
                engine=self.engine.name,
                handle=handle,
                tries=number,
                digest=one.team.digest,
                utc=utc(),
                ends=() if one.asked is None else one.asked.ends,
                log=job.log.relative_to(self.desk.results.absolute()).as_posix(),
            )
            self._active[one.team.label] = _Open(one.team, asked)
            with contextlib.suppress(OSError):  # another driver will not know of it: claims keep it apart
                self.desk.ask(one.team.label, asked)

    def _job(self, team: Team, number: int, log: str = "") -> Job:
        root = self.desk.results.absolute()
        path = root / log if log else self.desk.folder(team.label).absolute() / f"job_{_stamp()}_{number}"
        with writing("the log of a job", path):
            path.parent.mkdir(parents=True, exist_ok=True)
        return Job(label=team.label, words=team.words, log=path)

    def _is_done(self, team: Team, turn: Turn) -> bool:
        """Return whether a turn has given a record that counts; a failed one counts if it was made since."""
        end = turn.end
        if end is None or end.how != "done" or turn.claim.digest != team.digest:
            return False
        if end.status != "ok" and turn.number <= self._before.get(team.label, 0):
            return False
        return self.counts(team, self.desk.results / end.record)

    def _asked(self, team: Team, turn: Turn | None) -> Asked | None:
        """Return the job that another driver has asked for, where it may still come to something."""
        asked = self.desk.asked(team.label)
        if asked is None or asked.engine != self.engine.name or asked.digest != team.digest:
            return None
        if turn is not None and turn.end is not None and turn.end.how == "done" and turn.end.utc >= asked.utc:
            return None  # it did
        return asked

    def _finish(self, team: Team, turn: Turn) -> None:
        assert turn.end is not None
        self.finished[team.label] = turn.end.record
        if turn.end.status == "ok":
            self.failed.discard(team.label)
        else:
            self.failed.add(team.label)

    def _see_to_nodes(self) -> None:
        """Leave out nodes that are not as fast as their class, and have their teams run elsewhere."""
        all_done = not self._active and not self._waiting
        good = {label: record for label, record in self.finished.items() if label not in self.failed}
        odd = self.odd_nodes(good, all_done)
        found = {node: why for node, why in odd.items() if node not in self._left_out}
        if not found:
            return
        for node, why in found.items():
            self.tell(f"{node}: {why}.")
        self._left_out |= set(found)
        self.engine.leave_out(sorted(self._left_out))
        by_label = {team.label: team for team in self.teams}
        for label, record in list(self.finished.items()):
            if not self.counts(by_label[label], self.desk.results / record):
                del self.finished[label]
                self._waiting.append(_Open(by_label[label]))


def _how_it_ended(state: Seen, turn: Turn | None, message: str) -> str:
    """Return in words how a job ended that has given no record; nothing that names a machine.

    >>> _how_it_ended(Seen(state="over", node="n1", reason="NODE_FAIL"), None, "")
    'ended as NODE_FAIL'
    """
    text = f"ended as {state.reason or 'over'}"
    if turn is not None and turn.end is not None and turn.end.how != "expired" and turn.end.detail:
        text += f" ({turn.end.detail})"
    return text + (f": {message.rstrip('.')}" if message else "")


def _stamp() -> str:
    return datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S_%f")
