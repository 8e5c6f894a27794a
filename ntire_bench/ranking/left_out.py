"""Why a record is not in the table, and what happened to a team since the record that it is ranked by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ntire_bench.errors import RecordError
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.ranking.device_class import DeviceClass, class_of_record, difference
from ntire_bench.ranking.entry import entry_from_record
from ntire_bench.ranking.groups import (
    Group,
    baseline_of,
    count_judged_splits,
    day,
    other_images,
    same_files,
    team_name,
)
from ntire_bench.ranking.rules import not_by
from ntire_bench.records.store import Problem, Stored
from ntire_bench.text import one_line

__all__ = ["LeftOut", "baseline_versions", "left_out_of", "newer_events", "unreadable", "unusable"]

Kind = Literal[
    "failed",
    "other device",
    "imported",
    "other images",
    "other baseline",
    "other rules",
    "contradictory",
    "unsigned",
    "other node",
    "unusable",
    "unreadable",
]


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A team or file that has no row, or another record of a team that has one.

    Attributes:
        team: "07_Example"; empty for a file that could not be read.
        path: Of the record.
        kind: Why, for programs; "imported" is from another results file, or where the table is of measured
            records.
        reason: Why, for people, in one line.
        device: What --device takes to rank the class of the record; empty where that is not why.
    """

    team: str
    path: str
    kind: Kind
    reason: str
    device: str = ""


def unreadable(problem: Problem) -> LeftOut:
    """Return a file that could not be read as something that is left out."""
    return LeftOut(team="", path=str(problem.path), kind="unreadable", reason=one_line(problem.message))


def unusable(item: Stored, protocol: Protocol) -> LeftOut | None:
    """Return why a record can be in no ranking under the rules as they are now; None where it can be."""
    record = item.record
    if record.status == "failed":
        phase, message = (record.error.phase, record.error.message) if record.error else ("?", "no message")
        return _left_out(item, "failed", f"failed ({phase}) on {day(item)}: {message}")
    if item.doubt is not None:
        why = item.doubt.reason if item.doubt.kind == "other node" else f"not believed: {item.doubt.reason}"
        return _left_out(item, item.doubt.kind, why)
    if why := not_by(record, protocol):
        return _left_out(item, "other rules", f"measured on {day(item)} {why}")
    try:
        class_of_record(record)
        entry_from_record(record, protocol, protocol.psnr_channel)
    except RecordError as error:
        return _left_out(item, "unusable", str(error))
    return None


def left_out_of(
    items: Sequence[Stored],
    shown: Stored | None,
    ranked: DeviceClass | None,
    group: Group | None,
    protocol: Protocol,
    arguments: Mapping[DeviceClass, str],
) -> Iterator[LeftOut]:
    """Yield the newest record of a team for each reason, but for records that a newer one replaces.

    Args:
        items: All records of the team, the newest first.
        shown: The one that it is ranked by.
        ranked: The class whose ranking it is; None where there is none.
        group: What that ranking holds.
        protocol: The rules as they are now.
        arguments: What --device takes to rank each other class.
    """
    seen: set[tuple[str, str]] = set()
    newest = items[0]
    for item in items:
        found = _why(item, ranked, group, protocol, arguments) if item is not shown else None
        if found is None:
            continue
        if found.kind not in ("other device", "imported"):  # those can be shown with --device, however old
            if shown is not None and (found.kind == "failed" or item.order < shown.order):
                continue  # a failure of a team that has a row is told in the notes (see `newer_events`)
        if newest.record.status == "failed" and item is not newest and not same_files(item, newest):
            continue  # the team has other files since, and they fail
        key = (found.kind, found.device if found.kind == "other device" else "")  # once for each class
        if key not in seen:
            seen.add(key)
            yield found


def newer_events(
    items: Sequence[Stored], shown: Stored | None, candidates: Sequence[Stored], protocol: Protocol
) -> Iterator[str]:
    """Yield what happened to a team since the record that it is ranked by.

    Args:
        items: All records of the team, the newest first.
        shown: The one that it is ranked by.
        candidates: Those that could have been, of any class, the newest first.
        protocol: The rules as they are now.
    """
    if shown is None:
        return
    newest = items[0]
    row = f"{team_name(shown.record)}: the row is of {day(shown)}"
    if newest.record.status == "failed" and (failure := newest.record.error):
        again = f"evaluated again on {day(newest)}, it failed ({failure.phase}): {failure.message}"
        yield one_line(f"{row}; {again}")
    elif candidates and candidates[0] is not shown and same_files(candidates[0], shown):
        if count_judged_splits(candidates[0], protocol.splits):
            yield f"{row}; a newer record of {day(candidates[0])} is on fewer splits"
    elif candidates and candidates[0] is not shown:
        yield f"{row}; its files have changed since (record of {day(candidates[0])})"


def baseline_versions(group: Group) -> list[str]:
    """Say where the baselines of the rows have one name and different files."""
    infos = [item.record.baseline.submission for item in group.chosen.values() if item.record.baseline]
    different = len({info.files for info in infos})
    if different < 2:
        return []
    name = one_line(str(group.baseline))
    return [
        f"{name}: the rows were scored against {different} versions of the baseline's files; evaluate all of "
        "them again to compare them"
    ]


def _why(
    item: Stored,
    ranked: DeviceClass | None,
    group: Group | None,
    protocol: Protocol,
    arguments: Mapping[DeviceClass, str],
) -> LeftOut | None:
    """Return why a record is not in the ranking of a class; None where it could have been."""
    imported = item.record.imported
    if imported is not None and ranked is not None and imported.device_name != ranked.name:
        session = imported.session[:8]
        text = f"imported from {imported.file} (session {session}), device unknown"
        return _left_out(item, "imported", text, session)
    if found := unusable(item, protocol):
        return found
    if ranked is None or group is None:
        return None
    if (own := class_of_record(item.record)) != ranked:
        return _left_out(item, "other device", difference(own, ranked), arguments.get(own, str(own)))
    if (base := baseline_of(item)) not in (group.baseline, None):
        text = f"scored against {base}, and the others against {group.baseline} (on {day(item)})"
        return _left_out(item, "other baseline", text)
    if other := other_images(item, group.images):
        text = f"measured on other images of {' and '.join(other)} (on {day(item)})"
        return _left_out(item, "other images", text)
    if group.images and not count_judged_splits(item, protocol.splits):
        ran = " and ".join(item.record.splits)
        text = f"measured on {ran} alone, for which there is no threshold (on {day(item)})"
        return _left_out(item, "other images", text)
    return None


def _left_out(item: Stored, kind: Kind, reason: str, device: str = "") -> LeftOut:
    return LeftOut(
        team=team_name(item.record), path=str(item.path), kind=kind, reason=one_line(reason), device=device
    )
