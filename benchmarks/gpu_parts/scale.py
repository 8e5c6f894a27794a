"""How much gpu.py measures."""

from __future__ import annotations

import dataclasses

__all__ = ["FULL", "QUICK", "Scale"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scale:
    """How much is measured.

    Attributes:
        ids: The networks that are measured.
        pairs: Of the first and the third team.
        some: Of what needs fewer pairs.
        heights: Of the HR images, in turn.
        width: Of the HR images.
        small: (height, width) of the HR images of a small set.
        session_pairs: Of arms and invocations.
        session_rounds: Of arms and invocations.
        invocations: How many.
        max_time_s: Limit on the rounds of a run to a precision.
        expected_s: What a measurement is taken to last before one like it was made.
    """

    ids: tuple[int, ...]
    pairs: int
    some: int
    heights: tuple[int, ...]
    width: int
    small: tuple[tuple[int, int], ...]
    session_pairs: int
    session_rounds: int
    invocations: int
    max_time_s: float
    expected_s: float


FULL = Scale(
    ids=(0, 31, 36, 38, 39, 40),
    pairs=200,
    some=40,
    heights=(1356, 2040, 1356, 1140, 1404, 1356, 1848, 1536, 1356, 2040),
    width=2040,
    small=((512, 512), (288, 288), (256, 256), (280, 280), (344, 228)),  # as in Set5
    session_pairs=16,
    session_rounds=6,
    invocations=10,
    max_time_s=60.0,
    expected_s=8.0,
)
QUICK = Scale(
    ids=(0, 38),
    pairs=8,
    some=6,
    heights=(96, 80),
    width=128,
    small=((64, 64), (72, 80)),
    session_pairs=4,
    session_rounds=3,
    invocations=2,
    max_time_s=0.5,
    expected_s=1.0,
)
