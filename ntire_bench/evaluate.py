"""The one place that knows the order of the phases: load, complexity, warm-up, run, score.

A submission and the baseline are both resident, each in a worker of its own, and are timed alternately on the
same image, so that whatever the machine does in between happens to both.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ntire_bench import environment, resolve, scoring
from ntire_bench.client import Worker
from ntire_bench.dataset import Split, read_lr
from ntire_bench.entries import entry_from_record
from ntire_bench.errors import DatasetError, NtireBenchError, RecordError, UsageError
from ntire_bench.measure import BaselineError, Contender, Progress, Timeline, blamed, measure_split, warm_up
from ntire_bench.protocol import Channel, Protocol
from ntire_bench.records import (
    Environment,
    ErrorInfo,
    Finding,
    Measurement,
    ProtocolInfo,
    Record,
    SubmissionInfo,
)
from ntire_bench.sandbox import isolation_for
from ntire_bench.submission import Submission

__all__ = ["Options", "evaluate"]

_PROBE_SIDE = 128  # LR pixels; the input range is told on a crop of this size


@dataclass(frozen=True, kw_only=True)
class Options:
    """How an evaluation is made.

    Attributes:
        rounds: Timed passes over all images.
        psnr_channel: Channel that thresholds are compared in.
        device: "auto", "cpu", "cuda", "cuda:N".
        ssim: Whether SSIM is computed too.
        save_dir: Where SR images go; None to keep none.
        isolation: One of `sandbox.ISOLATION_CHOICES`.
    """

    rounds: int
    psnr_channel: Channel
    device: str = "auto"
    ssim: bool = False
    save_dir: Path | None = None
    isolation: str = "auto"


@dataclass
class _Session:
    """What is known so far; becomes a record whether or not the rest succeeds."""

    info: SubmissionInfo
    phase: str = "load"
    environment: Environment | None = None
    contenders: list[Contender] = field(default_factory=list)
    wall_s: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        self.phase = phase
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.wall_s[phase] = time.perf_counter() - begin


def evaluate(
    submission: Submission,
    baseline: Submission,
    splits: Sequence[Split],
    protocol: Protocol,
    options: Options,
    progress: Progress | None = None,
) -> Record:
    """Evaluate one submission on some splits.

    Args:
        submission: What to evaluate.
        baseline: What its costs are divided by; may be the submission itself, which is then measured once.
        splits: Checked image pairs.
        protocol: The rules.
        options: Rounds, device, channel.
        progress: Told of every call.

    Returns:
        A record; one with status "failed" where the submission or the baseline fails.

    Raises:
        DatasetError: An image could not be read after all.
        SubmissionError: The submission's files cannot be read.
        UsageError: The isolation or the device asked for cannot be had.
    """
    isolation = isolation_for(options.isolation)
    created = datetime.now(timezone.utc)
    session = _Session(resolve.describe(submission))
    error: ErrorInfo | None = None
    begin = time.perf_counter()
    try:
        _run(session, submission, baseline, splits, protocol, options, progress)
    except (DatasetError, UsageError):
        raise
    except NtireBenchError as failure:
        phase = "baseline" if isinstance(failure, BaselineError) else session.phase
        error = ErrorInfo(type=type(failure).__name__, message=str(failure), phase=phase)
    session.wall_s["total"] = time.perf_counter() - begin
    own = next((c for c in session.contenders if not c.is_baseline), None)
    other = next((c for c in session.contenders if c.submission.file == baseline.file), None)
    record = Record(
        status="ok" if error is None else "failed",
        created_utc=created.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        error=error,
        protocol=ProtocolInfo(name=protocol.name, sha256=protocol.sha256),
        submission=session.info if own is None else own.info,
        rounds=options.rounds,
        psnr_channel=options.psnr_channel,
        sample=any(split.sample for split in splits),
        complexity=None if own is None else own.complexity,
        splits={} if own is None else own.splits,
        baseline=_measurement(other),
        findings=_findings(own, other),
        environment=session.environment,
        isolation=isolation if session.environment else None,
        wall_s=session.wall_s,
    )
    return _scored(record, protocol)


def _run(
    session: _Session,
    submission: Submission,
    baseline: Submission,
    splits: Sequence[Split],
    protocol: Protocol,
    options: Options,
    progress: Progress | None,
) -> None:
    scale = protocol.scale
    by_size = {(pair.height // scale, pair.width // scale): pair for split in splits for pair in split.pairs}
    largest = max(by_size, key=lambda size: size[0] * size[1])
    sides = [submission] if baseline.file == submission.file else [baseline, submission]
    with contextlib.ExitStack() as stack:
        with session.timed("load"):
            for side in sides:  # all are started before any is waited for: their imports overlap
                worker = Worker(side, scale=scale, largest_lr=largest, device=options.device)
                stack.enter_context(worker)
                info = session.info if side is submission else resolve.describe(side)
                session.contenders.append(Contender(side, worker, side is not submission, info))
            probe = _crop(read_lr(splits[0].pairs[0]))
            for contender in session.contenders:
                with blamed(contender):
                    session.environment = environment.describe(contender.worker.hello())
                    resolve.load(contender, probe)
        with session.timed("complexity"):
            for contender in session.contenders:
                with blamed(contender):
                    resolve.count(contender, protocol)
        if session.environment is None:
            raise RuntimeError("no contender came up, and none failed")
        calls = len(sides) * (len(by_size) + sum(len(split.pairs) for split in splits) * options.rounds)
        timeline = Timeline(calls, progress, submission.label)
        with session.timed("warm-up"):
            for contender in session.contenders:
                with blamed(contender):
                    warm_up(contender, list(by_size.values()), session.environment.device, timeline)
        with session.timed("run"):
            for split in splits:
                measure_split(
                    session.contenders,
                    split,
                    rounds=options.rounds,
                    scale=scale,
                    border=protocol.border,
                    ssim=options.ssim,
                    save_dir=options.save_dir,
                    timeline=timeline,
                )
            for contender in session.contenders:
                with blamed(contender):
                    _compare_flags(contender, session.environment)


def _crop(lr: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    top, left = (max(0, (side - _PROBE_SIDE) // 2) for side in lr.shape[:2])
    return np.ascontiguousarray(lr[top : top + _PROBE_SIDE, left : left + _PROBE_SIDE])


def _compare_flags(contender: Contender, before: Environment) -> None:
    now = contender.worker.flags()
    changed = [
        f"{key}: {before.flags.get(key)} to {now.get(key)}"
        for key in now
        if now[key] != before.flags.get(key)
    ]
    if changed:
        message = f"the submission changed torch's settings ({', '.join(changed)}); leave them alone"
        contender.findings.append(Finding(code="flags-changed", severity="warning", message=message))


def _findings(own: Contender | None, baseline: Contender | None) -> tuple[Finding, ...]:
    """Return what was found on the submission, and on the baseline's runtime, which its score depends on."""
    found = [] if own is None else list(own.findings)
    if baseline is not None and baseline is not own:
        found += [finding for finding in baseline.findings if finding.code == "runtime-unsteady"]
    return tuple(found)


def _measurement(contender: Contender | None) -> Measurement | None:
    if contender is None or contender.complexity is None or not contender.splits:
        return None
    return Measurement(
        submission=contender.info, complexity=contender.complexity, splits=dict(contender.splits)
    )


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
    return dataclasses.replace(
        record, score=scoring.storable(scoring.score(entry.costs, entry.baseline, protocol.weights))
    )
