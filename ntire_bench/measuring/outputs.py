"""What is done with SR images: metrics of the exact ones, files, and checks that they were computed anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ntire_bench.data import images
from ntire_bench.data.dataset import Pair, Split, read_hr
from ntire_bench.measuring.background import Background
from ntire_bench.measuring.content import Composition
from ntire_bench.measuring.known_images import Gains
from ntire_bench.measuring.replays import Verifier, Window, window_of
from ntire_bench.measuring.timings import Quality
from ntire_bench.measuring.unseen import Exact, unseen
from ntire_bench.metrics.psnr import psnr
from ntire_bench.metrics.ssim import ssim_y
from ntire_bench.records.record import Finding
from ntire_bench.submissions.submission import Submission

__all__ = ["Kept", "Outputs", "Shown", "sr_path"]

Uint8 = npt.NDArray[np.uint8]

_KEPT_SHARE = 0.01  # of the timed calls are computed again by a fresh process
_FEWEST_KEPT, _MOST_KEPT = 3, 6  # but one where every image is run once, so that nothing can be kept of it
_WINDOWS = 16  # that are kept of each


@dataclass(frozen=True)
class Shown:
    """What a call was given.

    Attributes:
        split: Of the image.
        pair: The image whose call it is.
        lr: uint8 HWC.
        composition: How the LR image was composed; None for the exact image.
        seed: Of the composition; None for the exact image.
    """

    split: Split
    pair: Pair
    lr: Uint8
    composition: Composition | None
    seed: int | None


@dataclass(frozen=True)
class Kept:
    """A timed call that a fresh process is to repeat: its LR image, and windows of its SR image."""

    shown: Shown
    windows: tuple[Window, ...]


@dataclass(kw_only=True)
class Outputs:
    """Gets the SR images of all counted calls.

    Attributes:
        submission: Whose SR images are saved and checked.
        baseline: Whether there is a baseline besides.
        scale: Enlargement factor.
        noise: At scale 1, the standard deviation of the LR images' noise [8-bit levels].
        border: Pixels cropped off before the metrics.
        ssim: Whether SSIM is computed.
        save_dir: Where SR images go, as TEAM/SPLIT/NAME.png; None to keep none.
        background: Runs what need not wait for a call.
        random: Draws windows, squares, and what is kept.
        calls: How many calls the first launch is expected to have.
        verifier: Compares outputs.
        gains: Compares the gain over the baseline on exact and on composed images.
        quality: Of each side, the submission's last: metrics by split and image.
        kept: Calls that a fresh process is to repeat, drawn at random among all.
    """

    submission: Submission
    baseline: bool
    scale: int
    noise: float | None = None
    border: int
    ssim: bool
    save_dir: Path | None
    background: Background
    random: np.random.Generator
    calls: int
    verifier: Verifier = field(init=False)
    gains: Gains = field(default_factory=Gains)
    quality: list[dict[tuple[str, str], Quality]] = field(init=False)
    kept: list[Kept] = field(default_factory=list)
    _plain: Exact = field(default_factory=dict)  # where the gain is not over the baseline
    _launch: int = 0
    _once: bool = False  # whether the first launch runs every image once
    _seen: int = 0
    _jobs: list[Future[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.verifier = Verifier(self.random, self.calls)
        self.quality = [{} for _ in range(2 if self.baseline else 1)]

    def begin_launch(self, number: int, rounds: int) -> None:
        """Begin a launch, from 0, of about so many rounds."""
        self._launch = number
        if number == 0:
            self._once = rounds == 1
            self.verifier.calls *= rounds

    def add(self, shown: Shown, srs: Sequence[Uint8]) -> None:
        """Take the SR images of both sides for one LR image, the submission's last."""
        own = srs[-1]
        split, pair = shown.split.name, shown.pair.name
        self._keep(shown, own)
        self.verifier.window(split, pair, shown.seed, own, first_launch=self._launch == 0)
        if shown.seed is None:
            self._submit(partial(self._score, shown, list(srs), self._launch == 0))
        else:
            # Drawn here: a generator must not be used by several threads.
            seed = int(self.random.integers(2**48))
            self._submit(partial(self._check, shown, list(srs), seed, self._launch == 0))

    def _keep(self, shown: Shown, sr: Uint8) -> None:
        """Keep each call of all that there are with the same probability, a few of them."""
        self._seen += 1
        most = (
            1 if self._once else min(_MOST_KEPT, max(_FEWEST_KEPT, round(_KEPT_SHARE * self.verifier.calls)))
        )
        place = len(self.kept) if len(self.kept) < most else int(self.random.integers(self._seen))
        if place >= most:
            return
        kept = Kept(shown, tuple(window_of(sr, self.random) for _ in range(_WINDOWS)))
        self.kept[place : place + 1] = [kept]

    def _submit(self, job: Callable[[], None]) -> None:
        self._jobs = [known for known in self._jobs if not known.done() or known.exception() is not None]
        self._jobs.append(self.background.submit(job))

    def _score(self, shown: Shown, srs: Sequence[Uint8], first: bool) -> None:
        """Compute the metrics of an exact image; after the first launch, only what must have stayed the same.

        Args:
            shown: The image.
            srs: The SR image of each side, the submission's last.
            first: Whether this is the first launch.
        """
        key = shown.split.name, shown.pair.name
        hr = read_hr(shown.pair, self.scale)
        own = srs[-1]
        if not first:
            self.verifier.exact_psnr(*key, psnr(own, hr, self.border).rgb_db)
            return
        for quality, sr in zip(self.quality, srs, strict=True):
            found = psnr(sr, hr, self.border)
            ssim = ssim_y(sr, hr, self.border) if self.ssim else None
            quality[key] = Quality(found.y_db, found.rgb_db, ssim)
        self.verifier.exact_psnr(*key, self.quality[-1][key].psnr_rgb_db)
        self.verifier.checksum(*key, None, own)
        if self.save_dir is not None:
            images.write_png(sr_path(self.save_dir, self.submission, shown.split, shown.pair), own)

    def _check(self, shown: Shown, srs: Sequence[Uint8], seed: int, first: bool) -> None:
        """Check the SR images of a composed LR image.

        Args:
            shown: The image.
            srs: The SR image of each side, the submission's last.
            seed: Draws the square.
            first: Whether this is the first launch; later ones get the same LR images again.
        """
        split = shown.split.name
        if first:
            self.verifier.checksum(split, shown.pair.name, shown.seed, srs[-1])
        if len(srs) < 2 or shown.composition is None:
            return
        spot = shown.composition.spot(np.random.default_rng(seed), read_hr, self.scale)
        self.gains.add(split, spot.pair.name, spot.mse(srs[-1]), spot.mse(srs[0]))

    def compare_fresh(self, kept: Kept, again: Uint8) -> None:
        """Compare a kept call with what a fresh process gives for the same LR image."""
        shown = kept.shown
        split, name = shown.split.name, shown.pair.name
        self.verifier.again(split, name, kept.windows, again)
        if shown.seed is None:
            found = psnr(again, read_hr(shown.pair, self.scale), self.border)
            self.verifier.exact_psnr(split, name, found.rgb_db)

    def compare_dithered(self, split: Split, pair: Pair, sr: Uint8) -> None:
        """Compare the PSNR of a dithered image's SR image, of a fresh process, with that of the exact one."""
        found = psnr(sr, read_hr(pair, self.scale), self.border)
        exact = self.quality[-1][split.name, pair.name]
        self.verifier.dither_psnr(split.name, pair.name, found.rgb_db, exact.psnr_rgb_db)

    def compare_unseen(self, run: Callable[[Uint8], Uint8], splits: Sequence[Split]) -> None:
        """Compare the gain on composed images, which a fresh process runs, if none was compared in rounds."""
        if not self.gains.squares:
            self.gains, self._plain = unseen(run, splits, self.scale, self.border, self.random, self.noise)

    def findings(self) -> list[Finding]:
        """Return the findings on SR images."""
        found = self.verifier.findings()
        known = {finding.code for finding in found}
        return found + [one for one in self.gains.findings(self._exact_db()) if one.code not in known]

    def summary(self) -> dict[str, object]:
        """Return how much was compared, and what it gave."""
        told: dict[str, object] = {"verified_windows": self.verifier.compared}
        difference = self.gains.difference(self._exact_db())
        if difference is not None:
            told["gain_difference_db"] = [round(difference.db, 3), round(difference.half_db, 3)]
            told["composed_squares"] = difference.squares
            plain = "bicubic" if self.scale > 1 else "blur"
            told["gain_over"] = plain if self._plain else "baseline"
        return told

    def _exact_db(self) -> dict[tuple[str, str], tuple[float, float]]:
        """Return RGB PSNR on exact images: the submission's, and that which its gain is over."""
        own = self.quality[-1]
        if self._plain:
            return {key: (own[key].psnr_rgb_db, reference) for key, reference in self._plain.items()}
        if not self.baseline:
            return {}
        base = self.quality[0]
        return {key: (own[key].psnr_rgb_db, base[key].psnr_rgb_db) for key in own}

    def finish(self) -> None:
        """Wait for what runs in the background.

        Raises:
            Exception: Whatever a job has raised.
        """
        for job in self._jobs:
            job.result()
        self._jobs.clear()


def sr_path(save_dir: Path, submission: Submission, split: Split, pair: Pair) -> Path:
    """Return the path that the SR image of a pair is saved at."""
    return save_dir / submission.label / split.dataset / f"{pair.name}.png"
