"""The board of a results folder, read from disk."""

from __future__ import annotations

from pathlib import Path

from ntire_bench.protocols import protocol as protocols
from ntire_bench.protocols.protocol import Channel
from ntire_bench.ranking.board import Board, build
from ntire_bench.records import store

__all__ = ["board_of_records", "protocols_with_records"]


def protocols_with_records(results: Path) -> list[str]:
    """Return the names of the protocols that a results folder has records of, the default first.

    >>> protocols_with_records(Path("no such folder"))
    []
    """
    return [name for name in protocols.available() if any((results / name).glob("*/*.json"))]


def board_of_records(
    results: Path, protocol_name: str | None = None, channel: Channel | None = None, device: str | None = None
) -> Board:
    """Rank the records of a results folder.

    Args:
        results: The folder.
        protocol_name: The rules; None takes the default's, or where it has no records the first that has.
        channel: PSNR channel to judge in; None takes the protocol's.
        device: Part of the name or description of the class whose records are ranked; None takes the one with
            the most teams.

    Raises:
        UsageError: There is no such protocol, or nothing was measured on `device`.
    """
    if protocol_name is None:
        protocol_name = (protocols_with_records(results) or [protocols.DEFAULT_PROTOCOL])[0]
    rules = protocols.load(protocol_name)
    stored, problems = store.load_all(results, rules.name)
    return build(stored, rules, channel, device, problems)
