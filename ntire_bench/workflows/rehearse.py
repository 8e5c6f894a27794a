"""What an organizer would find in a submission: a short evaluation before it is sent."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ntire_bench.data.dataset import load_splits
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.estimating.stopping import StopRule
from ntire_bench.protocols import protocol as protocols
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.records.operational import is_operational
from ntire_bench.records.record import Finding, Record
from ntire_bench.submissions import baseline_choice
from ntire_bench.submissions.catalogue import Catalogue
from ntire_bench.submissions.submission import Submission
from ntire_bench.workflows.data import Data
from ntire_bench.workflows.evaluate import Options, evaluate

__all__ = ["ROUNDS", "Rehearsed", "rehearse", "sample_data", "together"]

ROUNDS = 6  # two in each of three launches, so that each launch runs every image both as it is and dithered
_SEVERITIES = ("info", "warning", "reject")
_ALONE = "Evaluated without a baseline: its costs are divided by its own"


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """A short evaluation.

    Attributes:
        record: A successful one; it is not stored.
        protocol: The rules that it was made by.
    """

    record: Record
    protocol: Protocol

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found, without what is on the machine that it ran on."""
        return tuple(finding for finding in self.record.findings if not is_operational(finding.code))


def rehearse(
    submission: Submission,
    catalogue: Catalogue,
    options: Options,
    say: Callable[[str], None],
    data: Data,
) -> Rehearsed:
    """Evaluate a submission as an organizer would.

    Args:
        submission: What to evaluate.
        catalogue: Where the baseline is looked for. If it is not there or does not run, and no option names
            one, the submission runs alone.
        options: Device and isolation; the number of rounds is `ROUNDS`.
        say: Called with which baseline was inferred, or why there is none.
        data: Images and rules.

    Raises:
        SubmissionError: The evaluation fails; the message says in which phase.
        UsageError: The baseline that an option names is not there, or cannot be tried.
    """
    rules, splits = data.protocol, data.splits
    options = dataclasses.replace(options, stop=StopRule(rounds=ROUNDS))
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
    record = evaluate(submission, baseline, splits, rules, options)
    failure = record.error
    if failure is not None and failure.phase == "baseline" and not baseline.is_same_as(submission):
        say(f"{_ALONE}: {failure.message}")
        record = evaluate(submission, submission, splits, rules, options)
    if record.error is not None:
        raise SubmissionError(f"fails in phase {record.error.phase} of an evaluation: {record.error.message}")
    return Rehearsed(record=record, protocol=rules)


def sample_data(names: Sequence[str] = ("valid",), rules: Protocol | None = None) -> Data:
    """Return some splits of the sample set, and rules that hold for it.

    Args:
        names: Of the splits.
        rules: Those that are asked for. At scale 1 they hold here where they ask for no PSNR, as the sample
            set's own rules are for enlargement. None, and all others, take the sample set's.

    Raises:
        DatasetError: The sample set cannot be made, or has no such split.
    """
    if rules is None or rules.scale > 1:
        rules = protocols.load(protocols.SAMPLE_PROTOCOL)
    elif not rules.fits_any_images:
        raise UsageError(
            f"the thresholds of {rules.name} are not meant for the sample set",
            remedy="name a folder of images with --data-dir, or use --protocol dn50",
        )
    splits = load_splits(
        names, None, scale=rules.scale, noise=rules.noise, border=rules.border, prefer_sample=True
    )
    return Data(splits, rules)


def together(checked: Sequence[Finding], rehearsed: Sequence[Finding]) -> tuple[Finding, ...]:
    """Join the findings of a check and of a rehearsal, which finds much of the same on other images.

    A finding of the rehearsal is taken for one of the check's where code and severity are the same; each of
    the check's stands for one.

    Args:
        checked: As `check` found it, on an image as large as a dataset's.
        rehearsed: As `rehearse` found it.

    Returns:
        All of the check's. Of the rehearsal's those that the check does not have, and none that is milder
        than what the check has under the same code.

    >>> a = Finding(code="a", severity="warning", message="3 of 10")
    >>> others = [dataclasses.replace(a, message="4 of 10"), dataclasses.replace(a, message="none")]
    >>> [one.message for one in together([a], [*others, dataclasses.replace(a, severity="info")])]
    ['3 of 10', 'none']
    """
    worst: dict[str, int] = {}
    for one in checked:
        worst[one.code] = max(worst.get(one.code, 0), _SEVERITIES.index(one.severity))
    known = Counter((one.code, one.severity) for one in checked)

    def new() -> Iterator[Finding]:
        for one in rehearsed:
            if known[one.code, one.severity]:
                known[one.code, one.severity] -= 1
            elif _SEVERITIES.index(one.severity) >= worst.get(one.code, 0):
                yield one

    return (*checked, *new())
