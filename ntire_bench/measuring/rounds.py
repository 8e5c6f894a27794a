"""Timed rounds: both sides run every image of every split, one call after the other, in the order A B, B A.

In each launch one call per image, in a round drawn at random, gets the LR image itself (the exact image). All
other calls get it dithered: with a few pixels changed by one level. So no call of a process sees content that
it has seen before, and none can be told to be the one whose SR image counts. Images are decoded and metrics
computed in the background.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ntire_bench.data import images
from ntire_bench.data.dataset import Pair, Split, read_hr, read_lr
from ntire_bench.machine.monitor import CpuShare
from ntire_bench.measuring.background import Background
from ntire_bench.measuring.replays import Verifier, dithered
from ntire_bench.measuring.side import Side, Timeline, blamed
from ntire_bench.measuring.timings import Quality, Timings
from ntire_bench.metrics.psnr import psnr
from ntire_bench.metrics.ssim import ssim_y
from ntire_bench.submissions.submission import Submission

__all__ = ["Rounds", "sr_path"]

Uint8 = npt.NDArray[np.uint8]

_DITHER_CHECKS = 10  # images per split whose PSNR is computed under a dither too


class Rounds:
    """Does rounds and collects what they give.

    Args:
        sides: The submission last; before it the baseline, if that is another one.
        splits: Checked pairs.
        scale: Enlargement factor.
        border: Pixels cropped off before the metrics.
        ssim: Whether SSIM is computed.
        save_dir: Where SR images go, as TEAM/SPLIT/NAME.png; None to keep none.
        background: Runs what need not wait for a call.
        timeline: Counts the calls.

    Attributes:
        timings: What is collected of each side.
        splits: Checked pairs.
        others: Of each round: its seconds, and the share of the machine that other programs used.
        verifier: Compares outputs.
        drawn: A split and a pair of it, drawn at random, to compare with a fresh process.
        drawn_sr: The submission's SR image of that pair, once the exact image has been run.
    """

    def __init__(
        self,
        sides: Sequence[Side],
        splits: Sequence[Split],
        *,
        scale: int,
        border: int,
        ssim: bool,
        save_dir: Path | None,
        background: Background,
        timeline: Timeline,
    ) -> None:
        self.timings = [Timings(side) for side in sides]
        self.splits = splits
        self.others: list[tuple[float, float]] = []
        self._scale, self._border, self._ssim, self._save_dir = scale, border, ssim, save_dir
        self._background, self._timeline = background, timeline
        self._secret = secrets.token_bytes(16)
        self._random = np.random.default_rng(secrets.randbits(64))
        self._launch = -1
        self._turns = 0  # both sides' calls on one image are one turn
        self._exact_left: set[tuple[str, str]] = set()
        self._checks = {
            (split.name, pair.name)
            for split in splits
            for pair in self._random.permutation(np.array(split.pairs, dtype=object))[:_DITHER_CHECKS]
        }
        calls = sum(len(split.pairs) for split in splits)
        self.verifier = Verifier(self._random, calls)
        split = splits[int(self._random.integers(len(splits)))]
        self.drawn = split, split.pairs[int(self._random.integers(len(split.pairs)))]
        self.drawn_sr: Uint8 | None = None
        self._jobs: list[Future[None]] = []
        self._dither_psnr: dict[tuple[str, str], float] = {}

    @property
    def own(self) -> Timings:
        """The submission's timings."""
        return self.timings[-1]

    @property
    def incomplete(self) -> bool:
        """Whether an exact image has not been run yet in this launch."""
        return bool(self._exact_left)

    def begin_launch(self, rounds: int) -> None:
        """Begin a launch of about so many rounds, with other workers."""
        self._launch += 1
        self._exact_left = {(split.name, pair.name) for split in self.splits for pair in split.pairs}
        if self._launch == 0:
            self.verifier.calls *= rounds

    def round(self, number: int, left: int) -> float:
        """Do one round.

        Args:
            number: In this launch, from 0.
            left: How many rounds of this launch there are at least, this one included.

        Returns:
            How long it took [s].
        """
        begin = time.perf_counter()
        for each in self.timings:
            with blamed(each.side):
                each.side.worker.begin_round()
        for each in self.timings:
            each.turns.begin_round(each.side.worker.pid)
        share = CpuShare([pid for each in self.timings for pid in each.turns.pids])
        for split in self.splits:
            self._split(split, number, left)
        wall_s = time.perf_counter() - begin
        for each in self.timings:
            with blamed(each.side):
                now = each.side.worker.flags()
            if now not in each.flags:
                each.flags.append(now)
            each.turns.end_round(wall_s)
        others = share.others()
        if others is not None:
            self.others.append((wall_s, others))
        return wall_s

    def _split(self, split: Split, number: int, left: int) -> None:
        for each in self.timings:
            with blamed(each.side):
                each.side.worker.reset_memory()
            each.begin_split(split.name, len(split.pairs))
        order = [int(index) for index in self._random.permutation(len(split.pairs))]
        prepared = self._prepare(split, order[0], number, left)
        for place, index in enumerate(order):
            lr, seed = prepared.result()
            if place + 1 < len(order):
                prepared = self._prepare(split, order[place + 1], number, left)
            self._image(split, index, lr, seed)
            done = len(self.own.claimed[split.name])
            self._timeline.step(f"{split.name}, round {done}", len(self.timings))
        for each in self.timings:
            with blamed(each.side):
                each.add_peak(split.name, each.side.worker.peak_memory_mib())

    def _prepare(self, split: Split, index: int, number: int, left: int) -> Future[tuple[Uint8, int | None]]:
        """Have an LR image decoded in the background, and dithered unless this is its exact round."""
        pair = split.pairs[index]
        key = (split.name, pair.name)
        seed: int | None = None
        # Each round that is left is as likely to be the exact one; the last takes what is left.
        if key in self._exact_left and self._random.random() * left < 1:
            self._exact_left.remove(key)
        else:
            text = f"{split.name}/{pair.name}/{number}".encode()
            seed = int.from_bytes(hashlib.blake2b(text, key=self._secret, digest_size=6).digest(), "big")

        def prepare() -> tuple[Uint8, int | None]:
            lr = read_lr(pair)
            return (lr if seed is None else dithered(lr, seed)), seed

        return self._background.submit(prepare, bounded=False)

    def _image(self, split: Split, index: int, lr: Uint8, seed: int | None) -> None:
        pair = split.pairs[index]
        srs: dict[bool, Uint8] = {}  # by whether it is the baseline's
        # A B, B A, A B ... over all rounds and launches: the second call finds a warmer machine, so each side
        # comes second equally often.
        self._turns += 1
        for each in self.timings if self._turns % 2 else self.timings[::-1]:
            with blamed(each.side), each.turns.turn():
                call = each.side.worker.run(lr)
            pixels = lr.shape[0] * lr.shape[1]
            each.add_call(split.name, index, call.claimed_ms, call.bracket_ms, pixels)
            srs[each.side.is_baseline] = call.sr
        own = srs[self.own.side.is_baseline]
        first = self._launch == 0
        if first and seed is None and (split.name, pair.name) == (self.drawn[0].name, self.drawn[1].name):
            self.drawn_sr = own
        self.verifier.window(split.name, pair.name, seed, own, first_launch=first)
        if seed is None:
            in_order = [srs[each.side.is_baseline] for each in self.timings]
            self._submit(partial(self._score, split, pair, in_order, first))
        elif first and (split.name, pair.name) in self._checks:
            self._checks.remove((split.name, pair.name))
            self._submit(partial(self._check_dithered, split, pair, seed, own))

    def _submit(self, job: Callable[[], None]) -> None:
        self._jobs = [known for known in self._jobs if not known.done() or known.exception() is not None]
        self._jobs.append(self._background.submit(job))

    def _score(self, split: Split, pair: Pair, srs: Sequence[Uint8], first: bool) -> None:
        """Compute the metrics of an exact image; after the first launch, only what must have stayed the same.

        Args:
            split: Of the image.
            pair: Of the image.
            srs: The SR image of each side, the submission's last.
            first: Whether this is the first launch.
        """
        hr = read_hr(pair, self._scale)
        own = srs[-1]
        if not first:
            self.verifier.exact_psnr(split.name, pair.name, psnr(own, hr, self._border).rgb_db)
            return
        for each, sr in zip(self.timings, srs, strict=True):
            found = psnr(sr, hr, self._border)
            ssim = ssim_y(sr, hr, self._border) if self._ssim else None
            each.quality[split.name, pair.name] = Quality(found.y_db, found.rgb_db, ssim)
        self.verifier.exact_psnr(split.name, pair.name, self.own.quality[split.name, pair.name].psnr_rgb_db)
        self.verifier.checksum(split.name, pair.name, None, own)
        if self._save_dir is not None:
            images.write_png(sr_path(self._save_dir, self.own.side.submission, split, pair), own)

    def _check_dithered(self, split: Split, pair: Pair, seed: int, sr: Uint8) -> None:
        self.verifier.checksum(split.name, pair.name, seed, sr)
        found = psnr(sr, read_hr(pair, self._scale), self._border)
        self._dither_psnr[split.name, pair.name] = found.rgb_db

    def compare_fresh(self, sr: Uint8) -> None:
        """Compare the SR image of the drawn pair with what a fresh process gives for the same LR image."""
        split, pair = self.drawn
        if self.drawn_sr is None:
            raise RuntimeError("the drawn image has not been run")
        self.verifier.fresh(split.name, pair.name, self.drawn_sr, sr)
        found = psnr(sr, read_hr(pair, self._scale), self._border)
        self.verifier.exact_psnr(split.name, pair.name, found.rgb_db)

    def finish(self) -> None:
        """Wait for what runs in the background, and complete the checks.

        Raises:
            Exception: Whatever a job has raised.
        """
        for job in self._jobs:
            job.result()
        self._jobs.clear()
        for (split, name), rgb_db in self._dither_psnr.items():
            self.verifier.dither_psnr(split, name, rgb_db, self.own.quality[split, name].psnr_rgb_db)
        self._dither_psnr.clear()


def sr_path(save_dir: Path, submission: Submission, split: Split, pair: Pair) -> Path:
    """Return the path that the SR image of a pair is saved at."""
    return save_dir / submission.label / split.dataset / f"{pair.name}.png"
