"""What was timed is compared with the twin, whose costs were counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ntire_bench.errors import SubmissionError
from ntire_bench.measuring.compared import compare_with_twin
from ntire_bench.measuring.replays import window_of
from ntire_bench.measuring.side import Side
from ntire_bench.records.record import SubmissionInfo
from ntire_bench.submissions.submission import Submission
from ntire_bench.wire.declaration import Declaration

Uint8 = np.ndarray[Any, np.dtype[np.uint8]]
LRS = [np.random.default_rng(seed).integers(0, 255, (40, 48, 3), dtype=np.uint8) for seed in range(3)]


def enlarged(lr: Uint8) -> Uint8:
    return lr.repeat(4, 0).repeat(4, 1)


class Twin:
    """Answers as a worker does."""

    def __init__(self, run: Callable[[Uint8], Uint8]) -> None:
        self._run = run

    def __enter__(self) -> Twin:
        """As a worker's."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close nothing."""

    def hello(self) -> None:
        pass

    def load(self, *_: object, **__: object) -> None:
        pass

    def warm_up(self, lr: Uint8, calls: int) -> None:
        pass

    def run(self, lr: Uint8) -> SimpleNamespace:
        return SimpleNamespace(sr=self._run(lr))


def found(timed: Callable[[Uint8], Uint8], twin: Callable[[Uint8], Uint8], kernel: str) -> list[str]:
    """Return the codes and severities of what is found after such timed calls."""
    declaration = Declaration(kernel=kernel, twin="plain")  # type: ignore[arg-type] - one of two words
    item = Submission(
        id=5, name="Net", file=Path("net.py"), checkpoint=None, declaration=declaration, has_build_model=False
    )
    info = SubmissionInfo(id=5, name="Net", file="net.py", file_sha256="0" * 64)
    side = Side(item, None, False, info, start_twin=lambda: Twin(twin))  # type: ignore[arg-type,return-value]
    random = np.random.default_rng(0)
    kept = [
        SimpleNamespace(
            shown=SimpleNamespace(lr=lr), windows=tuple(window_of(timed(lr), random) for _ in range(4))
        )
        for lr in LRS
    ]
    compare_with_twin(side, kept)  # type: ignore[arg-type]
    return [f"{finding.code} {finding.severity}" for finding in side.findings]


def brighter(lr: Uint8) -> Uint8:
    """Half of the values are one level higher, as of a network that computes more when it is timed."""
    sr = enlarged(lr).copy()
    sr[::2] = np.minimum(sr[::2], 254) + 1
    return sr


@pytest.mark.parametrize(
    ("timed", "kernel", "codes"),
    [
        (enlarged, "float32", []),
        (brighter, "float32", ["twin-differs reject"]),
        (brighter, "half", ["twin-differs reject"]),
    ],
)
def test_timed_calls_must_be_the_twins(
    timed: Callable[[Uint8], Uint8], kernel: str, codes: list[str]
) -> None:
    assert found(timed, enlarged, kernel) == codes


def test_a_twin_that_fails_is_said_and_nothing_is_lost() -> None:
    def fails(lr: Uint8) -> Uint8:
        raise SubmissionError("forward failed")

    assert found(enlarged, fails, "float32") == ["not-compared warning"]


def test_a_twin_that_fails_once_is_started_again() -> None:
    failures = iter([True])

    def fails_once(lr: Uint8) -> Uint8:
        if next(failures, False):
            raise SubmissionError("its process has ended")
        return enlarged(lr)

    assert found(enlarged, fails_once, "float32") == []
