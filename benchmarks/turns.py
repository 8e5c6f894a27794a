"""Whether more calls of one side in a row make a runtime ratio steadier, and what they cost.

Sessions of one network beside the baseline, with turns of one, two and more calls (of more than one, the
first does not count), in turns of their own: whatever slows the machine for a while meets all lengths alike.
All have the same number of counted calls. For each length: how much the ratio scatters over its sessions
(coefficient of variation, CV), by the estimator that scores and by plain medians, the share of slow calls of
both sides, and the time of the counted and uncounted calls together, over that of the first length. Prints
Markdown.

    python benchmarks/turns.py [--calls 1,2,5] [--sessions 5] [--pairs 8] [--rounds 10] [--records FOLDER]
"""

from __future__ import annotations

import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

import click
from estimators import calls_of, ratio
from gpu_parts import arms, commands, pairs, sessions

from ntire_bench.data.dataset import load_splits
from ntire_bench.data.prepare import prepare
from ntire_bench.protocols import protocol
from ntire_bench.records import store
from ntire_bench.records.record import Record
from ntire_bench.submissions import models_folder

_WORDS = ("paired medians", "medians")


def _lengths(_: click.Context, __: click.Parameter, text: str) -> list[int]:
    try:
        lengths = [int(word) for word in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"expected whole numbers with commas; found {text!r}") from None
    if min(lengths) < 1:
        raise click.BadParameter(f"a turn has at least one call; found {min(lengths)}")
    return lengths


def _row(length: int, records: list[Record], seconds: float, first: float) -> str:
    calls = [found for record in records if (found := calls_of(record)) is not None]
    columns = []
    for word in _WORDS:
        ratios = [ratio(each, word) for each in calls]
        columns.append(
            f"{statistics.fmean(ratios):.4f}, {statistics.stdev(ratios) / statistics.fmean(ratios):.2%}"
        )
    for of_baseline in (True, False):
        shares = [
            sessions.slow_share(record.baseline.splits if of_baseline and record.baseline else record.splits)
            for record in records
        ]
        columns.append(f"{statistics.fmean(share for share in shares if share is not None):.1%}")
    return f"| {length} | {' | '.join(columns)} | {seconds / first:.2f} |"


@click.command()
@click.option("--calls", "lengths", default="1,2,5", show_default=True, callback=_lengths)
@click.option("--sessions", "count", type=click.IntRange(2), default=5, show_default=True)
@click.option("--pairs", "images", type=click.IntRange(1), default=8, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=10, show_default=True)
@click.option("--width", type=click.IntRange(64), default=512, show_default=True, help="Of the HR images.")
@click.option("--team", default=38, show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--records", type=click.Path(path_type=Path), help="Folder to keep the records in.")
def main(
    lengths: list[int],
    count: int,
    images: int,
    rounds: int,
    width: int,
    team: int,
    device: str,
    records: Path | None,
) -> None:
    """Measure turns of several lengths."""
    rules = protocol.load()
    catalogue = models_folder.find(commands.ROOT / "models", commands.ROOT / "model_zoo")
    made: dict[int, list[Record]] = defaultdict(list)
    seconds: dict[int, float] = defaultdict(float)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        height = width * 2 // 3 // 4 * 4
        pairs.write_hr(work / f"{pairs.NAME}_HR", [(height, width)] * images)
        prepare(work / f"{pairs.NAME}_HR", work / f"{pairs.NAME}_LR", rules.scale)
        (split,) = load_splits(["valid"], work, scale=rules.scale, border=rules.border)
        setting = sessions.Setting(
            team=catalogue.get(team),
            baseline=catalogue.get(0),
            split=split,
            rules=rules,
            device=device,
            isolation="auto",
            rounds=rounds,
        )
        for number in range(count):
            for length in lengths if number % 2 == 0 else lengths[::-1]:
                with arms.one_launch(), arms.turn(length):
                    record = sessions.session(setting, lambda *_: None)
                made[length].append(record)
                seconds[length] += record.wall_s["run"]
                click.echo(f"session {number + 1} of {count}, turns of {length}", err=True)
                if records is not None:
                    store.save(record, records / f"turn-{length}")
    machine = made[lengths[0]][0].environment
    print(f"{count} sessions of {rounds} rounds on {images} images {width} wide, team {team} beside team 0,")
    print(f"on {machine.device_name if machine else '?'}.\n")
    print("| calls of a turn | ratio and CV, paired medians | medians | slow calls, baseline | own | time |")
    print("|---|---|---|---|---|---|")
    for length in lengths:
        print(_row(length, made[length], seconds[length], seconds[lengths[0]]))


if __name__ == "__main__":
    main()
