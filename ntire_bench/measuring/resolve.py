"""A submission in its worker: what it is, how it was resolved, what it costs. No dataset is needed for it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ntire_bench.audit.auditor import audit
from ntire_bench.client.worker import Worker
from ntire_bench.errors import SubmissionError
from ntire_bench.isolation.choose import isolation_for
from ntire_bench.machine import environment
from ntire_bench.measuring.side import Contender, note_padding
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.records.record import (
    Audit,
    Complexity,
    Environment,
    Finding,
    Inference,
    Isolation,
    SubmissionInfo,
)
from ntire_bench.source import files
from ntire_bench.submissions.submission import Submission
from ntire_bench.text import few

__all__ = ["Check", "check", "count", "describe", "file_sha256", "load", "recount"]


# Makes 97x81 of the 64x64 probe. Padded to a multiple of 2, 4, ... 64, it is not one of the next: so what a
# network asks for comes to light, while the probe itself is a multiple of whatever that may be.
_ODD = ((0, 33), (0, 17))
_MOST_NAMED = 3
_COUNTING = 2.3  # times the cost input's pixels: what counting and auditing SPAN runs, in six passes


@dataclass(frozen=True, kw_only=True)
class Check:
    """What `check` finds out without any dataset."""

    submission: SubmissionInfo
    complexity: Complexity
    findings: tuple[Finding, ...]
    environment: Environment
    isolation: Isolation


def check(
    submission: Submission,
    probe: npt.NDArray[np.uint8],
    protocol: Protocol,
    *,
    device: str,
    isolation: str,
    allow_pickle: bool = False,
    audit_lr: npt.NDArray[np.uint8] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Check:
    """Load a submission in a worker, run LR images of two sizes, and count its costs.

    Args:
        submission: What to check.
        probe: A real LR image, uint8 HWC.
        protocol: For scale and cost input.
        device: "auto", "cpu", "cuda", "cuda:N".
        isolation: One of `isolation.ISOLATION_CHOICES`.
        allow_pickle: Whether its checkpoint may run code as it is loaded.
        audit_lr: What its costs are audited with, if not the probe: an image larger than the cost input is
            run as it is, as those of a dataset are.
        tell: Told of a long time that is foreseen.

    Raises:
        SubmissionError: It does not load, or does not give an SR image.
        UsageError: No worker comes up on that device.
    """
    level = isolation_for(isolation, allow_pickle=allow_pickle)
    info = describe(submission)
    odd = np.pad(probe, (*_ODD, (0, 0)), mode="reflect")
    image = probe if audit_lr is None else audit_lr
    largest = (max(odd.shape[0], image.shape[0]), max(odd.shape[1], image.shape[1]))
    with Worker(
        submission, scale=protocol.scale, largest_lr=largest, device=device, isolation=level
    ) as worker:
        contender = Contender(submission, worker, False, info)
        found = environment.describe(worker.hello())
        can_fuse = load(contender, probe)
        pixels = round(_COUNTING * protocol.cost_input[-2] * protocol.cost_input[-1])
        if text := contender.foreseen(pixels, "counting its costs"):
            tell(text)
        sizes = {image.shape[:2]: image for image in (probe, odd)}
        note_padding(contender, {size: worker.warm_up(lr, 1).pad_to for size, lr in sizes.items()})
        counted = count(contender, protocol, image)
        if can_fuse:
            _note_training_form(contender, probe, protocol)
    return Check(
        submission=contender.info,
        complexity=counted,
        findings=tuple(contender.findings),
        environment=found,
        isolation=level,
    )


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


def _note_training_form(contender: Contender, probe: npt.NDArray[np.uint8], protocol: Protocol) -> None:
    try:
        reply, _ = contender.worker.fuse(probe, protocol.cost_input, keep=False)
    except SubmissionError as error:  # a method of such a name that is none of this kind
        message = f"whether it costs more than it needs could not be found out: {error.what}, {error.found}"
        contender.findings.append(Finding(code="not-fused", severity="info", message=message))
        return
    if reply.saves and reply.same:
        message = (
            f"the checkpoint is in training form and costs more than it needs: fused it has "
            f"{reply.after.params:,} parameters instead of {reply.before.params:,} and "
            f"{reply.after.flops / 1e9:.4f} G FLOPs instead of {reply.before.flops / 1e9:.4f} G; "
            f"run: ntire-bench fuse {contender.submission.id}"
        )
        contender.findings.append(Finding(code="not-fused", severity="warning", message=message))
