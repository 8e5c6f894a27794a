"""Evaluates one submission beside the baseline and returns the record, a failed one where it does not run."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence

from ntire_bench.client.workers import Workers
from ntire_bench.data.dataset import Split
from ntire_bench.errors import DatasetError, NtireBenchError, RecordError, UsageError
from ntire_bench.measuring.options import Options, isolation_of
from ntire_bench.measuring.session import Session
from ntire_bench.measuring.side import BaselineError, Progress, Side
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.ranking import scoring
from ntire_bench.ranking.entry import Entry, entry_from_record
from ntire_bench.ranking.rules import info_of
from ntire_bench.records.record import ErrorInfo, Finding, ManifestInfo, Measurement, Record, Timing
from ntire_bench.submissions.submission import Submission
from ntire_bench.text import utc

__all__ = ["Options", "evaluate"]


def evaluate(
    submission: Submission,
    baseline: Submission,
    splits: Sequence[Split],
    protocol: Protocol,
    options: Options,
    progress: Progress | None = None,
    *,
    workers: Workers | None = None,
    start_next: Callable[[], Workers | None] | None = None,
) -> Record:
    """Evaluate one submission on some splits.

    Args:
        submission: What to evaluate.
        baseline: What its costs are divided by; may be the submission itself, which is then measured once.
        splits: Checked image pairs.
        protocol: The rules.
        options: Rounds, device, channel.
        progress: Told of every forward pass.
        workers: Workers of the first launch, if they were started before.
        start_next: Starts the workers of the next submission; called in an untimed phase of this one.

    Returns:
        A record; one with status "failed" where the submission or the baseline fails.

    Raises:
        DatasetError: An image that was checked before can no longer be read.
        SubmissionError: The submission's files cannot be read.
        UsageError: The isolation or the device that is asked for cannot be had.
    """
    isolation = isolation_of(options, splits)
    created = utc(microseconds=True)
    session = Session(submission, baseline, splits, protocol, options, progress, workers, start_next)
    error: ErrorInfo | None = None
    begin = time.perf_counter()
    try:
        session.run()
    except (DatasetError, UsageError):
        raise
    except NtireBenchError as failure:
        phase = "baseline" if isinstance(failure, BaselineError) else session.phase
        error = ErrorInfo(type=type(failure).__name__, message=str(failure), phase=phase)
    session.wall_s["total"] = time.perf_counter() - begin
    own, other = _sides(session, submission.is_same_as(baseline))
    record = Record(
        status="ok" if error is None else "failed",
        created_utc=created,
        error=error,
        protocol=info_of(protocol),
        submission=session.info if own is None else own.info,
        rounds=sum(launch.rounds for launch in session.launches),
        psnr_channel=options.psnr_channel,
        sample=any(split.sample for split in splits),
        complexity=None if own is None else own.complexity,
        splits={} if own is None else own.splits,
        baseline=_measurement(other),
        findings=_findings(own, other),
        environment=session.environment,
        isolation=isolation if session.environment else None,
        wall_s=session.wall_s,
        timing=session.timing,
        manifest=_manifest(splits),
    )
    return _scored(record, protocol)


def _manifest(splits: Sequence[Split]) -> ManifestInfo | None:
    """Return the one manifest that all images are those of; None where there is none for a split."""
    names = {split.manifest for split in splits}
    name = names.pop() if len(names) == 1 else None
    return None if name is None else ManifestInfo(file=name.file, sha256=name.sha256)


def _sides(session: Session, are_same: bool) -> tuple[Side | None, Side | None]:
    """Return the submission's side and the baseline's; None for a side that the session did not come to.

    Args:
        session: After its run.
        are_same: Whether the submission is the baseline: one side then stands for both.
    """
    sides = {side.is_baseline: side for side in session.sides}
    own = sides.get(False)
    return own, own if are_same else sides.get(True)


def _findings(own: Side | None, baseline: Side | None) -> tuple[Finding, ...]:
    """Return what was found on the submission, and of the baseline's findings what bears on the score."""
    found = [] if own is None else list(own.findings)
    if baseline is not None and baseline is not own:
        found += [finding for finding in baseline.findings if finding.code == "flags-changed"]
    return tuple(found)


def _measurement(side: Side | None) -> Measurement | None:
    """Return a side's costs and results; None where it was not measured to the end."""
    if side is None or side.complexity is None or not side.splits:
        return None
    return Measurement(submission=side.info, complexity=side.complexity, splits=dict(side.splits))


def _scored(record: Record, protocol: Protocol) -> Record:
    """Return a record with its score, where it has the costs of both sides."""
    if record.status != "ok":
        return record
    try:
        entry = entry_from_record(record, protocol, record.psnr_channel)
    except RecordError as impossible:  # the baseline costs nothing: costs cannot be divided by it
        error = ErrorInfo(type=type(impossible).__name__, message=str(impossible), phase="baseline")
        return dataclasses.replace(record, status="failed", error=error)
    if entry.costs is None or entry.baseline is None:
        return record
    computed = scoring.score(entry.costs, entry.baseline, protocol.weights, entry.runtime_ratio)
    return dataclasses.replace(
        record, score=scoring.storable(computed), timing=_with_interval(record.timing, entry, protocol)
    )


def _with_interval(timing: Timing | None, entry: Entry, protocol: Protocol) -> Timing | None:
    """Add the interval of the final score, which follows from the interval of the runtime's ratio."""
    if timing is None or timing.ratio_ci95 is None or entry.costs is None or entry.baseline is None:
        return timing
    if entry.half_width is None:  # the ratio covers other splits too, which do not count for the score
        return timing
    finals = []
    for ratio in timing.ratio_ci95:
        finals.append(scoring.score(entry.costs, entry.baseline, protocol.weights, max(0.0, ratio)).final)
    low, high = finals
    if low is None or high is None or not math.isfinite(high):
        return timing
    return dataclasses.replace(timing, score_ci95=(low, high))
