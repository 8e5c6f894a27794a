"""What it costs to have the idle side stand still, and what it does to runtimes on a CPU.

Two workers, of the baseline and of a network, run the same LR images in turns, A B, B A. Half of the pairs of
turns are made with the other side's control group frozen. Prints how long freezing and thawing take, and for
each network the median and the scatter (half the distance of the quartiles over the median) of its calls and
of its ratio to the baseline, running and frozen.

    python benchmarks/standing_still.py [--threads 1] [--ids 31,36,38,39,40] [--pairs 40]
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import defaultdict
from pathlib import Path

import click
import numpy as np
from waiting import scatter

from ntire_bench.client.worker import Worker
from ntire_bench.isolation.choose import isolation_for
from ntire_bench.machine import environment
from ntire_bench.submissions import models_folder

ROOT = Path(__file__).resolve().parents[1]
BASELINE = 0
WORDS = ("running", "frozen")


class Turns:
    """Makes pairs of turns, and keeps runtimes and what freezing takes.

    Args:
        workers: Of the baseline and of a network.
        size: (height, width) of the LR images.
    """

    def __init__(self, workers: list[Worker], size: tuple[int, int]) -> None:
        self.runtimes: dict[tuple[str, int], list[float]] = defaultdict(list)
        self.took: dict[str, list[float]] = defaultdict(list)
        self._workers, self._size = workers, size
        self._random = np.random.default_rng(1)

    def pair(self, number: int) -> None:
        """Make a pair of turns; those of the first four pairs do not count."""
        lr = self._random.integers(0, 256, (*self._size, 3), np.uint8)
        word = WORDS[number // 2 % 2]
        for side in (0, 1) if number % 2 else (1, 0):
            other = self._workers[1 - side]
            begin = time.perf_counter()
            with contextlib.ExitStack() as stack:
                if word == "frozen" and not stack.enter_context(other.paused()):
                    raise click.ClickException(
                        "a worker does not stand still: no control group of version 2 can be made here; "
                        "run it as root, or in a user's own slice"
                    )
                frozen = time.perf_counter()
                runtime_ms = self._workers[side].run(lr).claimed_ms
                ran = time.perf_counter()
            if number >= 4:
                self.runtimes[word, side].append(runtime_ms)
                self.took[f"{word}, before"].append(1e6 * (frozen - begin))
                self.took[f"{word}, after"].append(1e6 * (time.perf_counter() - ran))


@click.command()
@click.option("--ids", default="31,36,38,39,40", show_default=True, help="With weights in model_zoo/.")
@click.option("--threads", type=click.IntRange(1), default=environment.compute_threads(), show_default=True)
@click.option("--pairs", type=click.IntRange(4), default=40, show_default=True, help="Of each kind.")
@click.option("--height", default=170, show_default=True, help="Of the LR images.")
@click.option("--width", default=255, show_default=True, help="Of the LR images.")
def main(ids: str, threads: int, pairs: int, height: int, width: int) -> None:
    """Print what it takes and what it changes."""
    catalogue = models_folder.find(ROOT / "models", ROOT / "model_zoo")
    print(f"{environment.cpu_model()}, {environment.cores()} cores, {threads} threads, LR {width}x{height}")
    isolation = isolation_for("auto")
    took: dict[str, list[float]] = defaultdict(list)
    for id_ in map(int, ids.split(",")):
        with contextlib.ExitStack() as stack:
            sides = [
                stack.enter_context(
                    Worker(
                        catalogue.get(each),
                        scale=4,
                        largest_lr=(height, width),
                        device="cpu",
                        threads=threads,
                        isolation=isolation,
                    )
                )
                for each in (BASELINE, id_)
            ]
            for worker in sides:
                worker.hello()
                worker.load(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
            turns = Turns(sides, (height, width))
            for number in range(2 * pairs + 4):
                turns.pair(number)
        for word, found in turns.took.items():
            took[word] += found
        for word in WORDS:
            base, own = (turns.runtimes[word, side] for side in (0, 1))
            ratios = [mine / theirs for mine, theirs in zip(own, base, strict=True)]
            calls = f"{statistics.median(own):8.2f} ms {scatter(own):7.2%}"
            ratio = f"{statistics.median(ratios):.4f} {scatter(ratios):7.2%}"
            print(f"{catalogue.get(id_).label:12} {word:8} {calls}   ratio {ratio}", flush=True)
    for word, found in took.items():
        low, middle, high = np.quantile(found, [0.05, 0.5, 0.95])
        print(f"{word}: {middle:.0f} us ({low:.0f} to {high:.0f})")


if __name__ == "__main__":
    main()
