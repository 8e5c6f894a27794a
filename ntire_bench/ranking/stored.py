"""The board of a results folder, read from disk."""

from __future__ import annotations

from pathlib import Path

from ntire_bench.data.cache_dir import cache_dir
from ntire_bench.errors import DatasetError
from ntire_bench.protocols import protocol as protocols
from ntire_bench.protocols.protocol import Channel
from ntire_bench.ranking.board import Board, build
from ntire_bench.ranking.trust import believed
from ntire_bench.records import store
from ntire_bench.records.signing import PublicKey

__all__ = ["board_of_records", "protocols_with_records"]


def protocols_with_records(results: Path) -> list[str]:
    """Return the names of the protocols that a results folder has records of, the default first.

    >>> protocols_with_records(Path("no such folder"))
    []
    """
    return [name for name in protocols.available() if any((results / name).glob("*/*.json"))]


def board_of_records(
    results: Path,
    protocol_name: str | None = None,
    channel: Channel | None = None,
    device: str | None = None,
    key: Path | None = None,
) -> Board:
    """Rank the records of a results folder.

    Args:
        results: The folder.
        protocol_name: The rules; None takes the default's, or where it has no records the first that has.
        channel: PSNR channel to judge in; None takes the protocol's.
        device: Part of the name or description of the class whose records are ranked; None takes the one with
            the most teams.
        key: Of a public key: only records that are signed with it are ranked.

    Raises:
        UsageError: There is no such protocol or key, or nothing was measured on `device`.
    """
    if protocol_name is None:
        protocol_name = (protocols_with_records(results) or [protocols.DEFAULT_PROTOCOL])[0]
    rules = protocols.load(protocol_name)
    stored, problems = store.load_all(results, rules.name)
    trusted = believed(stored, rules, _cache(), None if key is None else PublicKey(key))
    return build(trusted, rules, channel, device, problems)


def _cache() -> Path | None:
    try:
        return cache_dir()
    except DatasetError:  # no home folder: every command checks all records
        return None
