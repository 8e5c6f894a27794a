"""A ranked table with all that a reader needs to judge it. How it looks is in `render`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ntire_bench.protocols import protocol as protocols
from ntire_bench.protocols.protocol import Channel, Protocol
from ntire_bench.ranking import reference, scoring
from ntire_bench.ranking.entry import (
    JUDGED_SPLITS,
    Entry,
    entry_from_baseline,
    entry_from_record,
    swap_channel,
)
from ntire_bench.ranking.scoring import Row
from ntire_bench.ranking.selection import LeftOut, select, team_name
from ntire_bench.records.store import Problem, Stored
from ntire_bench.text import one_line

__all__ = ["Board", "LeftOut", "board_from_reference", "build", "display_name", "remarks"]

_MANY = 2  # a remark that more teams than this share is told once


@dataclass(frozen=True, kw_only=True)
class Board:
    """The rows of one ranking, and an account of what is not in it.

    Attributes:
        protocol: The rules.
        channel: PSNR channel that thresholds were compared in.
        device_name: Where the runtimes were measured; None where there are no rows.
        threads: CPU threads, where that device is a CPU.
        rows: In the order to show them: ranked, below threshold, not judged, baselines out of rank.
        left_out: What is not in the table, and why.
        notes: What a reader must know about the table, one sentence or two each.
        sample: True where the embedded sample set was used: not comparable with the challenge.
        superseded: How many records another one of the same team has replaced.
        source: Where a published table comes from; None for measured ones.
    """

    protocol: Protocol
    channel: Channel
    device_name: str | None
    threads: int | None = None
    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    sample: bool = False
    superseded: int = 0
    source: str | None = None


def build(
    stored: Sequence[Stored],
    protocol: Protocol,
    channel: Channel | None = None,
    device: str | None = None,
    problems: Iterable[Problem] = (),
) -> Board:
    """Rank the records of one protocol that were measured on one device and on the same images.

    Args:
        stored: Records, as `store.load_all` reads them; those of other protocols are ignored.
        protocol: The rules as they are now; records made under another version of its file are left out.
        channel: To judge in; where it is None the protocol's, and RGB for imported results, which give no
            other.
        device: Part of a device's name, or "cuda" or "cpu", to rank that one (see `selection.select`).
        problems: Files that could not be read, to be listed.

    Returns:
        The board. Where no record is of the baseline itself, the baseline's row is of the newest session, out
        of rank.

    Raises:
        UsageError: There are usable records, and none was measured on `device`.
    """
    selection = select(stored, protocol, device)
    imported = [item.record.imported for item in selection.chosen if item.record.imported is not None]
    notes = _imported_notes(selection.chosen, protocol, channel) if imported else []
    # What a file gives is RGB PSNR, and the challenge compared it with the same thresholds.
    channel = channel or ("rgb" if imported else protocol.psnr_channel)
    entries = [entry_from_record(item.record, protocol, channel) for item in selection.chosen]
    if not any(entry.is_baseline for entry in entries):
        entries += _session_baseline(selection.chosen, channel)
    rows = tuple(scoring.rank(entries, protocol))
    unreadable = (
        LeftOut(team="", path=str(problem.path), kind="unreadable", reason=one_line(problem.message))
        for problem in problems
    )
    return Board(
        protocol=protocol,
        channel=channel,
        device_name=selection.device_name and one_line(selection.device_name),
        threads=selection.threads,
        rows=rows,
        left_out=(*selection.left_out, *unreadable),
        notes=(
            *notes,
            *_other_channel_notes(rows, protocol),
            *_row_notes(rows),
            *selection.notes,
            *_isolation_notes(selection.chosen),
        ),
        sample=any(item.record.sample for item in selection.chosen),
        superseded=selection.superseded,
    )


def board_from_reference(name: str) -> Board:
    """Return a published table, its scores and ranks computed from the published costs.

    Args:
        name: One of `reference.available()`.

    Returns:
        The board, with its source and remarks.

    Raises:
        UsageError: There is no table of that name.

    >>> [row.entry.name for row in board_from_reference("ntire2024").rows if row.rank == 1]
    ['XiaomiMM']
    """
    known = reference.load(name)
    protocol = protocols.load(known.protocol)
    return Board(
        protocol=protocol,
        channel="rgb",
        device_name=protocol.baseline.published_device,
        rows=tuple(scoring.rank(reference.reference_entries(name), protocol)),
        notes=known.remarks,
        source=known.source,
    )


def display_name(entry: Entry) -> str:
    """Return the name a board shows: with the team's number as its files have it, the baseline marked.

    >>> display_name(board_from_reference("ntire2024").rows[-1].entry)
    'RLFN (baseline)'
    """
    name = one_line(entry.label)
    return name + (" (baseline)" if entry.is_baseline and "baseline" not in name.casefold() else "")


def remarks(row: Row) -> list[str]:
    """Return what a reader must know of one row: notes, splits that have no verdict, serious findings."""
    texts = list(row.entry.notes)
    if row.entry.competes:
        texts += [f"not judged on {v.split}: {v.reason}" for v in row.verdicts if v.passed is None]
    if not row.verdicts:
        known = row.entry.psnr_db.items()
        texts += [f"PSNR {value:.2f} dB on {split}" for split, value in known if value is not None]
    texts += [f"{f.severity} ({f.code}): {f.message}" for f in row.entry.findings if f.severity != "info"]
    return [one_line(text).rstrip(".") for text in texts]


def _row_notes(rows: Sequence[Row]) -> list[str]:
    """Return the remarks of every row; one that all teams share is told once."""
    of_rows = [(display_name(row.entry), remarks(row)) for row in rows]
    competing = [texts for row, (_, texts) in zip(rows, of_rows, strict=True) if row.entry.competes]
    first = competing[0] if len(competing) > _MANY else []
    shared = [text for text in first if all(text in texts for texts in competing)]
    notes = [f"Every team: {text}." for text in shared]
    return notes + [f"{name}: {text}." for name, texts in of_rows for text in texts if text not in shared]


def _imported_notes(chosen: Sequence[Stored], protocol: Protocol, channel: Channel | None) -> list[str]:
    """Say where imported numbers are from, and what nobody knows of them."""
    newest = max(chosen, key=lambda item: item.created)
    imported = newest.record.imported
    if imported is None:
        return []
    unknown = (
        "the device, the day of the measurement, the images and the files of the submissions are unknown"
    )
    file = one_line(imported.file)
    notes = [f"Imported from {file} on {newest.created:%Y-%m-%d}, not measured here: {unknown}."]
    if imported.format == "text":
        notes.append(f"The numbers of {file} are rounded, and scores follow from them as they are.")
    if channel is None and protocol.psnr_channel == "y":
        notes.append(
            "Judged by RGB PSNR: the file gives no other, and the challenge compares it with its thresholds."
        )
    wanted = protocol.datasets.images if protocol.datasets is not None else None
    for split in JUDGED_SPLITS:
        counts = {r.splits[split].images for r in (item.record for item in chosen) if split in r.splits}
        if wanted is not None and counts - {0, wanted}:
            found = ", ".join(str(count) for count in sorted(counts))
            notes.append(f"{split}: the threshold is for {wanted} images; the file lists {found}.")
    return notes


def _isolation_notes(chosen: Sequence[Stored]) -> list[str]:
    """Say how far the submissions were kept from everything else; who, where they differ."""
    groups: dict[str, list[str]] = {}
    for item in chosen:
        found = item.record.isolation
        if found is not None:
            groups.setdefault(one_line(f"{found.level}, {found.detail}"), []).append(team_name(item.record))
    if len(groups) == 1:
        return [f"Isolation: {how}." for how in groups]
    return [f"Isolation: {how}: {', '.join(groups[how])}." for how in sorted(groups, reverse=True)]


def _session_baseline(chosen: Sequence[Stored], channel: Channel) -> list[Entry]:
    sessions = [item for item in chosen if item.record.baseline and item.record.baseline.splits]
    if not sessions:
        return []
    newest = max(sessions, key=lambda item: item.created)
    session = f"{team_name(newest.record)} on {newest.created:%Y-%m-%d}"
    baseline = newest.record.baseline
    return (
        [entry_from_baseline(baseline, channel, f"as measured in the session of {session}")]
        if baseline
        else []
    )


def _other_channel_notes(rows: Sequence[Row], protocol: Protocol) -> list[str]:
    """Name the teams whose place in the table depends on the PSNR channel."""
    notes = []
    for status, becomes in (("ranked", "would be below a threshold"), ("below threshold", "would pass")):
        names = []
        for row in rows:
            verdicts = scoring.judge(swap_channel(row.entry), protocol)
            passes = all(verdict.passed for verdict in verdicts)
            fails = any(verdict.passed is False for verdict in verdicts)
            if row.status == status and verdicts and (fails if status == "ranked" else passes):
                values = ", ".join(f"{v.split} {v.psnr_db:.2f}" for v in verdicts if v.psnr_db is not None)
                names.append(f"{display_name(row.entry)} ({values})")
        if names:
            own, other = ("Y", "RGB") if rows[0].entry.channel == "y" else ("RGB", "Y")
            state = "pass in" if status == "ranked" else "are below a threshold in"
            notes.append(f"These {state} {own} and {becomes} in {other}: {', '.join(names)}.")
    return notes
