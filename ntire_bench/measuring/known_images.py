"""Whether the gain over the baseline is one on the data set's images alone.

The crops that composed images show are from the same images, and an honest network's gain over the baseline
is much the same on them. One that recognizes known images, or does less where it sees that an image is none
of them, gains less.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ntire_bench.estimating.bootstrap import student_t
from ntire_bench.records.record import Finding

__all__ = ["Difference", "Gains"]

_LEAST_DB = 0.5
_INTERVALS = 2.0  # halves of the 95 % interval
_FEWEST = 6  # squares to judge from
_LEAST_MSE = 0.05  # of an SR image that is nearly exact [levels squared]


@dataclass(frozen=True)
class Difference:
    """By how much more the gain over the baseline is on exact images than on crops of them.

    Attributes:
        db: The difference [dB].
        half_db: Half of its 95 % interval [dB].
        squares: How many squares of composed images it is from.
    """

    db: float
    half_db: float
    squares: int


@dataclass
class Gains:
    """Compares the gain over the baseline on exact images with that on crops of the same images.

    Attributes:
        squares: Of each square of a composed image: split and image that it shows a part of, and the mean
            squared errors there of the submission and of the baseline.
        over: Whose PSNR the gain is over, in words.
        least_mse: Added to every error [levels squared]: what rounding alone may make of one.
    """

    over: str = "the baseline's"
    least_mse: float = _LEAST_MSE
    squares: list[tuple[str, str, float, float]] = field(default_factory=list)

    def add(self, split: str, name: str, own_mse: float, baseline_mse: float) -> None:
        """Note the errors of both sides' SR images in a square that shows a part of an image."""
        self.squares.append((split, name, own_mse + self.least_mse, baseline_mse + self.least_mse))

    def difference(self, exact: Mapping[tuple[str, str], tuple[float, float]]) -> Difference | None:
        """Return by how much more the gain is on exact images; None where too little is known.

        With what the baseline's error in each square is, and how both sides' errors compare on the exact
        image that it is a part of, follows what the submission's error is to be. The sums over all squares of
        that error as it is, and as it is to be, are compared. The interval is a jackknife's, over squares.

        Args:
            exact: By split and image, the RGB PSNR of the submission and of the baseline [dB].

        >>> gains = Gains()
        >>> for number in range(8):
        ...     gains.add("valid", str(number), own_mse=40.0, baseline_mse=40.0)
        >>> known = {("valid", str(number)): (33.0, 30.0) for number in range(8)}
        >>> found = gains.difference(known)
        >>> round(found.db, 2), round(found.half_db, 2), found.squares
        (3.0, 0.0, 8)
        """
        pairs = []
        for split, name, own_mse, baseline_mse in self.squares:
            if (split, name) in exact:
                own_db, baseline_db = exact[split, name]
                known = [_mse(db) + self.least_mse for db in (own_db, baseline_db)]
                expected = baseline_mse * known[0] / known[1]
                pairs.append((own_mse, expected))
        count = len(pairs)
        if count < _FEWEST:
            return None
        squares = np.array(pairs)
        total = squares.sum(axis=0)
        db = 10 * math.log10(total[0] / total[1])
        without = total - squares
        left_out = 10 * np.log10(without[:, 0] / without[:, 1])
        error = math.sqrt((count - 1) / count * float(np.square(left_out - left_out.mean()).sum()))
        return Difference(db, student_t(count - 1) * error, count)

    def findings(self, exact: Mapping[tuple[str, str], tuple[float, float]]) -> list[Finding]:
        """Return the finding on a gain that is one on the exact images alone."""
        found = self.difference(exact)
        if found is None or found.db <= _LEAST_DB + _INTERVALS * found.half_db:
            return []
        message = (
            f"PSNR over {self.over} is {found.db:.2f} dB higher on the images of the data set than on "
            f"crops of them that are composed anew (±{found.half_db:.2f} dB, from {found.squares} crops), as "
            "it is where known images are recognized, or where less is done on others"
        )
        return [Finding(code="memorized", severity="reject", message=message)]


def _mse(psnr_db: float) -> float:
    return 0.0 if math.isinf(psnr_db) else float(255.0**2 / 10 ** (psnr_db / 10))
