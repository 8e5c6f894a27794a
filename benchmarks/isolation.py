"""What isolation costs: calls and start-up at the best level there is, beside --isolation none.

Of each submission, one worker per level is resident; they run the same LR images of DIV2K's size in turns, in
an order that alternates from image to image. Where a worker's memory lies alone changes its times by some
percent, so they are launched several times, in an order that alternates as well, and a level that is given
twice shows what difference means nothing. Prints the ratio of the times from sending an LR image to holding
the SR image, and the time from launching a worker to its first answer, beside a plain import of what it
imports, torch above all.

    python benchmarks/isolation.py [--pairs 5] [--launches 4] [--ids 0,38] [--levels auto,none,none]
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from ntire_bench.client.worker import Worker
from ntire_bench.data import sample
from ntire_bench.isolation.choose import ISOLATION_CHOICES, isolation_for
from ntire_bench.records.record import Isolation
from ntire_bench.submissions import models_folder
from ntire_bench.submissions.submission import Submission

ROOT = Path(__file__).resolve().parents[1]


def lr_images(count: int, height: int, width: int) -> list[npt.NDArray[np.uint8]]:
    """Return LR images for HR images of that size: tiles of a photograph; what they show does not matter."""
    photograph = sample.probe_lr()
    repeats = (-(-height // 4 // photograph.shape[0]), -(-width // 4 // photograph.shape[1]), 1)
    tiled = np.tile(photograph, repeats)[: height // 4, : width // 4]
    return [np.ascontiguousarray(np.roll(tiled, 37 * index, axis=1)) for index in range(count)]


def calls_ms(
    item: Submission, levels: list[Isolation], images: list[npt.NDArray[np.uint8]], launches: int
) -> list[float]:
    """Return per level the sum of the images' median times over all launches [ms]."""
    spent: list[list[list[float]]] = [[[] for _ in images] for _ in levels]
    for launch in range(launches):
        order = list(range(len(levels)))[:: 1 if launch % 2 else -1]
        with contextlib.ExitStack() as stack:
            workers = {
                index: stack.enter_context(
                    Worker(
                        item, scale=4, largest_lr=images[0].shape[:2], device="cpu", isolation=levels[index]
                    )
                )
                for index in order
            }
            for worker in workers.values():
                worker.hello()
                worker.load(sample.probe_lr())
                worker.warm_up(images[0], 1)
            for turn, image in enumerate([*images, *images]):
                for index in order if turn % 2 else reversed(order):
                    spent[index][turn % len(images)].append(workers[index].run(image).bracket_ms)
    return [sum(map(statistics.median, per_image)) for per_image in spent]


def start_s(item: Submission, level: Isolation) -> float:
    """Return how long a worker takes to its first answer [s]."""
    begin = time.perf_counter()
    with Worker(item, scale=4, largest_lr=(8, 8), device="cpu", isolation=level) as worker:
        worker.hello()
        return time.perf_counter() - begin


def import_s() -> float:
    """Return how long a process takes that imports torch and what else a worker needs, and ends [s]."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import ntire_bench.worker.serve"], check=True)
    return time.perf_counter() - begin


@click.command()
@click.option("--pairs", default=5, show_default=True)
@click.option(
    "--launches",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Of every worker; each has two rounds.",
)
@click.option("--height", default=1356, show_default=True, help="Of the HR images.")
@click.option("--width", default=2040, show_default=True, help="Of the HR images.")
@click.option("--ids", default="", help="Submissions, separated by commas; all of models/ without it.")
@click.option("--levels", default="auto,none,none", show_default=True, help="Compared with the last of them.")
@click.option("--starts", default=5, show_default=True, help="How often each level is started.")
def main(pairs: int, launches: int, height: int, width: int, ids: str, levels: str, starts: int) -> None:
    """Print the ratios."""
    catalogue = models_folder.find(ROOT / "models", ROOT / "model_zoo")
    chosen = [catalogue.get(int(id_)) for id_ in ids.split(",") if id_] or [*catalogue.submissions.values()]
    if unknown := set(levels.split(",")) - set(ISOLATION_CHOICES):
        raise click.UsageError(
            f"no such level: {', '.join(unknown)}; there are {', '.join(ISOLATION_CHOICES)}"
        )
    walls = [isolation_for(name) for name in levels.split(",")]
    names = [wall.level for wall in walls]
    images = lr_images(pairs, height, width)
    print(f"{pairs} pairs of {width}x{height}, {launches} launches of two rounds; levels {', '.join(names)}")
    totals = [0.0] * len(walls)
    for item in chosen:
        spent = calls_ms(item, walls, images, launches)
        totals = [total + value for total, value in zip(totals, spent, strict=True)]
        ratios = ", ".join(
            f"{name} {value / pairs:.1f} ms ({value / spent[-1]:.4f})"
            for name, value in zip(names, spent, strict=True)
        )
        print(f"{item.label}: median call {ratios}", flush=True)
    for name, total in zip(names, totals, strict=True):
        print(f"all submissions at {name}: ratio to {names[-1]} {total / totals[-1]:.4f}")
    launched: list[list[float]] = [[] for _ in walls]
    imports = []
    for _ in range(starts):
        imports.append(import_s())
        for index, wall in enumerate(walls):
            launched[index].append(start_s(chosen[0], wall))
    plain = statistics.median(imports)
    print(f"importing alone: {plain:.2f} s")
    for name, values in zip(names, launched, strict=True):
        median = statistics.median(values)
        print(f"start at {name}: {median:.2f} s, {median - plain:+.2f} s beyond importing")


if __name__ == "__main__":
    main()
