"""What the audit of one submission has seen, which its rules judge. Parent only."""

from __future__ import annotations

from dataclasses import dataclass, field

from ntire_bench.records.record import Complexity
from ntire_bench.records.scored_costs import FLOPS_MARGIN
from ntire_bench.wire.observation import Observation

__all__ = ["Agreement", "Evidence", "Look"]

_CONSTANT_SPREAD = 0.01


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was seen of one LR image of height x width pixels."""

    height: int
    width: int
    observation: Observation

    @property
    def per_pixel(self) -> float:
        """Multiply-accumulates of convolutions and matrix products per pixel of the padded input."""
        return self.observation.products / max(1, self.observation.pixels)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Two calls on one image: share of SR values within one grey level, and mean squared difference."""

    within_one: float
    error: float


@dataclass
class Evidence:
    """All that the audit has seen of a submission.

    Attributes:
        counted: The worker's own count.
        whole: What was seen on the cost input.
        small: Looks at three sizes: multiples of 32; odd sides; and the multiples of 32 just above those.
        large: Looks at real images larger than the cost input.
        tiles: Looks at the size of the tiles that larger images are run in.
        other: Looks at images whose size says nothing: small ones, and whole ones that are run in tiles.
        confirmed: A look at a large, even size, taken where smaller ones cost more per pixel.
        agreement: None where no two calls were compared.
        has_loop: Whether images are run by the loop of a challenge's checkout, which may add to the network
            that is counted: padding by a whole window, tiles, several passes.
    """

    counted: Complexity
    whole: Observation
    small: list[Look] = field(default_factory=list)
    large: list[Look] = field(default_factory=list)
    tiles: list[Look] = field(default_factory=list)
    other: list[Look] = field(default_factory=list)
    confirmed: Look | None = None
    agreement: Agreement | None = None
    has_loop: bool = False

    @property
    def looks(self) -> list[Look]:
        """All looks whose cost per pixel is compared with that of the cost input."""
        return [*self.small, *self.large, *self.tiles, *([self.confirmed] if self.confirmed else [])]

    def observed(self) -> list[Observation]:
        """Observations that tell constants from what is computed elsewhere: of all looks, if any."""
        return [look.observation for look in (*self.looks, *self.other)] or [self.whole]

    @property
    def base(self) -> float:
        """Multiply-accumulates of convolutions and matrix products per pixel of the cost input."""
        return self.whole.products / max(1, self.whole.pixels)

    def exceeds(self, look: Look) -> bool:
        """Return whether an image costs more per pixel than the cost input."""
        return look.per_pixel > self.base * (1 + FLOPS_MARGIN)

    def varies(self) -> bool:
        """Return whether every small image costs more per pixel than the cost input.

        Networks that add a border do, so a large image must tell.
        """
        return bool(self.small) and all(map(self.exceeds, self.small))

    def favours_multiples(self) -> bool:
        """Return whether the image of odd sides costs more than the larger one with multiples of 32."""
        if len(self.small) != 3:
            return False
        odd, around = self.small[1:]
        return odd.observation.products > around.observation.products * (1 + FLOPS_MARGIN)

    def is_special(self) -> bool:
        """Return whether the cost input is treated differently from all other images.

        A border, a window or tiles make some sizes cost more than others. None of them makes all other sizes,
        large ones too, cost more than 256x256, or all small ones more by the same factor.
        """
        if not self.varies():
            return False
        if (self.large or self.confirmed) and all(map(self.exceeds, self.looks)):
            return True
        costs = [look.per_pixel for look in self.small]
        return len(costs) >= 3 and max(costs) <= min(costs) * (1 + _CONSTANT_SPREAD)
