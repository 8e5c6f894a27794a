"""How an evaluation is made, and the workers that it starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ntire_bench.client.worker import Worker
from ntire_bench.client.workers import Workers
from ntire_bench.data.dataset import Split
from ntire_bench.estimating.stopping import StopRule
from ntire_bench.isolation.choose import isolation_for
from ntire_bench.protocols.protocol import Channel
from ntire_bench.records.record import Isolation
from ntire_bench.submissions.submission import Submission

__all__ = ["Options", "isolation_of", "sides_of", "start_twin", "start_workers"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How an evaluation is made.

    Attributes:
        psnr_channel: Channel that thresholds are compared in.
        stop: When there are enough rounds.
        device: "auto", "cpu", "cuda", "cuda:N".
        ssim: Whether SSIM is computed as well.
        save_dir: Folder for the SR images; None keeps none.
        isolation: One of `choose.ISOLATION_CHOICES`.
        allow_pickle: Whether checkpoints may run code as they are loaded.
        threads: CPU threads that workers compute with; None takes one on a GPU, and
            `environment.compute_threads()` on a CPU.
        tell: Called with a sentence where it will take long.
    """

    psnr_channel: Channel
    stop: StopRule = field(default_factory=StopRule)
    device: str = "auto"
    ssim: bool = False
    save_dir: Path | None = None
    isolation: str = "auto"
    allow_pickle: bool = False
    threads: int | None = None
    tell: Callable[[str], None] = field(default=lambda _: None, compare=False)


def sides_of(submission: Submission, baseline: Submission) -> list[Submission]:
    """Return what runs in a session, the submission last; one entry where it is its own baseline."""
    return [submission] if submission.is_same_as(baseline) else [baseline, submission]


def start_workers(
    submission: Submission,
    baseline: Submission,
    splits: Sequence[Split],
    scale: int,
    options: Options,
    *,
    alone: bool = False,
) -> Workers:
    """Start the workers of a launch, or the submission's alone.

    They import what they need while this process goes on.
    """
    sizes = [(pair.height // scale, pair.width // scale) for split in splits for pair in split.pairs]
    largest = max(sizes, key=lambda size: size[0] * size[1])
    return Workers(
        [submission] if alone else sides_of(submission, baseline),
        scale=scale,
        largest_lr=largest,
        device=options.device,
        threads=options.threads,
        isolation=isolation_of(options, splits),
        hidden=sorted({pair.hr_path.parent for split in splits for pair in split.pairs}),
        tell=options.tell,
    )


def start_twin(submission: Submission, *, splits: Sequence[Split], scale: int, options: Options) -> Worker:
    """Start a process that runs a submission's twin."""
    sizes = [(pair.height // scale, pair.width // scale) for split in splits for pair in split.pairs]
    return Worker(
        submission,
        scale=scale,
        largest_lr=max(sizes, key=lambda size: size[0] * size[1]),
        device=options.device,
        threads=options.threads,
        isolation=isolation_of(options, splits),
        hidden=sorted({pair.hr_path.parent for split in splits for pair in split.pairs}),
        untimed=True,
        twin=True,
    )


def isolation_of(options: Options, splits: Sequence[Split]) -> Isolation:
    """Return the isolation that workers get. To find it, a canary tries to read an HR image of each split.

    Raises:
        UsageError: This machine does not have what the options ask for.
    """
    ground_truth = [split.pairs[0].hr_path for split in splits]
    return isolation_for(options.isolation, ground_truth, allow_pickle=options.allow_pickle)
