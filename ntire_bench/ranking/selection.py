"""Chooses what is ranked: the device, the images and the baseline, and one record of each team."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ntire_bench.errors import UsageError
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.ranking.groups import (
    Device,
    Group,
    Team,
    device_of_record,
    group_records,
    same_files,
    team_of,
)
from ntire_bench.ranking.left_out import LeftOut, baseline_versions, left_out_of, newer_events, unusable
from ntire_bench.records.store import Stored

__all__ = ["Selection", "select"]

_ByTeam = Mapping[Team, Sequence[Stored]]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The records of one ranking.

    Attributes:
        chosen: One record per team, all of one device and of the same images.
        device: Where their runtimes were measured; None where nothing was chosen.
        left_out: Records that are not in the ranking for another reason than age, the newest of each reason.
        notes: What happened to teams since the records that they are ranked by.
        superseded: How many records are older than one of the same team that is chosen or left out.
    """

    chosen: tuple[Stored, ...]
    device: Device | None
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    superseded: int


def select(stored: Sequence[Stored], protocol: Protocol, device: str | None = None) -> Selection:
    """Choose the records that may be ranked together.

    - Device: the one with the most teams; of several with as many, the most recently used. Imported results
      are ranked only where nothing was measured, or where `device` names them; of several files, the one that
      was imported last.
    - Baseline: the one that the costs of most teams were divided by.
    - Images of a split: those that most teams ran.
    - Record of a team: the newest that fits all of these. Where the team's newest evaluation failed, an older
      record is taken only if it is of the same files.

    Args:
        stored: Of any protocol; those of others than `protocol` are ignored.
        protocol: The rules as they are now.
        device: The device to rank: its name, a part of its name, or "cuda" or "cpu". A device's whole name
            means that device alone, even where it is a part of another one's name.

    Returns:
        What was chosen, and an account of the rest.

    Raises:
        UsageError: There are usable records, and none was measured on `device`.
    """
    teams: dict[Team, list[Stored]] = {}  # the newest record first
    for item in sorted(stored, key=lambda item: item.order, reverse=True):
        if item.record.protocol.name == protocol.name:
            teams.setdefault(team_of(item.record), []).append(item)
    candidates = {team: _candidates(items, protocol) for team, items in teams.items()}
    groups = _groups(candidates, protocol, device)
    chosen_device = max(
        groups,
        key=lambda d: (not d.imported, 0 if d.imported else len(groups[d].chosen), groups[d].newest),
        default=None,
    )
    group = groups[chosen_device] if chosen_device is not None else None

    left_out: list[LeftOut] = []
    notes: list[str] = []
    for team, items in sorted(teams.items()):
        shown = group.chosen.get(team) if group else None
        left_out += left_out_of(items, shown, chosen_device, group, protocol)
        notes += newer_events(items, shown, candidates[team])
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
    """Return the records that a team may be ranked by, on whatever device.

    Args:
        items: All records of the team, the newest first.
        protocol: The rules as they are now.
    """
    newest = items[0]
    usable = [item for item in items if unusable(item, protocol) is None]
    if newest.record.status == "failed":  # then an older result counts only if nothing was changed since
        usable = [item for item in usable if same_files(item, newest)]
    return usable


def _groups(candidates: _ByTeam, protocol: Protocol, name: str | None) -> dict[Device, Group]:
    """Return what the ranking of each device would hold, of the devices that have the name."""
    by_device: dict[Device, dict[Team, list[Stored]]] = {}
    for team, items in candidates.items():
        for item in items:
            by_device.setdefault(device_of_record(item.record), {}).setdefault(team, []).append(item)
    whole = {device for device in by_device if name is not None and device.is_called(name)}
    wanted = whole or {device for device, teams in by_device.items() if _matches(device, teams, name)}
    if by_device and not wanted:
        raise UsageError(
            f"no record of {protocol.name} was measured on {name!r}",
            found=", ".join(sorted(str(device) for device in by_device)),
            remedy="name a part of one of these devices",
        )
    return {device: group_records(teams) for device, teams in by_device.items() if device in wanted}


def _matches(device: Device, of_teams: _ByTeam, wanted: str | None) -> bool:
    """Say whether a device is meant by a part of its name, or by "cuda" or "cpu"."""
    if wanted is None or wanted.casefold() in str(device).casefold():
        return True
    environment = next(iter(of_teams.values()))[0].record.environment
    return environment is not None and environment.device == wanted
