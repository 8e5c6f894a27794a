"""Which stored record makes an evaluation unnecessary: what --resume leaves out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ntire_bench.errors import SubmissionError
from ntire_bench.machine import environment
from ntire_bench.measuring.options import Options
from ntire_bench.measuring.outputs import sr_path
from ntire_bench.measuring.resolve import describe
from ntire_bench.records import store
from ntire_bench.records.record import LAUNCHES, Record, SubmissionInfo
from ntire_bench.submissions.submission import Submission
from ntire_bench.workflows.data import Data

__all__ = ["already_done"]


def already_done(
    submission: Submission,
    stored: Iterable[store.Stored],
    data: Data,
    options: Options,
    baseline: SubmissionInfo,
) -> Path | None:
    """Return the record that makes an evaluation unnecessary, or None.

    Such a record has succeeded. It is of the same files of submission and baseline, rules, images, CPU model
    and threads, was measured in isolation that is enough, and has as many rounds. It holds SSIM where that is
    asked for; where SR images are to be kept, they are there. The model of a GPU is not compared, because it
    is not known before a worker runs.

    Args:
        submission: What is to be evaluated.
        stored: Records of the same protocol.
        data: Images and rules.
        options: Rounds, device, SSIM, SR images.
        baseline: The baseline as it is now.
    """
    try:
        files = describe(submission).files
    except SubmissionError:  # its files cannot be read: the evaluation will say so
        return None
    if options.save_dir is not None and not _images_saved(submission, data, options.save_dir):
        return None
    cpu = environment.cpu_model()
    threads = options.threads or environment.compute_threads()
    wanted = {split.name: split.sha256 for split in data.splits}
    for item in stored:
        record, base = item.record, item.record.baseline
        there = {name: result.dataset_sha256 for name, result in record.splits.items()}
        device = record.environment.device if record.environment else ""
        if (
            record.status == "ok"
            and (record.submission.id, record.submission.name) == (submission.id, submission.name)
            and record.submission.files == files
            and base is not None
            and _same(base.submission, baseline)
            and record.protocol.sha256 == data.protocol.sha256
            and _measured_enough(record, options)
            and wanted.items() <= there.items()
            and not (options.ssim and any(record.splits[name].ssim_y is None for name in wanted))
            and (options.device == "auto" or options.device.split(":")[0] == device)
            and record.environment is not None
            and record.environment.cpu == cpu
            and (device != "cpu" or record.environment.threads == threads)
            and _isolated_enough(record, options.isolation)
        ):
            return item.path
    return None


def _measured_enough(record: Record, options: Options) -> bool:
    """Return whether a record has the rounds that an evaluation would make now."""
    timing, rule = record.timing, options.stop
    if rule.rounds is not None:
        return record.rounds >= rule.rounds
    if timing is None or record.environment is None:
        return False
    precise = timing.half_width is not None and timing.half_width <= rule.target(record.environment.device)
    if precise and len(timing.launches) >= LAUNCHES and record.rounds >= rule.min_rounds:
        return True
    if timing.stopped == "max-time":  # enough if it was given at least the time that it would have now
        return timing.max_time_s is not None and timing.max_time_s >= rule.max_time_s
    return record.rounds >= rule.max_rounds


def _same(one: SubmissionInfo, other: SubmissionInfo) -> bool:
    return (one.id, one.name, one.files) == (other.id, other.name, other.files)


def _isolated_enough(record: Record, wanted: str) -> bool:
    level = record.isolation.level if record.isolation is not None else ""
    if wanted == "required":
        return level in ("L2", "L3")
    return wanted in ("auto", "none") or level == wanted


def _images_saved(submission: Submission, data: Data, save_dir: Path) -> bool:
    return all(
        sr_path(save_dir, submission, split, pair).is_file() for split in data.splits for pair in split.pairs
    )
