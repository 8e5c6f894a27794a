"""What an evaluation costs beside the forward passes it is made of, and what the naive loop costs.

One round with PSNR on Y and RGB and SSIM over image pairs of DIV2K's size. Prints the time of the run phase,
with all metrics done, over the sum of the timed forward passes, and the same of the whole evaluation, from
checking the images to the finished record: starting workers, loading, counting, audits and warm-up take some
seconds per team, however many images there are. The first team finds an empty cache of decoded images, a
second one, evaluated beside the baseline, a full one. Images are tiles of photographs; what they show
does not matter.

    python benchmarks/speed.py [--pairs 40] [--ids 0,38] [--height 1356 --width 2040]
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

from ntire_bench.data import sample
from ntire_bench.data.dataset import load_splits
from ntire_bench.data.images import matlab_bicubic_down, read_png, write_png
from ntire_bench.estimating.stopping import StopRule
from ntire_bench.machine import environment
from ntire_bench.protocols import protocol
from ntire_bench.submissions import models_folder
from ntire_bench.submissions.submission import Submission
from ntire_bench.workflows.evaluate import Options, evaluate

ROOT = Path(__file__).resolve().parents[1]


def write_pairs(folder: Path, count: int, height: int, width: int) -> None:
    """Write `count` HR/LR pairs of that HR size as the split "valid"."""
    photographs = sorted((sample.sample_dir() / "valid_HR").glob("*.png"))
    for index in range(count):
        photograph = read_png(photographs[index % len(photographs)])
        repeats = (-(-height // photograph.shape[0]), -(-width // photograph.shape[1]), 1)
        hr = np.roll(np.tile(photograph, repeats), 37 * index, axis=1)[:height, :width]
        write_png(folder / "valid_HR" / f"{index:04d}.png", np.ascontiguousarray(hr))
        write_png(folder / "valid_LR" / f"{index:04d}x4.png", matlab_bicubic_down(np.ascontiguousarray(hr)))


def measured(what: str, team: Submission, baseline: Submission, data: Path, isolation: str) -> None:
    """Evaluate a team and print what it took."""
    rules = protocol.load(protocol.SAMPLE_PROTOCOL)
    begin = time.perf_counter()
    splits = load_splits(["valid"], data, scale=rules.scale, border=rules.border)
    checked = time.perf_counter() - begin
    options = Options(stop=StopRule(rounds=1), psnr_channel="y", ssim=True, isolation=isolation)
    record = evaluate(team, baseline, splits, rules, options)
    wall = time.perf_counter() - begin
    if record.error is not None or record.baseline is None:
        raise SystemExit(record.error and record.error.message)
    sides = [record.splits] if team is baseline else [record.splits, record.baseline.splits]
    images = [image for side in sides for image in side["valid"].per_image]
    forward = sum(sum(image.runtime_samples_ms) for image in images) / 1000
    run = record.wall_s["run"] + record.wall_s["metrics"]
    phases = ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in record.wall_s.items())
    print(f"{what}: run phase {run:.1f} s / forward {forward:.1f} s = {run / forward:.3f}", flush=True)
    print(f"    whole {wall:.1f} s, {wall / forward:.3f}; checking the images {checked:.1f}, {phases}")


def naive(team: Submission, data: Path) -> tuple[float, float]:
    """Run the naive loop; return its wall and forward time [s]."""
    command = [sys.executable, str(ROOT / "benchmarks" / "naive.py"), str(team.file), str(team.checkpoint)]
    command += [str(data), "--threads", str(environment.compute_threads())]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found["wall_s"], found["forward_s"]


@click.command()
@click.option("--pairs", default=40, show_default=True)
@click.option(
    "--ids", default="0,38", show_default=True, help="Submissions, each with weights in model_zoo/."
)
@click.option("--height", default=1356, show_default=True, help="Of the HR images.")
@click.option("--width", default=2040, show_default=True, help="Of the HR images.")
@click.option("--isolation", default="auto", show_default=True)
def main(pairs: int, ids: str, height: int, width: int, isolation: str) -> None:
    """Print wall times over forward times."""
    catalogue = models_folder.find(ROOT / "models", ROOT / "model_zoo")
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        write_pairs(data, pairs, height, width)
        print(f"{pairs} pairs of {width}x{height}, one round, {environment.cpu_model()}")
        print(f"{environment.cores()} cores, {environment.compute_threads()} of them for the network")
        teams = [catalogue.get(id_) for id_ in map(int, ids.split(","))]
        for number, team in enumerate(teams):
            os.environ["XDG_CACHE_HOME"] = str(Path(name) / f"cache{number}")
            measured(f"{team.label}, empty cache", team, team, data, isolation)
            wall, forward = naive(team, data)
            print(f"{team.label}, naive loop: {wall:.1f} s / forward {forward:.1f} s", end=" ")
            print(f"= {wall / forward:.3f}", flush=True)
        if len(teams) > 1:
            label = f"{teams[-1].label} beside {teams[0].label}, full cache"
            measured(label, teams[-1], teams[0], data, isolation)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory of the parent {peak:.0f} MiB")


if __name__ == "__main__":
    main()
