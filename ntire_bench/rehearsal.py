"""What an organizer would find in a submission: a short evaluation on the sample set, before it is sent."""

from __future__ import annotations

import dataclasses

from ntire_bench import protocol as protocols
from ntire_bench.dataset import load_splits
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.evaluate import Options, evaluate
from ntire_bench.records import Finding
from ntire_bench.stopping import StopRule
from ntire_bench.submission import Catalogue, Submission

__all__ = ["ROUNDS", "rehearse"]

ROUNDS = 6  # in three launches: each sees every image as it is and dithered
_OF_THE_MACHINE = ("runtime-unstable",)


def rehearse(submission: Submission, catalogue: Catalogue, options: Options) -> tuple[Finding, ...]:
    """Evaluate a submission on the sample set as an organizer would, and return what was found.

    Args:
        submission: What to evaluate.
        catalogue: Where the protocol's baseline is looked for; without it the submission runs alone.
        options: Device and isolation; the rounds are this module's.

    Returns:
        The findings, without those on the machine it ran on.

    Raises:
        SubmissionError: The evaluation fails; the message says in which phase.
    """
    rules = protocols.load(protocols.SAMPLE_PROTOCOL)
    splits = load_splits(["valid"], None, scale=rules.scale, border=rules.border, prefer_sample=True)
    try:
        baseline = catalogue.baseline(rules.baseline.name)
    except (SubmissionError, UsageError):
        baseline = submission
    record = evaluate(
        submission, baseline, splits, rules, dataclasses.replace(options, stop=StopRule(rounds=ROUNDS))
    )
    if record.error is not None and record.error.phase == "baseline" and baseline is not submission:
        record = evaluate(
            submission, submission, splits, rules, dataclasses.replace(options, stop=StopRule(rounds=ROUNDS))
        )
    if record.error is not None:
        raise SubmissionError(f"fails in phase {record.error.phase} of an evaluation: {record.error.message}")
    return tuple(finding for finding in record.findings if finding.code not in _OF_THE_MACHINE)
