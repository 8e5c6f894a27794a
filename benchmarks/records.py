"""How long a leaderboard of many records takes: the first time, when all are checked, and the second.

Writes so many records of made-up numbers that follow from each other, of 100 images on each of two splits,
and runs the command on them three times: with an empty cache, with what it has remembered and the index that
it has written, and once more. The same with `status`. Beside it the standard library parses the same files
and does nothing with them.

    python benchmarks/records.py [--records 1000] [--images 100] [--rounds 5]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "helpers"))

_PARSE = """
import json, pathlib, sys
for path in pathlib.Path(sys.argv[1]).rglob("*.json"):
    json.loads(path.read_bytes())
"""


def _seconds(words: list[str], **environment: str) -> str:
    """Run a command, and return how long it took and what processor time it used, in words."""
    begin, before = time.perf_counter(), os.times()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **environment})
    took_s, after = time.perf_counter() - begin, os.times()
    used_s = after.children_user - before.children_user + after.children_system - before.children_system
    return f"{took_s:.2f} s ({used_s:.2f} s of processor time)"


@click.command()
@click.option("--records", default=1000, show_default=True)
@click.option("--images", default=100, show_default=True, help="Of each split.")
@click.option("--rounds", default=5, show_default=True)
def main(records: int, images: int, rounds: int) -> None:
    """Measure the leaderboard over made-up records."""
    from record_factory import make_record  # type: ignore[import-not-found]

    from ntire_bench.records import store

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        text = store.save(make_record(images=images, rounds=rounds), work / "one").read_text()
        for number in range(records):
            team = work / "many" / "ntire2024" / f"{number:02d}_Team{number}"
            team.mkdir(parents=True)
            record = text.replace('"id": 7,', f'"id": {number},').replace('"Example"', f'"Team{number}"')
            (team / "20261120T105331.123456Z.json").write_text(record)
        size = len(text) * records / 2**20
        print(f"{records} records of 2 x {images} images and {rounds} rounds, {size:.0f} MiB")
        for command in ("leaderboard", "status"):
            words = [sys.executable, "-m", "ntire_bench", command, "--results", str(work / "many"), "--json"]
            for what in ("first", "second", "third"):
                print(f"{command}, {what}: {_seconds(words, NTIRE_BENCH_CACHE=str(work / 'cache'))}")
        print(f"json.loads alone: {_seconds([sys.executable, '-c', _PARSE, str(work / 'many')])}")


if __name__ == "__main__":
    main()
