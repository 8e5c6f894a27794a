"""The newest stored record of a team, for commands that look at one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ntire_bench.errors import UsageError

if TYPE_CHECKING:
    from ntire_bench.records.store import Stored

__all__ = ["newest_record"]


def newest_record(results: Path, protocol_name: str | None, id_: int) -> Stored:
    """Return a team's newest successful record that was measured here, without its lists of single images.

    Args:
        results: The results folder.
        protocol_name: Of rules, or their TOML file; None looks at all protocols.
        id_: The team's number.

    Raises:
        UsageError: There is none.
    """
    from ntire_bench.ranking.stored import rules_named
    from ntire_bench.records import store

    name = rules_named(results, protocol_name).name if protocol_name else None
    stored = [
        item
        for item in store.load_all(results, name)[0]
        if item.record.submission.id == id_ and item.record.status == "ok" and item.record.imported is None
    ]
    if not stored:
        raise UsageError(
            f"there is no successful record of {id_:02d}",
            file=results,
            remedy=f"evaluate it: ntire-bench run {id_}; or name the folder with --results",
        )
    return max(stored, key=lambda item: item.order)
