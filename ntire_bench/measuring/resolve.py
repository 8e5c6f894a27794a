"""A submission in its worker: what it is, how it was resolved, what it costs. No dataset is needed."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ntire_bench.audit.auditor import audit
from ntire_bench.audit.literals import with_numbers
from ntire_bench.audit.twin import on_twin, with_twin, without_twin
from ntire_bench.audit.witness import agreement_of, disagreement, with_agreement
from ntire_bench.client.worker import Worker
from ntire_bench.errors import SubmissionError
from ntire_bench.measuring.numbers_in_code import numbers_written
from ntire_bench.measuring.side import Side
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.records.record import Audit, Complexity, Finding, Inference, SubmissionInfo
from ntire_bench.source import files
from ntire_bench.submissions import package_files
from ntire_bench.submissions.submission import Submission
from ntire_bench.text import few, one_line

__all__ = [
    "compare_elsewhere",
    "count",
    "describe",
    "file_sha256",
    "kernels_of",
    "load",
    "load_twin",
    "recount",
]


_MOST_NAMED = 3
_PROBE_SIDE = 64  # LR pixels of the made-up image that a twin is loaded with: its range is known


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
    builds = side.worker.builds
    kernels = [] if builds is None else builds.inferences()
    side.info = dataclasses.replace(
        side.info,
        model=reply.model,
        data_range=reply.data_range,
        tile=reply.tile,
        inferred=(*reply.inferred, *chosen, *kernels),
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
    declared = side.submission.declaration
    if declared.has_twin and side.start_twin is not None:
        with side.start_twin() as twin:
            load_twin(side, twin)
            with _twins_own():
                costs = _audited(side, twin, protocol, image, is_timed=is_timed)
            if image is not None and not side.is_baseline:
                precision = declared.kernel or "float32"
                found, findings, side.witness = on_twin(side.worker, twin, image, precision, whole=is_timed)
                for finding in findings:
                    side.note(finding)
                how = declared.twin or "twin_args"
                costs, note = with_twin(costs, how, found, precision, kernels_of(side))
                side.note(note)
    else:
        costs = _audited(side, side.worker, protocol, image, is_timed=is_timed)
    side.complexity = costs
    return costs


def kernels_of(side: Side) -> tuple[str, ...]:
    """Return the names of the kernels that were built for a side."""
    return () if side.worker.builds is None else side.worker.builds.names


def load_twin(side: Side, twin: Worker) -> None:
    """Have a process load a side's twin.

    Args:
        side: Whose network is loaded and resolved.
        twin: As `Side.start_twin` gives it.

    Raises:
        SubmissionError: It does not load.
    """
    twin.hello()
    generator = np.random.default_rng(0)
    probe = generator.integers(64, 192, (_PROBE_SIDE, _PROBE_SIDE, 3), dtype=np.uint8)
    with _twins_own():
        twin.load(probe, resolved=side.info)


@contextlib.contextmanager
def _twins_own() -> Iterator[None]:
    """Say of an error that it is the twin's."""
    try:
        yield
    except SubmissionError as error:
        raise SubmissionError(
            f"its twin cannot be run: {error.what}",
            file=error.file,
            expected=error.expected,
            found=error.found,
            remedy=error.remedy or "have the twin compute the same in torch's operators",
        ) from error


def _audited(
    side: Side,
    worker: Worker,
    protocol: Protocol,
    image: npt.NDArray[np.uint8] | None,
    *,
    is_timed: bool,
) -> Complexity:
    """Count and audit costs in a process of a side's: its own, or its twin's."""
    counted = worker.complexity(protocol.cost_input)
    has_kernel = worker is side.worker and bool(kernels_of(side) or side.submission.declaration.kernel)
    if side.is_baseline and has_kernel:
        raise SubmissionError(
            "has a kernel of its own and no twin, so its costs are not known",
            file=side.submission.file,
            expected="a baseline whose costs others can be divided by",
            remedy='declare its twin (docs/kernels.md), such as twin = "forward_reference"',
        )
    if image is None or side.is_baseline:
        return dataclasses.replace(counted.costs, audit=Audit(counter=counted.costs.audit.counter))
    costs, findings, side.witness = audit(
        worker,
        counted,
        image,
        tile=side.info.tile,
        has_loop=side.submission.branch is not None,
        is_timed=is_timed,
    )
    costs, more = with_numbers(costs, numbers_written(side.submission))
    if has_kernel:
        costs, findings = without_twin(costs, findings, kernels_of(side))
    for finding in (*findings, *more):
        side.note(finding)
    return costs


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
    if side.submission.declaration.has_twin and side.start_twin is not None:
        return  # they are the twin's, in a process that runs no other images
    now = side.worker.parameters()
    if side.complexity is not None and now != side.complexity.params:
        message = (
            f"parameters() had {side.complexity.params:,} elements before the images were run and has "
            f"{now:,} after; build the whole network in its constructor"
        )
        side.note(Finding(code="params-changed", severity="reject", message=message))
