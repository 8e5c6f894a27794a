"""How much faster `prepare` makes LR images on all cores than one after the other, as it did before.

Both are run in turns on the same HR images, tiles of photographs with some noise; what they write is compared
byte by byte. Prints the times, the median of the ratios, and the peak memory of each way, in processes of
their own.

    python benchmarks/prepare.py [--images 40] [--times 3] [--height 1356 --width 2040]
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

from ntire_bench.data import sample
from ntire_bench.data.folder import Problems, check_images, cores, list_images
from ntire_bench.data.images import matlab_bicubic_down, modcrop, read_png, write_png
from ntire_bench.data.prepare import prepare


def write_images(folder: Path, count: int, height: int, width: int) -> None:
    """Write HR images of that size."""
    photographs = [read_png(path) for path in sorted((sample.sample_dir() / "valid_HR").glob("*.png"))]
    generator = np.random.default_rng(0)
    for index in range(count):
        photograph = photographs[index % len(photographs)]
        repeats = (-(-height // photograph.shape[0]), -(-width // photograph.shape[1]), 1)
        hr = np.tile(photograph, repeats)[:height, :width].astype(np.int16)
        hr += generator.integers(-2, 3, hr.shape, np.int16)
        write_png(folder / f"{index:04d}.png", hr.clip(0, 255).astype(np.uint8))


def one_by_one(hr_dir: Path, lr_dir: Path) -> None:
    """Make the LR images as `prepare` did up to commit 4978087."""
    problems = Problems()
    files = list_images(hr_dir, problems)
    check_images(files, problems)
    problems.raise_if_any()
    for stem, path in sorted(files.items()):
        write_png(lr_dir / f"{stem}x4.png", matlab_bicubic_down(modcrop(read_png(path), 4), 4))


def on_all_cores(hr_dir: Path, lr_dir: Path) -> None:
    """Make the LR images as `prepare` does."""
    prepare(hr_dir, lr_dir)


WAYS: dict[str, Callable[[Path, Path], None]] = {"one": one_by_one, "all": on_all_cores}


def measured(way: str, hr_dir: Path, lr_dir: Path) -> dict[str, float]:
    """Run one way in a process of its own; return its seconds, CPU seconds and peak memory [MiB]."""
    command = [sys.executable, __file__, "--only", way, "--hr", str(hr_dir), "--lr", str(lr_dir)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


@click.command()
@click.option("--images", default=40, show_default=True)
@click.option("--times", default=3, show_default=True, help="Each way.")
@click.option("--height", default=1356, show_default=True)
@click.option("--width", default=2040, show_default=True)
@click.option("--only", type=click.Choice(list(WAYS)), hidden=True)
@click.option("--hr", type=click.Path(path_type=Path), hidden=True)
@click.option("--lr", type=click.Path(path_type=Path), hidden=True)
def main(
    images: int, times: int, height: int, width: int, only: str | None, hr: Path | None, lr: Path | None
) -> None:
    """Print the times of both ways and their ratio."""
    if only is not None and hr is not None and lr is not None:
        begin = time.perf_counter()
        WAYS[only](hr, lr)
        wall_s = time.perf_counter() - begin
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"s": wall_s, "cpu_s": time.process_time(), "mib": peak_mib}))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder / "HR", images, height, width)
        print(f"{images} images of {width}x{height}, {cores()} cores")
        ratios = []
        for number in range(times):
            took = {way: measured(way, folder / "HR", folder / f"{way}{number}") for way in WAYS}
            ratios.append(took["one"]["s"] / took["all"]["s"])
            for way, one in took.items():
                print(
                    f"{way}: {one['s']:.2f} s ({one['cpu_s']:.2f} s of CPU), {one['mib']:.0f} MiB", end="; "
                )
            print(f"ratio {ratios[-1]:.2f}", flush=True)
            for path in (folder / f"one{number}").iterdir():
                if path.read_bytes() != (folder / f"all{number}" / path.name).read_bytes():
                    raise SystemExit(f"{path.name} differs")
        print(f"median of the ratios: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
