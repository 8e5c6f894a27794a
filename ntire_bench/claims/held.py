"""A claim that this process has: renewed while the evaluation lasts, and ended once."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from pathlib import Path
from types import TracebackType

import msgspec

from ntire_bench import interruption
from ntire_bench.claims import exclusive
from ntire_bench.claims.turn import Claim, End, How
from ntire_bench.text import utc

__all__ = ["Held"]

_RENEWALS = 6  # in the time that a claim lasts


class Held:
    """A claim of this process. As a context it is renewed, and given back if nothing else has ended it.

    Args:
        path: Of the claim.
        claim: What it says.
    """

    def __init__(self, path: Path, claim: Claim) -> None:
        self._path, self._claim = path, claim
        self._end_path = path.with_suffix(".end")
        self._doing, self._share = "", 0.0
        self._has_ended = False  # by this process
        self._is_over = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="claim", daemon=True)

    @property
    def number(self) -> int:
        """The claim's number among the team's."""
        return int(self._path.stem)

    def start(self) -> None:
        """Begin to renew it, where that has not begun."""
        if not self._thread.is_alive() and not self._over.is_set():
            self._thread.start()

    def __enter__(self) -> Held:
        """Begin to renew it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back, unless a record was stored."""
        if error is None:
            self.give_up("nothing was stored")
        elif interruption.number_of(error) is not None:
            self.give_up(str(error), "interrupted")
        else:
            self.give_up(f"{type(error).__name__}: {error}")

    def progress(self, doing: str, done: int, total: int) -> None:
        """Note what is being done; others see it with the next renewal.

        Args:
            doing: In words.
            done: How much of it.
            total: How much there is in all.
        """
        self._doing, self._share = doing, done / total if total else 0.0

    def storing(self) -> bool:
        """Say that the record is stored next, and return whether it may be: the claim is still this one's.

        Raises:
            RecordError: The folder cannot be written to.
        """
        self._over.set()
        with exclusive.writing("the end of a claim", self._end_path):
            self._has_ended = exclusive.create(self._end_path, _encoded(End(how="storing", utc=utc())))
        return self._has_ended

    def done(self, record: str, status: str) -> None:
        """Say which record was stored, or was there already.

        Args:
            record: Its path, relative to the results folder.
            status: Its own, "ok" or "failed".
        """
        self._end(End(how="done", utc=utc(), record=record, status=status))
        self._is_over = True
        self._stop()

    def give_up(self, why: str, how: How = "given up") -> None:
        """Give the team back without a record, unless it has been given back."""
        self._end(End(how=how, utc=utc(), detail=why))
        self._is_over = True
        self._stop()

    def _end(self, end: End) -> None:
        """End the claim; where this process has ended it already, say more of how."""
        self._over.set()
        if self._is_over:
            return
        with contextlib.suppress(OSError):  # then it expires, and a record that is there is found by others
            if self._has_ended:
                exclusive.replace(self._end_path, _encoded(end))
            else:
                self._has_ended = exclusive.create(self._end_path, _encoded(end))

    def _stop(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _renew(self) -> None:
        while not self._over.wait(self._claim.lease_s / _RENEWALS):
            if self._end_path.exists():  # somebody found it dead
                return
            self._claim = dataclasses.replace(
                self._claim,
                deadline_utc=utc(self._claim.lease_s),
                doing=self._doing,
                share=round(self._share, 4),
            )
            # Where it cannot be written it expires, and whoever takes it over is told by the folder.
            with contextlib.suppress(OSError):
                exclusive.replace(self._path, _encoded(self._claim))


def _encoded(what: Claim | End) -> bytes:
    return msgspec.json.encode(what)
