"""One submission to one record, a failed one where it fails."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone

from ntire_bench.client.workers import Workers
from ntire_bench.data.dataset import Split
from ntire_bench.errors import DatasetError, NtireBenchError, RecordError, UsageError
from ntire_bench.measuring.options import Options, isolation_of
from ntire_bench.measuring.session import Session
from ntire_bench.measuring.side import BaselineError, Progress, Side
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.ranking import scoring
from ntire_bench.ranking.entry import entry_from_record
from ntire_bench.records.record import ErrorInfo, Finding, Measurement, ProtocolInfo, Record, Timing
from ntire_bench.submissions.submission import Submission

__all__ = ["Options", "evaluate"]


def evaluate(
    submission: Submission,
    baseline: Submission,
    splits: Sequence[Split],
    protocol: Protocol,
    options: Options,
    progress: Progress | None = None,
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
        progress: Told of every call.
        workers: Workers of the first launch, if they were started before.
        start_next: Starts the workers of the next submission, in an untimed phase of this one.

    Returns:
        A record; one with status "failed" where the submission or the baseline fails.

    Raises:
        DatasetError: An image could not be read after all.
        SubmissionError: The submission's files cannot be read.
        UsageError: The isolation or the device asked for cannot be had.
    """
    isolation = isolation_of(options, splits)
    created = datetime.now(timezone.utc)
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
    own = next((c for c in session.sides if not c.is_baseline), None)
    other = next((c for c in session.sides if c.is_baseline), None)
    if other is None and own is not None and submission.is_same_as(baseline):
        other = own
    record = Record(
        status="ok" if error is None else "failed",
        created_utc=created.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        error=error,
        protocol=ProtocolInfo(name=protocol.name, sha256=protocol.sha256),
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
    )
    return _scored(record, protocol)


def _findings(own: Side | None, baseline: Side | None) -> tuple[Finding, ...]:
    """Return what was found on the submission, and on the baseline what its score depends on."""
    found = [] if own is None else list(own.findings)
    if baseline is not None and baseline is not own:
        found += [finding for finding in baseline.findings if finding.code == "flags-changed"]
    return tuple(found)


def _measurement(side: Side | None) -> Measurement | None:
    if side is None or side.complexity is None or not side.splits:
        return None
    return Measurement(submission=side.info, complexity=side.complexity, splits=dict(side.splits))


def _scored(record: Record, protocol: Protocol) -> Record:
    """Add the score, where there are costs of both sides."""
    if record.status != "ok":
        return record
    try:
        entry = entry_from_record(record, protocol, record.psnr_channel)
    except RecordError as impossible:  # a baseline that costs nothing: there is no dividing by it
        error = ErrorInfo(type=type(impossible).__name__, message=str(impossible), phase="baseline")
        return dataclasses.replace(record, status="failed", error=error)
    if entry.costs is None or entry.baseline is None:
        return record
    computed = scoring.score(entry.costs, entry.baseline, protocol.weights)
    return dataclasses.replace(
        record, score=scoring.storable(computed), timing=_with_interval(record.timing, entry, protocol)
    )


def _with_interval(timing: Timing | None, entry: scoring.Entry, protocol: Protocol) -> Timing | None:
    """Complete the interval of the final score, which follows from that of the runtime's ratio."""
    if timing is None or timing.ratio_ci95 is None or entry.costs is None or entry.baseline is None:
        return timing
    if entry.half_width is None:  # the ratio is of other splits too, which do not count
        return timing
    finals = []
    for ratio in timing.ratio_ci95:
        costs = dataclasses.replace(entry.costs, runtime_ms=max(0.0, ratio) * entry.baseline.runtime_ms)
        finals.append(scoring.score(costs, entry.baseline, protocol.weights).final)
    low, high = finals
    if low is None or high is None or not math.isfinite(high):
        return timing
    return dataclasses.replace(timing, score_ci95=(low, high))
