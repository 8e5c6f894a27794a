"""What an evaluation costs beside the forward passes it is made of.

Evaluates the baseline on image pairs of DIV2K's size. Prints the wall time of checking the images and of
`evaluate`, from the start of the worker to the finished record, over the sum of the timed forward passes of
all rounds. Images are tiles of scikit-image's photographs; what they show does not change the work.

    python benchmarks/overhead.py [--pairs 10] [--rounds 5] [--height 1356 --width 2040]
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import click
import numpy as np

from ntire_bench import protocol, sample, submission
from ntire_bench.dataset import load_splits
from ntire_bench.evaluate import Options, evaluate
from ntire_bench.images import matlab_bicubic_down, read_png, write_png

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


@click.command()
@click.option("--pairs", default=10, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--height", default=1356, show_default=True, help="Of the HR images.")
@click.option("--width", default=2040, show_default=True, help="Of the HR images.")
@click.option("--id", "id_", default=0, show_default=True, help="Submission to evaluate.")
def main(pairs: int, rounds: int, height: int, width: int, id_: int) -> None:
    """Print the wall time of an evaluation over its forward time."""
    catalogue = submission.find(ROOT / "models", ROOT / "model_zoo")
    rules = protocol.load(protocol.SAMPLE_PROTOCOL)
    with tempfile.TemporaryDirectory() as name:
        write_pairs(Path(name), pairs, height, width)
        begin = time.perf_counter()
        splits = load_splits(["valid"], Path(name), scale=rules.scale, border=rules.border)
        checked = time.perf_counter() - begin
        options = Options(rounds=rounds, psnr_channel="y")
        record = evaluate(catalogue.get(id_), catalogue.baseline("RLFN"), splits, rules, options)
        wall = time.perf_counter() - begin
    if record.error is not None:
        raise SystemExit(record.error.message)
    sides = [record.splits] + ([record.baseline.splits] if record.baseline and id_ else [])
    forward = sum(sum(image.runtime_samples_ms) for side in sides for image in side["valid"].per_image) / 1000
    phases = ", ".join(f"{phase} {seconds:.2f}" for phase, seconds in record.wall_s.items())
    print(f"{pairs} pairs of {width}x{height}, {rounds} rounds, {len(sides)} network(s)")
    print(f"checking the images {checked:.2f} s; phases [s]: {phases}")
    print(f"wall {wall:.2f} s / forward {forward:.2f} s = {wall / forward:.3f}")


if __name__ == "__main__":
    main()
