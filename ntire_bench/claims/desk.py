"""Takes and reads claims: one folder for each team, beside the records.

A team's claims are 0001.claim, 0002.claim and so on, and each ends by a file 0001.end beside it. All of them
are created by exactly one machine, and never taken away:

- whoever creates the next .claim has the team;
- whoever creates the .end of a claim has ended it: its holder, before it stores the record, or somebody who
  found it dead. So a holder that was only slow learns that it has lost the team, and stores nothing.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TypeVar

import msgspec

from ntire_bench.claims import exclusive, holder
from ntire_bench.claims.held import Held
from ntire_bench.claims.turn import Asked, Claim, End, Turn
from ntire_bench.errors import RecordError
from ntire_bench.machine import processes
from ntire_bench.records.store import team_folder
from ntire_bench.text import utc

__all__ = ["FOLDER", "LEASE_S", "Desk", "claims_folder"]

FOLDER = ".fleet"
LEASE_S = 120.0
"""A claim that is not renewed for so long expires: longer than NFS may show an old time of a file."""

_ASKED = "asked"
_LOOKS = 1000
_Read = TypeVar("_Read")


def claims_folder(results: Path) -> Path:
    """Return the folder of all that is kept of a campaign beside its records."""
    return results / FOLDER


class Desk:
    """The claims of a results folder.

    Args:
        results: The folder, which machines may share.
        lease_s: How long a claim lasts after each renewal [s].
    """

    def __init__(self, results: Path, *, lease_s: float = LEASE_S) -> None:
        self.results = results
        self.lease_s = lease_s
        self._offset_s: float | None = None

    def folder(self, label: str) -> Path:
        """Return the folder of a team's claims."""
        return team_folder(claims_folder(self.results), "teams", label)

    def labels(self) -> list[str]:
        """Return the names of all folders with claims."""
        try:
            return sorted(entry.name for entry in os.scandir(claims_folder(self.results) / "teams"))
        except OSError:
            return []

    def take(self, label: str, digest: str = "") -> Held | Turn:
        """Take a team, unless somebody else has it.

        Args:
            label: The team's, "05_Net".
            digest: Of what is to be evaluated.

        Returns:
            The claim, to be used as a context; or the turn of whoever has the team.

        Raises:
            RecordError: The folder cannot be written to.
        """
        folder = self.folder(label)
        with exclusive.writing("a claim", folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._offset_s = None  # a claim is worth another look at the clock
            for _ in range(_LOOKS):  # each look again follows from what another machine has done meanwhile
                last = self.last(label)
                if last is not None and last.alive:
                    return last
                if last is not None and last.end is None:
                    dead = End(how="expired", utc=utc(), detail=last.why_dead)
                    if not exclusive.create(folder / f"{last.number:04d}.end", msgspec.json.encode(dead)):
                        continue
                number = 1 if last is None else last.number + 1
                path = folder / f"{number:04d}.claim"
                claim = self._own_claim(digest)
                if exclusive.create(path, msgspec.json.encode(claim)):
                    return Held(path, claim)
        raise RecordError(f"the claim of {label} changes all the time", file=folder, remedy="try it again")

    def last(self, label: str) -> Turn | None:
        """Return a team's newest turn; None where it never had one."""
        return self._last(self.folder(label))

    def turns(self, label: str) -> list[Turn]:
        """Return all of a team's turns, the oldest first."""
        folder = self.folder(label)
        found = (self._turn(folder, number) for number in sorted(_numbers(folder)))
        return [turn for turn in found if turn is not None]

    def ask(self, label: str, asked: Asked) -> None:
        """Note which job was asked for on behalf of a team.

        Raises:
            OSError: It cannot be written.
        """
        folder = self.folder(label)
        folder.mkdir(parents=True, exist_ok=True)
        exclusive.replace(folder / _ASKED, msgspec.json.encode(asked))

    def asked(self, label: str) -> Asked | None:
        """Return the job that was last asked for on behalf of a team; None for none."""
        found = _read(self.folder(label) / _ASKED, Asked)
        return None if found is None else found[0]

    def now(self) -> float:
        """Return the time by the clock that stamps the files of the folder [s since 1970]."""
        if self._offset_s is None:
            there = exclusive.file_time(claims_folder(self.results))
            self._offset_s = 0.0 if there is None else there - time.time()
        return time.time() + self._offset_s

    def _own_claim(self, digest: str) -> Claim:
        pid = os.getpid()
        return Claim(
            node=holder.node(),
            machine=holder.machine(),
            pid=pid,
            started=processes.start_time(pid),
            job=holder.job(),
            restarts=holder.restarts(),
            start_utc=utc(),
            deadline_utc=utc(self.lease_s),
            lease_s=self.lease_s,
            digest=digest,
        )

    def _last(self, folder: Path) -> Turn | None:
        number = max(_numbers(folder), default=0)
        return self._turn(folder, number) if number else None

    def _turn(self, folder: Path, number: int) -> Turn | None:
        stem = folder / f"{number:04d}"
        ended = _read(stem.with_suffix(".end"), End)
        found = _read(stem.with_suffix(".claim"), Claim)
        if found is None:
            return None
        claim, since = found
        if ended is None:
            why, silent_s = holder.has_ended(claim), self.now() - since
            if not why and silent_s > claim.lease_s:
                why = f"{claim.node} has not been heard of for {silent_s:.0f} s"
            return Turn(number=number, claim=claim, end=None, alive=not why, why_dead=why)
        end, at = ended
        # Who has begun to store is left in peace; it takes less than a lease, or it has died meanwhile.
        stores = end.how == "storing" and self.now() - at < claim.lease_s and not holder.has_ended(claim)
        return Turn(number=number, claim=claim, end=end, alive=stores)


def _numbers(folder: Path) -> list[int]:
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except OSError:
        return []
    stems = [name.removesuffix(".claim") for name in names if name.endswith(".claim")]
    return [int(stem) for stem in stems if stem.isdigit()]


def _read(path: Path, kind: type[_Read]) -> tuple[_Read, float] | None:
    """Return what a file holds and when it was written; None where it is not there.

    It is opened before its time is asked for: NFS then looks at the server and not into its memory.
    """
    try:
        with path.open("rb") as file:
            data, since = file.read(), os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return None
    except OSError:  # such as another user's, who lets nobody read it
        try:
            data, since = b"", path.stat().st_mtime
        except OSError:
            return None
    try:
        return msgspec.json.decode(data, type=kind), since
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Being written, on a file system without hard links; or damaged, and then it is over when it expires.
        unknown = {"node": "unknown", "lease_s": LEASE_S, "how": "storing", "utc": "", "engine": ""}
        unknown |= {"handle": "", "tries": 0, "digest": ""}
        return msgspec.convert(unknown, kind), since
