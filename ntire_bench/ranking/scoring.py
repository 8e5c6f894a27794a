"""Sub-scores, the final score, and thresholds: pure functions of costs, PSNR and a protocol."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from ntire_bench.protocols.protocol import Channel, Protocol, Weights
from ntire_bench.ranking.entry import Costs, Entry
from ntire_bench.records.record import Score

__all__ = ["Verdict", "judge", "log_score", "metric_score", "score", "storable"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether an entry's PSNR reaches the threshold of one split.

    Attributes:
        split: Name of a split that has a threshold.
        channel: Channel that was compared.
        psnr_db: Mean PSNR, not rounded; None where it is infinite for an image.
        threshold_db: Rounded as the protocol says; None where it is not known.
        passed: None where it could not be judged.
        reason: The comparison in words.
    """

    split: str
    channel: Channel
    psnr_db: float | None
    threshold_db: float | None
    passed: bool | None
    reason: str


def metric_score(value: float, baseline: float) -> float:
    """Return the score of one metric, exp(2 * value / baseline); lower is better.

    The NTIRE 2024 ESR report prints its equation 1 as exp(2 * value) / baseline; its Table 1 was computed
    with the division inside the exponent, in which form the baseline scores e^2.

    Args:
        value: The team's cost, at least 0.
        baseline: The baseline's cost in the same unit, above 0.

    Returns:
        A score of at least 1; infinite where it exceeds the range of a float.

    Raises:
        ValueError: A cost is negative or not finite, or the baseline's is 0.

    >>> round(metric_score(11.77, 11.77), 2)
    7.39
    >>> metric_score(1e6, 1.0)
    inf
    """
    if not (math.isfinite(value) and math.isfinite(baseline) and value >= 0 and baseline > 0):
        raise ValueError(f"costs must be finite, value >= 0 and baseline > 0; got {value} and {baseline}")
    try:
        return math.exp(2 * value / baseline)
    except OverflowError:
        return math.inf


def score(costs: Costs, baseline: Costs, weights: Weights, ratio: float | None = None) -> Score:
    """Return the three sub-scores and their weighted sum (equation 2 of the report).

    Args:
        costs: The team's.
        baseline: The baseline's, of the same session.
        weights: Of the protocol.
        ratio: Runtime over the baseline's as the session has it; None takes the quotient of both.

    Returns:
        The scores, not rounded; infinite where they exceed the range of a float (see `storable`).

    >>> cost = Costs(runtime_ms=11.77, flops=19.67e9, params=317e3)
    >>> round(score(cost, cost, Weights(runtime=0.7, flops=0.15, params=0.15)).final, 2)
    7.39
    """
    runtime = (
        metric_score(costs.runtime_ms, baseline.runtime_ms) if ratio is None else metric_score(ratio, 1.0)
    )
    flops = metric_score(costs.flops, baseline.flops)
    params = metric_score(costs.params, baseline.params)
    parts = ((weights.runtime, runtime), (weights.flops, flops), (weights.params, params))
    # A part of weight 0 is left out: its score may be infinite, and 0 * inf is not a number.
    final = sum(weight * part for weight, part in parts if weight > 0)
    return Score(runtime=runtime, flops=flops, params=params, final=final)


def log_score(costs: Costs, baseline: Costs, weights: Weights, ratio: float | None = None) -> float:
    """Return the natural logarithm of the final score, finite also where the score itself overflows.

    Args:
        costs: The team's.
        baseline: The baseline's, of the same session.
        weights: Of the protocol.
        ratio: As for `score`.

    >>> cost = Costs(runtime_ms=1000.0, flops=1.0, params=1.0)
    >>> unit = Costs(runtime_ms=1.0, flops=1.0, params=1.0)
    >>> log_score(cost, unit, Weights(runtime=1.0, flops=0.0, params=0.0))
    2000.0
    """
    parts = (
        (weights.runtime, costs.runtime_ms / baseline.runtime_ms if ratio is None else ratio),
        (weights.flops, costs.flops / baseline.flops),
        (weights.params, costs.params / baseline.params),
    )
    exponents = [math.log(weight) + 2 * ratio for weight, ratio in parts if weight > 0]
    largest = max(exponents)
    return largest + math.log(math.fsum(math.exp(exponent - largest) for exponent in exponents))


def storable(computed: Score) -> Score:
    """Return `computed` as a record holds it: None in place of every value that overflowed.

    >>> storable(Score(runtime=float("inf"), flops=7.0, params=1.0, final=float("inf")))
    Score(runtime=None, flops=7.0, params=1.0, final=None)
    """
    values = dataclasses.asdict(computed)
    return Score(**{key: None if value == math.inf else value for key, value in values.items()})


def judge(entry: Entry, protocol: Protocol) -> tuple[Verdict, ...]:
    """Compare the PSNR of each judged split with its threshold, after rounding as the protocol says.

    Args:
        entry: Of a record or of a published table.
        protocol: Whose thresholds apply.

    Returns:
        One verdict per judged split that the entry has; empty where it has none, and where the rules ask
        for no PSNR.
    """
    if not protocol.asks_for_psnr:
        return ()
    return tuple(_judge_split(entry, protocol, split) for split in protocol.splits if split in entry.psnr_db)


def _judge_split(entry: Entry, protocol: Protocol, split: str) -> Verdict:
    psnr = entry.psnr_db[split]
    threshold = protocol.thresholds.of(split, entry.baseline_psnr_db.get(split))
    digits = protocol.thresholds.decimals
    passed: bool | None = None
    if psnr is None and split in entry.no_psnr:
        reason = entry.no_psnr[split]
    elif psnr is None:
        reason = "the PSNR of an image is infinite (SR equals HR), so the split has no mean"
    elif threshold is None:
        reason = "there is no threshold: the baseline's PSNR on this split is unknown"
    else:
        passed = round(psnr, digits) >= threshold
        reason = f"{psnr:.{digits}f} dB is {'not ' if passed else ''}below {threshold:.{digits}f} dB"
    return Verdict(
        split=split, channel=entry.channel, psnr_db=psnr, threshold_db=threshold, passed=passed, reason=reason
    )
