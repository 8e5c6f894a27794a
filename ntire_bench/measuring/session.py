"""The one place that knows the order of the phases.

First launch: load, warm-up, costs, rounds. Later ones: load, warm-up, rounds. At the end the metrics, and a
comparison with a fresh process.

Submission and baseline each have a worker of their own. They run the same images in turns, so that whatever
the machine does in between happens to both. Rounds are made in several launches, each with new workers. The
next launch's workers import what they need while this launch's load and warm up.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ntire_bench.client.workers import Workers
from ntire_bench.data.dataset import Pair, Split
from ntire_bench.machine import environment, processes
from ntire_bench.machine.monitor import GpuTrace
from ntire_bench.measuring import resolve
from ntire_bench.measuring.ahead import Ahead
from ntire_bench.measuring.background import Background, spare_threads
from ntire_bench.measuring.clock import Overhead, measure_overhead
from ntire_bench.measuring.compared import compare_with_fresh, compare_with_twin
from ntire_bench.measuring.conclude import conclude
from ntire_bench.measuring.content import centre, compose, lr_of
from ntire_bench.measuring.options import Options, sides_of, start_twin, start_workers
from ntire_bench.measuring.outputs import Outputs
from ntire_bench.measuring.plan import Plan
from ntire_bench.measuring.results import samples_of
from ntire_bench.measuring.rounds import Rounds
from ntire_bench.measuring.side import Progress, Side, Timeline, blamed
from ntire_bench.measuring.timings import Timings
from ntire_bench.measuring.turns import usual_out_of_turn
from ntire_bench.measuring.warm_up import warm_up
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.records.record import Environment, Finding, Launch, Timing
from ntire_bench.submissions.submission import Submission

__all__ = ["Session"]

Uint8 = npt.NDArray[np.uint8]

_SWITCH_S = 0.0002  # Python's own is 5 ms, more than many a call takes
_PROBE_SIDE = 128  # LR pixels; the input range is found with a crop of this size


@dataclass(frozen=True)
class _Ready:
    """A launch whose workers have loaded and warmed up.

    Attributes:
        device: "cuda" or "cpu".
        gpu_uuid: Of the GPU; None where there is none.
        threads: CPU threads that each worker computes with.
        overheads: What a call of each side takes beside the network.
        usual_s: CPU time that each side's worker used out of turn for each turn, before it held code.
        started: Workers that were started meanwhile, for later.
        load_s: How long the submission took to load.
        first_call_ms: How long its first call took.
    """

    device: str
    gpu_uuid: str | None
    threads: int
    overheads: Sequence[Overhead]
    usual_s: Sequence[float]
    started: Sequence[Workers]
    load_s: float
    first_call_ms: float


class Session:
    """One evaluation; what is known so far becomes a record, whether or not the rest succeeds.

    Args:
        submission: What to evaluate.
        baseline: What its costs are divided by; may be the submission itself, which is then measured once.
        splits: Checked image pairs.
        protocol: The rules.
        options: Rounds, device, channel.
        progress: Called for every call.
        workers: Those of the first launch, if they were started before.
        start_next: Starts the workers of the next submission; called in the last untimed phase that can be
            foreseen. Whoever gives this function closes what it returns.

    Attributes:
        info: The submission, as far as it is known.
        phase: What is being done.
        environment: None until a worker has come up.
        sides: The baseline, if it is another submission, and the submission; empty until workers are there.
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
        workers: Workers | None = None,
        start_next: Callable[[], Workers | None] | None = None,
    ) -> None:
        self.info = resolve.describe(submission)
        self.phase = "load"
        self.environment: Environment | None = None
        self.sides: list[Side] = []
        self.launches: list[Launch] = []
        self.timing: Timing | None = None
        self.wall_s: dict[str, float] = {}
        self._workers: list[int] = []
        self._submissions = sides_of(submission, baseline)
        self._splits, self._protocol, self._options = splits, protocol, options
        # An image of each size, and its split.
        self._sizes = {(pair.height, pair.width): (split, pair) for split in splits for pair in split.pairs}
        self._start_twin = functools.partial(start_twin, splits=splits, scale=protocol.scale, options=options)
        self._timeline = Timeline(progress, submission.label)
        start = functools.partial(start_workers, submission, baseline, splits, protocol.scale, options)
        self._ahead = Ahead(start, workers, start_next)
        images = sum(len(split.pairs) for split in splits)
        self._plan = Plan(options.stop, images=images, sizes=len(self._sizes))

    def run(self) -> None:
        """Do all phases."""
        try:
            with contextlib.ExitStack() as stack:
                with self._ahead.next_launch() as workers:
                    ready = self._prepare(workers)
                    threads = spare_threads(ready.device, ready.threads)
                    background = stack.enter_context(Background(threads))
                    with self._timed("complexity"):
                        self._count()
                    trace = GpuTrace(ready.gpu_uuid)
                    rounds = self._new_rounds(background, trace, ready.device)
                    self._measure(workers, ready, rounds, trace)
                while self._plan.stopped is None:
                    with self._ahead.next_launch() as workers:
                        self._measure(workers, self._prepare(workers), rounds, trace)
                with self._timed("metrics"):
                    rounds.finish()
                with self._timed("compare"):
                    own, outputs = self.sides[-1], rounds.outputs
                    compare_with_fresh(own, self._ahead.fresh, outputs, self._splits, self._probe())
                    compare_with_twin(own, outputs.kept)
                with self._timed("metrics"):
                    self._conclude(rounds, trace, ready.device)
        finally:
            self._ahead.close()

    @contextlib.contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        self.phase = phase
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.wall_s[phase] = self.wall_s.get(phase, 0.0) + time.perf_counter() - begin

    def _prepare(self, workers: Workers) -> _Ready:
        """Have the workers of a launch load and warm up; start others that will be wanted later."""
        first = not self.launches
        if first:
            self._foresee(warm_ups=0)
        with self._timed("load"):
            hello, overheads, usual_s = self._greet(workers)
            foreseen = self._plan.foreseen_launches
            started = self._ahead.start(last_launch=len(self.launches) + 1 >= foreseen)
            load_s = self._load()
        if first and not self._timeline.done:  # nor as the first launch is made again
            self._tell_long()
        with self._timed("warm-up"):  # before the costs are counted: the first call is to be a cold one
            lrs = [self._untimed_lr(*of_size) for of_size in self._sizes.values()]
            begin = time.perf_counter()
            first_calls_ms = []
            for side in self.sides:
                with blamed(side):
                    first_calls_ms.append(warm_up(side, lrs, hello["device"], self._timeline))
            self._plan.after_warm_up(time.perf_counter() - begin)
        return _Ready(
            hello["device"],
            hello.get("gpu_uuid"),
            hello["threads"],
            overheads,
            usual_s,
            started,
            load_s,
            first_calls_ms[-1],
        )

    def _measure(self, workers: Workers, ready: _Ready, rounds: Rounds, trace: GpuTrace) -> None:
        """Do the rounds of a launch, and decide whether there is another launch."""
        for timings, overhead, usual_s in zip(rounds.timings, ready.overheads, ready.usual_s, strict=True):
            timings.overheads.append(overhead)
            timings.turns.usual_s = max(timings.turns.usual_s, usual_s)
        for others in ready.started:
            with self._timed("load"):
                others.settle()
        # Workers that wait for later have their place on the GPU too, whichever launch has started them.
        self._workers += [worker.pid for each in (workers, *ready.started) for worker in each.workers]
        self._workers = [pid for pid in self._workers if processes.state(pid) not in ("", "Z")]
        with self._timed("run"), trace.sampling(self._workers), _quick_switches():
            self._do_rounds(rounds, ready.device)
        made = self._plan.done
        counts = rounds.launch_fits(made) or not self._plan.may_make_again
        if counts:
            launch = Launch(rounds=made, load_s=ready.load_s, first_call_ms=ready.first_call_ms)
            self.launches.append(launch)
            self._plan.end_launch()
        else:  # the clocks do not fit: other processes make it again
            self._plan.drop_launch()
            rounds.drop_launch(made)
        for timings in rounds.timings:
            with blamed(timings.side):
                self._compare_flags(timings)
                resolve.recount(timings.side)
        if counts:
            self._plan.after_launch(lambda: samples_of(rounds.timings, self._plan.launches), ready.device)

    def _do_rounds(self, rounds: Rounds, device: str) -> None:
        plan = self._plan
        rounds.begin_launch(plan.rounds)
        while plan.goes_on:
            self._foresee(warm_ups=len(self.launches) + 1)
            took_s = rounds.round(plan.done, plan.left())
            plan.after_round(
                took_s,
                incomplete=rounds.incomplete,
                samples=lambda: samples_of(rounds.timings, [*plan.launches, plan.done]),
                device=device,
            )

    def _greet(self, workers: Workers) -> tuple[dict[str, Any], list[Overhead], list[float]]:
        """Wait for the workers, and measure in each what a call takes beside the network.

        Returns:
            What the submission's worker says of the environment; of each side, the overhead, and the CPU time
            that its worker used out of turn for each turn.
        """
        if not self.sides:
            *baseline, own = zip(self._submissions, workers.workers, strict=True)
            for submission, worker in baseline:
                self.sides.append(Side(submission, worker, True, resolve.describe(submission)))
            self.sides.append(Side(*own, False, self.info))
            for side in self.sides:
                side.start_twin = functools.partial(self._start_twin, side.submission)
        hellos = []
        for number, (side, worker) in enumerate(zip(self.sides, workers.workers, strict=True)):
            side.worker = worker
            with blamed(side):
                hellos.append(workers.hello(number))
            if unseen := hellos[-1].get("gpu_unbounded"):
                message = f"GPU memory is not bounded: {unseen}; a side that takes too much starves the other"
                side.note(Finding(code="gpu-memory-unbounded", severity="info", message=message))
        self.environment = environment.describe(hellos[-1])
        by_area = sorted(self._sizes, key=lambda size: size[0] * size[1])
        sizes = {by_area[place] for place in (0, len(by_area) // 2, -1)}
        lrs = [self._untimed_lr(*self._sizes[size]) for size in sizes]
        overheads: list[Overhead] = []
        for side in self.sides:
            with blamed(side):
                overheads.append(measure_overhead(side.worker, lrs, hellos[-1]["device"]))
        return hellos[-1], overheads, self._usual_out_of_turn(hellos[-1], lrs)

    def _usual_out_of_turn(self, hello: dict[str, Any], lrs: Sequence[Uint8]) -> list[float]:
        """Return the CPU time that each worker uses out of turn for each turn [s], before it holds any code.

        With one thread on a CPU there is nobody to spin. It is measured once: it is torch's on this machine.
        """
        if self.launches or len(self.sides) == 1 or (hello["device"] == "cpu" and hello["threads"] == 1):
            return [0.0] * len(self.sides)
        smallest = min(lrs, key=lambda lr: lr.size)
        calls = [functools.partial(side.worker.null_run, smallest) for side in self.sides]
        return usual_out_of_turn([side.worker.cpu_seconds for side in self.sides], calls)

    def _foresee(self, *, warm_ups: int) -> None:
        """Tell the progress display how many calls there will be, so many warm-ups being done."""
        left = self._plan.foreseen_images(warm_ups) * len(self._submissions)
        self._timeline.total = self._timeline.done + left

    def _load(self) -> float:
        """Have both sides load, and return how long the submission took [s]."""
        probe = self._probe()
        took = 0.0
        for side in self.sides:
            with blamed(side):
                begin = time.perf_counter()
                resolve.load(side, probe)
                took = time.perf_counter() - begin
        return took

    def _tell_long(self) -> None:
        pairs = [pair for split in self._splits for pair in split.pairs]
        pixels = sum(pair.height * pair.width for pair in pairs) // self._protocol.scale**2
        for side in self.sides:
            if text := side.foreseen(pixels, f"one round over {len(pairs)} images"):
                self._options.tell(text)

    def _count(self) -> None:
        """Count both sides' costs at the same time: nothing is timed in this phase."""
        # One larger than the cost input is audited whole.
        image = self._untimed_lr(*self._sizes[max(self._sizes, key=lambda size: size[0] * size[1])])
        pool = ThreadPoolExecutor(len(self.sides))
        try:
            jobs = [pool.submit(resolve.count, side, self._protocol, image) for side in self.sides]
            for side, job in zip(self.sides, jobs, strict=True):
                with blamed(side):
                    job.result()
        finally:
            pool.shutdown(wait=False)  # where one fails or Ctrl-C comes, the end of its worker ends the other

    def _new_rounds(self, background: Background, trace: GpuTrace, device: str) -> Rounds:
        outputs = Outputs(
            submission=self.sides[-1].submission,
            baseline=len(self.sides) > 1,
            scale=self._protocol.scale,
            noise=self._protocol.noise,
            border=self._protocol.border,
            ssim=self._options.ssim,
            save_dir=self._options.save_dir,
            background=background,
            random=np.random.default_rng(secrets.randbits(64)),
            calls=sum(len(split.pairs) for split in self._splits),
        )
        return Rounds(
            self.sides,
            self._splits,
            scale=self._protocol.scale,
            noise=self._protocol.noise,
            device=device,
            outputs=outputs,
            background=background,
            timeline=self._timeline,
            trace=trace,
        )

    def _compare_flags(self, timings: Timings) -> None:
        """Note settings of torch that were found changed after a round."""
        if self.environment is None:
            raise RuntimeError("no worker has come up")
        before = self.environment.flags
        for now in timings.flags:
            changed = [
                f"{key}: {before.get(key)} to {now[key]}" for key in now if now[key] != before.get(key)
            ]
            if changed:
                message = f"the submission changed torch's settings ({', '.join(changed)}); leave them alone"
                timings.side.note(Finding(code="flags-changed", severity="warning", message=message))
        timings.flags.clear()

    def _conclude(self, rounds: Rounds, trace: GpuTrace, device: str) -> None:
        if self._plan.stopped is None:
            raise RuntimeError("rounds have not come to their end")
        rule = self._options.stop
        self.timing = conclude(
            rounds,
            self.launches,
            stopped=self._plan.stopped,
            precision=rule.target(device),
            max_time_s=None if rule.rounds is not None else rule.max_time_s,
            device=device,
            monitor=trace.summary(),
        )

    def _probe(self) -> Uint8:
        """Return the middle of the first LR image, recoloured, to load a submission with: always the same."""
        split = self._splits[0]
        pair = split.pairs[0]
        height, width = (min(_PROBE_SIDE, side // self._protocol.scale) for side in (pair.height, pair.width))
        seed = int.from_bytes(hashlib.sha256(split.sha256.encode()).digest()[:6], "big")
        return lr_of(centre(pair, height, width, self._protocol.scale, seed), self._protocol.noise)

    def _untimed_lr(self, split: Split, pair: Pair) -> Uint8:
        """Return an LR image of a pair's size for a phase that is not timed."""
        scale = self._protocol.scale
        size = pair.height // scale, pair.width // scale
        return lr_of(compose(*size, split.pairs, scale, secrets.randbits(48)), self._protocol.noise)


@contextlib.contextmanager
def _quick_switches() -> Iterator[None]:
    """Have a thread of this process that computes give way soon to the one that waits for a call."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
