"""Writes an inference checkpoint for a submission whose checkpoint is in training form."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ntire_bench import interruption
from ntire_bench.client.worker import Worker
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.records.record import Isolation
from ntire_bench.submissions.models_folder import DEPLOY_SUFFIX
from ntire_bench.submissions.submission import Submission
from ntire_bench.wire.messages import MOST_DIFFERENCE, FuseReply

__all__ = ["default_output", "write_fused"]

_BUFFER_SIDE = 4096  # HR pixels; sizes the buffer the checkpoint comes back in: 48 MiB


def default_output(submission: Submission, model_zoo: Path) -> Path:
    """Return where the inference checkpoint goes: beside the other one, and later runs prefer it."""
    return model_zoo / f"{submission.stem}{DEPLOY_SUFFIX}.pth"


def write_fused(
    submission: Submission,
    output: Path,
    probe: npt.NDArray[np.uint8],
    protocol: Protocol,
    *,
    device: str,
    isolation: Isolation,
) -> FuseReply:
    """Merge a submission's network in a worker, write the result, and load it again in another worker.

    Args:
        submission: Its checkpoint is in training form.
        output: File to write; replaced only by a checkpoint that loads, with the costs of the merged network.
        probe: A real LR image, uint8 HWC, to compare the two forms on.
        protocol: For scale and cost input.
        device: "auto", "cpu", "cuda", "cuda:N".
        isolation: What `isolation.isolation_for` returned.

    Returns:
        What merging changed.

    Raises:
        SubmissionError: There is nothing to merge, it fails, or the result does not load.
        UsageError: The file cannot be written.
    """
    side = (_BUFFER_SIDE // protocol.scale, _BUFFER_SIDE // protocol.scale)
    with Worker(
        submission, scale=protocol.scale, largest_lr=side, device=device, isolation=isolation
    ) as worker:
        worker.hello()
        worker.load(probe)
        reply, checkpoint = worker.fuse(probe, protocol.cost_input, keep=True)
        image = worker.run(probe).sr
    if not reply.saves:
        raise SubmissionError(
            "is in inference form already: fusing it saves nothing",
            file=submission.checkpoint or submission.file,
            remedy="submit it as it is",
        )
    if not reply.same:
        raise SubmissionError(
            "merging its training branches changes what the network computes",
            file=submission.file,
            expected=f"the same image, with a relative difference under {MOST_DIFFERENCE:g}",
            found=f"{reply.relative:.2g}",
            remedy="look for a branch that is left out, or for zero padding after a convolution with a bias",
        )
    with contextlib.ExitStack() as undo:
        with interruption.held():
            temporary = _write(checkpoint, output)
            undo.callback(temporary.unlink, missing_ok=True)
        merged = dataclasses.replace(submission, checkpoint=temporary)
        with Worker(
            merged, scale=protocol.scale, largest_lr=probe.shape[:2], device=device, isolation=isolation
        ) as worker:
            worker.hello()
            try:
                worker.load(probe)
            except SubmissionError as error:
                raise _without(temporary, output, error) from None
            counted = worker.complexity(protocol.cost_input).costs
            difference = np.abs(worker.run(probe).sr.astype(np.int16) - image).max()
        if (counted.params, counted.flops) != (reply.after.params, reply.after.flops):
            raise SubmissionError(
                "its fused checkpoint, loaded again, gives another network than merging made",
                file=submission.file,
                expected=f"{reply.after.params:,} parameters, {reply.after.flops:,} FLOPs",
                found=f"{counted.params:,} and {counted.flops:,}",
                remedy="give the class an argument deploy whose value True builds the fused form",
            )
        if difference > 1:  # both computed it from the same weights; 1 where another order rounds otherwise
            raise SubmissionError(
                "its fused checkpoint, loaded again, gives another SR image than the merged network",
                file=submission.file,
                expected="the same image",
                found=f"values that differ by up to {difference} of 255",
                remedy="have its merging method write all that changes into parameters and buffers",
            )
        os.replace(temporary, output)
    return reply


def _without(temporary: Path, output: Path, error: SubmissionError) -> SubmissionError:
    """Return the message on a file that is about to be written under the name that it was to have."""

    def renamed(text: str | None) -> str | None:
        return None if text is None else text.replace(temporary.name, output.name)

    return SubmissionError(
        f"its fused checkpoint cannot be loaded again: {renamed(error.what)}",
        file=output if error.file is not None and error.file.name == temporary.name else error.file,
        expected=renamed(error.expected),
        found=renamed(error.found),
        remedy="have the class build the merged form where an argument deploy is True, and its merging "
        "method leave the names of that form",
    )


def _write(content: bytes, output: Path) -> Path:
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".fused_", suffix=output.suffix or ".pth", dir=output.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, 0o644)
    except OSError as error:
        remedy = "name a file in a folder that this user may write to"
        raise UsageError(
            "cannot be written", file=output, found=error.strerror or str(error), remedy=remedy
        ) from None
    return Path(name)
