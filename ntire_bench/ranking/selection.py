"""Chooses what is ranked: the class, the images and the baseline, and one record of each team."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ntire_bench.errors import UsageError
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.ranking.device_class import DeviceClass, argument_for, class_of_record, meant
from ntire_bench.ranking.groups import Team, group_records, same_files, team_of
from ntire_bench.ranking.left_out import LeftOut, baseline_versions, left_out_of, newer_events, unusable
from ntire_bench.records.store import Stored

__all__ = ["Selection", "select"]

_ByTeam = Mapping[Team, Sequence[Stored]]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The records of one ranking.

    Attributes:
        chosen: One record per team, all of one class and of the same images.
        device: What their runtimes were measured on and with; None where nothing was chosen.
        left_out: Records that are not in the ranking for another reason than age, the newest of each reason.
        notes: What happened to teams since the records that they are ranked by.
        superseded: How many records are older than one of the same team that is chosen or left out.
    """

    chosen: tuple[Stored, ...]
    device: DeviceClass | None
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    superseded: int


def select(
    stored: Sequence[Stored], protocol: Protocol, device: str | None = None, records_of: str | None = None
) -> Selection:
    """Choose the records that may be ranked together.

    - Class of device, driver, libraries, CPU and threads: the one with the most teams; of several with as
    many,
      the most recently used. Imported results are ranked only where nothing was measured, or where `device`
      names them; of several files, the one that was imported last.
    - Baseline: the one that the costs of most teams were divided by.
    - Images of a split: those that most teams ran.
    - Record of a team: the newest that fits all of these. Where the team's newest evaluation failed, an older
      record is taken only if it is of the same files.

    Args:
        stored: Of any protocol; those of others than `records_of` are ignored.
        protocol: The rules as they are now.
        device: The class to rank: its name or description, a part of one of them, or "cuda" or "cpu" (see
            `device_class.meant`). Of several that are meant, the one with the most teams is ranked.
        records_of: Name of the rules that the records were made under; None for those of `protocol`.

    Returns:
        What was chosen, and an account of the rest.

    Raises:
        UsageError: There are usable records, and none was measured on `device`.
    """
    records_of = records_of or protocol.name
    teams: dict[Team, list[Stored]] = {}  # the newest record first
    for item in sorted(stored, key=lambda item: item.order, reverse=True):
        if item.record.protocol.name == records_of:
            teams.setdefault(team_of(item.record), []).append(item)
    candidates = {team: _candidates(items, protocol) for team, items in teams.items()}
    by_class = _by_class(candidates)
    wanted = set(by_class) if device is None else meant(by_class, device)
    if by_class and not wanted:
        raise UsageError(
            f"no record of {records_of} was measured on {device!r}",
            found="; ".join(sorted(map(str, by_class))),
            remedy="name a part of one of these with --device",
        )
    groups = {one: group_records(by_class[one], protocol.splits) for one in by_class if one in wanted}
    chosen_device = max(
        groups,
        key=lambda one: (
            not one.imported,
            0 if one.imported else len(groups[one].chosen),
            groups[one].newest,
        ),
        default=None,
    )
    group = groups[chosen_device] if chosen_device is not None else None

    arguments = {one: argument_for(one, chosen_device, by_class) for one in by_class} if chosen_device else {}
    left_out: list[LeftOut] = []
    notes: list[str] = []
    for team, items in sorted(teams.items()):
        shown = group.chosen.get(team) if group else None
        left_out += left_out_of(items, shown, chosen_device, group, protocol, arguments)
        notes += newer_events(items, shown, candidates[team], protocol)
    notes += baseline_versions(group) if group else []
    chosen = tuple(group.chosen.values()) if group else ()
    accounted = {str(item.path) for item in chosen} | {item.path for item in left_out}
    return Selection(
        chosen=chosen,
        device=chosen_device,
        left_out=tuple(left_out),
        notes=tuple(notes),
        superseded=sum(str(item.path) not in accounted for items in teams.values() for item in items),
    )


def _candidates(items: Sequence[Stored], protocol: Protocol) -> list[Stored]:
    """Return the records that a team may be ranked by, of whatever class.

    Args:
        items: All records of the team, the newest first.
        protocol: The rules as they are now.
    """
    newest = items[0]
    usable = [item for item in items if unusable(item, protocol) is None]
    if newest.record.status == "failed":  # then an older result counts only if nothing was changed since
        usable = [item for item in usable if same_files(item, newest)]
    return usable


def _by_class(candidates: _ByTeam) -> dict[DeviceClass, dict[Team, list[Stored]]]:
    by_class: dict[DeviceClass, dict[Team, list[Stored]]] = {}
    for team, items in candidates.items():
        for item in items:
            by_class.setdefault(class_of_record(item.record), {}).setdefault(team, []).append(item)
    return by_class
