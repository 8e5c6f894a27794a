"""Which records may meet: one device, one baseline, the same images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ntire_bench.errors import RecordError
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.ranking.entry import JUDGED_SPLITS, entry_from_record
from ntire_bench.records.record import Environment, Record
from ntire_bench.records.store import Stored
from ntire_bench.text import one_line

__all__ = [
    "Device",
    "Group",
    "Team",
    "age",
    "baseline_of",
    "day",
    "device_of",
    "device_of_record",
    "group_of",
    "judged_splits",
    "may_stand",
    "other_images",
    "same_files",
    "team_name",
    "team_of",
    "unusable",
]

Team = tuple[int, str, str]  # id, name, and what it was imported from


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


@dataclass(frozen=True)
class Group:
    """What one device's ranking would hold: a record per team, the images and the baseline they share."""

    chosen: Mapping[Team, Stored]
    images: Mapping[str, str]
    baseline: str | None
    newest: datetime


def team_name(record: Record) -> str:
    """Return "07_Example": how a team's files begin."""
    return one_line(record.submission.label)


def age(item: Stored) -> tuple[datetime, int, str]:
    """Return what sorts records from the oldest to the newest."""
    # Of one moment there are T.json and T_2.json ... T_10.json: the longer name is the later.
    return (item.created, len(item.path.name), item.path.name)


def team_of(record: Record) -> Team:
    """Return the team that a record is of."""
    # What a file says of a team must not stand for what was measured of it, nor take its place away.
    source = record.imported.device_name if record.imported is not None else ""
    return record.submission.id, record.submission.name, source


def device_of(environment: Environment) -> Device:
    """Return the device that runtimes were measured on."""
    return Device(environment.device_name, environment.threads if environment.device == "cpu" else None)


def device_of_record(record: Record) -> Device:
    """Return the device that a record's runtimes are of."""
    if record.imported is not None:
        return Device(record.imported.device_name, None, imported=True)
    if record.environment is None:
        raise RecordError(f"the record of {team_name(record)} names no device")
    return device_of(record.environment)


def may_stand(item: Stored, newest: Stored, protocol: Protocol) -> bool:
    """Say whether a record may be its team's row."""
    if newest.record.status == "failed" and not same_files(item, newest):
        return False
    return unusable(item, protocol) is None


def unusable(item: Stored, protocol: Protocol) -> tuple[str, str] | None:
    """Return kind and reason where a record can be in no ranking under the rules as they are."""
    record = item.record
    if record.status == "failed":
        phase, message = (record.error.phase, record.error.message) if record.error else ("?", "no message")
        return "failed", one_line(f"failed ({phase}) on {day(item)}: {message}")
    if record.protocol.sha256 != protocol.sha256:
        return (
            "other rules",
            f"measured on {day(item)} under another version of the rules of {protocol.name}",
        )
    try:
        device_of_record(record)
        entry_from_record(record, protocol, protocol.psnr_channel)
    except RecordError as error:
        return "unusable", one_line(str(error))
    return None


def group_of(of_teams: Mapping[Team, Sequence[Stored]]) -> Group:
    """Return what the ranking of one device holds."""
    bases: dict[str, list[datetime]] = {}  # by name, when each team was last scored against it
    for items in of_teams.values():
        for base in {baseline_of(item) for item in items} - {None}:
            newest_of_team = max(item.created for item in items if baseline_of(item) == base)
            bases.setdefault(str(base), []).append(newest_of_team)
    baseline = max(bases, key=lambda name: (len(bases[name]), max(bases[name])), default=None)
    newest_of_all = max(item.created for items in of_teams.values() for item in items)
    of_teams = {
        team: [one for one in items if baseline_of(one) in (baseline, None)]
        for team, items in of_teams.items()
    }
    images: dict[str, str] = {}
    for split in JUDGED_SPLITS:
        teams: Counter[str] = Counter()
        newest: dict[str, datetime] = {}
        for items in of_teams.values():
            # Only records that fit the images of the splits before: some record then fits them all.
            ran = [item for item in items if split in item.record.splits and not other_images(item, images)]
            for item in ran:
                these = _images(item, split)
                newest[these] = max(newest.get(these, item.created), item.created)
            teams.update({_images(item, split) for item in ran})
        if teams:
            # Rows of a file that do not say how many images they are over fit those that do.
            images[split] = max(teams, key=lambda t: (not t.startswith("0 "), teams[t], newest[t]))
    chosen = {}
    for team, items in of_teams.items():
        fitting = [item for item in items if not other_images(item, images)]
        # Where any team ran valid or test, runs on other splits alone are not comparable with it.
        judged = [item for item in fitting if not images or judged_splits(item)]
        if judged:
            # A newer run of the same files on fewer splits must not cost a team its place.
            same = [item for item in judged if same_files(item, judged[0])]
            chosen[team] = max(same, key=lambda item: (judged_splits(item), age(item)))
    return Group(chosen, images, baseline, newest_of_all)


def baseline_of(item: Stored) -> str | None:
    """Return what a record's costs were divided by, "00_RLFN"; None where it holds no baseline."""
    base = item.record.baseline
    return None if base is None else base.submission.label


def judged_splits(item: Stored) -> int:
    """Return how many of valid and test were run."""
    return sum(split in item.record.splits for split in JUDGED_SPLITS)


def other_images(item: Stored, images: Mapping[str, str]) -> list[str]:
    """Return the splits that a record ran on other images."""
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


def same_files(a: Stored, b: Stored) -> bool:
    """Say whether two records are of the same files."""
    one, two = a.record.submission, b.record.submission
    if a.record.imported is not None and b.record.imported is not None:  # the files are not known
        return a.record.imported.values == b.record.imported.values
    return one.files == two.files


def day(item: Stored) -> str:
    """Return the day of a record."""
    return item.created.strftime("%Y-%m-%d")
