"""Two evaluations beside each other: costs, PSNR image by image, and which one is faster."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ntire_bench.protocols.protocol import Channel
from ntire_bench.ranking.device_class import class_of, difference
from ntire_bench.records.record import Measurement, Record, SubmissionInfo
from ntire_bench.records.scored_costs import scored_flops, scored_params
from ntire_bench.records.version_1 import with_plain_runtimes
from ntire_bench.text import one_line

__all__ = ["Comparison", "Cost", "ImageDifference", "Runtime", "Side", "compare", "compare_session"]

Verdict = Literal["faster", "slower", "cannot be told"]
_QUANTILES = (0.025, 0.975)


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two.

    Attributes:
        label: Such as "05_Net".
        version: The first digits of its checkpoint's hash, or of its model file's.
        created_utc: When it was evaluated.
    """

    label: str
    version: str
    created_utc: str


@dataclass(frozen=True, kw_only=True)
class Cost:
    """A cost of both.

    Attributes:
        name: Such as "parameters".
        unit: "" for a count.
        a: Of the first; None where it is not known.
        b: Of the second.
    """

    name: str
    unit: str
    a: float | None
    b: float | None

    @property
    def change(self) -> float | None:
        """By how much the first is above the second, as a share of it; None where it is not known.

        >>> Cost(name="parameters", unit="", a=90, b=100).change
        -0.1
        """
        if self.a is None or self.b is None or self.b == 0:
            return None
        return (self.a - self.b) / self.b


@dataclass(frozen=True, kw_only=True)
class ImageDifference:
    """PSNR of one image [dB]; None where SR equals HR."""

    split: str
    name: str
    a_db: float | None
    b_db: float | None

    @property
    def difference_db(self) -> float | None:
        """Of the first over the second; None where one of them has none."""
        return None if self.a_db is None or self.b_db is None else self.a_db - self.b_db


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Which one is faster.

    Attributes:
        ratio: Runtime of the first over the second's; None where they cannot be compared.
        ci95: 95 % interval of it; None where there is none.
        verdict: Of the first: "faster", "slower", or "cannot be told".
        how: What the ratio is of, or why there is no verdict, as a clause.
    """

    ratio: float | None
    ci95: tuple[float, float] | None
    verdict: Verdict
    how: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two evaluations beside each other.

    Attributes:
        a: The first.
        b: The second.
        channel: Of PSNR.
        costs: What does not depend on images, then runtime and memory by split.
        mean_db: Mean PSNR of both by split; None where an image has none.
        images: PSNR by image, of the splits that both have with the same images.
        runtime: Which one is faster.
        notes: What a reader must know, as sentences.
    """

    a: Side
    b: Side
    channel: Channel
    costs: tuple[Cost, ...]
    mean_db: Mapping[str, tuple[float | None, float | None]]
    images: tuple[ImageDifference, ...]
    runtime: Runtime
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return the comparison as plain values for JSON."""
        return {
            **vars(self),
            "costs": [{**vars(cost), "change": cost.change} for cost in self.costs],
            "images": [{**vars(one), "difference_db": one.difference_db} for one in self.images],
        }


def compare(a: Record, b: Record, channel: Channel) -> Comparison:
    """Compare two successful evaluations.

    Args:
        a: Whole, with its lists of single images.
        b: Alike.
        channel: Of PSNR.
    """
    a, b = with_plain_runtimes(a), with_plain_runtimes(b)
    one, other = _own(a), _own(b)
    return _comparison(
        _side(a.submission, a.created_utc),
        _side(b.submission, b.created_utc),
        one,
        other,
        channel,
        _runtime(a, b),
        list(_notes(a, b)),
    )


def baseline_as_record(record: Record) -> Record | None:
    """Return what was measured beside a submission as an evaluation of its own; None where nothing was.

    Args:
        record: Successful.
    """
    base = record.baseline
    if base is None:
        return None
    return dataclasses.replace(
        record,
        submission=base.submission,
        complexity=base.complexity,
        splits=base.splits,
        findings=(),
        score=None,
    )


def compare_session(record: Record, channel: Channel) -> Comparison:
    """Compare the two sides of one evaluation: the submission, and what was measured beside it.

    Args:
        record: Successful, of a submission and another one in the place of the baseline.
        channel: Of PSNR.
    """
    record = with_plain_runtimes(record)
    assert record.baseline is not None, "a successful evaluation has a baseline"
    return _comparison(
        _side(record.submission, record.created_utc),
        _side(record.baseline.submission, record.created_utc),
        _own(record),
        record.baseline,
        channel,
        _of_session(record),
        [],
    )


def _comparison(
    a: Side,
    b: Side,
    one: Measurement,
    other: Measurement,
    channel: Channel,
    runtime: Runtime,
    notes: list[str],
) -> Comparison:
    common = [split for split in one.splits if split in other.splits]
    same = [s for s in common if one.splits[s].dataset_sha256 == other.splits[s].dataset_sha256]
    for split in common:
        if split not in same:
            notes.append(f"{split}: they were run on different images, whose PSNR cannot be compared.")
    return Comparison(
        a=a,
        b=b,
        channel=channel,
        costs=tuple(_costs(one, other, same)),
        mean_db={split: (_mean(one, split, channel), _mean(other, split, channel)) for split in same},
        images=tuple(_images(one, other, same, channel)),
        runtime=runtime,
        notes=tuple(notes),
    )


def _side(info: SubmissionInfo, created_utc: str) -> Side:
    version = (info.checkpoint_sha256 or info.file_sha256)[:8]
    return Side(label=one_line(info.label), version=version, created_utc=created_utc)


def _own(record: Record) -> Measurement:
    assert record.complexity is not None, "a successful evaluation has costs"
    return Measurement(submission=record.submission, complexity=record.complexity, splits=record.splits)


def _costs(a: Measurement, b: Measurement, splits: list[str]) -> Iterator[Cost]:
    one, other = a.complexity, b.complexity
    yield Cost(name="parameters", unit="", a=scored_params(one), b=scored_params(other))
    yield Cost(name="FLOPs", unit="", a=scored_flops(one), b=scored_flops(other))
    yield Cost(name="activations", unit="", a=one.activations, b=other.activations)
    yield Cost(name="convolutions", unit="", a=one.convs, b=other.convs)
    for split in splits:
        mine, theirs = a.splits[split], b.splits[split]
        yield Cost(name=f"runtime, {split}", unit="ms", a=mine.runtime_ms, b=theirs.runtime_ms)
        yield Cost(name=f"memory, {split}", unit="MiB", a=mine.memory_mib, b=theirs.memory_mib)


def _mean(of: Measurement, split: str, channel: Channel) -> float | None:
    result = of.splits[split]
    return result.psnr_y_db if channel == "y" else result.psnr_rgb_db


def _images(a: Measurement, b: Measurement, splits: list[str], channel: Channel) -> Iterator[ImageDifference]:
    key = "psnr_y_db" if channel == "y" else "psnr_rgb_db"
    for split in splits:
        others = {image.name: getattr(image, key) for image in b.splits[split].per_image}
        for image in a.splits[split].per_image:
            if image.name in others:
                yield ImageDifference(
                    split=split, name=image.name, a_db=getattr(image, key), b_db=others[image.name]
                )


def _notes(a: Record, b: Record) -> Iterator[str]:
    if a.protocol != b.protocol:
        yield f"They were judged by different rules: {a.protocol.name} and {b.protocol.name}."
    if a.submission.files == b.submission.files and a.submission.label == b.submission.label:
        yield "Both are of the same files: what differs is noise."
    for which, record in (("first", a), ("second", b)):
        codes = sorted({finding.code for finding in record.findings if finding.severity == "reject"})
        if codes:
            yield f"The {which} has findings of severity reject: {', '.join(map(one_line, codes))}."


def _runtime(a: Record, b: Record) -> Runtime:
    """Return which of two evaluations is faster."""
    if a.imported is not None or b.imported is not None or a.environment is None or b.environment is None:
        return _unknown("imported results do not say what they were measured on")
    for record, other, swap in ((a, b, False), (b, a, True)):
        base = record.baseline
        if base is not None and base.submission.files == other.submission.files and not _is_own(record):
            found = _of_session(record)
            return _inverse(found) if swap else found
    one, two = class_of(a.environment), class_of(b.environment)
    if one != two:
        return _unknown(difference(one, two))
    if a.baseline is None or b.baseline is None or a.timing is None or b.timing is None:
        return _unknown("one of them has no baseline beside it")
    if a.baseline.submission.files != b.baseline.submission.files:
        return _unknown("their runtimes were divided by those of different baselines")
    images = [{s: result.dataset_sha256 for s, result in record.splits.items()} for record in (a, b)]
    if images[0] != images[1]:
        return _unknown("they were measured on different images")
    how = f"each beside {one_line(a.baseline.submission.label)}, in two sessions"
    if a.timing.ratio <= 0 or b.timing.ratio <= 0:
        return _unknown("a runtime of nothing was stored")
    ratio = a.timing.ratio / b.timing.ratio
    # The ratio of a baseline to itself is 1 in every resample.
    own = [record.timing.ratio_resamples or (1.0,) * _is_own(record) for record in (a, b) if record.timing]
    return _judged(ratio, _quotient_interval(ratio, own[0], own[1]), how, _unstable(a) or _unstable(b))


def _of_session(record: Record) -> Runtime:
    """Return whether a submission is faster than what was measured beside it, in turns."""
    timing = record.timing
    if timing is None:
        return _unknown("the record does not hold how well its runtime is known")
    return _judged(timing.ratio, timing.ratio_ci95, "side by side, in one session", _unstable(record))


def _is_own(record: Record) -> bool:
    base = record.baseline
    return base is not None and base.submission.files == record.submission.files


def _unstable(record: Record) -> str:
    reasons = () if record.timing is None else record.timing.unstable
    return (
        f"the runtime of {one_line(record.submission.label)} is not stable: {reasons[0]}" if reasons else ""
    )


def _unknown(why: str) -> Runtime:
    return Runtime(ratio=None, ci95=None, verdict="cannot be told", how=why)


def _judged(ratio: float, ci95: tuple[float, float] | None, how: str, unstable: str) -> Runtime:
    if unstable:
        return Runtime(ratio=ratio, ci95=ci95, verdict="cannot be told", how=unstable)
    if ci95 is None:
        why = f"{how}; there is no interval, as one of them has one round only"
        return Runtime(ratio=ratio, ci95=None, verdict="cannot be told", how=why)
    verdict: Verdict = "faster" if ci95[1] < 1 else "slower" if ci95[0] > 1 else "cannot be told"
    return Runtime(ratio=ratio, ci95=ci95, verdict=verdict, how=how)


def _inverse(found: Runtime) -> Runtime:
    """Return the same, seen from the other side."""
    swapped: dict[Verdict, Verdict] = {"faster": "slower", "slower": "faster"}
    low, high = found.ci95 or (0.0, 0.0)
    return Runtime(
        ratio=None if not found.ratio else 1 / found.ratio,
        ci95=(1 / high, 1 / low) if low > 0 else None,
        verdict=swapped.get(found.verdict, found.verdict),
        how=found.how,
    )


def _quotient_interval(
    ratio: float, one: tuple[float, ...], other: tuple[float, ...]
) -> tuple[float, float] | None:
    """Return the 95 % interval of a quotient of two ratios that were measured in two sessions.

    The sessions know nothing of each other, but all draw with the same random numbers: the resamples of one
    are shuffled.

    Args:
        ratio: The quotient.
        one: Resamples of the ratio above.
        other: Resamples of the ratio below.
    """
    if not one or not other or len(one) == len(other) == 1:
        return None
    import numpy as np

    count = min((len(part) for part in (one, other) if len(part) > 1), default=0)
    above = np.resize(np.array(one), count)
    below = np.random.default_rng(0).permutation(np.resize(np.array(other), count))
    if not below.min() > 0:
        return None
    low, high = (float(value) for value in np.quantile(above / below, _QUANTILES))
    return (min(low, ratio), max(high, ratio)) if math.isfinite(high) else None
