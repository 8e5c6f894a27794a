"""The newest stored record of a team, for commands that look at one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ntire_bench.errors import UsageError
from ntire_bench.text import one_line

if TYPE_CHECKING:
    from ntire_bench.records.store import Stored

__all__ = ["newest_record"]


def newest_record(results: Path, protocol_name: str | None, team: str) -> Stored:
    """Return a team's newest successful record that was measured here, without its lists of single images.

    Args:
        results: The results folder.
        protocol_name: Of rules, or their TOML file; None looks at all protocols.
        team: The id or name of the team, as a user writes it.

    Raises:
        UsageError: There is none, or several teams are called so.
    """
    from ntire_bench.ranking.stored import rules_named
    from ntire_bench.records import store
    from ntire_bench.submissions.spelling import resolve

    name = rules_named(results, protocol_name).name if protocol_name else None
    stored = [
        item
        for item in store.load_all(results, name)[0]
        if item.record.status == "ok" and item.record.imported is None
    ]
    teams = {item.record.submission.label: item.record.submission for item in stored}
    if teams:
        id_ = resolve(team, list(teams.values()), results)
        stored = [item for item in stored if item.record.submission.id == id_]
        team = f"{id_:02d}"
    if not stored:
        raise UsageError(
            f"there is no successful record of {one_line(team)}",
            file=results,
            remedy=f"evaluate it: ntire-bench run {one_line(team)}; or name the folder with --results",
        )
    return max(stored, key=lambda item: item.order)
