"""Which records meet in one ranking, which are left out, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ntire_bench.errors import RecordError, UsageError
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.ranking.entry import JUDGED_SPLITS, entry_from_record
from ntire_bench.records.record import Environment, Record
from ntire_bench.records.store import Stored
from ntire_bench.text import one_line

__all__ = ["Device", "LeftOut", "Selection", "device_of", "one_line", "select", "team_name"]

_Team = tuple[int, str, str]  # id, name, and what it was imported from


@dataclass(frozen=True)
class Device:
    """Runtimes of equal devices may meet: a GPU by its model, a CPU by its model and thread count.

    Nobody knows the device of imported results: those of one file meet each other and nothing else.
    """

    name: str
    threads: int | None
    imported: bool = False

    def __str__(self) -> str:
        """Return the name as the table's title has it."""
        if self.threads is None:
            return self.name
        return f"{self.name}, {self.threads} thread{'' if self.threads == 1 else 's'}"

    def is_called(self, name: str) -> bool:
        """Say whether a name is this device's, rather than a part of it."""
        return name.casefold() in (self.name.casefold(), str(self).casefold())


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A team or file that has no row, or another record of a team that has one.

    Attributes:
        team: "07_Example"; empty for a file that could not be read.
        path: Of the record.
        kind: "failed", "other device", "imported" (from another file, or where the table is of measured
            records), "other images", "other baseline", "other rules", "unusable" or "unreadable".
        reason: For people, one line.
    """

    team: str
    path: str
    kind: str
    reason: str


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


@dataclass(frozen=True)
class _Group:
    """What one device's ranking would hold: a record per team, the images and the baseline they share."""

    chosen: Mapping[_Team, Stored]
    images: Mapping[str, str]
    baseline: str | None
    newest: datetime


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
    teams: dict[_Team, list[Stored]] = {}
    for item in sorted(stored, key=_age, reverse=True):
        if item.record.protocol.name == protocol.name:
            teams.setdefault(_team(item.record), []).append(item)
    candidates = {
        team: [i for i in items if _may_stand(i, items[0], protocol)] for team, items in teams.items()
    }
    by_device: dict[Device, dict[_Team, list[Stored]]] = {}
    for team, items in candidates.items():
        for item in items:
            by_device.setdefault(_device(item.record), {}).setdefault(team, []).append(item)
    named = {known for known in by_device if device is not None and known.is_called(device)}
    wanted = {
        d: _group(of_teams)
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
        left_out += _left_out(items, shown, chosen_device, group, protocol)
        notes += _later(items, shown, candidates[team])
    notes += _baselines_files(group) if group else []
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


def team_name(record: Record) -> str:
    """Return "07_Example": how a team's files begin."""
    return one_line(record.submission.label)


def _age(item: Stored) -> tuple[datetime, int, str]:
    # Of one moment there are T.json and T_2.json ... T_10.json: the longer name is the later.
    return (item.created, len(item.path.name), item.path.name)


def _team(record: Record) -> _Team:
    # What a file says of a team must not stand for what was measured of it, nor take its place away.
    source = record.imported.device_name if record.imported is not None else ""
    return record.submission.id, record.submission.name, source


def _device(record: Record) -> Device:
    if record.imported is not None:
        return Device(record.imported.device_name, None, imported=True)
    if record.environment is None:
        raise RecordError(f"the record of {team_name(record)} names no device")
    return device_of(record.environment)


def device_of(environment: Environment) -> Device:
    """Return the device that runtimes were measured on."""
    return Device(environment.device_name, environment.threads if environment.device == "cpu" else None)


def _matches(device: Device, of_teams: Mapping[_Team, Sequence[Stored]], wanted: str | None) -> bool:
    if wanted is None or wanted.casefold() in str(device).casefold():
        return True
    environment = next(iter(of_teams.values()))[0].record.environment
    return environment is not None and environment.device == wanted


def _may_stand(item: Stored, newest: Stored, protocol: Protocol) -> bool:
    if newest.record.status == "failed" and not _same_files(item, newest):
        return False
    return _unusable(item, protocol) is None


def _unusable(item: Stored, protocol: Protocol) -> tuple[str, str] | None:
    """Return kind and reason where a record can be in no ranking under the rules as they are."""
    record = item.record
    if record.status == "failed":
        phase, message = (record.error.phase, record.error.message) if record.error else ("?", "no message")
        return "failed", one_line(f"failed ({phase}) on {_day(item)}: {message}")
    if record.protocol.sha256 != protocol.sha256:
        return (
            "other rules",
            f"measured on {_day(item)} under another version of the rules of {protocol.name}",
        )
    try:
        _device(record)
        entry_from_record(record, protocol, protocol.psnr_channel)
    except RecordError as error:
        return "unusable", one_line(str(error))
    return None


def _baseline(item: Stored) -> str | None:
    """Return what a record's costs were divided by, "00_RLFN"; None where it holds no baseline."""
    base = item.record.baseline
    return None if base is None else base.submission.label


def _baselines_files(group: _Group) -> list[str]:
    """Say where the rows' baselines have one name and different files."""
    infos = [item.record.baseline.submission for item in group.chosen.values() if item.record.baseline]
    different = len({info.files for info in infos})
    if different < 2:
        return []
    name = one_line(str(group.baseline))
    return [
        f"{name}: the rows were scored against {different} versions of the baseline's files; evaluate all of "
        "them again to compare them"
    ]


def _group(of_teams: Mapping[_Team, Sequence[Stored]]) -> _Group:
    bases: dict[str, list[datetime]] = {}  # by name, when each team was last scored against it
    for items in of_teams.values():
        for base in {_baseline(item) for item in items} - {None}:
            newest_of_team = max(item.created for item in items if _baseline(item) == base)
            bases.setdefault(str(base), []).append(newest_of_team)
    baseline = max(bases, key=lambda name: (len(bases[name]), max(bases[name])), default=None)
    newest_of_all = max(item.created for items in of_teams.values() for item in items)
    of_teams = {
        team: [one for one in items if _baseline(one) in (baseline, None)] for team, items in of_teams.items()
    }
    images: dict[str, str] = {}
    for split in JUDGED_SPLITS:
        teams: Counter[str] = Counter()
        newest: dict[str, datetime] = {}
        for items in of_teams.values():
            # Only records that fit the images of the splits before: some record then fits them all.
            ran = [item for item in items if split in item.record.splits and not _other_images(item, images)]
            for item in ran:
                these = _images(item, split)
                newest[these] = max(newest.get(these, item.created), item.created)
            teams.update({_images(item, split) for item in ran})
        if teams:
            # Rows of a file that do not say how many images they are over fit those that do.
            images[split] = max(teams, key=lambda t: (not t.startswith("0 "), teams[t], newest[t]))
    chosen = {}
    for team, items in of_teams.items():
        fitting = [item for item in items if not _other_images(item, images)]
        # Where any team ran valid or test, runs on other splits alone are not comparable with it.
        judged = [item for item in fitting if not images or _judged(item)]
        if judged:
            # A newer run of the same files on fewer splits must not cost a team its place.
            same = [item for item in judged if _same_files(item, judged[0])]
            chosen[team] = max(same, key=lambda item: (_judged(item), _age(item)))
    return _Group(chosen, images, baseline, newest_of_all)


def _judged(item: Stored) -> int:
    return sum(split in item.record.splits for split in JUDGED_SPLITS)


def _other_images(item: Stored, images: Mapping[str, str]) -> list[str]:
    splits = item.record.splits
    return [
        split
        for split, these in images.items()
        if split in splits and splits[split].images and _images(item, split) != these
    ]


def _images(item: Stored, split: str) -> str:
    """Return what tells the images of a split from others.

    Of imported results only their number is known, or not even that (0): then they may be any.
    """
    result = item.record.splits[split]
    return f"{result.images} of {result.dataset_sha256}"


def _left_out(
    items: Sequence[Stored],
    shown: Stored | None,
    device: Device | None,
    group: _Group | None,
    protocol: Protocol,
) -> Iterator[LeftOut]:
    """Yield the newest record of a team for each reason that is not its age."""
    seen: set[str] = set()
    for item in items:
        reason = _reason(item, device, group, protocol) if item is not shown else None
        if reason is None:
            continue
        kind, text = reason
        older = shown is not None and _age(item) < _age(shown)
        # A result on another device can be shown with that device, however old it is. A failure of a team
        # that has a row is told in the notes; what is older than a failure with other files is outdated.
        if kind not in ("other device", "imported") and (older or (shown is not None and kind == "failed")):
            continue
        if items[0].record.status == "failed" and item is not items[0] and not _same_files(item, items[0]):
            continue
        key = text if kind == "other device" else kind
        if key not in seen:
            seen.add(key)
            yield LeftOut(team=team_name(item.record), path=str(item.path), kind=kind, reason=text)


def _reason(
    item: Stored, device: Device | None, group: _Group | None, protocol: Protocol
) -> tuple[str, str] | None:
    imported = item.record.imported
    if imported is not None and device is not None and imported.device_name != device.name:
        file, session = one_line(imported.file), imported.session[:8]
        return "imported", f"imported from {file} (session {session}), device unknown"
    if unusable := _unusable(item, protocol):
        return unusable
    if device is None or group is None:
        return None
    if (own := _device(item.record)) != device:
        return "other device", f"measured on {own}"
    if (base := _baseline(item)) not in (group.baseline, None):
        others = one_line(str(group.baseline))
        text = f"scored against {one_line(str(base))}, and the others against {others} (on {_day(item)})"
        return "other baseline", text
    if other := _other_images(item, group.images):
        return "other images", f"measured on other images of {' and '.join(other)} (on {_day(item)})"
    if group.images and not _judged(item):
        ran = " and ".join(item.record.splits)
        return "other images", f"measured on {ran} alone, for which there is no threshold (on {_day(item)})"
    return None


def _later(items: Sequence[Stored], shown: Stored | None, candidates: Sequence[Stored]) -> Iterator[str]:
    """Yield what happened to a team after the record that stands for it was made."""
    if shown is None:
        return
    row = f"{team_name(shown.record)}: the row is of {_day(shown)}"
    if items[0].record.status == "failed" and (failure := items[0].record.error):
        again = f"evaluated again on {_day(items[0])}, it failed ({failure.phase}): {failure.message}"
        yield one_line(f"{row}; {again}")
    elif candidates and candidates[0] is not shown and _same_files(candidates[0], shown):
        if _judged(candidates[0]):
            yield f"{row}; a newer record of {_day(candidates[0])} is on fewer splits"
    elif candidates and candidates[0] is not shown:
        yield f"{row}; its files have changed since (record of {_day(candidates[0])})"


def _same_files(a: Stored, b: Stored) -> bool:
    one, two = a.record.submission, b.record.submission
    if a.record.imported is not None and b.record.imported is not None:  # the files are not known
        return a.record.imported.values == b.record.imported.values
    return one.files == two.files


def _day(item: Stored) -> str:
    return item.created.strftime("%Y-%m-%d")
