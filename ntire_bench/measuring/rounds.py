"""Timed rounds: both sides run images of every split in turns, in the order A B, B A.

A turn is one or more calls of one side on images of one size; where it has more than one, the first does not
count. In each launch one call per image, in a round drawn at random, gets the LR image itself (the exact
image). All other calls get one that is composed anew (see content.py). So no call of a process sees content
that it has seen before, and none can be told to be the one whose SR image counts. Images are decoded and
metrics computed in the background.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from ntire_bench.client.worker import Call
from ntire_bench.data.dataset import Split, read_lr
from ntire_bench.machine.cpu_time import TICK_S
from ntire_bench.machine.monitor import CpuShare, GpuTrace
from ntire_bench.measuring.background import Background
from ntire_bench.measuring.content import Composition, compose, lr_of
from ntire_bench.measuring.outputs import Outputs, Shown
from ntire_bench.measuring.side import Side, Timeline, blamed
from ntire_bench.measuring.slow_calls import Usual, disturbed
from ntire_bench.measuring.surroundings import Watcher
from ntire_bench.measuring.timings import Surroundings, TimedCall, Timings

__all__ = ["TURN_CALLS", "Rounds"]

Uint8 = npt.NDArray[np.uint8]

# Calls of a turn; docs/PERFORMANCE.md has what more of them give and cost.
TURN_CALLS = {"cpu": 1, "cuda": 5}
_REPEATED_SHARE = 0.1  # of a round's pairs may be made again because the machine was disturbed
_FEWEST_REPEATED = 2
_ROUNDS_AGAIN = 2  # rounds of a session may be made again because clocks did not fit


@dataclass(frozen=True)
class _Content:
    """What a call is given.

    Attributes:
        index: Of the image in its split.
        lr: uint8 HWC.
        composition: How it was composed; None for the exact image.
        seed: Of the composition; None for the exact image.
    """

    index: int
    lr: Uint8
    composition: Composition | None
    seed: int | None


@dataclass
class _Round:
    """A round that is being made.

    Attributes:
        number: In its launch, from 0.
        left: How many rounds of the launch there are at least, this one included.
        attempt: How often it was begun before.
        watcher: Looks at the machine between its turns.
        calls: By side and split, a call per image.
        repeats_left: How many pairs of calls may still be made again.
    """

    number: int
    left: int
    attempt: int
    watcher: Watcher
    calls: list[dict[str, list[TimedCall]]]
    repeats_left: int


class Rounds:
    """Does rounds and collects what they give.

    Args:
        sides: The submission last; before it the baseline, if that is another one.
        splits: Checked pairs.
        scale: Enlargement factor.
        noise: At scale 1, the standard deviation of the LR images' noise [8-bit levels].
        device: "cuda" or "cpu".
        outputs: Gets every SR image.
        background: Runs what need not wait for a call.
        timeline: Counts the calls.
        trace: Samples the GPU.

    Attributes:
        timings: What is collected of each side.
        splits: Checked pairs.
        outputs: Checks SR images.
        device: "cuda" or "cpu".
        turn_calls: Calls of a turn.
        others: Of each round: its seconds, and the share of the machine that other programs used.
        repeated: Pairs of calls that were made again, by why.
        idle_turns: How often a side stood still in the other's turn (True), and how often it could not be
            had to (False).
    """

    def __init__(
        self,
        sides: Sequence[Side],
        splits: Sequence[Split],
        *,
        scale: int,
        noise: float | None = None,
        device: str,
        outputs: Outputs,
        background: Background,
        timeline: Timeline,
        trace: GpuTrace,
    ) -> None:
        self.timings = [Timings(side) for side in sides]
        self.splits = splits
        self.outputs = outputs
        self.device = device
        self.turn_calls = TURN_CALLS[device]
        self.others: list[tuple[float, float]] = []
        self.repeated: Counter[str] = Counter()
        self.idle_turns: Counter[bool] = Counter()
        self._scale, self._noise = scale, noise
        self._background, self._timeline, self._trace = background, timeline, trace
        self._secret = secrets.token_bytes(16)
        self._random = np.random.default_rng(secrets.randbits(64))
        self._launch = -1
        self._others_before = 0  # how many there were when this launch began
        self._turns = 0
        self._rounds_again = _ROUNDS_AGAIN
        self._exact_left: set[tuple[str, str]] = set()
        self._usual = Usual()

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
        self._others_before = len(self.others)
        self._exact_left = {(split.name, pair.name) for split in self.splits for pair in split.pairs}
        self.outputs.begin_launch(self._launch, rounds)

    def round(self, number: int, left: int) -> float:
        """Do one round, and its composed calls again where the clocks do not fit, twice in a session at most.

        Args:
            number: In this launch, from 0.
            left: How many rounds of this launch there are at least, this one included.

        Returns:
            How long it took [s].
        """
        begin = time.perf_counter()
        done = self._round(number, left, 0)
        attempt = 1
        while self._rounds_again and not self._fits(done):
            composed = sum(not call.exact for calls in done.calls[-1].values() for call in calls)
            if not composed:  # an exact image cannot be new to a process twice: what it gave counts
                break
            self._rounds_again -= 1
            self.repeated["clocks"] += composed
            done = self._round(number, left, attempt, keep=done.calls)
            attempt += 1
        for each, calls in zip(self.timings, done.calls, strict=True):
            each.add_round(calls)
        return time.perf_counter() - begin

    def launch_fits(self, rounds: int) -> bool:
        """Say whether the clocks of both sides agree over a launch that has made so many rounds.

        Rounds of exact calls alone, as with one round a launch, can be made again by new processes alone.
        """
        return all(each.attested(self.device, rounds) for each in self.timings)

    def drop_launch(self, rounds: int) -> None:
        """Forget the calls of a launch of so many rounds, as another one makes them again."""
        for each in self.timings:
            each.drop(rounds)
        del self.others[self._others_before :]
        self.repeated["clocks"] += rounds * sum(len(split.pairs) for split in self.splits)

    def _fits(self, done: _Round) -> bool:
        """Say whether the clocks of both sides fit; of a round made again, on composed images alone.

        What exact images gave the first time stays as it was, and would never fit.
        """
        sides = done.calls
        if done.attempt:
            sides = [
                {split: [call for call in made if not call.exact] for split, made in calls.items()}
                for calls in done.calls
            ]
        return all(
            each.fits(calls, self.device)
            for each, calls in zip(self.timings, sides, strict=True)
            if any(calls.values())  # else there is nothing that could be made again
        )

    def _round(
        self, number: int, left: int, attempt: int, keep: Sequence[dict[str, list[TimedCall]]] = ()
    ) -> _Round:
        """Make a round; of one that is made again, exact calls stay as they were the first time."""
        begin = time.perf_counter()
        for each in self.timings:
            with blamed(each.side):
                each.side.worker.begin_round()
        for each in self.timings:
            worker = each.side.worker
            each.turns.begin_round(worker.cpu_seconds, 0.0 if worker.cpu_time_is_exact else TICK_S)
        own = [each.side.worker.pid for each in self.timings]
        share = CpuShare(own)
        repeats = max(
            _FEWEST_REPEATED, round(_REPEATED_SHARE * sum(len(split.pairs) for split in self.splits))
        )
        done = _Round(number, left, attempt, Watcher(own, self._trace), [{} for _ in self.timings], repeats)
        for split in self.splits:
            self._split(split, done)
        wall_s = time.perf_counter() - begin
        for each in self.timings:
            with blamed(each.side):
                now = each.side.worker.flags()
            if now not in each.flags:
                each.flags.append(now)
            each.turns.end_round(wall_s)
        for calls, before in zip(done.calls, keep, strict=bool(keep)):
            for name, known in before.items():
                both = zip(known, calls[name], strict=True)
                calls[name] = [old if old.exact else new for old, new in both]
        others = share.others()
        if others is not None:
            self.others.append((wall_s, others))
        return done

    def _split(self, split: Split, done: _Round) -> None:
        for each in self.timings:
            with blamed(each.side):
                each.side.worker.reset_memory()
        made: list[dict[int, TimedCall]] = [{} for _ in self.timings]
        groups = self._groups(split)
        prepared = self._prepare(split, groups[0], done)
        for place, group in enumerate(groups):
            contents = [future.result() for future in prepared]
            if place + 1 < len(groups):
                prepared = self._prepare(split, groups[place + 1], done)
            self._turns_of(split, contents, done, made)
            if done.attempt == 0:  # the display does not foresee rounds that are made again
                self._timeline.step(
                    f"{split.name}, round {self._rounds_done + 1}", len(group) * len(self.timings)
                )
        for each, calls, of_side in zip(self.timings, done.calls, made, strict=True):
            calls[split.name] = [of_side[index] for index in range(len(split.pairs))]
            with blamed(each.side):
                each.add_peak(split.name, each.side.worker.peak_memory_mib())

    @property
    def _rounds_done(self) -> int:
        return max((len(rounds) for rounds in self.own.calls.values()), default=0)

    def _groups(self, split: Split) -> list[list[int]]:
        """Return the images of a split in a random order, as many of one size together as a turn counts."""
        order = [int(index) for index in self._random.permutation(len(split.pairs))]
        most = max(1, self.turn_calls - 1)
        open_groups: dict[tuple[int, int], list[int]] = {}
        groups: list[list[int]] = []
        for index in order:
            size = (split.pairs[index].height, split.pairs[index].width)
            group = open_groups.get(size)
            if group is None or len(group) >= most:
                group = open_groups[size] = []
                groups.append(group)
            group.append(index)
        return groups

    def _prepare(
        self, split: Split, group: Sequence[int], done: _Round, again: int = 0
    ) -> list[Future[_Content]]:
        """Have the LR images of a turn made in the background; the first is one that does not count."""
        wanted: list[tuple[int, str | None]] = []
        if self.turn_calls > 1:
            wanted.append((group[0], f"lead/{secrets.token_hex(8)}"))
        for index in group:
            key = (split.name, split.pairs[index].name)
            # Each round that is left is as likely to be the exact one; the last takes what is left.
            if not again and key in self._exact_left and self._random.random() * done.left < 1:
                self._exact_left.remove(key)
                wanted.append((index, None))
            else:
                wanted.append((index, f"{'/'.join(key)}/{done.number}/{done.attempt}/{again}"))
        return [
            self._background.submit(partial(self._content, split, index, text), bounded=False)
            for index, text in wanted
        ]

    def _content(self, split: Split, index: int, text: str | None) -> _Content:
        pair = split.pairs[index]
        if text is None:
            return _Content(index, read_lr(pair), None, None)
        digest = hashlib.blake2b(text.encode(), key=self._secret, digest_size=6).digest()
        seed = int.from_bytes(digest, "big")
        size = pair.height // self._scale, pair.width // self._scale
        composition = compose(*size, split.pairs, self._scale, seed)
        return _Content(index, lr_of(composition, self._noise, read_lr), composition, seed)

    def _turns_of(
        self,
        split: Split,
        contents: Sequence[_Content],
        done: _Round,
        made: list[dict[int, TimedCall]],
    ) -> None:
        """Have both sides take a turn on some LR images, and again where the machine was disturbed."""
        again = 0
        while True:
            calls = self._both(contents)
            around = done.watcher.look()
            kept = self._counted(contents)
            timed = self._timed(kept, calls, around)
            for content, srs in zip(kept, calls, strict=True):
                pair = split.pairs[content.index]
                shown = Shown(split, pair, content.lr, content.composition, content.seed)
                self.outputs.add(shown, [call.sr for call in srs])
            sizes = [content.lr.shape[:2] for content in kept]
            why = disturbed(self._usual, sizes, timed, around) if done.repeats_left > 0 else None
            if why is None:
                break
            done.repeats_left -= len(kept)
            again += 1
            self.repeated[why] += len(kept)
            group = [content.index for content in kept]
            contents = [future.result() for future in self._prepare(split, group, done, again)]
        for of_side, of_images in zip(made, timed, strict=True):
            for content, call in zip(kept, of_images, strict=True):
                of_side[content.index] = call
        self._usual.add(sizes, timed)

    def _counted(self, contents: Sequence[_Content]) -> Sequence[_Content]:
        return contents[1:] if self.turn_calls > 1 else contents

    def _both(self, contents: Sequence[_Content]) -> list[list[Call]]:
        """Return what both sides gave for each LR image that counts."""
        # A B, B A, A B ... over all rounds and launches: the second finds a warmer machine, so each side
        # comes second equally often.
        self._turns += 1
        found: dict[int, list[Call]] = {}
        for each in self.timings if self._turns % 2 else self.timings[::-1]:
            with blamed(each.side), self._others_paused(each), each.turns.turn():
                given = [each.side.worker.run(content.lr) for content in contents]
            if given[0].wait_ms is not None:
                each.waits_ms.append(given[0].wait_ms)
            found[id(each)] = given[len(contents) - len(self._counted(contents)) :]
        in_order = [found[id(each)] for each in self.timings]
        return [list(of_image) for of_image in zip(*in_order, strict=True)]

    @contextlib.contextmanager
    def _others_paused(self, own: Timings) -> Iterator[None]:
        """Have the other side stand still, where its control group can do that; nothing is timed meanwhile.

        Beside a GPU it is not done: what it does to a driver's threads has not been measured.
        """
        with contextlib.ExitStack() as stack:
            if self.device == "cpu":
                for other in self.timings:
                    if other is not own:
                        self.idle_turns[stack.enter_context(other.side.worker.paused())] += 1
            yield

    def _timed(
        self, contents: Sequence[_Content], calls: Sequence[Sequence[Call]], around: Surroundings
    ) -> list[list[TimedCall]]:
        """Return the calls of each side, one per image."""
        return [
            [
                each.call(
                    of_image[number],
                    content.lr.shape[0] * content.lr.shape[1],
                    around,
                    exact=content.seed is None,
                )
                for content, of_image in zip(contents, calls, strict=True)
            ]
            for number, each in enumerate(self.timings)
        ]

    def finish(self) -> None:
        """Wait for what runs in the background, and complete the checks.

        Raises:
            Exception: Whatever a job has raised.
        """
        self.outputs.finish()
