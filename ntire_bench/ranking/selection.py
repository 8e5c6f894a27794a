"""Which records meet in one ranking, which are left out, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ntire_bench.errors import UsageError
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.ranking.groups import Device, Team, age, device_of_record, group_of, may_stand, team_of
from ntire_bench.ranking.left_out import LeftOut, baseline_versions, later_events, left_out_of
from ntire_bench.records.store import Stored

__all__ = ["Selection", "select"]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The records of one ranking.

    Attributes:
        chosen: One record per team, all of one device and of the same images.
        device_name: The GPU's or CPU's model; None where nothing was chosen.
        threads: CPU threads where the device is a CPU.
        left_out: Records that are not in the ranking for another reason than age, the newest of each reason.
        notes: What happened to teams after the record that stands for them was made.
        superseded: How many records are older than one of the same team that is chosen or left out.
    """

    chosen: tuple[Stored, ...]
    device_name: str | None
    threads: int | None
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    superseded: int


def select(stored: Sequence[Stored], protocol: Protocol, device: str | None = None) -> Selection:
    """Choose the records that may be ranked together.

    Of the devices, the one with the most teams is taken (the most recently used of several with as many).
    Imported results are taken only where nothing was measured or where they are named, of several files the
    one that was imported last. Of the baselines that costs were divided by, the one of most teams is taken,
    and of the images of a split, those that most teams ran. A team is stood for by the newest of its records
    that fit. If its newest evaluation failed, an older one stands only if it is of the same files.

    Args:
        stored: Of any protocol; those of others than `protocol` are ignored.
        protocol: The rules as they are now.
        device: A device's name, or a part of one, or "cuda" or "cpu", to take that one; a name that is one
            device's own means that one, and no longer name that it is a part of.

    Returns:
        What was chosen, and an account of the rest.

    Raises:
        UsageError: There are usable records, and none was measured on `device`.
    """
    teams: dict[Team, list[Stored]] = {}
    for item in sorted(stored, key=age, reverse=True):
        if item.record.protocol.name == protocol.name:
            teams.setdefault(team_of(item.record), []).append(item)
    candidates = {
        team: [i for i in items if may_stand(i, items[0], protocol)] for team, items in teams.items()
    }
    by_device: dict[Device, dict[Team, list[Stored]]] = {}
    for team, items in candidates.items():
        for item in items:
            by_device.setdefault(device_of_record(item.record), {}).setdefault(team, []).append(item)
    named = {known for known in by_device if device is not None and known.is_called(device)}
    wanted = {
        d: group_of(of_teams)
        for d, of_teams in by_device.items()
        if (d in named if named else _matches(d, of_teams, device))
    }
    if by_device and not wanted:
        raise UsageError(
            f"no record of {protocol.name} was measured on {device!r}",
            found=", ".join(sorted(str(known) for known in by_device)),
            remedy="name a part of one of these devices",
        )
    chosen_device = max(
        wanted,
        key=lambda d: (not d.imported, 0 if d.imported else len(wanted[d].chosen), wanted[d].newest),
        default=None,
    )
    group = wanted[chosen_device] if chosen_device is not None else None

    left_out: list[LeftOut] = []
    notes: list[str] = []
    for team, items in sorted(teams.items()):
        shown = group.chosen.get(team) if group else None
        left_out += left_out_of(items, shown, chosen_device, group, protocol)
        notes += later_events(items, shown, candidates[team])
    notes += baseline_versions(group) if group else []
    chosen = tuple(group.chosen.values()) if group else ()
    accounted = {str(item.path) for item in chosen} | {item.path for item in left_out}
    return Selection(
        chosen=chosen,
        device_name=chosen_device.name if chosen_device else None,
        threads=chosen_device.threads if chosen_device else None,
        left_out=tuple(left_out),
        notes=tuple(notes),
        superseded=sum(str(item.path) not in accounted for items in teams.values() for item in items),
    )


def _matches(device: Device, of_teams: Mapping[Team, Sequence[Stored]], wanted: str | None) -> bool:
    if wanted is None or wanted.casefold() in str(device).casefold():
        return True
    environment = next(iter(of_teams.values()))[0].record.environment
    return environment is not None and environment.device == wanted
