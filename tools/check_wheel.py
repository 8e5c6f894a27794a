"""Builds the packages, installs the wheel into an empty environment and uses it from an empty folder.

    python tools/check_wheel.py [--python OTHER] [--without-torch]

The sdist is built from the checkout and the wheel from the sdist, in a temporary folder. What they hold is
compared with the files that git tracks, the weights with the hashes in model_zoo/README.md; what the
installed command prints, with leaderboard/reference/ntire2024.csv and the table in docs/index.md. Exit
status: 0, or 1 where anything differs, with a line for each difference.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import click
from wheel_contents import build, tracked, version
from wheel_runner import Report, Runner, Stopped

ROOT = Path(__file__).resolve().parents[1]
EVALUATED = "38_SPAN"


def reference_ranks(text: str) -> list[tuple[str, int]]:
    """Return the teams of the report's table that have a rank, the first one first."""
    ranked = [
        (row["team"], int(row["rank"])) for row in csv.DictReader(text.splitlines()) if row["rank"].isdigit()
    ]
    return sorted(ranked, key=lambda item: item[1])


def stated_psnr_db(page: str, label: str) -> float:
    """Return the PSNR [dB] on the sample set's split valid that docs/index.md gives a network."""
    (row,) = [line for line in page.splitlines() if line.startswith(f" {label} ")]
    return float(row.split()[1])


def install(run: Runner, root: Path, wheel: Path, python: str, *, torch: bool) -> Path:
    """Install a wheel into an empty environment, and return the folder of its commands."""
    home = run.place / "environment"
    run.must(python, "-m", "venv", home)
    commands = home / "bin"
    # Compiling all of torch takes a minute of a core, and compiling what is imported of it some seconds.
    # That is done here: workers see their packages read-only.
    pip: list[str | Path] = [commands / "python", "-m", "pip", "install", "--quiet", "--no-compile"]
    pip += ["-c", root / "constraints.txt"]
    if torch:
        run.must(*pip, wheel)
        run.must(commands / "python", "-c", "import fvcore.nn, torch")
        return commands
    with zipfile.ZipFile(wheel) as content:
        (name,) = [name for name in content.namelist() if name.endswith(".dist-info/METADATA")]
        lines = content.read(name).decode().splitlines()
    required = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]
    others = [line for line in required if not line.startswith("torch") and "extra ==" not in line]
    run.must(*pip, "--no-deps", wheel)
    run.must(*pip, *others)
    return commands


def use(report: Report, run: Runner, root: Path, command: Path, *, torch: bool) -> None:
    """Run the installed command in an empty folder and compare what it says."""
    empty = run.place / "empty"
    empty.mkdir()

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        done = run(command, *words, cwd=empty)
        report.expect(f"exit status of ntire-bench {' '.join(words)}", done.returncode, 0)
        if done.returncode != 0:
            raise Stopped(f"{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done

    report.expect("version", call("--version").stdout.strip(), f"ntire-bench, version {version(root)}")
    report.expect("help", call("--help").stdout.startswith("Usage: ntire-bench"), True)
    done = call("list", "--json")
    listed = json.loads(done.stdout)
    found = {f"team{item['id']:02d}_{item['name']}" for item in (*listed["submissions"], *listed["problems"])}
    report.expect(
        "examples",
        sorted(found),
        sorted(
            {name.split("/")[1].removesuffix(".py") for name in tracked(root) if name.startswith("models/")}
        ),
    )
    report.expect(
        "examples are told", done.stderr.count("the examples that ship with ntire_bench are used"), 1
    )

    table = (root / "leaderboard/reference/ntire2024.csv").read_text(encoding="utf-8")
    report.expect(
        "published table", "XiaomiMM" in call("leaderboard", "--reference", "ntire2024").stdout, True
    )
    rows = json.loads(call("leaderboard", "--reference", "ntire2024", "--json").stdout)["rows"]
    report.expect("rows of it", len(rows), len(table.splitlines()) - 1)
    ranked = sorted(((row["name"], row["rank"]) for row in rows if row["rank"]), key=lambda item: item[1])
    report.expect("ranks in it", ranked, reference_ranks(table))
    if torch:
        done = call("run", EVALUATED.partition("_")[0], "--rounds", "1", "--json")
        (record,) = [item["record"] for item in json.loads(done.stdout)["records"]]
        psnr_db = record["splits"]["valid"]["psnr_y_db"]
        stated = stated_psnr_db((root / "docs/index.md").read_text(encoding="utf-8"), EVALUATED)
        report.expect(f"PSNR Y of {EVALUATED} [dB]", round(psnr_db, 2), stated)
        report.expect("version in the record", record["environment"]["ntire_bench"], version(root))
        report.expect("commit in the record", record["environment"]["commit"], None)
        made = sorted(path.relative_to(empty).parts[:-1] for path in empty.rglob("*.json"))
        report.expect("records", made, [("leaderboard", "results", "sample", EVALUATED)])
    left = sorted(path.name for path in empty.iterdir())
    report.expect("what is in the folder afterwards", left, ["leaderboard"] if torch else [])


@click.command()
@click.option("--python", default=sys.executable, help="Interpreter of the environment.  [default: this one]")
@click.option(
    "--without-torch", is_flag=True, help="Install all but torch, and try the commands that need none."
)
def main(python: str, without_torch: bool) -> None:
    """Build the packages, install the wheel into an empty environment and use it from an empty folder."""
    report = Report()
    with tempfile.TemporaryDirectory(prefix="ntire_bench_wheel_") as folder:
        run = Runner(Path(folder))
        try:
            with report.step("building"):
                wheel = build(report, run, ROOT)
            with report.step("installing"):
                commands = install(run, ROOT, wheel, python, torch=not without_torch)
            with report.step("using"):
                use(report, run, ROOT, commands / "ntire-bench", torch=not without_torch)
        except Stopped as reason:
            report.fail(str(reason))
    click.echo(report.summary())
    sys.exit(1 if report.failures else 0)


if __name__ == "__main__":
    main()
