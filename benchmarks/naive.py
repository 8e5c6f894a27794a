"""The naive way to measure a network, for comparison: one process, one pass, no warm-up, the mean.

As in the challenges' own loops: decode with OpenCV, one call per image without a warm-up, RGB PSNR with
NumPy; on a GPU a call is timed by CUDA events. Used by speed.py, repeatability.py and gpu.py; prints one JSON
object.

    python benchmarks/naive.py models/team00_RLFN.py model_zoo/team00_RLFN.pth DATA [--threads 1] [--no-psnr]
        [--device cuda] [--split valid] [--pairs 40]
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import torch


def network(file: Path, checkpoint: Path) -> tuple[torch.nn.Module, float]:
    """Return a network of models/ with its weights, and its input range."""
    spec = importlib.util.spec_from_file_location("naive_model", file)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{file} is no model file")
    module = importlib.util.module_from_spec(spec)
    sys.modules["naive_model"] = module
    spec.loader.exec_module(module)
    built: torch.nn.Module = getattr(module, module.SUBMISSION["model"])()
    built.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True), strict=True)
    return built.eval(), float(module.SUBMISSION["data_range"])


def decoded(path: Path) -> np.ndarray[Any, Any]:
    """Return an image as RGB, uint8 HWC."""
    image = cv2.imread(str(path))
    if image is None:
        raise SystemExit(f"{path} cannot be read")
    return np.asarray(image[..., ::-1])


def called(model: torch.nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Return the output of one call and its runtime [s]; `x` lies on the network's device."""
    if x.device.type != "cuda":
        begin = time.perf_counter()
        y = model(x)
        return y, time.perf_counter() - begin
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    start.record()
    y = model(x)
    end.record()
    torch.cuda.synchronize()
    return y, start.elapsed_time(end) / 1000


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--threads", default=1)
@click.option("--psnr/--no-psnr", default=True)
@click.option("--device", default="cpu", help="cpu, cuda, cuda:N, or auto.")
@click.option("--split", default="valid", help="Of folders SPLIT_HR, SPLIT_LR in DATA.")
@click.option("--pairs", type=click.IntRange(1), help="So many of the first pairs; all without it.")
def main(
    file: Path,
    checkpoint: Path,
    data: Path,
    threads: int,
    psnr: bool,
    device: str,
    split: str,
    pairs: int | None,
) -> None:
    """Run a split of DATA once and print the mean runtime, the forward time and the wall time."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    model, white = network(file, checkpoint)
    model = model.to(device)
    runtimes, values = [], []
    begin = time.perf_counter()
    for hr_file in sorted((data / f"{split}_HR").glob("*.png"))[:pairs]:
        lr = decoded(data / f"{split}_LR" / f"{hr_file.stem}x4.png")
        x = torch.from_numpy(np.ascontiguousarray(lr.transpose(2, 0, 1))).float()[None] * (white / 255)
        with torch.no_grad():
            y, runtime = called(model, x.to(device))
        runtimes.append(runtime)
        if psnr:
            sr = (y[0].cpu().clamp(0, white) * (255 / white)).round().byte().permute(1, 2, 0).numpy()
            hr = decoded(hr_file)[: sr.shape[0], : sr.shape[1]]
            difference = sr[4:-4, 4:-4].astype(np.float64) - hr[4:-4, 4:-4].astype(np.float64)
            values.append(20 * np.log10(255.0 / np.sqrt(np.mean(difference**2))))
    if not runtimes:
        raise SystemExit(f"{data} holds no pairs {split}_HR/NAME.png, {split}_LR/NAMEx4.png")
    wall = time.perf_counter() - begin
    print(
        json.dumps(
            {
                "device": device,
                "images": len(runtimes),
                "mean_ms": 1000 * float(np.mean(runtimes)),
                "median_ms": 1000 * float(np.median(runtimes)),
                "first_ms": 1000 * runtimes[0],
                "mean_without_first_ms": 1000 * float(np.mean(runtimes[1:])) if runtimes[1:] else None,
                "forward_s": sum(runtimes),
                "wall_s": wall,
                "psnr_rgb_db": float(np.mean(values)) if values else None,
            }
        )
    )


if __name__ == "__main__":
    main()
