"""How much the runtime ratio and its score scatter from one invocation to the next, beside the naive way.

Runs `ntire-bench run` several times in separate invocations, each followed by the naive way: one cold pass
over the same images, the mean of all calls, the baseline measured before. Prints the coefficient of
variation (the standard deviation over the mean) of both.

    python benchmarks/repeatability.py [--id 40] [--repeats 10] [--pairs 6]
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import click
from speed import ROOT, write_pairs

from ntire_bench.machine import environment
from ntire_bench.submissions import baseline_choice, models_folder
from ntire_bench.submissions.submission import Submission


def ours(id_: int, data: Path, results: Path, more: tuple[str, ...]) -> tuple[float, float, int]:
    """Evaluate a submission; return ratio, runtime score and rounds."""
    command = [sys.executable, "-m", "ntire_bench", "run", str(id_), "--data-dir", str(data), "--json"]
    command += ["--models", str(ROOT / "models"), "--model-zoo", str(ROOT / "model_zoo")]
    command += ["--results", str(results), "--protocol", "demo", *more]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    record = json.loads(done.stdout)["records"][0]["record"]
    return record["timing"]["ratio"], record["score"]["runtime"], record["rounds"]


def naive(team: Submission, baseline: Submission, data: Path) -> tuple[float, float]:
    """Measure the naive way; return ratio and runtime score."""
    means = []
    for one in (baseline, team):
        command = [sys.executable, str(ROOT / "benchmarks" / "naive.py"), str(one.file), str(one.checkpoint)]
        command += [str(data), "--threads", str(environment.compute_threads()), "--no-psnr"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        means.append(json.loads(done.stdout)["mean_ms"])
    ratio = means[1] / means[0]
    return ratio, math.exp(2 * ratio)


def variation(values: list[float]) -> float:
    """Return the standard deviation over the mean."""
    return statistics.stdev(values) / statistics.fmean(values)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--id", "id_", default=40, show_default=True, help="With weights in model_zoo/; not the baseline."
)
@click.option("--repeats", type=click.IntRange(min=2), default=10, show_default=True)
@click.option("--pairs", default=6, show_default=True)
@click.option("--height", default=680, show_default=True, help="Of the HR images.")
@click.option("--width", default=1020, show_default=True, help="Of the HR images.")
@click.argument("more", nargs=-1)
def main(id_: int, repeats: int, pairs: int, height: int, width: int, more: tuple[str, ...]) -> None:
    """Print coefficients of variation; MORE are further options of `ntire-bench run`."""
    catalogue = models_folder.find(ROOT / "models", ROOT / "model_zoo")
    team, baseline = catalogue.get(id_), baseline_choice.choose(catalogue, "RLFN")
    mine, theirs = [], []
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        write_pairs(data, pairs, height, width)
        for number in range(repeats):
            mine.append(ours(id_, data, Path(name) / "results", more))
            theirs.append(naive(team, baseline, data))
            print(
                f"{number + 1:3d}  {mine[-1][0]:.4f} in {mine[-1][2]} rounds, naive {theirs[-1][0]:.4f}",
                flush=True,
            )
    print(f"{team.label} over {baseline.label}, {pairs} pairs of {width}x{height}, {environment.cpu_model()}")
    for what, column in (("runtime ratio", 0), ("runtime score", 1)):
        good = variation([values[column] for values in mine])
        bad = variation([values[column] for values in theirs])
        print(f"{what}: variation {good:.2%}, naive {bad:.2%}, {bad / good:.1f} times as much")


if __name__ == "__main__":
    main()
