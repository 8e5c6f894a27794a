"""Whether the figures of a record follow from what it stores of single calls, images and costs.

Medians, means, the ratio to the baseline's runtime and the final score are computed again. A figure that was
changed afterwards, without all that it follows from, contradicts the rest. Somebody who makes up the calls as
well is found by a signature alone (see records/signing.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ntire_bench.errors import RecordError
from ntire_bench.estimating.bootstrap import Samples, bootstrap, medians
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.ranking import scoring
from ntire_bench.ranking.entry import entry_from_record
from ntire_bench.records.record import Measurement, Record, SplitResult, Timing
from ntire_bench.records.scored_costs import scored_flops, uncountable

__all__ = ["contradiction"]

Floats = npt.NDArray[np.float64]

_CLOSE = 1e-6  # relative and absolute: numbers are stored to a microsecond, or with all digits
# Of calls whose clock was believed: how far the median by the worker's clock may be off the parent's, which
# is checked when it is measured within far less.
_CLOCK_SHARE, _CLOCK_MS = 0.5, 2.0
_OVERHEADS = 2.0


def contradiction(record: Record, protocol: Protocol) -> str | None:
    """Return the first figure of a record that does not follow from the rest of it; None for none.

    Args:
        record: Whole, with the results of single images; with status "ok"; see `trust.is_verifiable`.
        protocol: The rules that it was made under, for the weights of its score.
    """
    return next(_contradictions(record, protocol), None)


def _contradictions(record: Record, protocol: Protocol) -> Iterator[str]:
    yield from _of_splits("splits", record.splits, record.rounds)
    if record.baseline is not None:
        yield from _of_splits("baseline.splits", record.baseline.splits, record.rounds)
        if set(record.splits) != set(record.baseline.splits):
            names = [" and ".join(sorted(splits)) for splits in (record.splits, record.baseline.splits)]
            yield f"splits holds {names[0] or 'none'}, and baseline.splits {names[1] or 'none'}"
    if _has_brackets(record) and (record.timing is None or record.timing.attested is None):
        yield "timing.attested is missing, and follows from brackets_ms"
    if record.timing is not None:
        yield from _of_timing(record, record.timing)
    yield from _of_score(record, protocol)
    yield from _of_costs(record)


def _of_splits(where: str, splits: Mapping[str, SplitResult], rounds: int) -> Iterator[str]:
    for name, split in splits.items():
        here = f"{where}.{name}"
        if not split.per_image:
            yield f"{here}.per_image is empty, and nothing follows from it"
            continue
        yield from _differs(f"{here}.images", split.images, len(split.per_image))
        for image in split.per_image:
            place = f"{here}.per_image[{image.name}].runtime_samples_ms, their number,"
            yield from _differs(place, len(image.runtime_samples_ms), rounds)
        if rounds and all(len(image.runtime_samples_ms) == rounds for image in split.per_image):
            middles = medians(_calls(split)).tolist()
            for image, median in zip(split.per_image, middles, strict=True):
                yield from _differs(f"{here}.per_image[{image.name}].runtime_ms", image.runtime_ms, median)
        yield from _differs(
            f"{here}.runtime_ms", split.runtime_ms, _mean([image.runtime_ms for image in split.per_image])
        )
        for key in ("psnr_y_db", "psnr_rgb_db", "ssim_y"):
            mean = _mean([getattr(image, key) for image in split.per_image])
            yield from _differs(f"{here}.{key}", getattr(split, key), mean)


def _of_timing(record: Record, timing: Timing) -> Iterator[str]:
    yield from _differs("rounds", record.rounds, sum(launch.rounds for launch in timing.launches))
    codes = {finding.code for finding in record.findings}
    if timing.attested is False and "timing-unattested" not in codes:
        yield "findings lack timing-unattested, which follows from timing.attested"
    if timing.unstable and "runtime-unstable" not in codes:
        yield "findings lack runtime-unstable, which follows from timing.unstable"
    sides = _sides(record)
    if record.baseline is not None and set(record.splits) == set(record.baseline.splits):
        found = bootstrap(_samples(record, record.baseline, timing), resamples=0)
        yield from _differs("timing.ratio", timing.ratio, found.ratio)
        for split, ratio in timing.split_ratios.items():
            yield from _differs(f"timing.split_ratios.{split}", ratio, found.split_ratios.get(split))
    if timing.ratio_ci95 is not None and not timing.ratio_ci95[0] <= timing.ratio <= timing.ratio_ci95[1]:
        yield f"timing.ratio_ci95 holds {timing.ratio_ci95}, and the ratio is {timing.ratio}"
    if record.baseline is not None and not _is_baseline(record, record.baseline) and timing.ratio_ci95:
        low, high = timing.ratio_ci95
        yield from _differs("timing.half_width", timing.half_width, (high - low) / 2 / timing.ratio)
    if timing.attested:
        for where, splits in sides.items():
            yield from _of_clocks(where, splits, [launch.rounds for launch in timing.launches])


def _of_costs(record: Record) -> Iterator[str]:
    """Yield where an audit's figures contradict the official counts, or have no finding."""
    found = {"complexity": record.complexity}
    found["baseline.complexity"] = None if record.baseline is None else record.baseline.complexity
    for where, costs in found.items():
        if costs is None:
            continue
        least = (
            (f"{where}.audit.flops", costs.audit.flops, costs.flops),
            (f"{where}.audit.params", costs.audit.params, costs.params),
            (f"{where}.flops", costs.flops, costs.audit.traced_products),
        )
        for place, holds, follows in least:
            if isinstance(holds, int) and isinstance(follows, int) and holds < follows:
                yield f"{place} holds {holds}, and at least {follows} follows from the rest"
    if record.complexity is None:
        return
    codes = {finding.code for finding in record.findings}
    if uncountable(record.complexity) and "flops-not-countable" not in codes:
        yield "findings lack flops-not-countable, which follows from complexity.audit.uncountable"
    if scored_flops(record.complexity) > record.complexity.flops and not any(map(_is_on_flops, codes)):
        yield "findings lack what makes complexity.audit.flops higher than complexity.flops"
    hidden = record.complexity.audit.hidden
    if isinstance(hidden, tuple) and hidden and "flops-hidden-weights" not in codes:
        yield "findings lack flops-hidden-weights, which follows from complexity.audit.hidden"


def _has_brackets(record: Record) -> bool:
    """Whether the parent's clock is stored: whoever stores it has stored what follows from it as well."""
    return any(image.brackets_ms for split in record.splits.values() for image in split.per_image)


def _is_on_flops(code: str) -> bool:
    return code.startswith("flops-")


def _is_baseline(record: Record, baseline: Measurement) -> bool:
    return baseline.submission == record.submission


def _sides(record: Record) -> dict[str, Mapping[str, SplitResult]]:
    own: dict[str, Mapping[str, SplitResult]] = {"splits": record.splits}
    return own if record.baseline is None else {**own, "baseline.splits": record.baseline.splits}


def _samples(record: Record, baseline: Measurement, timing: Timing) -> Samples:
    same = _is_baseline(record, baseline)
    return Samples(
        launches=tuple(launch.rounds for launch in timing.launches),
        own={name: _calls(split) for name, split in record.splits.items()},
        baseline=None if same else {name: _calls(baseline.splits[name]) for name in record.splits},
    )


def _calls(split: SplitResult) -> Floats:
    return np.array([image.runtime_samples_ms for image in split.per_image], dtype=np.float64)


def _of_clocks(where: str, splits: Mapping[str, SplitResult], launches: Sequence[int]) -> Iterator[str]:
    """Yield where calls are far from what the parent's clock had, though the record says that both agreed."""
    claimed: list[Floats] = []
    seen: list[Floats] = []
    unsure: list[float] = []
    for split in splits.values():
        for image in split.per_image:
            calls = len(image.runtime_samples_ms)
            if (len(image.brackets_ms), len(image.overhead_ms)) != (calls, len(launches)):
                yield f"{where}: brackets_ms or overhead_ms of {image.name} fit neither rounds nor launches"
                return
            unsure += [*image.overhead_ms, *image.overhead_spread_ms]
        if split.per_image:
            overhead = np.array([image.overhead_ms for image in split.per_image], dtype=np.float64)
            brackets = np.array([image.brackets_ms for image in split.per_image], dtype=np.float64)
            claimed.append(_calls(split).ravel())
            seen.append((brackets - np.repeat(overhead, launches, axis=1)).ravel())
    if not claimed:
        return
    own, parents = (float(medians(np.concatenate(side)[None, :])[0]) for side in (claimed, seen))
    # On a busy machine the overhead may have been several milliseconds when it was measured, and less later.
    doubt = _CLOCK_MS + _OVERHEADS * float(np.median(unsure))
    if abs(own - parents) > _CLOCK_SHARE * max(own, parents) + doubt:
        yield (
            f"{where}: runtime_samples_ms hold {own:.3f} ms in the median, and {parents:.3f} ms follow from "
            "brackets_ms, which timing.attested says they fit"
        )


def _of_score(record: Record, protocol: Protocol) -> Iterator[str]:
    baseline, complexity = record.baseline, record.complexity
    if baseline is None or complexity is None:
        return
    try:
        entry = entry_from_record(record, protocol, record.psnr_channel)
        ratio = entry.ratio
    except RecordError as error:  # it is left out for this reason
        yield str(error)
        return
    if record.score is None:
        if _has_brackets(record) and entry.costs is not None and entry.baseline is not None:
            yield "score is missing, and follows from the costs of both sides"
        return
    if ratio is None:
        return
    own, base = complexity, baseline.complexity
    # Which of the official and the audited count is scored was decided when the record was made.
    possible = {
        "runtime": {scoring.metric_score(ratio, 1.0)},
        "flops": _scores(_counts(own.flops, own.audit.flops), _counts(base.flops, base.audit.flops)),
        "params": _scores(_counts(own.params, own.audit.params), _counts(base.params, base.audit.params)),
    }
    parts = {key: getattr(record.score, key) for key in possible}
    for key, values in possible.items():
        if not any(_same(parts[key], value if math.isfinite(value) else None) for value in values):
            yield from _differs(f"score.{key}", parts[key], min(values))
            return
    weights = {key: getattr(protocol.weights, key) for key in parts}
    known = [weight * parts[key] for key, weight in weights.items() if weight > 0 and parts[key] is not None]
    complete = len(known) == sum(weight > 0 for weight in weights.values())
    final = math.fsum(known) if complete else None
    yield from _differs("score.final", record.score.final, final)


def _counts(official: int, audited: object) -> set[int]:
    return {official, audited} if isinstance(audited, int) else {official}


def _scores(own: set[int], baseline: set[int]) -> set[float]:
    return {scoring.metric_score(a, b) for a in own for b in baseline if a >= 0 and b > 0}


def _differs(where: str, holds: float | None, follows: float | None) -> Iterator[str]:
    if not _same(holds, follows):
        yield f"{where} holds {_shown(holds)}, and {_shown(follows)} follows from the rest"


def _same(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=_CLOSE, abs_tol=_CLOSE)


def _shown(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.10g}"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(values) else None
