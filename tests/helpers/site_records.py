"""Records of few images, a board of them, and SR images on a disk: what a site is made of."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from pairs import Uint8, smooth
from PIL import Image
from record_factory import make_record

from ntire_bench.metrics.psnr import psnr
from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking.board import Board, build
from ntire_bench.records import store
from ntire_bench.records.record import Finding, Inference, Launch, Record, Timing

RULES = protocols.load("ntire2024")
NASTY = "</script><img src=x onerror=alert(1)>"
NAMES = ("801", "802", "803")


def site_record(id_: int, name: str, runtime: float = 10.0, **options: object) -> Record:
    """Return a record of three images a split with a timing of six rounds."""
    runtimes = {"valid": runtime * 1.4, "test": runtime}
    record = make_record(id_, name, runtime_ms=runtimes, images=3, rounds=6, **options)  # type: ignore[arg-type]
    timing = Timing(
        launches=tuple(Launch(rounds=3, load_s=1.0, first_call_ms=50.0) for _ in range(2)),
        stopped="precision",
        precision=0.01,
        half_width=0.02,
        ratio=runtime / 10,
        ratio_ci95=(runtime / 10 * 0.98, runtime / 10 * 1.02),
        score_ci95=None,
    )
    inferred = (Inference(key="data_range", value="255", how=f"PSNR is higher so {NASTY}"),)
    submission = dataclasses.replace(record.submission, inferred=inferred)
    return dataclasses.replace(record, timing=timing, submission=submission)


def records() -> list[Record]:
    """Return the baseline, two ranked teams, one with a nasty name, and one below the threshold."""
    finding = Finding(code="odd", severity="warning", message=f"something odd: {NASTY}")
    return [
        site_record(0, "RLFN", params=317_218, flops=19_674_931_200),
        site_record(1, "Ann", 5.0, params=250_000),
        site_record(2, NASTY, 8.0, findings=(finding,)),
        site_record(3, "Low", 7.0, psnr={"valid": (26.5, 24.9), "test": (26.6, 25.0)}),
    ]


def board_in(folder: Path, of: list[Record]) -> Board:
    """Store records in a folder and rank them."""
    for record in of:
        store.save(record, folder)
    stored, problems = store.load_all(folder)
    assert problems == []
    return build(stored, RULES)


def write_sr_images(folder: Path, of: list[Record], spot: tuple[int, int] = (200, 300)) -> list[Record]:
    """Write HR images and SR images of the split valid, and return the records with their PSNR.

    Args:
        folder: Gets data/ and sr/.
        of: Records of `NAMES`.
        spot: Where SR images differ most from each other: upper left corner (y, x) of 32 x 32 pixels.
    """
    (folder / "data" / "DIV2K_LSDIR_valid_HR").mkdir(parents=True)
    found = []
    for number, record in enumerate(of, 1):
        split = record.splits["valid"]
        images = []
        for at, image in enumerate(split.per_image):
            hr = smooth(at, 280, 420)
            Image.fromarray(hr).save(folder / "data" / f"{split.dataset}_HR" / f"{image.name}.png")
            sr = _sr(hr, number, spot)
            path = folder / "sr" / record.submission.label / split.dataset / f"{image.name}.png"
            if "/" not in record.submission.label:
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(sr).save(path)
            quality = psnr(sr, hr, RULES.border)
            images.append(dataclasses.replace(image, psnr_y_db=quality.y_db, psnr_rgb_db=quality.rgb_db))
        splits = {**record.splits, "valid": dataclasses.replace(split, per_image=tuple(images))}
        found.append(dataclasses.replace(record, splits=splits))
    return found


def _sr(hr: Uint8, number: int, spot: tuple[int, int]) -> Uint8:
    """Return the HR image with an error of one level everywhere, and one of 20 levels a team at the spot."""
    sr = np.clip(hr.astype(np.int16) + 1, 0, 255)
    y, x = spot
    sr[y : y + 32, x : x + 32] = np.clip(sr[y : y + 32, x : x + 32] - 20 * number, 0, 255)
    return sr.astype(np.uint8)
