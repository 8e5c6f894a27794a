"""What it does to runtimes on a CPU that idle threads of OpenMP sleep at once rather than spin.

Starts two workers of each network, with and without OMP_WAIT_POLICY=PASSIVE and GOMP_SPINCOUNT=0, and runs
the same LR images in both in turns, A B, B A. Between the calls a worker waits as it does in a round. Prints
the median, the scatter (half the distance of the quartiles over the median) and the share of calls over 1.2
times the median of both, and the ratios, passive over spinning: under 1, sleeping is better.

    python benchmarks/waiting.py [--threads 2] [--ids 0,31,36,38,39,40] [--calls 40]
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import click
import numpy as np

from ntire_bench.client.worker import Worker
from ntire_bench.isolation import spawn
from ntire_bench.isolation.choose import isolation_for
from ntire_bench.machine import environment
from ntire_bench.submissions import models_folder
from ntire_bench.submissions.submission import Submission

ROOT = Path(__file__).resolve().parents[1]


def launching(more: dict[str, str]) -> Callable[..., subprocess.Popen[bytes]]:
    """Return what starts a worker with that in its environment, whatever it computes on."""
    launch = spawn._launch
    return lambda plan, seen, _: launch(plan, seen, more)


def pair(
    stack: contextlib.ExitStack, submission: Submission, size: tuple[int, int], threads: int
) -> list[Worker]:
    """Return a worker whose threads spin, and one whose threads sleep."""
    isolation = isolation_for("auto")
    workers = []
    for sleeps in (False, True):
        with mock.patch.object(spawn, "_launch", launching(spawn.PASSIVE if sleeps else {})):
            worker = Worker(
                submission, scale=4, largest_lr=size, device="cpu", threads=threads, isolation=isolation
            )
        workers.append(stack.enter_context(worker))
    probe = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    for worker in workers:
        worker.hello()
        worker.load(probe)
    return workers


def timed(workers: list[Worker], size: tuple[int, int], calls: int) -> list[list[float]]:
    """Return the runtimes of each worker's calls."""
    random = np.random.default_rng(1)
    found: list[list[float]] = [[] for _ in workers]
    for number in range(calls + 2):
        lr = random.integers(0, 256, (*size, 3), np.uint8)
        order = (0, 1) if number % 2 else (1, 0)
        for each in order:
            runtime_ms = workers[each].run(lr).claimed_ms
            if number > 1:  # the first ones are cold
                found[each].append(runtime_ms)
    return found


def scatter(runtimes: list[float]) -> float:
    """Return half the distance of the quartiles over the median."""
    low, middle, high = statistics.quantiles(runtimes, n=4)
    return (high - low) / 2 / middle


def slow(runtimes: list[float]) -> float:
    """Return the share of runtimes over 1.2 times their median."""
    most = 1.2 * statistics.median(runtimes)
    return sum(runtime > most for runtime in runtimes) / len(runtimes)


@click.command()
@click.option("--ids", default="0,31,36,38,39,40", show_default=True, help="With weights in model_zoo/.")
@click.option("--threads", type=click.IntRange(1), default=environment.compute_threads(), show_default=True)
@click.option("--calls", type=click.IntRange(2), default=40, show_default=True)
@click.option("--height", default=170, show_default=True, help="Of the LR images.")
@click.option("--width", default=255, show_default=True, help="Of the LR images.")
def main(ids: str, threads: int, calls: int, height: int, width: int) -> None:
    """Print medians, scatter and their ratios."""
    catalogue = models_folder.find(ROOT / "models", ROOT / "model_zoo")
    print(f"{environment.cpu_model()}, {environment.cores()} cores, {threads} threads, LR {width}x{height}")
    print(f"{'':14} {'median [ms]':>22} {'scatter':>16} {'slow calls':>16}   passive over spinning")
    ratios = []
    for id_ in map(int, ids.split(",")):
        submission = catalogue.get(id_)
        with contextlib.ExitStack() as stack:
            spin, sleep = timed(pair(stack, submission, (height, width), threads), (height, width), calls)
        medians = statistics.median(spin), statistics.median(sleep)
        scatters = scatter(spin), scatter(sleep)
        ratios.append((medians[1] / medians[0], scatters[1] / scatters[0]))
        cells = f"{medians[0]:10.2f} {medians[1]:11.2f} {scatters[0]:8.2%} {scatters[1]:7.2%}"
        cells += f" {slow(spin):8.1%} {slow(sleep):7.1%}"
        print(
            f"{submission.label:14} {cells}   median {ratios[-1][0]:.4f}, scatter {ratios[-1][1]:.2f}",
            flush=True,
        )
    for what, column in (("median", 0), ("scatter", 1)):
        middle = statistics.median(each[column] for each in ratios)
        print(f"{what}, passive over spinning, median over the networks: {middle:.4f}")


if __name__ == "__main__":
    main()
