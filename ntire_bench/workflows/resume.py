"""Which stored record makes an evaluation unnecessary: what --resume leaves out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ntire_bench.errors import SubmissionError
from ntire_bench.machine import environment, installed
from ntire_bench.measuring.options import Options
from ntire_bench.measuring.outputs import sr_path
from ntire_bench.measuring.resolve import describe
from ntire_bench.ranking.trust import believed
from ntire_bench.records import store
from ntire_bench.records.record import LAUNCHES, Environment, Record, SubmissionInfo
from ntire_bench.records.unproven import why_unproven
from ntire_bench.submissions.submission import Submission
from ntire_bench.workflows.data import Data

__all__ = ["already_done", "of_this_class"]

_GPU_THREADS = 1  # of a worker on a GPU, unless --threads says otherwise


def already_done(
    submission: Submission,
    stored: Iterable[store.Stored],
    data: Data,
    options: Options,
    baseline: SubmissionInfo,
) -> store.Stored | None:
    """Return the record that makes an evaluation unnecessary, or None.

    Such a record has succeeded, and is believed: both clocks fitted, timed calls were compared with those of
    another process, and its figures follow from each other.
    One that is rejected, or whose runtime is unstable, is done: measured again it may well be the same. It is
    of the same files of submission and baseline, rules and images, and of the class that an evaluation would
    be of now (see `of_this_class`); it was measured in isolation that is enough, and has as many rounds. It
    holds SSIM where that is asked for; where SR images are to be kept, they are there.

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
    wanted = {split.name: split.sha256 for split in data.splits}
    for item in stored:
        record, base = item.record, item.record.baseline
        there = {name: result.dataset_sha256 for name, result in record.splits.items()}
        if (
            record.status == "ok"
            and (record.timing is None or record.timing.attested is not False)
            and not why_unproven(record)
            and (record.submission.id, record.submission.name) == (submission.id, submission.name)
            and record.submission.files == files
            and base is not None
            and _same(base.submission, baseline)
            and record.protocol.sha256 == data.protocol.sha256
            and _measured_enough(record, options)
            and wanted.items() <= there.items()
            and not (options.ssim and any(record.splits[name].ssim_y is None for name in wanted))
            and record.environment is not None
            and of_this_class(record.environment, options)
            and _isolated_enough(record, options.isolation)
            and believed([item], data.protocol, None)[0].doubt is None
        ):
            return item
    return None


def of_this_class(measured: Environment, options: Options) -> bool:
    """Return whether a record is of the class that an evaluation would be of now.

    All that makes a class is compared: device, model, driver, torch, CUDA, cuDNN, CPU and threads. The parent
    does not import torch, so some of it may be unknown before a worker runs, and is then taken to be the
    same:

    - which GPU of several models a worker takes: the record's must be one of them,
    - model and driver of GPUs where NVML does not answer,
    - torch and CUDA where torch's own file does not say,
    - cuDNN where it is no package of its own.
    """
    build, gpus = installed.torch_build(), installed.gpus()
    if options.device == "auto":
        possible = {"cpu"} if build is not None and build.cuda is None else {"cpu", "cuda"}
        if gpus is not None and "cuda" in possible:
            possible = {"cuda"} if gpus.models else {"cpu"}
    else:
        possible = {options.device.split(":")[0]}
    device = measured.device
    usual = environment.compute_threads() if device == "cpu" else _GPU_THREADS
    if (
        device not in possible
        or measured.cpu != environment.cpu_model()
        or measured.threads != (options.threads or usual)
        or (build is not None and measured.torch != build.version)
    ):
        return False
    if device == "cpu":
        return True
    if build is not None and (measured.cuda != build.cuda or build.cudnn not in (None, measured.cudnn)):
        return False
    return gpus is None or (
        # CUDA names a part of a GPU after the whole: "NVIDIA A100-SXM4-40GB MIG 1g.5gb".
        any(
            measured.device_name == one or measured.device_name.startswith(f"{one} MIG ")
            for one in gpus.models
        )
        and measured.driver in (None, gpus.driver)
    )


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
