"""How long short commands take: `--help`, `list`, and `check` of the baseline.

Each is run several times as a process of its own, in turn, so that a busy moment hits all of them. Prints the
shortest and the median time, and the least processor time of the process itself (a worker's is not in it),
which hardly depends on what else the machine does. What is meant to hold on an idle machine stands beside.

    python benchmarks/start.py [--runs 10]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Command:
    """One command, and how long it took.

    Attributes:
        words: Its arguments.
        most_s: What it is meant to take at most [s].
        wall_s: Each run [s].
        processor_s: Processor time of each run [s].
    """

    words: tuple[str, ...]
    most_s: float
    wall_s: list[float] = field(default_factory=list)
    processor_s: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Run it once."""
        before, begin = os.times(), time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "ntire_bench", *self.words],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.wall_s.append(time.perf_counter() - begin)
        after = os.times()
        self.processor_s.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )


@click.command()
@click.option("--runs", type=click.IntRange(1), default=10, show_default=True)
def main(runs: int) -> None:
    """Time short commands."""
    commands = [Command(("--help",), 0.3), Command(("list",), 0.4), Command(("check", "0"), 4.0)]
    for command in commands:
        command.run()  # reads files from the disk, and may compile modules
        command.wall_s.clear()
        command.processor_s.clear()
    for _ in range(runs):
        for command in commands:
            command.run()
    print(f"{'command':<12} {'shortest':>9} {'median':>9} {'processor':>10} {'meant':>7}  [s]")
    for command in commands:
        shortest, median = min(command.wall_s), statistics.median(command.wall_s)
        words = " ".join(command.words)
        print(
            f"{words:<12} {shortest:>9.2f} {median:>9.2f} {min(command.processor_s):>10.2f} "
            f"{command.most_s:>6.1f}"
        )


if __name__ == "__main__":
    main()
