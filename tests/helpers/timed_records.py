"""Records of runtimes with an interval."""

from __future__ import annotations

import dataclasses

import numpy as np
from record_factory import make_record

from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking import scoring
from ntire_bench.ranking.entry import entry_from_record
from ntire_bench.records.record import Launch, Record, Timing

RULES = protocols.load("ntire2024")


def timed(
    id_: int, name: str, ratio: float, spread: float = 0.0, *, unstable: tuple[str, ...] = ()
) -> Record:
    """Return a record whose runtime is `ratio` times the baseline's, give or take `spread`."""
    runtime = {"valid": 14.0 * ratio, "test": 10.0 * ratio}
    record = make_record(id_, name, runtime_ms=runtime, rounds=12)
    # As in real records: every session draws with the same random numbers.
    resamples = np.random.default_rng(0).normal(ratio, spread / 2, 400)

    def final(r: float) -> float:
        entry = entry_from_record(record, RULES, "y")
        costs = dataclasses.replace(entry.costs, runtime_ms=12.0 * r)
        value = scoring.score(costs, entry.baseline, RULES.weights).final
        assert value is not None
        return value

    timing = Timing(
        launches=tuple(Launch(rounds=4, load_s=1.0, first_call_ms=99.0) for _ in range(3)),
        stopped="precision",
        precision=0.01,
        half_width=spread / ratio,
        ratio=ratio,
        ratio_ci95=(ratio - spread, ratio + spread),
        score_ci95=(final(ratio - spread), final(ratio + spread)),
        ratio_resamples=tuple(resamples.tolist()),
        unstable=unstable,
    )
    return dataclasses.replace(record, timing=timing)
