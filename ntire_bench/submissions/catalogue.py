"""All submissions that lie in one place: those that can be tried, and those that cannot."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from ntire_bench.errors import UsageError
from ntire_bench.submissions.submission import Submission, Unusable

__all__ = ["Catalogue"]


@dataclass(frozen=True)
class Catalogue:
    """All that lies in models/, or in a challenge's checkout.

    Attributes:
        submissions: Those that can be tried, by id.
        problems: Those that cannot, by id.
        ignored: What looks like a submission and is none, with the remedy.
        models: The folder or file searched.
        baseline_choice: Id or name of the submission to take for the baseline; None: as the protocol says.
        baseline_folder: Where the baseline is to be looked for, if not among these; see `baseline_choice`.
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

    def get(self, id_: int) -> Submission:
        """Return one submission.

        Raises:
            SubmissionError: The id is there, but cannot be tried.
            UsageError: The id is not there; the message names near matches and all that are.
        """
        if id_ in self.submissions:
            return self.submissions[id_]
        if id_ in self.problems:
            raise self.problems[id_].error
        known = {f"{i:02d}": s.label for i, s in self.submissions.items()}
        known.update({f"{i:02d}": f"{p.label} (cannot be used)" for i, p in self.problems.items()})
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
