"""Whether the gain over the baseline is one on the data set's images alone.

The crops that composed images show are from the same images, and an honest network's gain over the baseline
is much the same on them. One that recognizes known images, or does less where it sees that an image is none
of them, gains less.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from ntire_bench.estimating.bootstrap import student_t
from ntire_bench.records.record import Finding

__all__ = ["Gains"]

_LEAST_DB = 0.5
_ERRORS = 2.0  # times the 95 % interval of the mean
_FEWEST = 6  # images, and squares, to judge from
_LEAST_MSE = 0.05  # of an SR image that is nearly exact [levels squared]


@dataclass
class Gains:
    """Compares the gain over the baseline on exact images with that on crops of the same images.

    Attributes:
        composed_db: By split and image, the gain of each square that shows a part of it [dB].
    """

    composed_db: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, split: str, name: str, own_mse: float, baseline_mse: float) -> None:
        """Note the errors of both sides' SR images in a square that shows a part of an image."""
        self.composed_db.setdefault((split, name), []).append(_gain_db(own_mse, baseline_mse))

    def difference(
        self, exact: Mapping[tuple[str, str], tuple[float, float]]
    ) -> tuple[float, float, int] | None:
        """Return by how much more the gain is on exact images.

        Args:
            exact: By split and image, the RGB PSNR of the submission and of the baseline [dB].

        Returns:
            The mean over images of the difference [dB], half of its 95 % interval, and how many squares it is
            from; None where too little is known.

        >>> gains = Gains()
        >>> for number in range(8):
        ...     gains.add("valid", str(number), own_mse=40.0, baseline_mse=40.0)
        >>> known = {("valid", str(number)): (33.0, 30.0) for number in range(8)}
        >>> difference, half, squares = gains.difference(known)
        >>> round(difference, 2), half, squares
        (3.0, 0.0, 8)
        """
        differences = []
        squares = 0
        for key, (own_db, baseline_db) in exact.items():
            composed = self.composed_db.get(key)
            if composed:
                gain = _gain_db(_mse(own_db), _mse(baseline_db))
                differences.append(gain - statistics.fmean(composed))
                squares += len(composed)
        if squares < _FEWEST or len(differences) < 2:
            return None
        half = student_t(len(differences) - 1) * statistics.stdev(differences) / math.sqrt(len(differences))
        return round(statistics.fmean(differences), 6), round(half, 6), squares

    def findings(self, exact: Mapping[tuple[str, str], tuple[float, float]]) -> list[Finding]:
        """Return the finding on a gain that is one on the exact images alone."""
        found = self.difference(exact)
        if found is None or found[0] <= _LEAST_DB + _ERRORS * found[1]:
            return []
        message = (
            f"PSNR over the baseline's is {found[0]:.2f} dB higher on the images of the data set than on "
            f"crops of them that are composed anew (±{found[1]:.2f} dB, from {found[2]} crops), as it is "
            "where known images are recognized, or where less is done on others"
        )
        return [Finding(code="memorized", severity="reject", message=message)]


def _gain_db(own_mse: float, baseline_mse: float) -> float:
    return 10 * math.log10((baseline_mse + _LEAST_MSE) / (own_mse + _LEAST_MSE))


def _mse(psnr_db: float) -> float:
    return 0.0 if math.isinf(psnr_db) else float(255.0**2 / 10 ** (psnr_db / 10))
