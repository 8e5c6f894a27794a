"""What an organizer would find in a submission: a short evaluation on the sample set, before it is sent."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence

from ntire_bench.data.dataset import load_splits
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.estimating.stopping import StopRule
from ntire_bench.protocols import protocol as protocols
from ntire_bench.records.record import Finding
from ntire_bench.submissions import baseline_choice
from ntire_bench.submissions.catalogue import Catalogue
from ntire_bench.submissions.submission import Submission
from ntire_bench.workflows.evaluate import Options, evaluate

__all__ = ["ROUNDS", "rehearse", "together"]

ROUNDS = 6  # in three launches: each sees every image as it is and dithered
_SEVERITIES = ("info", "warning", "reject")
_ALONE = "Evaluated without a baseline, the submission's own costs stand in for it"
_OF_THE_MACHINE = ("runtime-unstable",)


def rehearse(
    submission: Submission, catalogue: Catalogue, options: Options, say: Callable[[str], None]
) -> tuple[Finding, ...]:
    """Evaluate a submission on the sample set as an organizer would, and return what was found.

    Args:
        submission: What to evaluate.
        catalogue: Where the baseline is looked for; if it is not there, and no option names one, the
            submission runs alone.
        options: Device and isolation; the rounds are this module's.
        say: Told which baseline was inferred, or why there is none.

    Returns:
        The findings, without those on the machine it ran on.

    Raises:
        SubmissionError: The evaluation fails; the message says in which phase.
        UsageError: The baseline that an option names is not there, or cannot be tried.
    """
    rules = protocols.load(protocols.SAMPLE_PROTOCOL)
    splits = load_splits(["valid"], None, scale=rules.scale, border=rules.border, prefer_sample=True)
    try:
        baseline = baseline_choice.choose(catalogue, rules.baseline.name)
    except (SubmissionError, UsageError) as error:
        if catalogue.baseline_choice is not None or catalogue.baseline_folder is not None:
            told = {"expected": error.expected, "found": error.found, "remedy": error.remedy}
            raise UsageError(error.what, file=error.file, **told) from None
        say(f"{_ALONE}: {error}")
        baseline = submission
    if text := baseline_choice.told(baseline):
        say(text)
    record = evaluate(
        submission, baseline, splits, rules, dataclasses.replace(options, stop=StopRule(rounds=ROUNDS))
    )
    failure = record.error
    if failure is not None and failure.phase == "baseline" and not baseline.is_same_as(submission):
        say(f"{_ALONE}: {failure.message}")
        record = evaluate(
            submission, submission, splits, rules, dataclasses.replace(options, stop=StopRule(rounds=ROUNDS))
        )
    if record.error is not None:
        raise SubmissionError(f"fails in phase {record.error.phase} of an evaluation: {record.error.message}")
    return tuple(finding for finding in record.findings if finding.code not in _OF_THE_MACHINE)


def together(checked: Sequence[Finding], rehearsed: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return what was found twice, on other images, once.

    Args:
        checked: As `check` found it, on an image as large as a dataset's.
        rehearsed: As `rehearse` found it.

    Returns:
        All of the former; of the latter what says something else, and nothing milder under the same code.

    >>> a = Finding(code="a", severity="warning", message="3 of 10")
    >>> others = [dataclasses.replace(a, message="4 of 10"), dataclasses.replace(a, message="none")]
    >>> [one.message for one in together([a], [*others, dataclasses.replace(a, severity="info")])]
    ['3 of 10', 'none']
    """
    worst = {one.code: 0 for one in checked}
    for one in checked:
        worst[one.code] = max(worst[one.code], _SEVERITIES.index(one.severity))
    shapes = {(one.code, one.severity, _shape(one.message)) for one in checked}
    new = (
        one
        for one in rehearsed
        if _SEVERITIES.index(one.severity) >= worst.get(one.code, 0)
        and (one.code, one.severity, _shape(one.message)) not in shapes
    )
    return (*checked, *new)


def _shape(message: str) -> str:
    """Return a message without its numbers."""
    return re.sub(r"\d[\d.,]*", "0", message)
