"""What is stored of a team's evaluations while they last: who has which, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Asked", "Claim", "End", "How", "Turn"]

How = Literal["storing", "done", "interrupted", "given up", "expired"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One machine's word that it evaluates a team.

    Attributes:
        node: Name of the machine, or of its part that computes; see `holder.node`.
        machine: What tells this start of a machine, and its process numbers, from all others.
        pid: Of the process that evaluates.
        started: When that process was started [clock ticks since boot]; None where it cannot be told.
        job: A scheduler's number for it; empty where there is none.
        restarts: How often that job had been started again.
        start_utc: When the claim was taken, ISO 8601, UTC.
        deadline_utc: When it expires unless it is renewed.
        lease_s: How long it lasts after each renewal [s].
        digest: Of the submission's files and of what was asked for; empty where that is not known.
        doing: What is being done, in words.
        share: How much of it is done, 0 to 1.
    """

    node: str
    machine: str = ""
    pid: int = 0
    started: int | None = None
    job: str = ""
    restarts: int = 0
    start_utc: str = ""
    deadline_utc: str = ""
    lease_s: float
    digest: str = ""
    doing: str = ""
    share: float = 0.0


@dataclass(frozen=True, kw_only=True)
class End:
    """How a claim ended. Of everybody who wants to end it, the one who creates this file does.

    Attributes:
        how: "storing" (a record is about to be stored), "done", "interrupted" (by a signal), "given up" (no
            record could be made; `detail` says why), "expired" (somebody else found it dead).
        utc: When, ISO 8601, UTC.
        record: The record, relative to the results folder; of "done".
        status: Of that record: "ok" or "failed".
        detail: In words.
    """

    how: How
    utc: str
    record: str = ""
    status: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The job that an engine was last asked for on behalf of a team.

    Attributes:
        engine: Its name.
        handle: How the engine calls the job.
        tries: How many jobs were asked for since the last that came to an end, this one included.
        digest: Of what it evaluates; see `Claim.digest`.
        utc: When, ISO 8601, UTC.
        ends: How the earlier ones ended.
        log: Stem of the files with the job's output, relative to the results folder.
    """

    engine: str
    handle: str
    tries: int
    digest: str
    utc: str
    ends: tuple[str, ...] = field(default_factory=tuple)
    log: str = ""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A claim as it is found.

    Attributes:
        number: 1 for a team's first.
        claim: What it says.
        end: How it ended; None while it lasts.
        alive: Whether it still holds: it has not ended, and whoever has it is not known to be dead.
        why_dead: In words; empty where it is alive or has ended.
    """

    number: int
    claim: Claim
    end: End | None
    alive: bool
    why_dead: str = ""
