"""Which estimator of the runtime ratio scatters least from one invocation to the next, and which is biased.

Reads a folder of records; those of one submission on the same images, device and threads are one group. For
each estimator the ratio to the baseline is computed anew from the calls of every record: its coefficient of
variation (CV: standard deviation over mean), and its bias: the mean over the records against the same
estimator on all their calls together, and against the medians of all calls together. Prints Markdown.

A record of version 1 whose `timing.attested` is false holds, for each call, the larger of two clocks: its
calls are not runtimes alone, and a sentence says so.

    python benchmarks/estimators.py RECORDS [--by-launch]
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from ntire_bench.records import store
from ntire_bench.records.record import Record, SplitResult

__all__ = ["ESTIMATORS", "Calls", "Figures", "calls_of", "calls_of_side", "figures_of", "pooled", "ratio"]

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Calls:
    """The counted calls of one session: per split (images, rounds) [ms], of both sides.

    Attributes:
        own: Of the submission.
        baseline: Of the baseline.
        launches: Rounds of each launch.
    """

    own: Mapping[str, Floats]
    baseline: Mapping[str, Floats]
    launches: tuple[int, ...] = ()

    def by_launch(self) -> list[Calls]:
        """Return each launch's calls as if they were a session."""
        ends = np.cumsum(self.launches)
        parts = [slice(int(end) - count, int(end)) for end, count in zip(ends, self.launches, strict=True)]
        return [
            Calls(
                {split: values[:, part] for split, values in self.own.items()},
                {split: values[:, part] for split, values in self.baseline.items()},
            )
            for part in parts
        ]


def calls_of(record: Record) -> Calls | None:
    """Return the calls that a record holds; None where there are not those of two sides."""
    if record.status != "ok" or record.baseline is None or record.timing is None:
        return None
    if record.baseline.submission.files == record.submission.files:
        return None
    launches = tuple(launch.rounds for launch in record.timing.launches)
    return Calls(_side(record.splits), _side(record.baseline.splits), launches)


def _side(splits: Mapping[str, SplitResult]) -> dict[str, Floats]:
    return {name: np.array(calls_of_side(split)) for name, split in splits.items()}


def calls_of_side(split: SplitResult) -> list[tuple[float, ...]]:
    """Return the calls of each image as they were [ms]; in version 1 the samples are corrected ones."""
    return [image.calls_ms or image.runtime_samples_ms for image in split.per_image]


def _paired_medians(own: Floats, base: Floats) -> tuple[Floats, Floats]:
    """Return medians after what both calls of a pair had in common is taken out of both."""
    share_own, share_base = (side / np.median(side, axis=1, keepdims=True) for side in (own, base))
    common = np.sqrt(share_own * share_base)
    return np.median(own / common, axis=1), np.median(base / common, axis=1)


def _plain(figure: Callable[[Floats], Floats]) -> Callable[[Floats, Floats], tuple[Floats, Floats]]:
    return lambda own, base: (figure(own), figure(base))


ESTIMATORS: dict[str, Callable[[Floats, Floats], tuple[Floats, Floats]]] = {
    "paired medians": _paired_medians,
    "medians": _plain(lambda side: np.median(side, axis=1)),
    "20 % quantile": _plain(lambda side: np.quantile(side, 0.2, axis=1)),
    "minimum": _plain(lambda side: side.min(axis=1)),
    "mean": _plain(lambda side: side.mean(axis=1)),
}
"""From calls (images, rounds) of both sides to a runtime per image of each."""


def ratio(calls: Calls, estimator: str) -> float:
    """Return the runtime over the baseline's: of the sums over the splits of the means over their images.

    >>> own, base = np.array([[10.0, 30.0, 11.0]]), np.array([[20.0, 40.0, 20.0]])
    >>> both = Calls({"valid": own}, {"valid": base})
    >>> [round(ratio(both, name), 4) for name in ("paired medians", "medians", "minimum")]
    [0.55, 0.55, 0.5]
    """
    figures = [ESTIMATORS[estimator](values, calls.baseline[split]) for split, values in calls.own.items()]
    own, base = (math.fsum(float(pair[side].mean()) for pair in figures) for side in (0, 1))
    return own / base


def pooled(sessions: Sequence[Calls]) -> Calls:
    """Return the calls of all sessions together; they have the same images."""

    def joined(sides: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
        return {split: np.concatenate([side[split] for side in sides], axis=1) for split in sides[0]}

    return Calls(joined([each.own for each in sessions]), joined([each.baseline for each in sessions]))


@dataclasses.dataclass(frozen=True)
class Figures:
    """What an estimator gives over some sessions.

    Attributes:
        mean: Of the sessions' ratios.
        cv: Their standard deviation over their mean.
        bias: `mean` over the same estimator on all calls together, less 1.
        off_medians: `mean` over the medians of all calls together, less 1.
    """

    mean: float
    cv: float
    bias: float
    off_medians: float


def figures_of(sessions: Sequence[Calls]) -> dict[str, Figures]:
    """Return the figures of every estimator.

    Args:
        sessions: Two or more, on the same images.
    """
    together = pooled(sessions)
    medians = ratio(together, "medians")
    found = {}
    for name in ESTIMATORS:
        ratios = [ratio(each, name) for each in sessions]
        mean = statistics.fmean(ratios)
        found[name] = Figures(
            mean, statistics.stdev(ratios) / mean, mean / ratio(together, name) - 1, mean / medians - 1
        )
    return found


def _groups(folder: Path) -> dict[str, list[Record]]:
    """Return the records of a folder that can be compared, by what they are of."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for path in sorted(folder.rglob("*.json")):
        record = store.load(path)
        if calls_of(record) is None or record.environment is None:
            continue
        machine = record.environment
        images = ", ".join(
            f"{split.images} images of {split.dataset} ({split.dataset_sha256[:8]})"
            for split in record.splits.values()
        )
        key = f"{record.submission.label}, {images}, {machine.device_name}, threads: {machine.threads}"
        groups[key].append(record)
    return groups


def _doubted(records: Sequence[Record]) -> int:
    return sum(
        record.schema_version == 1 and record.timing is not None and record.timing.attested is False
        for record in records
    )


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--by-launch", is_flag=True, help="Take every launch for an invocation of its own.")
def main(folder: Path, by_launch: bool) -> None:
    """Print bias and coefficient of variation of estimators over the records in FOLDER."""
    groups = {key: records for key, records in _groups(folder).items() if len(records) > 1 or by_launch}
    if not groups:
        raise SystemExit(
            f"{folder}: expected two or more records of one submission beside a baseline on the same images; "
            "found none. Remedy: run the same command several times with --results of this folder."
        )
    for key, records in groups.items():
        sessions = [calls for record in records if (calls := calls_of(record)) is not None]
        rounds = ", ".join(str(sum(each.launches)) for each in sessions)
        if by_launch:
            sessions = [launch for each in sessions for launch in each.by_launch()]
        print(f"{key}: {len(records)} records, rounds: {rounds}.")
        if by_launch:
            print(f"Each of their {len(sessions)} launches is taken for an invocation.")
        if doubted := _doubted(records):
            print(f"In {doubted} of them each call is the larger of two clocks (version 1, not attested).")
        if len(sessions) < 2:
            print("There is one launch in all: nothing to compare.")
            continue
        print("\n| estimator | ratio, mean | CV | bias | against medians of all calls |")
        print("|---|---|---|---|---|")
        for name, found in figures_of(sessions).items():
            shares = " | ".join(
                (f"{found.cv:.2%}", f"{found.bias:+.2%}", f"{found.off_medians:+.2%}"),
            )
            print(f"| {name} | {found.mean:.4f} | {shares} |")
        print()


if __name__ == "__main__":
    main()
