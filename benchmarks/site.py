"""What a site costs: 40 teams with 200 images each; and the ranking of 1,000 records.

Records are made here, with made-up numbers. The site is written by a process of its own, as the command does
it, imports included; the ranking is what `leaderboard` does before it shows a table. The first time,
records are checked (see ranking/trust.py); what was found is remembered in the temporary folder.

    python benchmarks/site.py [--teams 40] [--images 200] [--rounds 12] [--records 1000] [--keep FOLDER]
"""

from __future__ import annotations

import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

from ntire_bench.estimating.bootstrap import Samples, bootstrap
from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking.entry import Costs
from ntire_bench.ranking.scoring import score
from ntire_bench.ranking.stored import board_of_records
from ntire_bench.records import store
from ntire_bench.records.record import (
    Complexity,
    Environment,
    Finding,
    ImageResult,
    Inference,
    Launch,
    Measurement,
    ProtocolInfo,
    Record,
    Score,
    SplitResult,
    SubmissionInfo,
    Timing,
)

RULES = protocols.load("ntire2024")
BASE_MS = 10.0


def _split(
    random: np.random.Generator, name: str, images: int, rounds: int, level: float, ms: float
) -> SplitResult:
    # The same images for every team: how hard one is and how large depends on its number alone.
    hard = np.random.default_rng(images).normal(0, 2.5, images)
    sides = np.random.default_rng(images + 1).integers(160, 511, images) * 4
    per_image = []
    for number in range(images):
        own = ms * sides[number] / 1360
        calls = (own * (1 + np.abs(random.normal(0, 0.01, rounds)))).round(3)
        psnr = level + hard[number] + random.normal(0, 0.03)
        per_image.append(
            ImageResult(
                name=f"{801 + number:04d}",
                height=int(sides[number]),
                width=2040,
                psnr_y_db=float(psnr + 1.6),
                psnr_rgb_db=float(psnr),
                runtime_ms=float(np.median(calls)),
                runtime_samples_ms=tuple(calls.tolist()),
                brackets_ms=tuple((calls + 0.4).round(3).tolist()),
                overhead_ms=(0.4,) * (rounds // 4),
            )
        )
    return SplitResult(
        dataset=f"DIV2K_LSDIR_{name}",
        dataset_sha256="0" * 64,
        images=images,
        psnr_y_db=float(np.mean([image.psnr_y_db for image in per_image])),
        psnr_rgb_db=float(np.mean([image.psnr_rgb_db for image in per_image])),
        runtime_ms=float(np.mean([image.runtime_ms for image in per_image])),
        memory_mib=float(random.uniform(300, 900)),
        per_image=tuple(per_image),
    )


def make_record(number: int, images: int, rounds: int) -> Record:
    """Return a record of a made-up team.

    Args:
        number: Of the team; each gives other figures.
        images: Of both splits together.
        rounds: Timed passes, in launches of 4.
    """
    random = np.random.default_rng(number)
    ratio = float(random.lognormal(0, 0.4)) if number else 1.0
    params = int(317_218 * random.lognormal(-0.3, 0.4)) if number else 317_218
    flops = int(19_674_931_200 * params / 317_218 * random.normal(1, 0.05)) if number else 19_674_931_200
    counts = {"valid": images // 2, "test": images - images // 2}
    level = 26.9 + 0.06 * float(random.random())
    own = {k: _split(random, k, n, rounds, level, BASE_MS * ratio) for k, n in counts.items()}
    base = {k: _split(np.random.default_rng(0), k, n, rounds, 26.95, BASE_MS) for k, n in counts.items()}
    half = 0.004 + 0.01 * float(random.random())
    launches = tuple(Launch(rounds=4, load_s=1.0, first_call_ms=90.0) for _ in range(rounds // 4))
    sides = [
        {k: np.array([image.runtime_samples_ms for image in split.per_image]) for k, split in side.items()}
        for side in (own, base)
    ]
    counts_of = tuple(launch.rounds for launch in launches)
    # A record is ranked only where its figures follow from each other.
    ratio = bootstrap(
        Samples(launches=counts_of, own=sides[0], baseline=sides[1] if number else None), resamples=0
    ).ratio

    def info(id_: int, name: str) -> SubmissionInfo:
        return SubmissionInfo(
            id=id_,
            name=name,
            file=f"models/team{id_:02d}_{name}.py",
            file_sha256=f"{id_:064x}",
            checkpoint=f"model_zoo/team{id_:02d}_{name}.pth",
            checkpoint_sha256=f"{id_:064x}",
            model=name,
            data_range=1.0,
            inferred=(Inference(key="data_range", value="1", how="the image is darker with 255"),),
        )

    def costs(params: int, flops: int) -> Complexity:
        return Complexity(
            params=params, flops=flops, activations=80_050_000, convs=39, input_shape=(1, 3, 256, 256)
        )

    # A team's score, and at the ends of its interval, by the protocol's weights.
    def scored(r: float) -> Score:
        own_costs = Costs(runtime_ms=r, flops=flops, params=params)
        return score(own_costs, Costs(runtime_ms=1.0, flops=19_674_931_200, params=317_218), RULES.weights)

    ends = ratio * (1 - half), ratio * (1 + half)

    found = Finding(code="launch-bound", severity="info", message="The CPU's work takes most of the runtime.")
    return Record(
        status="ok",
        created_utc=f"2026-11-{1 + number % 28:02d}T10:00:00.{number:06d}Z",
        protocol=ProtocolInfo(name=RULES.name, sha256=RULES.sha256),
        submission=info(number, f"Net{number}" if number else "RLFN"),
        rounds=rounds,
        psnr_channel=RULES.psnr_channel,
        complexity=costs(params, flops),
        splits=own,
        baseline=Measurement(
            submission=info(0, "RLFN"), complexity=costs(317_218, 19_674_931_200), splits=base
        ),
        score=scored(ratio),
        findings=(found,) if number % 5 == 1 else (),
        environment=Environment(
            device="cuda",
            device_name="Example GPU",
            threads=1,
            cpu="Example CPU",
            cpu_cores=8,
            torch="2.10.0",
            fvcore="0.1.5",
            python="3.11.9",
            os="Linux 6.1",
            clock="CUDA events",
            ntire_bench="0.2.0",
        ),
        timing=Timing(
            launches=launches,
            stopped="precision",
            precision=0.01,
            half_width=half,
            attested=True,
            ratio=ratio,
            ratio_ci95=ends,
            score_ci95=(scored(ends[0]).final or math.inf, scored(ends[1]).final or math.inf),
            ratio_resamples=tuple(random.normal(ratio, ratio * half / 2, 400).tolist()),
        ),
    )


def _cpu_s() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def _told(what: str, begin: tuple[float, float], limit: str) -> None:
    wall, cpu = time.perf_counter() - begin[0], _cpu_s() - begin[1]
    print(f"{what}: {wall:.1f} s ({cpu:.1f} s of processor time); wanted: under {limit}")


@click.command()
@click.option("--teams", default=40, show_default=True)
@click.option("--images", default=200, show_default=True)
@click.option("--rounds", default=12, show_default=True, help="A multiple of 4.")
@click.option("--records", default=1000, show_default=True, help="How many are ranked; 0 for none.")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for the records and the site.")
def main(teams: int, images: int, rounds: int, records: int, keep: Path | None) -> None:
    """Time a site and a ranking; print also how busy the machine was."""
    with tempfile.TemporaryDirectory() as temporary:
        root = keep or Path(temporary)
        os.environ["NTIRE_BENCH_CACHE"] = str(Path(temporary) / "cache")
        for number in range(teams):
            store.save(make_record(number, images, rounds), root / "results")
        load = os.getloadavg()[0]
        print(f"load of the last minute: {load:.1f} on {os.cpu_count()} cores")
        command = [sys.executable, "-m", "ntire_bench", "leaderboard", "--results", str(root / "results")]
        begin = time.perf_counter(), _cpu_s()
        subprocess.run([*command, "--format", "site", "--output", str(root / "site")], check=True)
        _told(f"a site of {teams} teams with {images} images each", begin, "10 s")
        if records:
            for number in range(records):
                store.save(make_record(number, 20, 4), root / "many")
            for when in ("the first time", "again"):
                begin = time.perf_counter(), _cpu_s()
                board = board_of_records(root / "many")
                _told(f"{len(board.rows)} rows of {records} records ranked, {when}", begin, "2 s")


if __name__ == "__main__":
    main()
