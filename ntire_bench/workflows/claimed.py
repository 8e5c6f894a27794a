"""Which submissions of a campaign this process may evaluate: those that no other machine has."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ntire_bench.claims.desk import Desk
from ntire_bench.claims.held import Held
from ntire_bench.claims.turn import Turn
from ntire_bench.errors import SubmissionError
from ntire_bench.measuring.resolve import describe
from ntire_bench.submissions.submission import Submission, Unusable

__all__ = ["Claims", "digest_of"]

Item = Submission | Unusable


def digest_of(item: Item, asked: str) -> str:
    """Return what tells an evaluation from one of other files or with other options.

    Args:
        item: The submission.
        asked: The options, as text.
    """
    files: object = None
    if isinstance(item, Submission):
        try:
            files = describe(item).files
        except SubmissionError:  # cannot be read: its record will say so
            files = None
    return hashlib.sha256(repr((item.label, files, asked)).encode()).hexdigest()[:32]


@dataclass
class Claims:
    """Takes submissions for this process, on a folder that machines share.

    Attributes:
        desk: The folder's claims.
        asked: The options, as text.
        busy: Called with a label and who has it, for every submission that somebody else evaluates now.
        lost: Called with a label whose claim somebody took over: its record is not stored.
    """

    desk: Desk
    asked: str = ""
    busy: Callable[[str, Turn], None] = field(default=lambda label, turn: None)
    lost: Callable[[str], None] = field(default=lambda label: None)
    _held: dict[str, Held | None] = field(default_factory=dict)

    def take(self, item: Item, done: Callable[[], Path | None]) -> bool:
        """Take a submission, and return whether this process is to evaluate it; once for each.

        Args:
            item: The submission.
            done: Looks again for a record that makes the evaluation unnecessary: somebody may have made it
                since, before the claim was taken. It says so to the user.
        """
        if item.label in self._held:
            return self._held[item.label] is not None
        taken = self.desk.take(item.label, digest_of(item, self.asked))
        if isinstance(taken, Turn):
            self.busy(item.label, taken)
            self._held[item.label] = None
            return False
        there = done()
        if there is not None:
            taken.done(there.relative_to(self.desk.results).as_posix(), "ok")
            self._held[item.label] = None
            return False
        taken.start()  # it may wait for the one before it
        self._held[item.label] = taken
        return True

    def of(self, item: Item) -> Held:
        """Return the claim of a submission that was taken."""
        held = self._held[item.label]
        assert held is not None, f"{item.label} was not taken"
        return held

    def close(self) -> None:
        """Give back what was taken and not begun."""
        for held in self._held.values():
            if held is not None:
                held.give_up("the command ended before")
