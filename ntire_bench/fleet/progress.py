"""How far a campaign is: each team's state, from claims and records alone."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from ntire_bench.claims.desk import Desk, claims_folder
from ntire_bench.claims.exclusive import replace, writing
from ntire_bench.claims.nodes import left_out_records
from ntire_bench.claims.turn import Turn

__all__ = ["Campaign", "State", "TeamState", "announce", "announced", "counted", "left_s", "states"]

State = Literal["waiting", "running", "done", "failed", "left out"]
_CAMPAIGN = "campaign"


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """What was asked for last, so that teams which wait are known.

    Attributes:
        teams: Labels of all teams.
        engine: Name; empty for one after the other.
        started_utc: When, ISO 8601, UTC.
    """

    teams: tuple[str, ...]
    engine: str = ""
    started_utc: str = ""


@dataclass(frozen=True, kw_only=True)
class TeamState:
    """How far a team is.

    Attributes:
        team: "05_Net".
        state: "waiting", "running", "done", "failed" (its record is a failed one), or "left out" (its record
            is of a node that is left out, and it waits to run elsewhere).
        node: Where it runs, or ran.
        since_utc: When that began.
        seconds: How long it took; None while it is not done.
        doing: What is being done.
        share: How much of that is done, 0 to 1.
        record: Relative to the results folder; empty for none.
        detail: What else is to be said.
        jobs: How many jobs were asked for since the last that came to an end.
    """

    team: str
    state: State
    node: str = ""
    since_utc: str = ""
    seconds: float | None = None
    doing: str = ""
    share: float = 0.0
    record: str = ""
    detail: str = ""
    jobs: int = 0


def announce(results: Path, campaign: Campaign) -> None:
    """Store what is asked for; who looks from another shell then knows the teams that wait.

    Raises:
        RecordError: It cannot be written.
    """
    with writing("what is asked for", claims_folder(results)):
        claims_folder(results).mkdir(parents=True, exist_ok=True)
        replace(claims_folder(results) / _CAMPAIGN, msgspec.json.encode(campaign))


def announced(results: Path) -> Campaign | None:
    """Return what was asked for last; None for nothing."""
    try:
        data = (claims_folder(results) / _CAMPAIGN).read_bytes()
        return msgspec.json.decode(data, type=Campaign)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def states(
    desk: Desk, labels: Iterable[str] = (), recorded: Mapping[str, tuple[str, Path]] | None = None
) -> list[TeamState]:
    """Return the state of each team, by label.

    Args:
        desk: The claims.
        labels: Teams that are known beside those with claims.
        recorded: Status and path of the newest record of teams, for those that were evaluated without a
            claim.
    """
    recorded = recorded or {}
    left_out = left_out_records(desk.results)
    claimed = desk.labels()
    found = []
    for label in sorted({*claimed, *labels, *recorded}):
        turn = desk.last(label) if label in claimed or label in labels else None
        found.append(_state(desk, label, turn, recorded.get(label), left_out))
    return found


def _state(
    desk: Desk,
    label: str,
    turn: Turn | None,
    recorded: tuple[str, Path] | None,
    left_out: Mapping[Path, str],
) -> TeamState:
    if turn is not None and turn.alive:
        return TeamState(
            team=label,
            state="running",
            node=turn.claim.node,
            since_utc=turn.claim.start_utc,
            doing=turn.claim.doing or "starting",
            share=turn.claim.share,
            detail=turn.claim.job,
        )
    if turn is not None and turn.end is not None and turn.end.how == "done":
        path = desk.results / turn.end.record
        out = left_out.get(path)
        return TeamState(
            team=label,
            state="left out" if out is not None else "done" if turn.end.status == "ok" else "failed",
            node=turn.claim.node,
            since_utc=turn.claim.start_utc,
            seconds=_seconds(turn.claim.start_utc, turn.end.utc),
            share=1.0,
            record=turn.end.record,
            detail=out or "",
        )
    if recorded is not None and turn is None:
        status, path = recorded
        return TeamState(
            team=label,
            state="done" if status == "ok" else "failed",
            share=1.0,
            record=path.relative_to(desk.results).as_posix(),
        )
    asked = desk.asked(label)
    detail = "" if asked is None else f"job {asked.handle}"
    if turn is not None:
        how = turn.why_dead or (turn.end.detail if turn.end is not None else "") or "ended"
        detail = f"lost on {turn.claim.node}: {how}" + (f"; {detail}" if detail else "")
    return TeamState(team=label, state="waiting", detail=detail, jobs=0 if asked is None else asked.tries)


def counted(found: Sequence[TeamState]) -> dict[State, int]:
    """Return how many teams are in each state, with those that none is in.

    >>> counted([TeamState(team="05_A", state="done")])
    {'waiting': 0, 'running': 0, 'done': 1, 'failed': 0, 'left out': 0}
    """
    names: tuple[State, ...] = ("waiting", "running", "done", "failed", "left out")
    count = Counter(one.state for one in found)
    return {name: count[name] for name in names}


def left_s(found: Sequence[TeamState]) -> float | None:
    """Return how long the rest will take, if it goes on as it went; None where nothing is done yet [s].

    >>> done = TeamState(team="01_A", state="done", seconds=60.0)
    >>> rest = [TeamState(team=f"{n}", state="waiting") for n in range(4)]
    >>> running = [TeamState(team=f"r{n}", state="running", share=0.5) for n in range(2)]
    >>> left_s([done, *rest, *running]), left_s(rest)
    (150.0, None)
    """
    took = [one.seconds for one in found if one.state == "done" and one.seconds is not None]
    if not took:
        return None
    running = [one for one in found if one.state == "running"]
    waiting = sum(one.state in ("waiting", "left out") for one in found)
    work = waiting + math.fsum(1.0 - one.share for one in running)
    return statistics.median(took) * work / max(1, len(running))


def _seconds(start: str, end: str) -> float | None:
    try:
        both = [datetime.fromisoformat(text.replace("Z", "+00:00")) for text in (start, end)]
    except ValueError:
        return None
    return max(0.0, (both[1] - both[0]).total_seconds())
