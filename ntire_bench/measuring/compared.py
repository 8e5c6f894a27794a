"""Compares timed calls with those of processes that were not timed: a fresh one, and the twin.

Whatever a process notices of its being timed, another one does not; so what the two give must be the same.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ntire_bench.audit.twin import rounded_differs
from ntire_bench.client.worker import Worker
from ntire_bench.client.workers import Workers
from ntire_bench.data.dataset import Pair, Split, read_lr
from ntire_bench.errors import MeasurementError, SubmissionError
from ntire_bench.measuring import resolve
from ntire_bench.measuring.outputs import Kept, Outputs
from ntire_bench.measuring.replays import dithered
from ntire_bench.measuring.side import Side
from ntire_bench.records.record import Finding
from ntire_bench.records.unproven import NOT_COMPARED

__all__ = ["compare_with_fresh", "compare_with_twin"]

Uint8 = npt.NDArray[np.uint8]


def compare_with_fresh(
    side: Side, start: Callable[[], Workers], outputs: Outputs, splits: Sequence[Split], probe: Uint8
) -> None:
    """Have a process that has run nothing run some LR images again, while nothing is timed.

    Args:
        side: The submission's; gets the findings.
        start: Starts workers, the submission's last.
        outputs: What the timed calls gave.
        splits: The images.
        probe: To load the submission with, uint8 HWC.
    """

    def compare() -> None:
        with start() as workers:
            workers.hello(len(workers.workers) - 1)
            workers.workers[-1].load(probe)
            _repeat(side, workers.workers[-1], outputs, splits)

    _twice(side, "a fresh process", compare)


def _repeat(side: Side, worker: Worker, outputs: Outputs, splits: Sequence[Split]) -> None:
    padded: set[tuple[int, ...]] = set()

    def run(lr: Uint8) -> Uint8:
        if _pads(side) and lr.shape not in padded:
            worker.warm_up(lr, 1)  # finds out what its input must be padded to
            padded.add(lr.shape)
        return worker.run(lr).sr

    # At a place drawn at random: nothing tells it from calls like the timed ones.
    place = secrets.randbelow(len(outputs.kept) + 1)
    for kept in outputs.kept[:place]:
        outputs.compare_fresh(kept, run(kept.shown.lr))
    resolve.compare_elsewhere(side, run)
    for kept in outputs.kept[place:]:
        outputs.compare_fresh(kept, run(kept.shown.lr))
    split, pair = _drawn(splits)
    outputs.compare_dithered(split, pair, run(dithered(read_lr(pair), secrets.randbits(48))))
    outputs.compare_unseen(run, splits)


def compare_with_twin(side: Side, kept: Sequence[Kept]) -> None:
    """Have the twin, if there is one, run some of the timed LR images: what was timed must be what counted.

    Args:
        side: The submission's; gets the findings.
        kept: Timed calls.
    """
    declared, start = side.submission.declaration, side.start_twin
    if not declared.has_twin or start is None:
        return

    def compare() -> None:
        with start() as twin:
            resolve.load_twin(side, twin)
            for one in kept:
                twin.warm_up(one.shown.lr, 1)  # finds out what its input must be padded to
                sr = twin.run(one.shown.lr).sr
                pairs = [(window.pixels, window.of(sr)) for window in one.windows]
                own, others = (np.stack(each) for each in zip(*pairs, strict=True))
                for finding in rounded_differs(own, others, declared.kernel or "float32", "in timed calls"):
                    if all(known.code != finding.code for known in side.findings):
                        side.note(finding)

    _twice(side, "the twin", compare)


def _twice(side: Side, by: str, compare: Callable[[], None]) -> None:
    """Compare timed calls with another process, and with one more where that fails.

    Where both fail, all that was measured is kept, and the row is not judged: else a submission that ends
    each process that it is compared with would be ranked as those that stand the comparison.
    """
    failures = []
    for _ in range(2):
        try:
            compare()
            return
        except (SubmissionError, MeasurementError) as error:
            failures.append(str(error))
    message = f"timed calls were not compared with those of {by}, which failed twice: {failures[-1]}"
    side.note(Finding(code=NOT_COMPARED, severity="warning", message=message))


def _pads(side: Side) -> bool:
    """Say whether a network's input is padded as was found out, not declared."""
    found = any(item.key in ("pad_to", "padded_sizes") for item in side.info.inferred)
    return found and side.submission.declaration.pad_to is None


def _drawn(splits: Sequence[Split]) -> tuple[Split, Pair]:
    """Return a split and a pair of it, drawn at random."""
    split = splits[secrets.randbelow(len(splits))]
    return split, split.pairs[secrets.randbelow(len(split.pairs))]
