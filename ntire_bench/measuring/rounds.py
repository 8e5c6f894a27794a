"""Timed rounds: every image of every split by both sides, in ABBA order, and what came back handed on.

In each launch one call per image has the LR image as it is, in a round drawn at random; all others have it
dithered, so that no call's content was seen before in that process and none can be told to be the one that
counts. Metrics and decoding run beside (see `beside`); the calls themselves are strictly one after the other.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ntire_bench.data import images
from ntire_bench.data.dataset import Pair, Split, read_hr, read_lr
from ntire_bench.machine import monitor, processes
from ntire_bench.measuring.background import Beside
from ntire_bench.measuring.clock import Overhead
from ntire_bench.measuring.replays import Verifier, dithered
from ntire_bench.measuring.side import Contender, Timeline, blamed
from ntire_bench.metrics.psnr import psnr
from ntire_bench.metrics.ssim import ssim_y
from ntire_bench.submissions.submission import Submission

__all__ = ["Quality", "Rounds", "Side", "sr_path"]

Uint8 = npt.NDArray[np.uint8]

_EXACT = -1  # in the place of a dither's seed
_DITHER_CHECKS = 10  # images per split whose PSNR is computed under a dither too
_OUT_OF_TURN = 0.2  # of a core, while the other side is timed


@dataclass(frozen=True)
class Quality:
    """Metrics of one image: PSNR [dB], SSIM or None."""

    psnr_y_db: float
    psnr_rgb_db: float
    ssim_y: float | None


@dataclass
class Side:
    """What is collected of one contender over all launches.

    Attributes:
        contender: Whose it is.
        overhead: Of a call in the current launch.
        claimed: Per split, one list per round with a runtime per image [ms], by the worker's clock.
        seen: The same by the parent's clock, less the overhead.
        quality: By split and image, from the first launch.
        memory_mib: Peak by split.
        flags: Settings of torch as they were found after rounds, each once.
        turn_cpu_s: CPU time in its own turns, in the current round.
        turn_wall_s: Time in its own turns, over all launches.
        idle_cpu_s: CPU time out of its turns, over all launches.
        idle_wall_s: Time out of its turns, over all launches.
    """

    contender: Contender
    overhead: Overhead = Overhead(fixed_ms=0.0, per_pixel_ms=0.0)
    claimed: dict[str, list[list[float]]] = field(default_factory=dict)
    seen: dict[str, list[list[float]]] = field(default_factory=dict)
    quality: dict[tuple[str, str], Quality] = field(default_factory=dict)
    memory_mib: dict[str, float | None] = field(default_factory=dict)
    flags: list[dict[str, bool | int | str]] = field(default_factory=list)
    turn_cpu_s: float = 0.0
    turn_wall_s: float = 0.0
    idle_cpu_s: float = 0.0
    idle_wall_s: float = 0.0

    def out_of_turn(self) -> bool:
        """Say whether the process computed while the other side was timed."""
        return self.idle_wall_s > 1.0 and self.idle_cpu_s > _OUT_OF_TURN * self.idle_wall_s


class Rounds:
    """Does rounds and collects what they give.

    Args:
        contenders: The submission last; before it the baseline, if that is another one.
        splits: Checked pairs.
        scale: Enlargement factor.
        border: Pixels cropped off before the metrics.
        ssim: Whether SSIM is computed.
        save_dir: Where SR images go, as TEAM/SPLIT/NAME.png; None to keep none.
        beside: Where metrics run.
        timeline: Told of every call.

    Attributes:
        sides: What is collected of each contender.
        splits: Checked pairs.
        others: Seconds, and the share of the machine that other programs used.
        verifier: Compares outputs.
        drawn: A split and a pair of it, drawn at random for a comparison with a fresh process.
        drawn_sr: The submission's SR image of that pair, once it has been run as it is.
    """

    def __init__(
        self,
        contenders: Sequence[Contender],
        splits: Sequence[Split],
        *,
        scale: int,
        border: int,
        ssim: bool,
        save_dir: Path | None,
        beside: Beside,
        timeline: Timeline,
    ) -> None:
        self.sides = [Side(contender) for contender in contenders]
        self.splits = splits
        self.others: list[tuple[float, float]] = []  # seconds, and the share of the machine that others used
        self._scale, self._border, self._ssim, self._save_dir = scale, border, ssim, save_dir
        self._beside, self._timeline = beside, timeline
        self._secret = secrets.token_bytes(16)
        self._random = np.random.default_rng(secrets.randbits(64))
        self._launch = -1
        self._pairs = 0  # of calls, so far
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
    def own(self) -> Side:
        """The submission's side."""
        return self.sides[-1]

    @property
    def incomplete(self) -> bool:
        """Whether an image has not been run as it is in this launch."""
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
            What it took [s].
        """
        begin = time.perf_counter()
        for side in self.sides:
            with blamed(side.contender):
                side.contender.worker.begin_round()
        pids = {id(side): processes.family([side.contender.worker.pid]) for side in self.sides}
        share = monitor.CpuShare([pid for known in pids.values() for pid in known])
        before = {id(side): processes.cpu_seconds(pids[id(side)]) for side in self.sides}
        turns = {id(side): side.turn_wall_s for side in self.sides}
        for side in self.sides:
            side.turn_cpu_s = 0.0
        for split in self.splits:
            self._split(split, number, left, pids)
        wall = time.perf_counter() - begin
        for side in self.sides:
            with blamed(side.contender):
                now = side.contender.worker.flags()
            if now not in side.flags:
                side.flags.append(now)
            used = processes.cpu_seconds(pids[id(side)]) - before[id(side)]
            side.idle_cpu_s += max(0.0, used - side.turn_cpu_s)
            side.idle_wall_s += wall - (side.turn_wall_s - turns[id(side)])
        others = share.others()
        if others is not None:
            self.others.append((wall, others))
        return wall

    def _split(self, split: Split, number: int, left: int, pids: dict[int, set[int]]) -> None:
        for side in self.sides:
            with blamed(side.contender):
                side.contender.worker.reset_memory()
            side.claimed.setdefault(split.name, []).append([0.0] * len(split.pairs))
            side.seen.setdefault(split.name, []).append([0.0] * len(split.pairs))
        order = [int(index) for index in self._random.permutation(len(split.pairs))]
        prepared = self._prepare(split, order[0], number, left)
        for place, index in enumerate(order):
            lr, seed = prepared.result()
            if place + 1 < len(order):
                prepared = self._prepare(split, order[place + 1], number, left)
            self._image(split, index, lr, seed, pids)
            self._timeline.step(f"{split.name}, round {len(self.own.claimed[split.name])}", len(self.sides))
        for side in self.sides:
            with blamed(side.contender):
                peak = side.contender.worker.peak_memory_mib()
            known = side.memory_mib.get(split.name)
            side.memory_mib[split.name] = peak if known is None or peak is None else max(known, peak)

    def _prepare(self, split: Split, index: int, number: int, left: int) -> Future[tuple[Uint8, int]]:
        """Decode an LR image beside the call before it; dither it unless this is its exact round."""
        pair = split.pairs[index]
        seed = _EXACT
        key = (split.name, pair.name)
        # Of the rounds that are left, each is as likely; the last takes what none before it took.
        if key in self._exact_left and self._random.random() * left < 1:
            self._exact_left.remove(key)
        else:
            text = f"{split.name}/{pair.name}/{number}".encode()
            seed = int.from_bytes(hashlib.blake2b(text, key=self._secret, digest_size=6).digest(), "big")

        def prepare() -> tuple[Uint8, int]:
            lr = read_lr(pair)
            return (lr if seed == _EXACT else dithered(lr, seed)), seed

        return self._beside.submit(prepare, bounded=False)

    def _image(self, split: Split, index: int, lr: Uint8, seed: int, pids: dict[int, set[int]]) -> None:
        pair = split.pairs[index]
        given: dict[int, Uint8] = {}
        # A B, B A, A B ... over all rounds and launches: who goes second finds a warmer machine, and neither
        # does more often than the other.
        self._pairs += 1
        for side in self.sides if self._pairs % 2 else self.sides[::-1]:
            known = pids[id(side)]
            cpu, begin = processes.cpu_seconds(known), time.perf_counter()
            with blamed(side.contender):
                call = side.contender.worker.run(lr)
            side.turn_wall_s += time.perf_counter() - begin
            side.turn_cpu_s += processes.cpu_seconds(known) - cpu
            pixels = lr.shape[0] * lr.shape[1]
            side.claimed[split.name][-1][index] = call.claimed_ms
            side.seen[split.name][-1][index] = max(1e-6, call.bracket_ms - side.overhead.of(pixels))
            given[id(side)] = call.sr
        first = self._launch == 0
        own = given[id(self.own)]
        if first and seed == _EXACT and (split.name, pair.name) == (self.drawn[0].name, self.drawn[1].name):
            self.drawn_sr = own
        self.verifier.window(split.name, pair.name, seed, own, first_launch=first)
        if seed == _EXACT:
            self._submit(lambda: self._score(split, pair, given, first))
        elif first and (split.name, pair.name) in self._checks:
            self._checks.remove((split.name, pair.name))
            self._submit(lambda: self._check_dithered(split, pair, seed, own))

    def _submit(self, job: Callable[[], None]) -> None:
        self._jobs = [known for known in self._jobs if not known.done() or known.exception() is not None]
        self._jobs.append(self._beside.submit(job))

    def _score(self, split: Split, pair: Pair, given: dict[int, Uint8], first: bool) -> None:
        hr = read_hr(pair, self._scale)
        own = given[id(self.own)]
        if not first:
            self.verifier.exact_psnr(split.name, pair.name, psnr(own, hr, self._border).rgb_db)
            return
        for side in self.sides:
            sr = given[id(side)]
            found = psnr(sr, hr, self._border)
            ssim = ssim_y(sr, hr, self._border) if self._ssim else None
            side.quality[split.name, pair.name] = Quality(found.y_db, found.rgb_db, ssim)
        self.verifier.exact_psnr(split.name, pair.name, self.own.quality[split.name, pair.name].psnr_rgb_db)
        self.verifier.checksum(split.name, pair.name, _EXACT, own)
        if self._save_dir is not None:
            path = sr_path(self._save_dir, self.own.contender.submission, split, pair)
            images.write_png(path, own)

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
        """Wait for what runs beside, and complete the checks; raises what failed there."""
        for job in self._jobs:
            job.result()
        self._jobs.clear()
        for (split, name), rgb_db in self._dither_psnr.items():
            self.verifier.dither_psnr(split, name, rgb_db, self.own.quality[split, name].psnr_rgb_db)
        self._dither_psnr.clear()


def sr_path(save_dir: Path, submission: Submission, split: Split, pair: Pair) -> Path:
    """Return where the SR image of a pair goes."""
    return save_dir / submission.label / split.dataset / f"{pair.name}.png"
