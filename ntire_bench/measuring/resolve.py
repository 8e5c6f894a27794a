"""A submission in its worker: what it is, how it was resolved, what it costs. No dataset is needed for it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ntire_bench.audit.auditor import audit
from ntire_bench.measuring.side import Contender
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.records.record import Audit, Complexity, Finding, Inference, SubmissionInfo
from ntire_bench.source import files
from ntire_bench.submissions.submission import Submission
from ntire_bench.text import few

__all__ = ["count", "describe", "file_sha256", "load", "recount"]


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
        sources_sha256=None if submission.branch is None else submission.branch.sources_sha256(),
        declaration_sha256=file_sha256(toml) if declared else None,
    )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file of a submission."""
    return files.sha256(path)


def load(contender: Contender, probe: npt.NDArray[np.uint8]) -> bool:
    """Have a contender's worker load its submission, and note how it was resolved.

    Args:
        contender: Its info and findings are completed.
        probe: A real LR image, uint8 HWC, to find the input range with.

    Returns:
        Whether the network has a method fuse().
    """
    reply = contender.worker.load(probe)
    because = contender.submission.baseline_because
    chosen = [Inference(key="baseline", value=contender.submission.label, how=because)] if because else []
    contender.info = dataclasses.replace(
        contender.info,
        model=reply.model,
        data_range=reply.data_range,
        tile=reply.tile,
        inferred=(*reply.inferred, *chosen),
    )
    for finding in reply.findings:
        contender.note(finding)
    outside = contender.submission.outside
    if outside:
        named = few(list(map(str, outside)), _MOST_NAMED)
        message = f"the submission could read what links in the checkout lead to outside of it: {named}"
        contender.note(Finding(code="links-outside", severity="info", message=message))
    return reply.can_fuse


def count(contender: Contender, protocol: Protocol, image: npt.NDArray[np.uint8] | None = None) -> Complexity:
    """Count a contender's costs at the protocol's input, and audit them.

    Args:
        contender: Its complexity and findings are completed.
        protocol: For the cost input.
        image: A real LR image to audit with; None counts without an audit. The baseline is the organizer's
            own and is not audited.
    """
    counted = contender.worker.complexity(protocol.cost_input)
    if image is None or contender.is_baseline:
        costs = dataclasses.replace(counted.costs, audit=Audit(counter=counted.costs.audit.counter))
    else:
        costs, findings = audit(
            contender.worker,
            counted,
            image,
            tile=contender.info.tile,
            has_loop=contender.submission.branch is not None,
        )
        for finding in findings:
            contender.note(finding)
    contender.complexity = costs
    return costs


def recount(contender: Contender) -> None:
    """Count the parameters again, after all images have been run, and note if there are others by now."""
    now = contender.worker.parameters()
    if contender.complexity is not None and now != contender.complexity.params:
        message = (
            f"parameters() had {contender.complexity.params:,} elements before the images were run and has "
            f"{now:,} after; build the whole network in its constructor"
        )
        contender.note(Finding(code="params-changed", severity="reject", message=message))
