"""Has a submission's costs counted again, at sizes it cannot know, and gathers what was seen. Parent only.

Official is fvcore's count on a random image of the protocol's size. It is compared with operators counted one
by one as they run, on that image and on crops of real LR images at sizes that are drawn here; and what the
submission gives under observation with what it gives in an ordinary call.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntire_bench.audit.evidence import Agreement, Evidence, Look
from ntire_bench.audit.rules import judge
from ntire_bench.audit.witness import Witness, agreement_of
from ntire_bench.client.worker import Worker
from ntire_bench.errors import SubmissionError
from ntire_bench.records.record import Complexity, Finding
from ntire_bench.wire.messages import Counted

__all__ = ["audit"]

Uint8 = npt.NDArray[np.uint8]

# Sizes in multiples of 32, a window that networks pad to. With each go others, so much larger or smaller
# that a border would show as another cost per pixel.
_EVEN = {
    (64, 64): ((96, 96), (96, 128), (128, 96)),
    (64, 96): ((128, 128),),
    (96, 64): ((128, 128),),
    (96, 96): ((64, 64),),
}
_LESS = 3  # pixels, at most, by which each side of the odd image is shorter
# Multiples of the windows of 32, 48, 64, 96 and 128 pixels that networks pad to, at least along one side.
_LARGE = ((256, 384), (384, 256))


@dataclass
class _Auditor:
    """Looks at one submission in its worker."""

    worker: Worker
    image: Uint8
    random: np.random.Generator

    def sizes(self, tile: int | None) -> list[tuple[int, int]]:
        """Draw the sizes of the small images: see `Evidence.small`.

        Args:
            tile: Larger images would be run in tiles of this side, which overlap; None for no tiles.
        """
        around, others = list(_EVEN.items())[int(self.random.integers(len(_EVEN)))]
        less = self.random.integers(1, _LESS, size=2, endpoint=True)
        odd = (around[0] - int(less[0]), around[1] - int(less[1]))
        sizes = [others[int(self.random.integers(len(others)))], odd, around]
        if tile is None:
            return sizes
        return [(min(height, tile), min(width, tile)) for height, width in sizes]

    def look(self, lr: Uint8) -> tuple[Look, Uint8]:
        sr, observation = self.worker.audit(lr)
        return Look(height=lr.shape[0], width=lr.shape[1], observation=observation), sr

    def crop(self, height: int, width: int) -> Uint8:
        """Return a crop of the real image, flipped at random; a small image is continued by reflection."""
        image = self.image
        if self.random.random() < 0.5:
            image = image.swapaxes(0, 1)
        image = image[:: self.random.choice((-1, 1)), :: self.random.choice((-1, 1))]
        missing = (max(0, height - image.shape[0]), max(0, width - image.shape[1]))
        image = np.pad(image, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
        top = int(self.random.integers(image.shape[0] - height + 1))
        left = int(self.random.integers(image.shape[1] - width + 1))
        return np.ascontiguousarray(image[top : top + height, left : left + width])

    def agreement(self, witness: Witness) -> Agreement:
        """Compare an SR image that was given under observation with that of a call like the timed ones."""
        try:
            plain = self.worker.run(witness.lr).sr
        except SubmissionError:
            self.worker.warm_up(witness.lr, 1)  # finds out what its input must be padded to
            plain = self.worker.run(witness.lr).sr
        return agreement_of(witness.sr, plain)


def audit(
    worker: Worker, counted: Counted, image: Uint8, *, tile: int | None, has_loop: bool, is_timed: bool = True
) -> tuple[Complexity, list[Finding], Witness]:
    """Audit the costs that a worker has counted.

    Args:
        worker: The network is loaded there.
        counted: Its costs, as the worker counted them.
        image: A real LR image, uint8 HWC.
        tile: The side of the tiles that larger images are run in [LR pixels]; None for whole images.
        has_loop: Whether a part of a checkout's loop runs around the network.
        is_timed: Whether images of this size are timed, so that one must be looked at.

    Returns:
        The costs with all of the audit's figures, what is to be said about them, and what another process is
        to be compared with.
    """
    begin = time.perf_counter()
    auditor = _Auditor(worker, image, np.random.default_rng())
    random = auditor.random
    crops = [auditor.crop(*size) for size in auditor.sizes(tile)]
    seen = {int(index): auditor.look(crops[index]) for index in random.permutation(len(crops))}
    looks = [seen[index] for index in range(len(crops))]
    evidence = Evidence(
        counted=counted.costs,
        whole=counted.observed,
        small=[look for look, _ in looks],
        has_loop=has_loop,
    )
    pixels = counted.costs.input_shape[-2] * counted.costs.input_shape[-1]
    if is_timed:
        look, sr = auditor.look(image)
        witness = Witness(image, sr)
        if tile is not None and max(image.shape[:2]) > tile:
            evidence.other.append(look)
            of_tile = auditor.crop(*(min(side, tile) for side in image.shape[:2]))
            evidence.tiles.append(auditor.look(of_tile)[0])
        else:
            (evidence.large if image.shape[0] * image.shape[1] > pixels else evidence.other).append(look)
    else:
        chosen = 0 if random.random() < 0.5 else 2  # an even size: an odd one may have to be padded first
        witness = Witness(crops[chosen], looks[chosen][1])
    evidence.agreement = auditor.agreement(witness)
    if (tile is None or tile >= max(_LARGE[0])) and evidence.varies():
        evidence.confirmed, _ = auditor.look(auditor.crop(*_LARGE[int(random.integers(len(_LARGE)))]))
    figures, findings = judge(evidence)
    figures = dataclasses.replace(figures, seconds=round(time.perf_counter() - begin, 3))
    return dataclasses.replace(counted.costs, audit=figures), findings, witness
