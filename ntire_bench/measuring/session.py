"""The one place that knows the order of the phases: load, warm-up, complexity, run; launch after launch.

A submission and the baseline are both resident, each in a worker of its own, and are timed alternately on the
same image, so that whatever the machine does in between happens to both. Rounds are made in several launches,
each with new workers; the next launch's workers import what they need while this one's load and warm up.
"""

from __future__ import annotations

import contextlib
import functools
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from ntire_bench.client.workers import Workers
from ntire_bench.data.dataset import Pair, Split, read_lr
from ntire_bench.errors import MeasurementError, SubmissionError
from ntire_bench.estimating.stopping import (
    LAUNCHES,
    StopReason,
    fixed_rounds,
    more_rounds,
    pilot_rounds,
    rounds_per_launch,
)
from ntire_bench.machine import environment
from ntire_bench.machine.monitor import GpuTrace
from ntire_bench.measuring import resolve
from ntire_bench.measuring.background import Beside
from ntire_bench.measuring.clock import Overhead, measure_overhead
from ntire_bench.measuring.options import Options, sides_of, start_crew
from ntire_bench.measuring.replays import dithered
from ntire_bench.measuring.results import conclude, samples_of, warm_up
from ntire_bench.measuring.rounds import Rounds, Side
from ntire_bench.measuring.side import Contender, Progress, Timeline, blamed
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.records.record import Environment, Finding, Launch, Timing
from ntire_bench.submissions.submission import Submission

__all__ = ["Session"]

_PROBE_SIDE = 128  # LR pixels; the input range is told on a crop of this size


class Session:
    """One evaluation under way; what it knows so far becomes a record whether or not the rest succeeds.

    Args:
        submission: What to evaluate.
        baseline: What its costs are divided by; may be the submission itself, which is then measured once.
        splits: Checked image pairs.
        protocol: The rules.
        options: Rounds, device, channel.
        progress: Told of every call.
        crew: Workers of the first launch, if they were started before.
        start_next: Starts the workers of the next submission; called in the last untimed phase that can be
            foreseen. Who gives it closes what it returns.

    Attributes:
        info: The submission, as far as it is known.
        phase: What is being done.
        environment: None until a worker has come up.
        contenders: The baseline, if it is another one, and the submission.
        launches: Those that are done.
        timing: None until all is measured.
        wall_s: Seconds per phase.
    """

    def __init__(
        self,
        submission: Submission,
        baseline: Submission,
        splits: Sequence[Split],
        protocol: Protocol,
        options: Options,
        progress: Progress | None = None,
        crew: Workers | None = None,
        start_next: Callable[[], Workers | None] | None = None,
    ) -> None:
        self.info = resolve.describe(submission)
        self.phase = "load"
        self.environment: Environment | None = None
        self.contenders: list[Contender] = []
        self.launches: list[Launch] = []
        self.timing: Timing | None = None
        self.wall_s: dict[str, float] = {}
        self._sides = sides_of(submission, baseline)
        self._start = functools.partial(start_crew, submission, baseline, splits, protocol.scale, options)
        self._splits, self._protocol, self._options, self._rule = splits, protocol, options, options.stop
        self._sizes = {(pair.height, pair.width): pair for split in splits for pair in split.pairs}
        self._timeline = Timeline(progress, submission.label)
        self._crew, self._start_next = crew, start_next
        self._fresh: Workers | None = None  # the submission's alone, where there is one launch
        self._rounds: Rounds | None = None
        self._trace = GpuTrace(None)
        self._planned = pilot_rounds(self._rule)
        self._elapsed_s = 0.0

    def run(self) -> None:
        """Do all phases."""
        spare = environment.cores() - (self._options.threads or environment.compute_threads())
        stopped: StopReason | None = None
        try:
            with Beside(spare) as beside:
                while stopped is None:
                    with self._crew or self._start() as crew:
                        self._crew = None
                        stopped = self._launch(crew, beside)
                if len(self.launches) == 1:  # else later launches have made this comparison
                    self._compare_with_fresh()
                self._conclude(stopped)
        finally:
            for crew in filter(None, (self._crew, self._fresh)):
                crew.close()

    @contextlib.contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        self.phase = phase
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.wall_s[phase] = self.wall_s.get(phase, 0.0) + time.perf_counter() - begin

    def _launch(self, crew: Workers, beside: Beside) -> StopReason | None:
        if not self.launches:
            self._foresee(0, 0)
        with self._timed("load"):
            hello, overheads = self._greet(crew)
            following = self._start_following()
            load_s = self._load(crew)
        if not self.launches:
            self._tell_long()
        with self._timed("warm-up"):  # before the costs are counted: the first call is to be a cold one
            lrs = [_untimed_lr(pair) for pair in self._sizes.values()]
            begin = time.perf_counter()
            for contender in self.contenders:  # the submission comes last: the figure kept is its own
                with blamed(contender):
                    first_ms = warm_up(contender, lrs, hello["device"], self._timeline)
            self._plan_by(time.perf_counter() - begin)
        if self._rounds is None:
            with self._timed("complexity"):
                self._count()
            self._rounds = self._new_rounds(beside)
            self._trace = GpuTrace(hello.get("gpu_uuid"))
        for side, overhead in zip(self._rounds.sides, overheads, strict=True):
            side.overhead = overhead
        for one in following:
            with self._timed("load"):
                one.settle()
        crews = [crew, *following]
        pids = [worker.pid for one in crews for worker in one.workers]
        with self._timed("run"), self._trace.sampling(pids):
            done, stopped = self._do_rounds(self._rounds, hello["device"])
        self.launches.append(Launch(rounds=done, load_s=load_s, first_call_ms=first_ms))
        for side in self._rounds.sides:
            with blamed(side.contender):
                self._compare_flags(side)
                resolve.recount(side.contender)
        counts = [launch.rounds for launch in self.launches]
        if self._rule.rounds is not None:
            self._planned = fixed_rounds(self._rule.rounds, sum(counts), len(counts)) if not stopped else 0
            return stopped
        samples = samples_of(self._rounds, counts)
        # At a limit the precision may have been reached all the same.
        stopped = self._rule.after_launch(samples, hello["device"]) or stopped
        if stopped is None and len(counts) >= LAUNCHES:
            self._planned = more_rounds(self._rule, samples, hello["device"], self._planned)
        return stopped

    def _greet(self, crew: Workers) -> tuple[dict[str, Any], list[Overhead]]:
        """Wait for the workers, and measure in each what a call takes beside the network."""
        known = [None] * len(crew.workers) if not self.contenders else self.contenders
        hellos = []
        for worker, side, contender in zip(crew.workers, self._sides, known, strict=True):
            if contender is None:
                is_baseline = side is not self._sides[-1]
                info = resolve.describe(side) if is_baseline else self.info
                contender = Contender(side, worker, is_baseline, info)
                self.contenders.append(contender)
            contender.worker = worker
        for number, contender in enumerate(self.contenders):
            with blamed(contender):
                hellos.append(crew.hello(number))
        self.environment = environment.describe(hellos[-1])
        lrs = [_untimed_lr(pair) for pair in self._sizes.values()]
        overheads = []
        for worker, contender in zip(crew.workers, self.contenders, strict=True):
            with blamed(contender):
                overheads.append(measure_overhead(worker, lrs))
        return hellos[-1], overheads

    def _plan_by(self, warm_up_s: float) -> None:
        """Plan fewer rounds for the first launch where the others would find no time left."""
        if self.launches or self._rule.rounds is not None:
            return
        images = sum(len(split.pairs) for split in self._splits)
        round_s = warm_up_s * images / len(self._sizes)
        self._planned = min(self._planned, max(1, int(self._rule.max_time_s / round_s / LAUNCHES)))

    def _foreseen_launches(self) -> int:
        return LAUNCHES if self._rule.rounds is None else min(LAUNCHES, self._rule.rounds)

    def _foresee(self, rounds: int, launches: int) -> None:
        """Tell the progress display how many calls there will be, after so many rounds and warm-ups."""
        wanted = self._rule.rounds or max(self._planned * LAUNCHES, self._rule.min_rounds)
        images = sum(len(split.pairs) for split in self._splits)
        left = max(1, wanted - rounds) * images
        left += max(0, self._foreseen_launches() - launches) * len(self._sizes)
        self._timeline.total = self._timeline.done + left * len(self._sides)

    def _start_following(self) -> list[Workers]:
        """Start the workers that will be wanted next, as far as that can be told.

        They are those of the next launch; where there is one launch, a fresh one to compare with; and those
        of another team.
        """
        if len(self.launches) + 1 < self._foreseen_launches():
            self._crew = self._start()
            return [self._crew]
        if self._foreseen_launches() == 1:
            self._fresh = self._start(alone=True)
        start_next, self._start_next = self._start_next, None
        return [one for one in (self._fresh, start_next and start_next()) if one is not None]

    def _compare_with_fresh(self) -> None:
        """Have a worker that has seen nothing run one image again, while nothing is timed."""
        if self._rounds is None:
            raise RuntimeError("nothing was measured")
        own = self._rounds.own.contender
        pair = self._rounds.drawn[1]
        with self._timed("compare"), self._crew or self._fresh or self._start(alone=True) as crew:
            try:
                crew.hello(len(crew.workers) - 1)
                worker = crew.workers[-1]
                worker.load(_crop(_untimed_lr(self._splits[0].pairs[0])))
                worker.warm_up(_untimed_lr(pair), 1)  # finds out what its input must be padded to
                sr = worker.run(read_lr(pair)).sr
            except (SubmissionError, MeasurementError) as error:  # all that was measured is kept
                message = f"no SR image of a fresh process to compare with, as that failed: {error}"
                own.note(Finding(code="not-compared", severity="warning", message=message))
                return
            self._rounds.compare_fresh(sr)

    def _load(self, crew: Workers) -> float:
        probe = _crop(_untimed_lr(self._splits[0].pairs[0]))
        took = 0.0
        for contender in self.contenders:
            with blamed(contender):
                begin = time.perf_counter()
                resolve.load(contender, probe)
                took = time.perf_counter() - begin
        return took

    def _tell_long(self) -> None:
        pairs = [pair for split in self._splits for pair in split.pairs]
        pixels = sum(pair.height * pair.width for pair in pairs) // self._protocol.scale**2
        for contender in self.contenders:
            if text := contender.foreseen(pixels, f"one round over {len(pairs)} images"):
                self._options.tell(text)

    def _count(self) -> None:
        """Count both sides' costs at the same time: nothing is timed in this phase."""
        image = self._largest_lr()
        pool = ThreadPoolExecutor(len(self.contenders))
        try:
            jobs = [pool.submit(resolve.count, side, self._protocol, image) for side in self.contenders]
            for contender, job in zip(self.contenders, jobs, strict=True):
                with blamed(contender):
                    job.result()
        finally:
            pool.shutdown(wait=False)  # where one fails or Ctrl-C comes, the end of its worker ends the other

    def _largest_lr(self) -> npt.NDArray[np.uint8]:
        """Return an LR image of the largest size: one larger than the cost input is audited whole."""
        return _untimed_lr(self._sizes[max(self._sizes, key=lambda size: size[0] * size[1])])

    def _new_rounds(self, beside: Beside) -> Rounds:
        return Rounds(
            self.contenders,
            self._splits,
            scale=self._protocol.scale,
            border=self._protocol.border,
            ssim=self._options.ssim,
            save_dir=self._options.save_dir,
            beside=beside,
            timeline=self._timeline,
        )

    def _do_rounds(self, rounds: Rounds, device: str) -> tuple[int, StopReason | None]:
        before = sum(launch.rounds for launch in self.launches)
        rounds.begin_launch(self._planned)
        done = 0
        stopped: StopReason | None = None
        while stopped is None and done < self._planned:
            self._foresee(before + done, len(self.launches) + 1)
            total = before + done
            # The last round that the limits allow takes whatever no round before it took.
            after = (
                self._rule.after_round(total + 1, self._elapsed_s * (total + 1) / total) if total else None
            )
            left = 1 if after else self._planned - done
            self._elapsed_s += rounds.round(done, left)
            done += 1
            stopped = self._rule.after_round(before + done, self._elapsed_s)
            if stopped and not self.launches and rounds.incomplete:
                stopped = None  # the first launch scores every image before it ends
            if not self.launches and done == self._planned and stopped is None:
                samples = samples_of(rounds, [done])
                self._planned = max(done, rounds_per_launch(self._rule, samples, self._elapsed_s, device))
        return done, stopped

    def _compare_flags(self, side: Side) -> None:
        """Note settings of torch that were found changed after a round."""
        if self.environment is None:
            raise RuntimeError("no worker has come up")
        before = self.environment.flags
        for now in side.flags:
            changed = [
                f"{key}: {before.get(key)} to {now[key]}" for key in now if now[key] != before.get(key)
            ]
            if changed:
                message = f"the submission changed torch's settings ({', '.join(changed)}); leave them alone"
                side.contender.note(Finding(code="flags-changed", severity="warning", message=message))
        side.flags.clear()

    def _conclude(self, stopped: StopReason) -> None:
        if self._rounds is None or self.environment is None:
            raise RuntimeError("nothing was measured")
        with self._timed("metrics"):
            self._rounds.finish()
            device = self.environment.device
            self.timing = conclude(
                self._rounds,
                self.launches,
                stopped=stopped,
                precision=self._rule.target(device),
                max_time_s=None if self._rule.rounds is not None else self._rule.max_time_s,
                device=device,
                monitor=self._trace.summary(),
            )


def _untimed_lr(pair: Pair) -> npt.NDArray[np.uint8]:
    """Return an LR image for a phase that is not timed: no timed call has the same content to replay."""
    return dithered(read_lr(pair), secrets.randbits(48))


def _crop(lr: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    top, left = (max(0, (side - _PROBE_SIDE) // 2) for side in lr.shape[:2])
    return np.ascontiguousarray(lr[top : top + _PROBE_SIDE, left : left + _PROBE_SIDE])
