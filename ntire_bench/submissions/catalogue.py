"""All submissions that lie in one place: those that can be tried, and those that cannot."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from ntire_bench.errors import UsageError
from ntire_bench.submissions import spelling
from ntire_bench.submissions.submission import Submission, Unusable

__all__ = ["Catalogue"]


@dataclass(frozen=True)
class Catalogue:
    """All that lies in models/, or in a challenge's checkout.

    Attributes:
        submissions: Those that can be tried, by id.
        problems: Those that cannot, by id.
        ignored: One sentence for each file or folder that belongs to no submission, with the remedy.
        models: The folder or file that was searched.
        baseline_choice: Id or name of the submission to take for the baseline; None: as the protocol says.
        baseline_folder: What --baseline-dir holds; None to look for the baseline among these submissions.
    """

    submissions: dict[int, Submission]
    problems: dict[int, Unusable]
    ignored: tuple[str, ...]
    models: Path
    baseline_choice: str | None = None
    baseline_folder: Catalogue | None = None

    @property
    def is_checkout(self) -> bool:
        """Whether the submissions are branches of a checkout's select_model."""
        return any(item.branch is not None for item in self.submissions.values())

    @property
    def entries(self) -> dict[int, Submission | Unusable]:
        """All of them, in the order of their ids."""
        both: dict[int, Submission | Unusable] = {**self.submissions, **self.problems}
        return dict(sorted(both.items()))

    def id_of(self, text: str) -> int:
        """Return the id of the submission that a user means by 5, team05, 05_NAME, NAME or a path.

        A number alone is returned as it is, whether or not there is such a submission.

        Args:
            text: What the user wrote.

        Raises:
            UsageError: None is called so, or several are.
        """
        remedy = "" if self.is_checkout else "add its files (ntire-bench new ID NAME begins one)"
        items = list(self.entries.values())
        return spelling.resolve(text, items, self.models, models=self.models, remedy=remedy)

    def entry(self, id_: int) -> Submission | Unusable:
        """Return one submission, also where it cannot be tried.

        Raises:
            UsageError: The id is not there; the message names near matches and all that are.
        """
        entries = self.entries
        if id_ in entries:
            return entries[id_]
        known = {f"{item.id:02d}": item.label for item in self.submissions.values()}
        known |= {f"{item.id:02d}": f"{item.label} (cannot be used)" for item in self.problems.values()}
        near = difflib.get_close_matches(f"{id_:02d}", known, n=3, cutoff=0.5)
        there = ", ".join(known[i] for i in sorted(known)) or "nothing"
        hint = f"; near: {', '.join(known[i] for i in near)}" if near else ""
        missing = f"team{id_:02d}_NAME.py and its checkpoint in model_zoo/"
        raise UsageError(
            f"there is no submission {id_:02d}",
            file=self.models,
            found=there + hint,
            remedy="choose one of these" + ("" if self.is_checkout else f", or add {missing}"),
        )

    def get(self, id_: int) -> Submission:
        """Return one submission that can be tried.

        Raises:
            SubmissionError: The id is there, but cannot be tried.
            UsageError: The id is not there; the message names near matches and all that are.
        """
        found = self.entry(id_)
        if isinstance(found, Unusable):
            raise found.error
        return found
