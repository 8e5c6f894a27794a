"""Why a record is not in the table, and what happened to a team after the record that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ntire_bench.protocols.protocol import Protocol
from ntire_bench.ranking.groups import (
    Device,
    Group,
    age,
    baseline_of,
    day,
    device_of_record,
    judged_splits,
    other_images,
    same_files,
    team_name,
    unusable,
)
from ntire_bench.records.store import Stored
from ntire_bench.text import one_line

__all__ = ["LeftOut", "baseline_versions", "later_events", "left_out_of"]


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


def left_out_of(
    items: Sequence[Stored],
    shown: Stored | None,
    device: Device | None,
    group: Group | None,
    protocol: Protocol,
) -> Iterator[LeftOut]:
    """Yield the newest record of a team for each reason that is not its age."""
    seen: set[str] = set()
    for item in items:
        reason = _reason(item, device, group, protocol) if item is not shown else None
        if reason is None:
            continue
        kind, text = reason
        older = shown is not None and age(item) < age(shown)
        # A result on another device can be shown with that device, however old it is. A failure of a team
        # that has a row is told in the notes; what is older than a failure with other files is outdated.
        if kind not in ("other device", "imported") and (older or (shown is not None and kind == "failed")):
            continue
        if items[0].record.status == "failed" and item is not items[0] and not same_files(item, items[0]):
            continue
        key = text if kind == "other device" else kind
        if key not in seen:
            seen.add(key)
            yield LeftOut(team=team_name(item.record), path=str(item.path), kind=kind, reason=text)


def _reason(
    item: Stored, device: Device | None, group: Group | None, protocol: Protocol
) -> tuple[str, str] | None:
    imported = item.record.imported
    if imported is not None and device is not None and imported.device_name != device.name:
        file, session = one_line(imported.file), imported.session[:8]
        return "imported", f"imported from {file} (session {session}), device unknown"
    if why := unusable(item, protocol):
        return why
    if device is None or group is None:
        return None
    if (own := device_of_record(item.record)) != device:
        return "other device", f"measured on {own}"
    if (base := baseline_of(item)) not in (group.baseline, None):
        others = one_line(str(group.baseline))
        text = f"scored against {one_line(str(base))}, and the others against {others} (on {day(item)})"
        return "other baseline", text
    if other := other_images(item, group.images):
        return "other images", f"measured on other images of {' and '.join(other)} (on {day(item)})"
    if group.images and not judged_splits(item):
        ran = " and ".join(item.record.splits)
        return "other images", f"measured on {ran} alone, for which there is no threshold (on {day(item)})"
    return None


def later_events(
    items: Sequence[Stored], shown: Stored | None, candidates: Sequence[Stored]
) -> Iterator[str]:
    """Yield what happened to a team after the record that stands for it was made."""
    if shown is None:
        return
    row = f"{team_name(shown.record)}: the row is of {day(shown)}"
    if items[0].record.status == "failed" and (failure := items[0].record.error):
        again = f"evaluated again on {day(items[0])}, it failed ({failure.phase}): {failure.message}"
        yield one_line(f"{row}; {again}")
    elif candidates and candidates[0] is not shown and same_files(candidates[0], shown):
        if judged_splits(candidates[0]):
            yield f"{row}; a newer record of {day(candidates[0])} is on fewer splits"
    elif candidates and candidates[0] is not shown:
        yield f"{row}; its files have changed since (record of {day(candidates[0])})"


def baseline_versions(group: Group) -> list[str]:
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
