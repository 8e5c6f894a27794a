"""Warm-up, and the timed rounds over the images of a split with the metrics on what came back."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import secrets
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ntire_bench import images, metrics
from ntire_bench.client import Worker
from ntire_bench.dataset import Pair, Split, read_hr, read_lr
from ntire_bench.errors import DatasetError, MeasurementError, NtireBenchError, UsageError
from ntire_bench.records import Complexity, Finding, ImageResult, Inference, SplitResult, SubmissionInfo
from ntire_bench.submission import Submission

__all__ = [
    "BaselineError",
    "Contender",
    "Progress",
    "Timeline",
    "blamed",
    "measure_split",
    "note_padding",
    "sr_path",
    "warm_up",
]

UNSTEADY_SPREAD = 0.15  # RLFN on two idle cores: 0.004 to 0.028; beside other programs: up to 0.27
WARM_UP_CALLS = {"cuda": 3, "cpu": 1}
_MOST_PADDINGS = 16  # an honest worker raises its padding a few times at most and never lowers it

Progress = Callable[[str, int, int], None]
"""Called with what is being done, calls done, calls in all."""


class BaselineError(MeasurementError):
    """The baseline failed, so that the submission's result cannot be scored."""


@dataclass
class Contender:
    """One side of a session: the submission, or the baseline.

    Attributes:
        submission: What runs.
        worker: Where it runs.
        is_baseline: Whether it runs to be divided by.
        info: How it was resolved, as far as it is known.
        findings: On it.
        complexity: Its costs, once counted.
        splits: Results so far, by split.
    """

    submission: Submission
    worker: Worker
    is_baseline: bool
    info: SubmissionInfo
    findings: list[Finding] = field(default_factory=list)
    complexity: Complexity | None = None
    splits: dict[str, SplitResult] = field(default_factory=dict)


class Timeline:
    """Counts forward passes for a progress display.

    Args:
        total: Passes in all.
        progress: Told of each.
        title: Whose they are.
    """

    def __init__(self, total: int, progress: Progress | None, title: str) -> None:
        self.total, self.done, self.title = total, 0, title
        self._progress = progress

    def step(self, what: str, calls: int = 1) -> None:
        """Report `calls` more passes."""
        self.done += calls
        if self._progress is not None:
            self._progress(f"{self.title}: {what}", self.done, self.total)


@contextlib.contextmanager
def blamed(contender: Contender) -> Iterator[None]:
    """Mark what the baseline fails at as the baseline's, not the submission's."""
    try:
        yield
    except (DatasetError, UsageError):
        raise
    except NtireBenchError as error:
        if not contender.is_baseline:
            raise
        raise BaselineError(f"the baseline {contender.submission.label} failed: {error}") from error


def warm_up(contender: Contender, pairs: Sequence[Pair], device: str, timeline: Timeline) -> None:
    """Run one image of every size, untimed, so that no first call is ever averaged in.

    The multiple that an input must be padded to comes to light here; where a later size raised it, the
    earlier sizes are run again as they will be timed.

    Args:
        contender: Whose turn it is; its info learns the padding.
        pairs: One per image size.
        device: "cuda" or "cpu".
        timeline: Told of every pair.
    """
    pad_to = contender.submission.declaration.pad_to
    for attempt in range(_MOST_PADDINGS):
        before = pad_to
        for pair in pairs:
            pad_to = contender.worker.warm_up(read_lr(pair), WARM_UP_CALLS[device])
            if attempt == 0:
                timeline.step("warm-up")
        if pad_to == before:
            break
    note_padding(contender, pad_to)


def note_padding(contender: Contender, pad_to: int | None) -> None:
    """Complete a contender's info with the multiple that its input is padded to, once it is known."""
    if pad_to and contender.submission.declaration.pad_to is None:
        how = "the smallest multiple with which images of all sizes run"
        padding = Inference(key="pad_to", value=str(pad_to), how=how)
        contender.info = dataclasses.replace(contender.info, inferred=(*contender.info.inferred, padding))
    contender.info = dataclasses.replace(contender.info, pad_to=pad_to)


def measure_split(
    contenders: Sequence[Contender],
    split: Split,
    *,
    rounds: int,
    scale: int,
    border: int,
    ssim: bool,
    save_dir: Path | None,
    timeline: Timeline,
) -> None:
    """Time all contenders round by round over a split, alternating on each image, and score the SR images.

    The SR image that is scored comes from a timed call; which round's is drawn at random per image, so that
    no call can be known to be the one that counts. Nothing else runs in this process during a call.

    Args:
        contenders: All resident and warm; their `splits` gain this one.
        split: Checked pairs.
        rounds: Timed passes over all images.
        scale: Enlargement factor.
        border: Pixels cropped off before the metrics.
        ssim: Whether SSIM is computed.
        save_dir: Where SR images go, as TEAM/SPLIT/NAME.png; None to keep none.
        timeline: Told of every call.
    """
    samples: dict[tuple[int, str], list[float]] = {}
    scores: dict[tuple[int, str], tuple[float, float, float | None]] = {}
    scored_round = {pair.name: secrets.randbelow(rounds) for pair in split.pairs}
    for contender in contenders:
        with blamed(contender):
            contender.worker.reset_memory()
    for round_ in range(rounds):
        for index, pair in enumerate(split.pairs):
            lr = read_lr(pair)
            sr = {}
            # Who goes first changes with every image and round, as the second finds a warmer machine.
            order = contenders if (round_ + index) % 2 == 0 else contenders[::-1]
            for contender in order:
                with blamed(contender):
                    image, runtime_ms = contender.worker.run(lr)
                samples.setdefault((id(contender), pair.name), []).append(runtime_ms)
                if scored_round[pair.name] == round_:
                    sr[id(contender)] = image
                timeline.step(f"{split.name}, round {round_ + 1} of {rounds}")
            if sr:
                hr = read_hr(pair, scale)
            for contender in contenders if sr else ():
                image = sr[id(contender)]
                psnr = metrics.psnr(image, hr, border)
                similarity = metrics.ssim_y(image, hr, border) if ssim else None
                scores[id(contender), pair.name] = (psnr.y_db, psnr.rgb_db, similarity)
                if save_dir is not None and not contender.is_baseline:
                    images.write_png(sr_path(save_dir, contender.submission, split, pair), image)
    for contender in contenders:
        with blamed(contender):
            memory_mib = contender.worker.peak_memory_mib()
        results = [
            _image_result(pair, samples[id(contender), pair.name], *scores[id(contender), pair.name])
            for pair in split.pairs
        ]
        contender.splits[split.name] = _split_result(split, results, memory_mib)
        contender.findings += _quality_findings(split, results)
        contender.findings += _steadiness_findings(split, results, contender.submission.label)


def sr_path(save_dir: Path, submission: Submission, split: Split, pair: Pair) -> Path:
    """Return where the SR image of a pair goes."""
    return save_dir / submission.label / split.dataset / f"{pair.name}.png"


def _image_result(
    pair: Pair, samples_ms: list[float], psnr_y_db: float, psnr_rgb_db: float, ssim_y: float | None
) -> ImageResult:
    return ImageResult(
        name=pair.name,
        height=pair.height,
        width=pair.width,
        psnr_y_db=psnr_y_db if math.isfinite(psnr_y_db) else None,
        psnr_rgb_db=psnr_rgb_db if math.isfinite(psnr_rgb_db) else None,
        ssim_y=ssim_y,
        runtime_ms=statistics.median(samples_ms),
        runtime_samples_ms=tuple(samples_ms),
    )


def _split_result(split: Split, results: list[ImageResult], memory_mib: float | None) -> SplitResult:
    return SplitResult(
        dataset=split.dataset,
        dataset_sha256=split.sha256,
        images=len(results),
        psnr_y_db=_mean([result.psnr_y_db for result in results]),
        psnr_rgb_db=_mean([result.psnr_rgb_db for result in results]),
        ssim_y=_mean([result.ssim_y for result in results]),
        runtime_ms=statistics.fmean(result.runtime_ms for result in results),
        memory_mib=memory_mib,
        per_image=tuple(results),
    )


def _mean(values: list[float | None]) -> float | None:
    """Return the mean, or None if any value is missing: an infinite PSNR never enters one."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def _steadiness_findings(split: Split, results: list[ImageResult], label: str) -> list[Finding]:
    """Warn where the rounds of an image disagree so much that their median says little.

    The spread of an image is the median absolute deviation of its samples over their median; what counts is
    the median image, so that a single disturbed call is not a disturbed run.
    """
    if not results or len(results[0].runtime_samples_ms) < 3:
        return []
    spreads = []
    for result in results:
        deviations = [abs(sample - result.runtime_ms) for sample in result.runtime_samples_ms]
        spreads.append(statistics.median(deviations) / result.runtime_ms)
    spread = statistics.median(spreads)
    if spread <= UNSTEADY_SPREAD:
        return []
    message = (
        f"the rounds of {label} on {split.name} differ by {spread:.0%} (median absolute deviation): "
        "something else used the machine; run again when it is idle"
    )
    return [Finding(code="runtime-unsteady", severity="warning", message=message)]


def _quality_findings(split: Split, results: list[ImageResult]) -> list[Finding]:
    exact = [result.name for result in results if result.psnr_y_db is None or result.psnr_rgb_db is None]
    if not exact:
        return []
    message = f"SR equals HR in {split.name}: {', '.join(exact[:5])}{' ...' if len(exact) > 5 else ''}"
    return [Finding(code="psnr-infinite", severity="reject", message=message)]
