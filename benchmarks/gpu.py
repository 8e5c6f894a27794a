"""All that is to be known of ntire_bench on a GPU, by one command, without a network, in five minutes.

Makes its own image pairs, and measures on them: what a user waits for, the six shipped networks, sessions of
which one thing differs (the arms), how much the ratio scatters over invocations, and the challenges' own way
beside it. One Markdown table goes to standard output, progress to standard error, and all figures to a JSON
file. What there is no time for is left out, and the table says so. Needs no installation: the packages alone,
and whatever torch the machine has (docs/PERFORMANCE.md, "On a GPU machine").

    python benchmarks/gpu.py [--out gpu.json] [--minutes 5] [--only times,threads-1] [--device cpu --quick]
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click
import msgspec
from gpu_parts.budget import Budget
from gpu_parts.measurements import PARTS, Measurements
from gpu_parts.report import as_json, markdown
from gpu_parts.scale import FULL, QUICK

from ntire_bench.machine import environment

NAMES = [name for names in PARTS.values() for name in names]


def _wanted(_: click.Context, __: click.Parameter, text: str) -> set[str]:
    """Return the measurements that a list of parts and names stands for; all for an empty one."""
    wanted: set[str] = set()
    for word in filter(None, (word.strip() for word in text.split(","))):
        if word not in PARTS and word not in NAMES:
            raise click.BadParameter(f"there is no {word!r}; there are {', '.join([*PARTS, *NAMES])}")
        wanted.update(PARTS.get(word, (word,)))
    return wanted or set(NAMES)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="JSON file for all figures.")
@click.option("--only", "wanted", default="", callback=_wanted, help="Parts or measurements, with commas.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), default=5.0, show_default=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N.")
@click.option("--isolation", default="auto", show_default=True)
@click.option("--quick", is_flag=True, help="Tiny images: shows that it works, measures nothing.")
@click.option("--work", type=click.Path(path_type=Path), help="Folder for images and records, to keep them.")
def main(
    out: Path | None,
    wanted: set[str],
    minutes: float,
    device: str,
    isolation: str,
    quick: bool,
    work: Path | None,
) -> None:
    """Measure, print a table, and write a JSON file."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends workers and removes the folder
    budget = Budget(minutes)
    created = datetime.now(timezone.utc).isoformat(timespec="seconds")
    with contextlib.ExitStack() as stack:
        if work is None:
            work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ntire_bench_gpu_")))
        elif work.exists() and any(work.iterdir()):
            raise click.UsageError(f"{work} is not empty: name another folder for --work")
        work.mkdir(parents=True, exist_ok=True)
        measured = Measurements(QUICK if quick else FULL, wanted, work.resolve(), device, isolation, budget)
        measured.make()
    machine: dict[str, Any] = {"cpu": environment.cpu_model(), "cpu_cores": environment.cores()}
    if measured.record is not None:
        machine = msgspec.to_builtins(measured.record.environment)
        machine["isolation"] = measured.record.isolation.level if measured.record.isolation else None
    document = {
        "version": 1,
        "created_utc": created,
        "quick": quick,
        "seconds": budget.spent_s,
        "minutes": minutes,
        "environment": machine,
        "rows": as_json(measured.rows),
    }
    if out is not None:
        out.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    print(_title(machine, quick, budget.spent_s))
    print(f"\n{markdown(measured.rows)}")
    sys.exit(1 if measured.failed else 0)


def _title(machine: dict[str, Any], quick: bool, seconds: float) -> str:
    """Return what the figures were measured on, in one line."""
    told = [machine.get("device_name"), f"{machine['cpu_cores']} cores of {machine['cpu']}"]
    told += [f"{key} {machine[key]}" for key in ("torch", "cuda", "cudnn", "driver") if machine.get(key)]
    told += [f"isolation {machine['isolation']}"] if machine.get("isolation") else []
    told += [f"ntire_bench {machine['commit']}"] if machine.get("commit") else []
    told.append(f"{seconds:.0f} s in all")
    warning = "**Tiny images: no measurement.** " if quick else ""
    return warning + ", ".join(dict.fromkeys(filter(None, told))) + "."


if __name__ == "__main__":
    main()
