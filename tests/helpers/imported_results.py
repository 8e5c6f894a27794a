"""Records and boards out of results files that a test wrote, and the published table as such a file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from challenge_files import text
from click.testing import CliRunner, Result

from ntire_bench.challenge_results import file as results_file
from ntire_bench.challenge_results import to_records
from ntire_bench.cli import group
from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking.board import Board, build
from ntire_bench.ranking.ranks import Row
from ntire_bench.records import store
from ntire_bench.records.record import Finding, Record
from ntire_bench.reporting import layout

RULES = protocols.load("ntire2024")
DAY = "2026-12-24T10:00:00.000000Z"  # after what record_factory makes


def records(path: Path, baseline: str | None = None, protocol: str = "ntire2024") -> list[Record]:
    rules = protocols.load(protocol)
    file = results_file.read(path)
    return to_records.to_records(file, rules, to_records.find_baseline(file, rules, baseline), DAY)


def imported(path: Path, results: Path, **options: Any) -> Board:
    """The board of a file that was imported into an empty or filled results folder."""
    to_records.keep(records(path), results)
    return board_of(results, **options)


def board_of(results: Path, **options: Any) -> Board:
    return build(store.load_all(results, "ntire2024")[0], RULES, **options)


def row(board: Board, name: str) -> Row:
    (found,) = [row for row in board.rows if row.entry.label == name]
    return found


def findings(path: Path, name: str) -> list[Finding]:
    (record,) = [record for record in records(path) if record.submission.label == name]
    return list(record.findings)


def call(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(group.main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def published(root: Path) -> list[dict[str, str]]:
    """Table 1 of the NTIRE 2024 Efficient Super-Resolution report, as printed."""
    with (root / "leaderboard" / "reference" / "ntire2024.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def published_text(root: Path) -> str:
    cells = []
    for number, line in enumerate(published(root), 1):
        name = f"{number:02d}_{line['team']}"
        if line["team"] == "RLFN (baseline)":
            name = "00_RLFN_baseline"
        costs = (line["runtime_ms"], line["params_m"], line["flops_g"], "80.05", "467.70", "39")
        psnr, times = (
            [line[f"{what}_{split}_{unit}"] for split in ("valid", "test")]
            for what, unit in (("psnr", "db"), ("runtime", "ms"))
        )
        cells.append((name, *psnr, *times, *costs))
    return text(cells)


def told(board: Board) -> list[tuple[Any, ...]]:
    """All that a table shows of its rows."""
    style = layout.Style(place=str, below=str, missing="", note="", escape=str)
    return [tuple(layout.cells(board, row_, layout.FULL, style)) for row_ in board.rows]
