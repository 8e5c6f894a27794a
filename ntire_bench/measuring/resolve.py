"""A submission in its worker: what it is, how it was resolved, what it costs. No dataset is needed."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ntire_bench.audit.auditor import audit
from ntire_bench.audit.literals import numbers_in, with_numbers
from ntire_bench.audit.witness import agreement_of, disagreement, with_agreement
from ntire_bench.errors import SubmissionError
from ntire_bench.measuring.side import Side
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.records.record import Audit, Complexity, Finding, Inference, SubmissionInfo
from ntire_bench.source import files
from ntire_bench.submissions import package_files
from ntire_bench.submissions.submission import Submission
from ntire_bench.text import few, one_line

__all__ = ["compare_elsewhere", "count", "describe", "file_sha256", "load", "numbers_written", "recount"]


_MOST_NAMED = 3


def describe(submission: Submission) -> SubmissionInfo:
    """Return what is known of a submission before it runs: names and hashes."""
    checkpoint, toml = submission.checkpoint, submission.file.with_suffix(".toml")
    declared = submission.branch is None and toml.is_file()  # a checkout's branches declare nothing
    return SubmissionInfo(
        id=submission.id,
        name=submission.name,
        file=os.path.relpath(submission.file),
        file_sha256=file_sha256(submission.file),
        checkpoint=None if checkpoint is None else os.path.relpath(checkpoint),
        checkpoint_sha256=None if checkpoint is None else file_sha256(checkpoint),
        sources_sha256=_sources_sha256(submission),
        declaration_sha256=file_sha256(toml) if declared else None,
    )


def _sources_sha256(submission: Submission) -> str | None:
    """Return the hash of the files that a branch, or a package, is made of; None for a single file."""
    if submission.branch is not None:
        return submission.branch.sources_sha256()
    return None if submission.package is None else package_files.sha256(submission.package)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file of a submission."""
    return files.sha256(path)


def load(side: Side, probe: npt.NDArray[np.uint8]) -> bool:
    """Have a side's worker load the submission, and note how it was resolved.

    Args:
        side: Gets info and findings.
        probe: A real LR image, uint8 HWC, to find the input range with.

    Returns:
        Whether the network has a method fuse().
    """
    reply = side.worker.load(probe)
    because = side.submission.baseline_because
    chosen = [Inference(key="baseline", value=side.submission.label, how=because)] if because else []
    side.info = dataclasses.replace(
        side.info,
        model=reply.model,
        data_range=reply.data_range,
        tile=reply.tile,
        inferred=(*reply.inferred, *chosen),
    )
    for finding in reply.findings:
        side.note(finding)
    if (owner := side.submission.checkpoint_of) and side.submission.checkpoint is not None:
        name = one_line(side.submission.checkpoint.resolve().name)
        message = (
            f"its checkpoint is {name}, by that name {one_line(owner)}'s, a submission that lies beside it: "
            "a person should see whose weights they are"
        )
        side.note(Finding(code="checkpoint-of-another", severity="warning", message=message))
    outside = side.submission.outside
    if outside:
        named = few(list(map(str, outside)), _MOST_NAMED)
        message = f"the submission could read what links in the checkout lead to outside of it: {named}"
        side.note(Finding(code="links-outside", severity="info", message=message))
    return reply.can_fuse


def count(
    side: Side, protocol: Protocol, image: npt.NDArray[np.uint8] | None = None, *, is_timed: bool = True
) -> Complexity:
    """Count a side's costs at the protocol's input, and audit them.

    Args:
        side: Gets its complexity and findings.
        protocol: For the cost input.
        image: A real LR image to audit with; None counts without an audit. The baseline is the organizer's
            own and is not audited.
        is_timed: Whether images of its size are timed, so that it is run under observation.
    """
    counted = side.worker.complexity(protocol.cost_input)
    if image is None or side.is_baseline:
        costs = dataclasses.replace(counted.costs, audit=Audit(counter=counted.costs.audit.counter))
    else:
        costs, findings, side.witness = audit(
            side.worker,
            counted,
            image,
            tile=side.info.tile,
            has_loop=side.submission.branch is not None,
            is_timed=is_timed,
        )
        costs, more = with_numbers(costs, numbers_written(side.submission))
        for finding in (*findings, *more):
            side.note(finding)
    side.complexity = costs
    return costs


def numbers_written(submission: Submission) -> int:
    """Return how many numbers are written into the code of a submission: all files of a package."""
    if submission.package is None:
        return numbers_in(files.parse(submission.file))
    total = 0
    for name, path in package_files.files_of(submission.package).items():
        if name.endswith(".py"):
            # What is no Python cannot be imported either; if the network needs it, loading says so.
            with contextlib.suppress(SubmissionError):
                total += numbers_in(files.parse(path))
    return total


def compare_elsewhere(side: Side, run: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]) -> None:
    """Compare what a side gave under observation with what another process of the submission gives.

    Args:
        side: Gets the agreement, and a finding where there is none.
        run: Has that process run an LR image.
    """
    if side.witness is None or side.complexity is None:
        return
    agreement = agreement_of(side.witness.sr, run(side.witness.lr))
    side.complexity = with_agreement(side.complexity, agreement)
    for finding in disagreement(agreement):
        known = {other.severity for other in side.findings if other.code == finding.code}
        if not known or (finding.severity == "reject" and "reject" not in known):
            side.note(finding)


def recount(side: Side) -> None:
    """Count the parameters again after all images were run, and note it if their number has changed."""
    now = side.worker.parameters()
    if side.complexity is not None and now != side.complexity.params:
        message = (
            f"parameters() had {side.complexity.params:,} elements before the images were run and has "
            f"{now:,} after; build the whole network in its constructor"
        )
        side.note(Finding(code="params-changed", severity="reject", message=message))
