"""Which submissions of a campaign this process may evaluate: those that no other machine has."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from ntire_bench.claims.desk import Desk
from ntire_bench.claims.held import Held
from ntire_bench.claims.turn import Turn
from ntire_bench.errors import SubmissionError
from ntire_bench.measuring.resolve import describe
from ntire_bench.records.store import Stored
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

    def take(
        self,
        item: Item,
        done: Callable[[Item], Stored | None],
        skipped: Callable[[str, Stored], None] | None = None,
    ) -> bool:
        """Take a submission, and return whether this process is to evaluate it; once for each.

        Args:
            item: The submission.
            done: Returns a record that makes the evaluation unnecessary. It is asked again once the claim is
                taken: somebody may have made it meanwhile.
            skipped: Called with a label and such a record.
        """
        if item.label not in self._held:
            self._held[item.label] = self._taken(item, done, skipped)
        return self._held[item.label] is not None

    def _taken(
        self,
        item: Item,
        done: Callable[[Item], Stored | None],
        skipped: Callable[[str, Stored], None] | None,
    ) -> Held | None:
        digest = digest_of(item, self.asked)
        there = done(item)
        if there is None or not self._is_noted(item.label, digest, there):
            taken = self.desk.take(item.label, digest)
            if isinstance(taken, Turn):
                self.busy(item.label, taken)
                return None
            there = done(item)
            if there is None:
                taken.start()  # it may wait for the one before it
                return taken
            taken.done(self._place(there), there.record.status)  # whoever asked for this is told so
        if skipped is not None:
            skipped(item.label, there)
        return None

    def _is_noted(self, label: str, digest: str, there: Stored) -> bool:
        """Return whether the newest claim already says that this is the record of this evaluation."""
        last = self.desk.last(label)
        return (
            last is not None
            and last.end is not None
            and (last.claim.digest, last.end.how, last.end.record) == (digest, "done", self._place(there))
        )

    def _place(self, there: Stored) -> str:
        return there.path.relative_to(self.desk.results).as_posix()

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
