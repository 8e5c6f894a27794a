"""The two sides of a session, submission and baseline, and what is found out about each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ntire_bench.audit.witness import Witness
from ntire_bench.client.worker import Worker
from ntire_bench.errors import DatasetError, MeasurementError, NtireBenchError, UsageError
from ntire_bench.records.record import Complexity, Finding, SplitResult, SubmissionInfo
from ntire_bench.submissions.submission import Submission

__all__ = ["BaselineError", "Progress", "Side", "Timeline", "blamed"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, calls done, calls in all."""

_LONG_MINUTES = 1.0


class BaselineError(MeasurementError):
    """The baseline failed, so that the submission's result cannot be scored."""


@dataclass
class Side:
    """One side of a session: the submission, or the baseline. The phases of the session fill it in.

    Attributes:
        submission: What runs.
        worker: The process it runs in; each launch has another one.
        is_baseline: Whether the other side's costs are divided by its own.
        info: How it was resolved, as far as that is known.
        findings: What was found on it, in the order of the phases.
        complexity: Its costs; None until they are counted.
        witness: What it gave while its costs were audited, to compare another process with; None before.
        splits: Its results by split, once all rounds are done.
        start_twin: Starts a process that runs its twin, where costs are to be counted on one.
    """

    submission: Submission
    worker: Worker
    is_baseline: bool
    info: SubmissionInfo
    findings: list[Finding] = field(default_factory=list)
    complexity: Complexity | None = None
    witness: Witness | None = None
    splits: dict[str, SplitResult] = field(default_factory=dict)
    start_twin: Callable[[], Worker] | None = None

    def foreseen(self, pixels: int, what: str) -> str | None:
        """Return a sentence on how long a slow network will take; None where that is short.

        Args:
            pixels: LR pixels that it will be run on.
            what: What it will be run for, such as "one round over 100 images".
        """
        slow = self.worker.slow
        minutes = 0.0 if slow is None else (slow.pixel_s or 0.0) * pixels / 60
        if slow is None or minutes < _LONG_MINUTES:
            return None
        cause = (
            f"computes in {slow.precision}, for which this CPU is slow" if slow.precision else "is slow here"
        )
        return f"{self.submission.label} {cause}: about {minutes:.0f} min are foreseen for {what}."

    def note(self, finding: Finding) -> None:
        """Add a finding, unless it is there already: every launch may make it again."""
        if finding not in self.findings:
            self.findings.append(finding)


class Timeline:
    """Counts forward passes for a progress display.

    Args:
        progress: Called for each.
        title: Name of the submission.
    """

    def __init__(self, progress: Progress | None, title: str) -> None:
        self.total, self.done, self.title = 0, 0, title
        self._progress = progress

    def step(self, what: str, calls: int = 1) -> None:
        """Report `calls` more passes."""
        self.done += calls
        if self._progress is not None:
            self._progress(f"{self.title}: {what}", self.done, self.total)


@contextlib.contextmanager
def blamed(side: Side) -> Iterator[None]:
    """Say of an error that it is the baseline's, where it is: it must not be held against the submission."""
    try:
        yield
    except (DatasetError, UsageError):
        raise
    except NtireBenchError as error:
        if not side.is_baseline:
            raise
        raise BaselineError(f"the baseline {side.submission.label} failed: {error}") from error
