"""What makes two records of one class comparable: the same baseline, the same images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ntire_bench.records.record import Record
from ntire_bench.records.store import Stored
from ntire_bench.text import one_line

__all__ = [
    "Group",
    "Team",
    "baseline_of",
    "count_judged_splits",
    "day",
    "group_records",
    "other_images",
    "same_files",
    "team_name",
    "team_of",
]

Team = tuple[int, str, str]  # id, name, and what its results were imported from ("" for measured ones)


@dataclass(frozen=True)
class Group:
    """What the ranking of one class would hold.

    Attributes:
        chosen: The record that each team is ranked by.
        images: Which images count, by split.
        baseline: Label of the baseline that costs were divided by; None where no record has one.
        newest: When the newest record of the class was made, chosen or not.
    """

    chosen: Mapping[Team, Stored]
    images: Mapping[str, str]
    baseline: str | None
    newest: datetime


def team_name(record: Record) -> str:
    """Return the label that a team's files begin with, such as "07_Example"."""
    return one_line(record.submission.label)


def team_of(record: Record) -> Team:
    """Return the team that a record is of.

    Imported and measured results of one team count as two teams: neither may replace the other.
    """
    source = record.imported.device_name if record.imported is not None else ""
    return record.submission.id, record.submission.name, source


def baseline_of(item: Stored) -> str | None:
    """Return what a record's costs were divided by, "00_RLFN"; None where it holds no baseline."""
    base = item.record.baseline
    return None if base is None else base.submission.label


def group_records(of_teams: Mapping[Team, Sequence[Stored]], judged: Sequence[str]) -> Group:
    """Choose baseline, images and one record per team among the usable records of one class.

    Args:
        of_teams: Records of each team, the newest first.
        judged: The splits that have a threshold.
    """
    baseline = _commonest_baseline(of_teams)
    fitting = {
        team: [item for item in items if baseline_of(item) in (baseline, None)]
        for team, items in of_teams.items()
    }
    images = _commonest_images(fitting, judged)
    chosen = {team: _choose(items, images, judged) for team, items in fitting.items()}
    return Group(
        chosen={team: item for team, item in chosen.items() if item is not None},
        images=images,
        baseline=baseline,
        newest=max(item.created for items in of_teams.values() for item in items),
    )


def count_judged_splits(item: Stored, judged: Sequence[str]) -> int:
    """Return how many of the splits that have a threshold a record holds."""
    return sum(split in item.record.splits for split in judged)


def other_images(item: Stored, images: Mapping[str, str]) -> list[str]:
    """Return the splits that a record ran on other images than `images`; unknown images are no others."""
    splits = item.record.splits
    return [
        split
        for split, these in images.items()
        if split in splits and splits[split].images and _images(item, split) != these
    ]


def same_files(a: Stored, b: Stored) -> bool:
    """Say whether two records are of the same version of a submission.

    The files of imported results are unknown; there the rows themselves are compared.
    """
    if a.record.imported is not None and b.record.imported is not None:
        return a.record.imported.values == b.record.imported.values
    return a.record.submission.files == b.record.submission.files


def day(item: Stored) -> str:
    """Return the day of an evaluation, "2026-11-20"."""
    return item.created.strftime("%Y-%m-%d")


def _commonest_baseline(of_teams: Mapping[Team, Sequence[Stored]]) -> str | None:
    """Return the baseline of most teams; of several with as many, the most recently used."""
    used: dict[str, list[datetime]] = {}  # by baseline, when each team was last divided by it
    for items in of_teams.values():
        newest: dict[str, datetime] = {}
        for item in items:
            base = baseline_of(item)
            if base is not None:
                newest[base] = max(newest.get(base, item.created), item.created)
        for base, created in newest.items():
            used.setdefault(base, []).append(created)
    return max(used, key=lambda base: (len(used[base]), max(used[base])), default=None)


def _commonest_images(of_teams: Mapping[Team, Sequence[Stored]], judged: Sequence[str]) -> dict[str, str]:
    """Return, for each judged split that was run, the images that most teams ran it on."""
    images: dict[str, str] = {}
    for split in judged:
        teams: Counter[str] = Counter()
        newest: dict[str, datetime] = {}
        for items in of_teams.values():
            # Only records that fit the images of the split before, so that at least one fits both.
            ran = [item for item in items if split in item.record.splits and not other_images(item, images)]
            for item in ran:
                these = _images(item, split)
                newest[these] = max(newest.get(these, item.created), item.created)
            teams.update({_images(item, split) for item in ran})
        if teams:
            # Rows of a file that do not say how many images they are over fit those that do.
            images[split] = max(teams, key=lambda t: (not t.startswith("0 "), teams[t], newest[t]))
    return images


def _choose(items: Sequence[Stored], images: Mapping[str, str], judged: Sequence[str]) -> Stored | None:
    """Return the record that a team is ranked by: its newest that fits the images.

    A newer run of the same files on fewer splits does not replace one on more: it must not cost a team its
    place.
    """
    fitting = [item for item in items if not other_images(item, images)]
    if images:  # some team ran a judged split: runs on others alone are not comparable with it
        fitting = [item for item in fitting if count_judged_splits(item, judged)]
    same = [item for item in fitting if same_files(item, fitting[0])]
    return max(same, key=lambda item: (count_judged_splits(item, judged), item.order), default=None)


def _images(item: Stored, split: str) -> str:
    """Return what tells the images of a split from others.

    Of imported results only their number is known, or not even that (0): then they may be any.
    """
    result = item.record.splits[split]
    return f"{result.images} of {result.dataset_sha256}"
