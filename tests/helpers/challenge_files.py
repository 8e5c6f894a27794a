"""Writes results.json and results.txt as the challenge's test_demo.py lays them out, with made-up numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

# The formats of the challenge's test_demo.py with and without the split test.
BOTH = "{:20s}\t{:10s}\t{:10s}\t{:14s}\t{:14s}\t{:14s}\t{:10s}\t{:10s}\t{:8s}\t{:8s}\t{:8s}\n"
VALID = "{:20s}\t{:10s}\t{:14s}\t{:10s}\t{:10s}\t{:8s}\t{:8s}\t{:8s}\n"
HEADER = (
    "Model", "Val PSNR", "Test PSNR", "Val Time [ms]", "Test Time [ms]", "Ave Time [ms]", "Params [M]",
    "FLOPs [G]", "Acts [M]", "Mem [M]", "Conv",
)  # fmt: skip
HEADER_VALID = tuple(title for title in HEADER if not title.startswith(("Test", "Ave")))


def text(rows: Iterable[Sequence[str]], header: Sequence[str] = HEADER) -> str:
    """A results.txt of these cells."""
    layout = BOTH if len(header) == len(HEADER) else VALID
    return "".join(layout.format(*cells) for cells in (header, *rows))


def split(name: str, runtime_ms: Sequence[float], psnr_db: Sequence[float]) -> dict[str, Any]:
    """What the challenge writes of one split."""
    return {
        f"{name}_runtime": list(runtime_ms),
        f"{name}_psnr": list(psnr_db),
        f"{name}_memory": 467.7041015625,
        f"{name}_ave_runtime": sum(runtime_ms) / len(runtime_ms),
        f"{name}_ave_psnr": sum(psnr_db) / len(psnr_db),
    }


def model(
    runtime_ms: float | Sequence[float] = 10.0,
    psnr_db: tuple[float, float] = (26.93, 27.02),
    *,
    splits: Sequence[str] = ("valid", "test"),
    images: int = 4,
    **other: Any,
) -> dict[str, Any]:
    """What the challenge writes of one model; `other` replaces or adds values, None takes one away."""
    times = [runtime_ms] * images if isinstance(runtime_ms, (int, float)) else list(runtime_ms)
    values: dict[str, Any] = {}
    for name, psnr in zip(("valid", "test"), psnr_db, strict=True):
        if name in splits:
            values |= split(name, times, [psnr] * images)
    values |= {"activations": 80.05, "num_conv": 39, "flops": 12.0, "num_parameters": 0.2}
    return {key: value for key, value in (values | other).items() if value is not None}


BASELINE = model([14.0, 10.0, 11.0, 13.0], (26.96, 27.07), num_parameters=0.317218, flops=19.67485952)


def write_json(path: Path, models: Mapping[str, Any], *, baseline: bool = True) -> Path:
    """A results.json with the baseline first."""
    document = {"00_RLFN_baseline": BASELINE, **models} if baseline else dict(models)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def write_text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path
