"""One side of a session, the submission or the baseline, and all that is found out about it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ntire_bench.client.worker import Worker
from ntire_bench.errors import DatasetError, MeasurementError, NtireBenchError, UsageError
from ntire_bench.records.record import Complexity, Finding, Inference, SplitResult, SubmissionInfo
from ntire_bench.submissions.submission import Submission
from ntire_bench.text import few

__all__ = ["BaselineError", "Contender", "Progress", "Timeline", "blamed", "note_padding"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, calls done, calls in all."""


_LONG_MINUTES = 1.0
_MOST_SIZES = 5


class BaselineError(MeasurementError):
    """The baseline failed, so that the submission's result cannot be scored."""


@dataclass
class Contender:
    """One side of a session.

    Attributes:
        submission: What runs.
        worker: Where it runs now; each launch has another one.
        is_baseline: Whether it runs to be divided by.
        info: How it was resolved, as far as it is known.
        findings: On it.
        complexity: Its costs, once counted.
        splits: Results, by split.
    """

    submission: Submission
    worker: Worker
    is_baseline: bool
    info: SubmissionInfo
    findings: list[Finding] = field(default_factory=list)
    complexity: Complexity | None = None
    splits: dict[str, SplitResult] = field(default_factory=dict)

    def foreseen(self, pixels: int, what: str) -> str | None:
        """Return in words how long a slow network will take; None for one that is not slow, or a short time.

        Args:
            pixels: LR pixels that it will be run on.
            what: What for, such as "one round over 100 images".
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
        """Add a finding, once: every launch may make it again."""
        if finding not in self.findings:
            self.findings.append(finding)


class Timeline:
    """Counts forward passes for a progress display.

    Args:
        progress: Told of each.
        title: Whose they are.
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
def blamed(contender: Contender) -> Iterator[None]:
    """Mark what the baseline fails at as the baseline's, not the submission's."""
    try:
        yield
    except (DatasetError, UsageError):
        raise
    except NtireBenchError as error:
        if not contender.is_baseline:
            raise
        raise BaselineError(f"the baseline {contender.submission.label} failed: {error}") from error


def note_padding(contender: Contender, pads: Mapping[tuple[int, int], int]) -> None:
    """Complete a contender's info with what its input is padded to, once that is known.

    Args:
        contender: Its info and what was inferred are completed.
        pads: The multiple that images are padded to, 1 for none, by their height and width [LR pixels].
    """
    kept = tuple(item for item in contender.info.inferred if item.key not in ("pad_to", "padded_sizes"))
    pad_to = contender.submission.declaration.pad_to
    told: list[Inference] = []
    largest = max(pads.values())
    if pad_to is None and largest > 1:
        if all(_rounded(size, multiple) == _rounded(size, largest) for size, multiple in pads.items()):
            pad_to = largest
            how = "the smallest multiple with which images of all sizes run"
            told = [Inference(key="pad_to", value=str(pad_to), how=how)]
        else:
            padded = {size: multiple for size, multiple in pads.items() if _rounded(size, multiple) != size}
            each = [f"{h}x{w} to a multiple of {multiple}" for (h, w), multiple in sorted(padded.items())]
            how = "the network fails at these sizes as they are; LR images of all others are run as they are"
            value = few(each, _MOST_SIZES, kind="sizes")
            told = [Inference(key="padded_sizes", value=value, how=how)]
    contender.info = dataclasses.replace(contender.info, pad_to=pad_to, inferred=(*kept, *told))


def _rounded(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """Return a size with its sides rounded up to multiples of a number.

    >>> _rounded((12, 16), 8)
    (16, 16)
    """
    height, width = size
    return height + -height % multiple, width + -width % multiple
