"""Which record a user means: a file, a team, or an earlier version of a team's submission."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from ntire_bench.errors import UsageError
from ntire_bench.text import few, one_line

if TYPE_CHECKING:
    from ntire_bench.records.store import Stored

__all__ = ["newest_record", "record_path", "team_of_records", "versions_back"]

_VERSION = re.compile(r"(?P<team>.*)~(?P<back>[0-9]{1,4})", re.DOTALL)


def versions_back(text: str) -> tuple[str, int]:
    """Return the team that a user means, and how many versions before its newest.

    >>> versions_back("5"), versions_back("05_Net~2")
    (('5', 0), ('05_Net', 2))
    """
    match = _VERSION.fullmatch(text.strip())
    return (text.strip(), 0) if match is None else (match["team"], int(match["back"]))


def record_path(text: str, results: Path, protocol_name: str | None) -> Path:
    """Return the path of the record that a user means.

    Args:
        text: A record's file; or a team, as people write it (see `submissions.spelling`): its newest
            successful record. With ~1 behind it, the newest one of the version before: of other files under
            the same id.
        results: The results folder.
        protocol_name: Of rules, or their TOML file; None looks at all protocols.

    Raises:
        UsageError: There is no such record.
    """
    if _is_of_a_record(Path(text)):
        return Path(text)
    team, back = versions_back(text)
    versions = _newest_of_each_version(_of_team(team, results, protocol_name))
    if back < len(versions):
        return versions[back].path
    told = [f"{item.record.created_utc[:16]} ({item.path.name})" for item in versions]
    raise UsageError(
        f"there is no version {back} before the newest of {versions[0].record.submission.label}",
        file=results,
        found=f"{len(told)} version{'s' if len(told) != 1 else ''}: {few(told, 3)}",
        remedy="evaluate the other version too, or name a record's file",
    )


def newest_record(results: Path, protocol_name: str | None, team: str) -> Stored:
    """Return a team's newest successful record that was measured here, without its lists of single images.

    Args:
        results: The results folder.
        protocol_name: Of rules, or their TOML file; None looks at all protocols.
        team: The team, as people write it.

    Raises:
        UsageError: There is none, or several teams are called so.
    """
    return max(_of_team(team, results, protocol_name), key=lambda item: item.order)


def team_of_records(team: str, results: Path) -> int:
    """Return the number of a team that has records of any kind, as people write it.

    A number alone is returned as it is, whether or not it has records.

    Raises:
        UsageError: No team is called so, or several are.
    """
    from ntire_bench.records import store
    from ntire_bench.submissions.spelling import resolve

    found = [item.record.submission for item in store.load_all(results)[0]]
    return resolve(team, list({one.label: one for one in found}.values()), results)


def _of_team(team: str, results: Path, protocol_name: str | None) -> list[Stored]:
    """Return a team's successful records that were measured here; one at least."""
    from ntire_bench.ranking.stored import rules_named
    from ntire_bench.records import store
    from ntire_bench.submissions.spelling import resolve, spelled

    name = rules_named(results, protocol_name).name if protocol_name else None
    stored = [item for item in store.load_all(results, name)[0] if item.record.imported is None]
    teams = {item.record.submission.label: item.record.submission for item in stored}
    id_ = resolve(team, list(teams.values()), results) if teams else spelled(team).id
    of_id = [item for item in stored if item.record.status == "ok" and item.record.submission.id == id_]
    if not of_id:
        called = one_line(team) if id_ is None else f"{id_:02d}"
        raise UsageError(
            f"there is no successful record of {called}",
            file=results,
            remedy=f"evaluate it: ntire-bench run {called if id_ is None else id_}; or name the folder with "
            "--results",
        )
    # A team may have had another name before: of a name that is written, only its own records are meant.
    wanted = (spelled(team).name or "").casefold()
    named = [item for item in of_id if item.record.submission.name.casefold() == wanted]
    return named or of_id


def _is_of_a_record(path: Path) -> bool:
    """Say whether a word is the path of a record, and not that of a model file or of a folder of records."""
    from ntire_bench.submissions.spelling import FILE_SUFFIXES

    suffix = path.suffix.lower()
    return suffix == ".json" or (suffix not in FILE_SUFFIXES and path.is_file())


def _newest_of_each_version(stored: list[Stored]) -> list[Stored]:
    """Return the newest record of each version of the files, the newest version first."""
    versions: dict[object, Stored] = {}
    for item in sorted(stored, key=lambda one: one.order, reverse=True):
        versions.setdefault(item.record.submission.files, item)
    return list(versions.values())
