"""One session of a submission beside the baseline, in this process, and the figures of its record."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from estimators import calls_of_side

from gpu_parts.report import Row
from ntire_bench.data.dataset import Split
from ntire_bench.errors import NtireBenchError
from ntire_bench.estimating.stopping import StopRule
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.records.record import Record, SplitResult
from ntire_bench.submissions.submission import Submission
from ntire_bench.workflows.evaluate import Options, evaluate

__all__ = ["FailedError", "Setting", "figures", "findings", "of_two_sizes", "session", "slow_share"]

_SLOW = 1.2  # times the median
_FEWEST = 3  # calls, for a median to tell a slow one from
_COST_SIDE = 64  # pixels: what is timed here is no count of FLOPs


class FailedError(Exception):
    """A measurement could not be made."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """What the sessions of this benchmark have in common.

    Attributes:
        team: What is measured.
        baseline: What beside.
        split: Pairs of a few sizes.
        rules: The protocol.
        device: "auto", "cpu", "cuda", "cuda:N".
        isolation: As `--isolation` takes it.
        rounds: Of a session.
    """

    team: Submission
    baseline: Submission
    split: Split
    rules: Protocol
    device: str
    isolation: str
    rounds: int


def session(setting: Setting, progress: Any, threads: int | None = None) -> Record:  # noqa: ANN401
    """Measure, and return the record.

    Args:
        setting: What and on what.
        progress: Called for every call; may raise to end the session.
        threads: CPU threads of the workers; None for the default.

    Raises:
        FailedError: The submission or the baseline failed, or the machine lacks what was asked for.
    """
    rules = dataclasses.replace(setting.rules, cost_input=(1, 3, _COST_SIDE, _COST_SIDE))
    options = Options(
        psnr_channel=rules.psnr_channel,
        stop=StopRule(rounds=setting.rounds),
        device=setting.device,
        isolation=setting.isolation,
        threads=threads,
        ssim=True,
    )
    try:
        record = evaluate(setting.team, setting.baseline, [setting.split], rules, options, progress)
    except NtireBenchError as error:
        raise FailedError(str(error)) from error
    if record.error is not None:
        raise FailedError(f"{record.error.phase}: {record.error.message}")
    return record


def of_two_sizes(split: Split, count: int) -> Split:
    """Return a split of so many pairs of its two commonest sizes, so that turns of one size are full."""
    sizes = Counter((pair.height, pair.width) for pair in split.pairs)
    groups = [
        [pair for pair in split.pairs if (pair.height, pair.width) == size]
        for size, _ in sizes.most_common(2)
    ]
    most = groups[0][: max(count - len(groups[1]), -(-count // 2))] if len(groups) > 1 else groups[0][:count]
    rest = groups[1][: count - len(most)] if len(groups) > 1 else []
    return dataclasses.replace(split, pairs=tuple(sorted([*most, *rest], key=lambda pair: pair.name)))


def slow_share(splits: Mapping[str, SplitResult]) -> float | None:
    """Return the share of calls over 1.2 times the median of their image, or of their size.

    An image's median tells where the image has three calls or more; where it has fewer, all calls on images
    of its size are taken together. None where no median tells.
    """
    groups: dict[object, list[float]] = defaultdict(list)
    for name, split in splits.items():
        for image, calls in zip(split.per_image, calls_of_side(split), strict=True):
            alone = len(calls) >= _FEWEST
            groups[(name, image.name) if alone else (image.height, image.width)] += list(calls)
    told = [np.array(calls) for calls in groups.values() if len(calls) >= _FEWEST]
    if not told:
        return None
    slow = sum(int((calls > _SLOW * np.median(calls)).sum()) for calls in told)
    return slow / sum(len(calls) for calls in told)


def figures(row: Row, record: Record) -> Row:
    """Return a row with a record's figures."""
    row = dataclasses.replace(
        row, slow_calls=slow_share(record.splits), runtime_ms=_runtime_ms(record.splits)
    )
    if record.baseline is None or record.timing is None:
        return row
    return dataclasses.replace(
        row,
        baseline_slow_calls=slow_share(record.baseline.splits),
        baseline_runtime_ms=_runtime_ms(record.baseline.splits),
        ratio=record.timing.ratio,
    )


def _runtime_ms(splits: Mapping[str, SplitResult]) -> float:
    """Return the mean over all images of the median of their calls as they were [ms]."""
    return float(np.mean([np.median(calls) for split in splits.values() for calls in calls_of_side(split)]))


def findings(record: Record) -> str:
    """Return the codes of what a record holds against its runtime or its submission; empty for nothing."""
    codes = [finding.code for finding in record.findings if finding.severity != "info"]
    if record.timing is not None and record.timing.unstable:
        codes.append("unstable")
    return ", ".join(dict.fromkeys(codes))
