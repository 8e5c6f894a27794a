"""Boards of records that a test made."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking.board import Board, build
from ntire_bench.records.record import Record
from ntire_bench.records.store import Stored

RULES = protocols.load("ntire2024")


def on(day: int, record: Record) -> Record:
    return dataclasses.replace(record, created_utc=f"2026-11-{day:02d}T10:00:00.000000Z")


def stored(*records: Record) -> list[Stored]:
    return [
        Stored(path=Path(f"results/{r.submission.id:02d}_{r.submission.name}/{n:03d}.json"), record=r)
        for n, r in enumerate(records)
    ]


def board(*records: Record, **options: str) -> Board:
    return build(stored(*records), RULES, **options)  # type: ignore[arg-type]


def ranked(board: Board) -> list[str]:
    return [row.entry.name for row in board.rows if row.status == "ranked"]


def left_out(board: Board) -> list[tuple[str, str]]:
    return [(item.team, item.kind) for item in board.left_out]
