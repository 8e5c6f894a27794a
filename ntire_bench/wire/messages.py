"""What a worker is asked and what it answers: the same classes on both sides."""

from __future__ import annotations

from dataclasses import dataclass

from ntire_bench.records.record import Complexity, Finding, Inference

__all__ = ["MOST_DIFFERENCE", "FuseReply", "LoadReply", "WarmUp"]

MOST_DIFFERENCE = 1e-3  # of a merged network; rounding in float32 stays under 1e-4 in all of models/


@dataclass(frozen=True, kw_only=True)
class LoadReply:
    """How a submission was resolved; see `records.SubmissionInfo`.

    Attributes:
        model: The class or function that built the network.
        data_range: 1.0 or 255.0.
        tile: Side of the tiles [LR pixels], or None.
        can_fuse: It has a method such as fuse().
        inferred: What was found out rather than declared.
        findings: What a reader of the result must know.
        pixel_s: How long a run takes for each LR pixel [s], where it is slow; else None.
        precision: The types of less than 32 bits that a slow network computes in; "" for none.
    """

    model: str
    data_range: float
    tile: int | None
    can_fuse: bool
    inferred: tuple[Inference, ...]
    findings: tuple[Finding, ...]
    pixel_s: float | None = None
    precision: str = ""


@dataclass(frozen=True, kw_only=True)
class FuseReply:
    """What merging a network's training branches changes.

    Attributes:
        before: Costs as loaded.
        after: Costs merged.
        difference_levels: Largest difference of the two outputs on an image [grey levels, 0 to 255].
        relative: Largest difference over the largest value.
        size: Of the merged checkpoint [bytes].
    """

    before: Complexity
    after: Complexity
    difference_levels: float
    relative: float
    size: int

    @property
    def saves(self) -> bool:
        """Whether the merged network costs less."""
        return self.after.params < self.before.params or self.after.flops < self.before.flops

    @property
    def same(self) -> bool:
        """Whether the merged network gives the same image, rounding aside."""
        return self.relative < MOST_DIFFERENCE


@dataclass(frozen=True)
class WarmUp:
    """What a warm-up tells: the multiple that this size is padded to, 1 for none, and the first call [ms]."""

    pad_to: int
    first_ms: float
