"""Which record a user means: a file, a team, or an earlier version of a team's submission."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from ntire_bench.errors import UsageError
from ntire_bench.text import few

if TYPE_CHECKING:
    from ntire_bench.records.store import Stored

__all__ = ["record_path", "team_id"]

_TEAM = re.compile(r"(?:team)?(?P<id>\d{1,9})(?:_(?P<name>[^~]+))?(?:~(?P<back>\d{1,4}))?", re.IGNORECASE)


def record_path(text: str, results: Path, protocol_name: str | None) -> Path:
    """Return the path of the record that a user means.

    Args:
        text: A record's file; or a team, such as 5, team05 or 05_Net: its newest successful record. With ~1
            behind it, the newest one of the version before: of other files under the same id.
        results: The results folder.
        protocol_name: None looks at all protocols.

    Raises:
        UsageError: There is no such record.
    """
    file = Path(text)
    if file.is_file() or file.suffix == ".json":
        return file
    match = _TEAM.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            "this names no record",
            found=text,
            expected="a record's file, or a team such as 5 or 05_Net; 5~1 is the version before",
            remedy="`ntire-bench leaderboard` shows which teams have records",
        )
    id_, name, back = int(match["id"]), match["name"], int(match["back"] or 0)
    stored = [
        item
        for item in _successful(results, protocol_name)
        if item.record.submission.id == id_
        and (name is None or item.record.submission.name.casefold() == name.casefold())
    ]
    versions = _newest_of_each_version(stored)
    if back < len(versions):
        return versions[back].path
    if versions:
        told = [f"{item.record.created_utc[:16]} ({item.path.name})" for item in versions]
        raise UsageError(
            f"there is no version {back} before the newest of {versions[0].record.submission.label}",
            file=results,
            found=f"{len(told)} version{'s' if len(told) != 1 else ''}: {few(told, 3)}",
            remedy="evaluate the other version too, or name a record's file",
        )
    raise UsageError(
        f"there is no successful record of {text}",
        file=results,
        remedy=f"evaluate it: ntire-bench run {id_}; or name the folder with --results",
    )


def team_id(text: str) -> int:
    """Return the number of the team that a user means.

    Raises:
        UsageError: The text names none.

    >>> team_id("5"), team_id("team05"), team_id("05_Net")
    (5, 5, 5)
    """
    match = _TEAM.fullmatch(text.strip())
    if match is None or match["back"]:
        raise UsageError(
            "this names no submission", found=text, expected="a team such as 5 or 05_Net", remedy="correct it"
        )
    return int(match["id"])


def _successful(results: Path, protocol_name: str | None) -> list[Stored]:
    from ntire_bench.protocols.protocol import available
    from ntire_bench.records import store

    return [
        item
        for name in ([protocol_name] if protocol_name else available())
        for item in store.load_all(results, name)[0]
        if item.record.status == "ok" and item.record.imported is None
    ]


def _newest_of_each_version(stored: list[Stored]) -> list[Stored]:
    """Return the newest record of each version of the files, the newest version first."""
    versions: dict[object, Stored] = {}
    for item in sorted(stored, key=lambda one: one.order, reverse=True):
        versions.setdefault(item.record.submission.files, item)
    return list(versions.values())
