"""The board of a results folder, read from disk."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from ntire_bench.claims.nodes import left_out_records
from ntire_bench.data.cache_dir import cache_dir
from ntire_bench.errors import DatasetError, UsageError
from ntire_bench.protocols import protocol as protocols
from ntire_bench.protocols.protocol import Channel, Protocol
from ntire_bench.ranking.anew import Changes
from ntire_bench.ranking.board import Board, build
from ntire_bench.ranking.rules import differences, kept_rules, require_alike
from ntire_bench.ranking.trust import believed, with_signed_words
from ntire_bench.records import store
from ntire_bench.records.index import load_indexed, secret_of
from ntire_bench.records.signing import PublicKey
from ntire_bench.records.store import Doubt, Problem, Stored

__all__ = ["board_of_records", "protocols_with_records", "read_records", "rules_named"]


def protocols_with_records(results: Path) -> list[str]:
    """Return the names of the protocols that a results folder has records of, the default first.

    >>> protocols_with_records(Path("no such folder"))
    []
    """
    names = {folder.name for folder in results.glob("*/") if any(folder.glob("*/*.json"))}
    shipped = [name for name in protocols.available() if name in names]
    return [*shipped, *sorted(names - set(shipped))]


def read_records(results: Path, name: str) -> tuple[list[Stored], list[Problem]]:
    """Return the records of some rules, without the lists of single images, by the index beside them.

    Args:
        results: The results folder.
        name: Of the rules.
    """
    cache = _cache()
    return load_indexed(results, name, None if cache is None else secret_of(cache))


def rules_named(results: Path, name: str) -> Protocol:
    """Return the rules of a name or file; those of a user's own file also by the name that its records have.

    Args:
        results: The results folder, whose records keep such rules.
        name: Of shipped rules or of records, or the path of a TOML file.

    Raises:
        UsageError: There are none of that name, or the file holds mistakes.
    """
    if not protocols.is_file_name(name) and name not in protocols.available():
        own = [other for other in protocols_with_records(results) if other not in protocols.available()]
        kept = kept_rules(store.load_all(results, name)[0]) if name in own else None
        if kept is not None:
            return kept
        if own:
            raise UsageError(
                f"there is no protocol {name!r}",
                found=f"records of {', '.join(own)} in this folder",
                remedy=f"name one of {', '.join((*own, *protocols.available()))} or a TOML file",
            )
    return protocols.load(name)


def board_of_records(
    results: Path,
    protocol_name: str | None = None,
    channel: Channel | None = None,
    device: str | None = None,
    key: Path | None = None,
    *,
    records_of: str | None = None,
    changes: Changes | None = None,
    team: int | None = None,
) -> Board:
    """Rank the records of a results folder.

    Records are ranked by the rules that they were made under, or by others of the same scale, border and cost
    input: where these have no records of their own, or `records_of` names which are meant.

    Args:
        results: The folder.
        protocol_name: The rules, by name or file; None takes the default's, or where it has no records the
            first that has.
        channel: PSNR channel to judge in; None takes the protocol's.
        device: Part of the name or description of the class whose records are ranked; None takes the one with
            the most teams.
        key: Of a public key: only records that are signed with it are ranked.
        records_of: Name of the rules that the records were made under.
        changes: What is to be ranked otherwise than the rules say.
        team: A team's number, where its records alone are wanted.

    Raises:
        UsageError: There is no such protocol or key, nothing was measured on `device`, or records cannot be
            ranked by other rules.
    """
    having = protocols_with_records(results)
    changes = changes or Changes()
    named = None if protocol_name is None else rules_named(results, protocol_name)
    if records_of is not None and records_of not in having:
        raise UsageError(
            f"there are no records of {records_of}",
            file=results,
            found=", ".join(having) or "no records",
            remedy="name one of these with --from, or another folder with --results",
        )
    source = records_of or _source(results, having, named)
    stored, problems = read_records(results, source)
    made_by = _rules_of(source, stored)
    if made_by is None and named is not None and named.name == source:
        made_by = named
    if made_by is None:
        raise UsageError(
            f"no record of {source} keeps its rules", file=results, remedy="name their file with --protocol"
        )
    rules = named or made_by
    if records_of is not None or rules.name != made_by.name:
        require_alike(made_by, rules)
    if team is not None:
        stored = [item for item in stored if item.record.submission.id == team]
        problems = []  # of which team they are is not known
    public = None if key is None else PublicKey(key)
    if public is not None:
        stored, unsigned = with_signed_words(stored, public)
        problems = [*problems, *unsigned]
    trusted = _without_odd_nodes(believed(stored, made_by, _cache(), public), results)
    return build(
        trusted, changes.applied_to(rules), channel, device, problems, made_by=made_by, which=changes.which
    )


def _without_odd_nodes(stored: list[Stored], results: Path) -> list[Stored]:
    """Return the same records, with a doubt on those of nodes that are not as fast as their class."""
    left_out = left_out_records(results)
    return [
        dataclasses.replace(item, doubt=Doubt("other node", left_out[item.path]))
        if item.path in left_out
        else item
        for item in stored
    ]


def _rules_of(name: str, stored: Iterable[Stored]) -> Protocol | None:
    """Return the rules that records of a name were made under; None where none of them says."""
    return protocols.load(name) if name in protocols.available() else kept_rules(stored)


def _source(results: Path, having: Iterable[str], named: Protocol | None) -> str:
    """Return of which rules records are ranked: the named ones' own, or the first that these can rank."""
    having = list(having)
    if named is None:
        return having[0] if having else protocols.DEFAULT_PROTOCOL
    if named.name in having or not having:
        return named.name
    for name in having:
        shipped = name in protocols.available()
        made_by = _rules_of(name, () if shipped else store.load_all(results, name)[0])
        if made_by is not None and not differences(made_by, named):
            return name
    return having[0]


def _cache() -> Path | None:
    try:
        return cache_dir()
    except DatasetError:  # no home folder: every command checks all records
        return None
