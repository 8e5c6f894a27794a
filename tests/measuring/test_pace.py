"""Time for counted work: published networks on two machines are no news, hidden work is."""

from __future__ import annotations

from pathlib import Path

import pytest

from ntire_bench.measuring import pace
from ntire_bench.measuring.side import Side
from ntire_bench.measuring.timings import TimedCall, Timings
from ntire_bench.records.record import Audit, Complexity, SubmissionInfo
from ntire_bench.submissions.submission import Submission
from ntire_bench.wire.declaration import Declaration

RLFN = (19.67, 80.0)  # FLOPs [G] and activations [M] at 256x256, as the challenge published them
# Published entries and networks on an H100: FLOPs [G], activations [M], runtime over RLFN's.
HONEST = {
    "AGDN, depth-wise": (4.39, 190.9, 4.23),
    "LKFN, 158 convolutions": (6.98, 174.0, 2.40),
    "GFMN": (5.56, 180.2, 2.49),
    "EFQN, few large convolutions": (28.85, 56.6, 0.42),
    "SPAN": (9.83, 41.7, 0.76),
    "EMaxGMan": (20.65, 175.0, 2.09),
}


def timings(flops_g: float, activations_m: float, ms: float, claimed_ms: float = 1.0) -> Timings:
    costs = Complexity(
        params=300_000,
        flops=int(flops_g * 1e9),
        activations=int(activations_m * 1e6),
        convs=30,
        input_shape=(1, 3, 256, 256),
    )
    submission = Submission(
        id=5, name="Net", file=Path("a.py"), checkpoint=None, declaration=Declaration(), has_build_model=False
    )
    info = SubmissionInfo(id=5, name="Net", file="a.py", file_sha256="0")
    side = Side(submission, None, False, info, complexity=costs)  # type: ignore[arg-type]
    calls = [TimedCall(claimed_ms=claimed_ms, bracket_ms=ms + 0.5, overhead_ms=0.5) for _ in range(3)]
    return Timings(side, calls={"valid": [calls, calls]})


@pytest.mark.parametrize("name", HONEST)
def test_a_network_that_computes_what_is_counted_is_no_news(name: str) -> None:
    flops, activations, ratio = HONEST[name]
    own, baseline = timings(flops, activations, 10 * ratio), timings(*RLFN, 10.0)
    found = pace.pace(own, baseline)
    assert found is not None and 0.3 < found < 3.5
    assert not pace.findings(own, found)


def test_the_time_is_the_parents() -> None:
    own = timings(*RLFN, 30.0, claimed_ms=10.0)
    assert pace.pace(own, timings(*RLFN, 10.0)) == pytest.approx(3.0)


def test_a_clock_that_sees_hardly_more_than_overhead_accuses_nobody() -> None:
    baseline = timings(*RLFN, 0.0, claimed_ms=1.0)  # its bracket was no longer than what a call takes beside
    found = pace.pace(timings(*RLFN, 1.0), baseline)
    assert found == pytest.approx(1.0)


def test_hidden_work_asks_for_a_look() -> None:
    """Convolutions of RLFN that nobody counted: 1.40 G in place of 19.67 G, at RLFN's own runtime."""
    own, baseline = timings(1.40, 8.0, 10.0), timings(*RLFN, 10.0)
    found = pace.pace(own, baseline)
    assert found == pytest.approx((19.67 + 24.0) / (1.40 + 2.4))
    (finding,) = pace.findings(own, found)
    assert (finding.code, finding.severity) == ("runtime-per-flop", "info")
    assert "1.4000 G FLOPs, 8.0 M activations" in finding.message and "11.5 times" in finding.message


def test_work_that_takes_no_time_asks_for_a_look() -> None:
    own = timings(*RLFN, 0.2, claimed_ms=0.2)
    (finding,) = pace.findings(own, pace.pace(own, timings(*RLFN, 10.0)))
    assert "0.02 times" in finding.message and "computed anew" in finding.message


def test_what_the_audit_counted_is_counted() -> None:
    costs = Complexity(
        params=1,
        flops=10**9,
        activations=0,
        convs=0,
        input_shape=(1, 3, 256, 256),
        audit=Audit(flops=3 * 10**9),
    )
    assert pace.work(costs) == 3e9


def test_without_costs_there_is_no_figure() -> None:
    own, baseline = timings(*RLFN, 10.0), timings(*RLFN, 10.0)
    own.side.complexity = None
    assert pace.pace(own, baseline) is None and not pace.findings(own, None)
