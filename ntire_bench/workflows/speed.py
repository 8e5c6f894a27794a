"""How fast the baseline runs on this machine: from a record that was made here, or timed now."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntire_bench.client.worker import Worker
from ntire_bench.data import sample
from ntire_bench.errors import NtireBenchError
from ntire_bench.measuring.options import Options
from ntire_bench.records import store
from ntire_bench.records.record import Isolation, Record
from ntire_bench.submissions.submission import Submission
from ntire_bench.workflows.resume import of_this_class

__all__ = ["Speed", "pair_seconds", "speed_of_records", "timed_speed"]

_PROBE_SIDE = {"cpu": 128, "cuda": 384}  # LR pixels: enough to time, and soon done
_CALLS = 3
_SIDES = 2
# A round over one call: on a GPU a turn has five calls of which four count, and the parent decodes and
# compares images of which it has less time to do it in.
_BESIDE = {"cpu": 1.15, "cuda": 2.5}


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How fast submissions run on this machine.

    Attributes:
        device: "cuda" or "cpu".
        pair_s: Seconds of a round for each LR pixel: a submission and the baseline beside it, and all that is
            done with their images meanwhile.
        start_s: Seconds until both workers of a launch have started and loaded.
        own: `pair_s` of single submissions, by their label, from their own records.
        source: Where this is from: "records", or "timed" now.
        baseline: Label of the baseline it is of.
    """

    device: str
    pair_s: float
    start_s: float
    own: Mapping[str, float]
    source: str
    baseline: str


def pair_seconds(record: Record, scale: int) -> float | None:
    """Return how long a round of an evaluation took for each LR pixel [s]; None where it does not say.

    Args:
        record: Whole, with its lists of single images.
        scale: HR size over LR size.
    """
    took_s, rounds = record.wall_s.get("run"), record.rounds
    images = [image for split in record.splits.values() for image in split.per_image]
    pixels = sum(image.height * image.width for image in images) / scale**2
    return None if took_s is None or not rounds or not pixels else took_s / rounds / pixels


def speed_of_records(
    stored: Iterable[store.Stored], options: Options, baseline: Submission, scale: int
) -> Speed | None:
    """Return how fast submissions ran that were evaluated on this machine beside this baseline.

    Args:
        stored: Records, without their lists of single images; the newest of each submission is read.
        options: Device and threads: records of another class tell nothing.
        baseline: Of the evaluations to come.
        scale: HR size over LR size.

    Returns:
        The median over submissions; None where there is no such record.
    """
    newest: dict[str, store.Stored] = {}
    for item in sorted(stored, key=lambda one: one.order):
        record, base = item.record, item.record.baseline
        if (
            record.status == "ok"
            and record.imported is None
            and record.environment is not None
            and base is not None
            and base.submission.label == baseline.label
            and of_this_class(record.environment, options)
        ):
            newest[record.submission.label] = item
    own: dict[str, float] = {}
    starts, device = [], ""
    for label, item in newest.items():
        try:
            record = store.load(item.path)
        except NtireBenchError:  # it was taken away meanwhile; the board says so, if it is to be said
            continue
        found = pair_seconds(record, scale)
        launches = 0 if record.timing is None else len(record.timing.launches)
        if found is not None and launches and record.environment is not None and label != baseline.label:
            own[label], device = found, record.environment.device
            starts.append(record.wall_s.get("load", 0.0) / launches)
    if not own:
        return None
    return Speed(
        device=device,
        pair_s=statistics.median(own.values()),
        start_s=statistics.median(starts),
        own=own,
        source="records",
        baseline=baseline.label,
    )


def timed_speed(
    baseline: Submission, options: Options, isolation: Isolation, scale: int, noise: float | None = None
) -> Speed:
    """Start the baseline in a worker, time a few calls, and take others to be as fast.

    Args:
        baseline: Of the evaluations to come.
        options: Device and threads.
        isolation: Level that the worker runs at.
        scale: HR size over LR size.
        noise: At scale 1, the standard deviation of the LR images' noise [8-bit levels].

    Raises:
        NtireBenchError: No worker comes up, or the baseline does not run in it.
    """
    begin = time.perf_counter()
    probe, large = sample.probe_lr(scale, noise), sample.large_lr(noise)
    with Worker(
        baseline,
        scale=scale,
        largest_lr=large.shape[:2],
        device=options.device,
        threads=options.threads,
        isolation=isolation,
    ) as worker:
        device = str(worker.hello()["device"])
        worker.load(probe)
        start_s = time.perf_counter() - begin
        lr: npt.NDArray[np.uint8] = np.ascontiguousarray(large[: _PROBE_SIDE[device], : _PROBE_SIDE[device]])
        worker.warm_up(lr, 1)
        call_s = min(worker.run(lr).bracket_ms for _ in range(_CALLS)) / 1000
    pixels = lr.shape[0] * lr.shape[1]
    return Speed(
        device=device,
        pair_s=_SIDES * _BESIDE[device] * call_s / pixels,
        start_s=start_s,
        own={},
        source="timed",
        baseline=baseline.label,
    )
