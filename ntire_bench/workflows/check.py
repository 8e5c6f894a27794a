"""What `ntire-bench check` finds out: whether a submission loads and runs, and what it costs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from msgspec import UNSET

from ntire_bench.client.worker import Worker
from ntire_bench.data.images import bicubic_up
from ntire_bench.errors import MeasurementError, SubmissionError
from ntire_bench.isolation.choose import isolation_for
from ntire_bench.machine import environment
from ntire_bench.measuring.resolve import compare_elsewhere, count, describe, load
from ntire_bench.measuring.side import Side
from ntire_bench.measuring.warm_up import note_padding
from ntire_bench.metrics.psnr import psnr
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.records.record import Complexity, Environment, Finding, Isolation, SubmissionInfo
from ntire_bench.records.unproven import NOT_COMPARED
from ntire_bench.submissions.submission import Submission
from ntire_bench.text import giga

__all__ = ["Check", "check", "compare_with_plain"]

# Makes 97x81 of the 64x64 probe. The probe's sides are multiples of 2, 4, ... 64. This size's are of none of
# them, so running both shows which multiple a network asks for.
_ODD = ((0, 33), (0, 17))
_LITTLE = 0.8  # 0.95 (RLFN) of its parameters times LR pixels is computed by a network of plain convolutions
# Pillow's and torch's bicubic enlargement (a = -0.5 and -0.75) differ by 0.14 dB on this photograph.
_WORSE_DB = 0.5
_PLAIN = {
    True: ("worse-than-bicubic", "a bicubic enlargement"),
    False: ("worse-than-input", "the noisy image"),
}
_COUNTING = 2.3  # times the cost input's pixels: what counting and auditing SPAN runs, in six passes


@dataclass(frozen=True, kw_only=True)
class Check:
    """What `check` finds out without any dataset.

    Attributes:
        submission: How it was resolved.
        complexity: What it costs.
        findings: What a reader must know.
        environment: Where it ran.
        isolation: What it was kept from.
        compared_elsewhere: Whether the pass that was counted was compared with an ordinary call of another
            process. One of the same process can repeat what it gave; `run` always compares with another.
    """

    submission: SubmissionInfo
    complexity: Complexity
    findings: tuple[Finding, ...]
    environment: Environment
    isolation: Isolation
    compared_elsewhere: bool = False


def check(
    submission: Submission,
    probe: npt.NDArray[np.uint8],
    protocol: Protocol,
    *,
    device: str,
    isolation: str,
    allow_pickle: bool = False,
    truth: npt.NDArray[np.uint8] | None = None,
    audit_lr: npt.NDArray[np.uint8] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Check:
    """Load a submission in a worker, run LR images of two sizes, and count its costs.

    Args:
        submission: What to check.
        probe: A real LR image, uint8 HWC.
        protocol: For scale and cost input.
        device: "auto", "cpu", "cuda", "cuda:N".
        isolation: One of `choose.ISOLATION_CHOICES`.
        allow_pickle: Whether its checkpoint may run code as it is loaded.
        truth: Its HR image, uint8 HWC, to see whether the network's is better than bicubic enlargement, or at
            scale 1 than the probe; it stays in this process. None compares nothing.
        audit_lr: The LR image that its costs are audited with; None takes the probe. One that is larger than
            the cost input is run whole, as the images of a dataset are.
        tell: Called with a sentence where it will take long.

    Raises:
        SubmissionError: It does not load, or does not give an SR image.
        UsageError: No worker comes up on that device.
    """
    level = isolation_for(isolation, allow_pickle=allow_pickle)
    info = describe(submission)
    odd = np.pad(probe, (*_ODD, (0, 0)), mode="reflect")
    image = probe if audit_lr is None else audit_lr
    largest = (max(odd.shape[0], image.shape[0]), max(odd.shape[1], image.shape[1]))

    def start(*, twin: bool = False) -> Worker:
        return Worker(
            submission,
            scale=protocol.scale,
            largest_lr=largest,
            device=device,
            isolation=level,
            untimed=True,
            twin=twin,
            tell=tell,
        )

    with start() as worker:
        side = Side(submission, worker, False, info, start_twin=functools.partial(start, twin=True))
        found = environment.describe(worker.hello())
        can_fuse = load(side, probe)
        pixels = round(_COUNTING * protocol.cost_input[-2] * protocol.cost_input[-1])
        if text := side.foreseen(pixels, "counting its costs"):
            tell(text)
        sizes = {image.shape[:2]: image for image in (probe, odd)}
        note_padding(side, {size: worker.warm_up(lr, 1).pad_to for size, lr in sizes.items()})
        if truth is not None:
            compare_with_plain(side, probe, truth, protocol)
        counted = count(side, protocol, image, is_timed=audit_lr is not None)
        compared = False
        if _computes_little(counted) and not submission.declaration.has_twin:
            with start() as other:
                compared = _compare(side, other, probe)
        training_form = _training_form(side, probe, protocol) if can_fuse else []
    return Check(
        submission=side.info,
        complexity=side.complexity or counted,
        findings=(*side.findings, *training_form),
        environment=found,
        isolation=level,
        compared_elsewhere=compared,
    )


def _computes_little(costs: Complexity) -> bool:
    """Return whether far less is computed than what takes every parameter once for each LR pixel.

    So it is with networks that work at low resolution, and with those that compute less when watched.
    A second process takes as long as the first, so that it is asked for these alone; `run` asks one always.
    """
    products, bound = costs.audit.products, costs.audit.bound
    return products is not UNSET and bound is not UNSET and products < _LITTLE * bound


def _compare(side: Side, other: Worker, probe: npt.NDArray[np.uint8]) -> bool:
    """Compare what was given while costs were counted with an ordinary call of another process.

    Returns:
        Whether that could be done.
    """

    def run(lr: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        other.hello()
        other.load(probe)
        other.warm_up(lr, 1)  # finds out what its input must be padded to
        return other.run(lr).sr

    try:
        compare_elsewhere(side, run)
    except (SubmissionError, MeasurementError) as error:
        message = f"no SR image of another process to compare with, as that failed: {error}"
        side.note(Finding(code=NOT_COMPARED, severity="warning", message=message))
        return False
    return side.witness is not None


def compare_with_plain(
    side: Side, probe: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8], protocol: Protocol
) -> None:
    """Note it where a network gives a worse image of a photograph than bicubic enlargement.

    At scale 1, it is compared with the noisy image that it was given.

    Args:
        side: Its worker has loaded the network; gets the finding.
        probe: A real LR image, uint8 HWC.
        truth: Its HR image, uint8 HWC.
        protocol: For the scale, and the border that PSNR leaves out.
    """
    if any(finding.code == "range-contradicted" for finding in side.findings):
        return  # the reason is known, and told
    enlarges = protocol.scale > 1
    code, plain = _PLAIN[enlarges]
    channel = "Y" if enlarges else "RGB"
    images = side.worker.run(probe).sr, bicubic_up(probe, protocol.scale) if enlarges else probe
    own_db, plain_db = (
        both.y_db if enlarges else both.rgb_db
        for both in (psnr(one, truth, protocol.border) for one in images)
    )
    if own_db >= plain_db - _WORSE_DB:
        return
    message = (
        f"its SR image of a photograph is worse than {plain}: PSNR on {channel} {own_db:.2f} dB, "
        f"against {plain_db:.2f} dB. Is the checkpoint trained, and this network's, and data_range right "
        f"({side.info.data_range:g} here)?"
    )
    side.note(Finding(code=code, severity="warning", message=message))


def _training_form(side: Side, probe: npt.NDArray[np.uint8], protocol: Protocol) -> list[Finding]:
    """Return a finding where merging the network's training branches makes it cheaper."""
    try:
        reply, _ = side.worker.fuse(probe, protocol.cost_input, keep=False)
    except SubmissionError as error:  # its fuse() is a method of another kind
        message = f"whether it costs more than it needs could not be found out: {error.what}, {error.found}"
        return [Finding(code="not-fused", severity="info", message=message)]
    if not (reply.saves and reply.same):
        return []
    message = (
        f"the checkpoint is in training form and costs more than it needs: fused it has "
        f"{reply.after.params:,} parameters instead of {reply.before.params:,} and "
        f"{giga(reply.after.flops)} FLOPs instead of {giga(reply.before.flops)}; "
        f"run: ntire-bench fuse {side.submission.id}"
    )
    return [Finding(code="not-fused", severity="warning", message=message)]
