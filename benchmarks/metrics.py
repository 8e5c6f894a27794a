"""What metrics, decoding and encoding of one image pair cost on one core, beside the plain ways to do it.

Two ways to do a thing run in turn, round by round, in one process that is bound to one core. Printed are the
least processor time over the rounds, which other programs on the machine hardly enter, the median wall time,
and the ratio of the least processor times. At the end, how long the check of 200 pairs takes on all cores.

Images are mosaics of scikit-image's photographs, no part of which repeats another.

    python benchmarks/metrics.py [--rounds 15] [--height 1356 --width 2040] [--check-pairs 200]
"""

from __future__ import annotations

import hashlib
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from PIL import Image
from skimage import data as photographs
from skimage.metrics import structural_similarity

from ntire_bench.data import dataset
from ntire_bench.data import folder as image_folder
from ntire_bench.data.images import Uint8, matlab_bicubic_down, modcrop, write_png
from ntire_bench.data.pixel_cache import PixelCache
from ntire_bench.data.png import decode_png, encode_png, verify_png
from ntire_bench.metrics.psnr import psnr
from ntire_bench.metrics.ssim import ssim_y

BORDER = 4


def mosaic(height: int, width: int, seed: int, side: int = 170) -> Uint8:
    """Return random crops of photographs side by side, mirrored at random: none repeats another."""
    names = ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "immunohistochemistry")
    sources = [getattr(photographs, name)() for name in names]
    random = np.random.default_rng(seed)
    image = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, side):
        for left in range(0, width, side):
            source = sources[random.integers(len(sources))]
            y, x = (random.integers(source.shape[k] - side + 1) for k in range(2))
            tile = source[y : y + side, x : x + side][:, :: random.choice((-1, 1))]
            hole = image[top : top + side, left : left + side]
            hole[:] = tile[: hole.shape[0], : hole.shape[1]]
    return image


def naive_psnr(sr: Uint8, hr: Uint8) -> float:
    """RGB alone, as the challenge's own script computes it."""
    a, b = (image[BORDER:-BORDER, BORDER:-BORDER].astype(np.float64) for image in (sr, hr))
    return float(20 * np.log10(255 / np.sqrt(np.mean((a - b) ** 2))))


def naive_ssim(sr: Uint8, hr: Uint8) -> float:
    """Y by NumPy, SSIM by scikit-image."""
    weights = np.array([65.481, 128.553, 24.966]) / 255
    a, b = (image[BORDER:-BORDER, BORDER:-BORDER] @ weights + 16 for image in (sr, hr))
    options: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    untyped: Any = structural_similarity
    return float(untyped(a, b, data_range=255, **options))


def pillow_png(image: Uint8) -> bytes:
    """With the fastest level of zlib."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def timed(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, float]]:
    """Return the least processor time and the median wall time of each way [ms], measured in turn."""
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    wall: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(rounds + 1):
        for name, way in ways.items():
            begin = time.process_time(), time.perf_counter()
            way()
            if round_:  # the first one warms up
                cpu[name].append(1e3 * (time.process_time() - begin[0]))
                wall[name].append(1e3 * (time.perf_counter() - begin[1]))
    return {name: (min(cpu[name]), statistics.median(wall[name])) for name in ways}


def checked(folder: Path, pairs: int, height: int, width: int) -> tuple[list[float], float]:
    """Return the seconds of three checks of so many pairs, files in memory, and their size [MB]."""
    distinct = 10
    for index in range(pairs):
        for side, suffix in (("HR", ""), ("LR", "x4")):
            path = folder / f"valid_{side}" / f"{index:04d}{suffix}.png"
            if index < distinct:
                hr = mosaic(height, width, seed=index)
                write_png(path, hr if side == "HR" else matlab_bicubic_down(modcrop(hr, 4)))
            else:
                path.write_bytes((path.parent / f"{index % distinct:04d}{suffix}.png").read_bytes())
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        dataset.load_splits(["valid"], folder)
        seconds.append(time.perf_counter() - begin)
    return seconds, sum(path.stat().st_size for path in folder.rglob("*.png")) / 1e6


@click.command()
@click.option("--rounds", default=15, show_default=True)
@click.option("--height", default=1356, show_default=True, help="Of the HR images.")
@click.option("--width", default=2040, show_default=True, help="Of the HR images.")
@click.option("--check-pairs", default=200, show_default=True, help="0 leaves the check out.")
def main(rounds: int, height: int, width: int, check_pairs: int) -> None:
    """Print times and ratios."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    cv2.setNumThreads(1)
    hr = mosaic(height, width, seed=0)
    # What a network returns resembles this more than HR: it decides how SR images compress.
    small = matlab_bicubic_down(modcrop(hr, 4))
    sr = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    file = pillow_png(hr)
    sha256 = hashlib.sha256(file).hexdigest()
    with tempfile.TemporaryDirectory() as name:
        cache = PixelCache(Path(name) / "pixels", 2**30)
        cache.put(sha256, hr)
        stored = cache.get(sha256)
        if stored is None or not np.array_equal(stored, decode_png(file, "hr.png")):
            raise SystemExit("the cache did not return the image")
        table: list[tuple[str, Callable[[], object], str, Callable[[], object]]] = [
            (
                "PSNR, Y and RGB", lambda: psnr(sr, hr, BORDER),
                "NumPy, RGB alone", lambda: naive_psnr(sr, hr),
            ),
            (
                "SSIM, Y", lambda: ssim_y(sr, hr, BORDER),
                "scikit-image", lambda: naive_ssim(sr, hr),
            ),
            (
                "decode HR, checked", lambda: decode_png(file, "hr.png"),
                "Pillow", lambda: np.array(Image.open(io.BytesIO(file))),
            ),
            (
                "HR from the cache", lambda: cache.get(sha256),
                "decode HR, checked", lambda: decode_png(file, "hr.png"),
            ),
            (
                "HR into the cache", lambda: cache.put(sha256, hr),
                "decode HR, checked", lambda: decode_png(file, "hr.png"),
            ),
            (
                "encode SR", lambda: encode_png(sr),
                "Pillow, level 1", lambda: pillow_png(sr),
            ),
            (
                "check HR, SHA-256", lambda: (verify_png(file, "hr.png"), hashlib.sha256(file).digest()),
                "decode HR, checked", lambda: decode_png(file, "hr.png"),
            ),
        ]  # fmt: skip
        print(f"{width}x{height}, PNG {len(file) / 1e6:.2f} MB, {rounds} rounds on one core [ms]")
        print(f"{'':20}{'CPU':>7}{'wall':>7}   {'beside':20}{'CPU':>7}{'wall':>7}{'ratio':>8}")
        for label, ours, other, theirs in table:
            found = timed({"ours": ours, "theirs": theirs}, rounds)
            (cpu, wall), (cpu2, wall2) = found["ours"], found["theirs"]
            print(f"{label:20}{cpu:7.1f}{wall:7.1f}   {other:20}{cpu2:7.1f}{wall2:7.1f}{cpu / cpu2:8.3f}")
    difference = psnr(sr, hr, BORDER).rgb_db - naive_psnr(sr, hr)
    print(f"PSNR differs from NumPy's by {difference:.1e} dB, ", end="")
    print(f"SSIM from scikit-image's by {ssim_y(sr, hr, BORDER) - naive_ssim(sr, hr):.1e}")
    sizes = len(encode_png(sr)), len(pillow_png(sr))
    print(f"SR as PNG: {sizes[0] / 1e6:.2f} MB, by Pillow at level 1 {sizes[1] / 1e6:.2f} MB")
    if check_pairs:
        os.sched_setaffinity(0, cores)
        with tempfile.TemporaryDirectory() as name:
            seconds, megabytes = checked(Path(name), check_pairs, height, width)
        print(
            f"check of {check_pairs} pairs, {megabytes:.0f} MB, {image_folder.check_threads()} threads: ",
            end="",
        )
        print(f"{min(seconds):.2f} s at best, {statistics.median(seconds):.2f} s in the middle of three")


if __name__ == "__main__":
    main()
