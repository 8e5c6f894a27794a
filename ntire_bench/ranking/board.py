"""A ranked table with all that a reader needs to judge it; the formats are in reporting/."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ntire_bench.protocols import protocol as protocols
from ntire_bench.protocols.protocol import Channel, Protocol
from ntire_bench.ranking import ranks, reference
from ntire_bench.ranking.anew import Anew, Changes, compared, with_baseline, with_intervals
from ntire_bench.ranking.board_notes import (
    imported_notes,
    isolation_notes,
    other_channel_notes,
    row_notes,
    same_checkpoint_notes,
    unverifiable_notes,
)
from ntire_bench.ranking.device_class import DeviceClass
from ntire_bench.ranking.entry import Entry, WhichCosts, entry_from_baseline, entry_from_record
from ntire_bench.ranking.groups import team_name
from ntire_bench.ranking.left_out import LeftOut, unreadable
from ntire_bench.ranking.ranks import Row
from ntire_bench.ranking.selection import select
from ntire_bench.ranking.session import age_note
from ntire_bench.records.store import Problem, Stored
from ntire_bench.records.version_1 import with_plain_runtimes
from ntire_bench.text import one_line

__all__ = ["Board", "board_from_reference", "build"]


@dataclass(frozen=True, kw_only=True)
class Board:
    """The rows of one ranking, and what was left out of it.

    Attributes:
        protocol: The rules.
        channel: PSNR channel that was compared with the thresholds.
        device_name: Where the runtimes were measured; None where there are no rows.
        imported: True where the rows are of a challenge's results file: then the device is unknown, and
            `device_name` names the file.
        threads: CPU threads, where that device is a CPU.
        device_class: All that the rows have in common of device, driver, libraries, CPU and threads; None for
            published tables and where there are no rows.
        rows: In the order to show them: ranked, unstable, below threshold, rejected, not countable, not
            judged, baselines out of rank.
        left_out: What is not in the table, and why.
        notes: What a reader must know about the table, one sentence or two each.
        sample: True where the embedded sample set was used: not comparable with the challenge.
        superseded: How many records were replaced by a newer one of the same team.
        source: Where a published table comes from; None for measured ones.
        which: Which FLOPs and parameters are ranked.
        anew: What differs from the ranking by the rules that the records were made under; None where it is
            that ranking.
    """

    protocol: Protocol
    channel: Channel
    device_name: str | None
    imported: bool = False
    threads: int | None = None
    device_class: DeviceClass | None = None
    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    sample: bool = False
    superseded: int = 0
    source: str | None = None
    which: WhichCosts = "audited"
    anew: Anew | None = None


def build(
    stored: Sequence[Stored],
    protocol: Protocol,
    channel: Channel | None = None,
    device: str | None = None,
    problems: Iterable[Problem] = (),
    *,
    made_by: Protocol | None = None,
    which: WhichCosts = "audited",
) -> Board:
    """Rank the records of one protocol that are of one class of device and on the same images.

    Args:
        stored: Records, as `store.load_all` reads them; those of other protocols are ignored.
        protocol: The rules to rank by; records of other scale, border or cost input are left out.
        channel: PSNR channel to judge in; None takes the protocol's; for imported results it takes RGB, the
            only one that they hold.
        device: Part of the name or description of a class, or "cuda" or "cpu", to rank that one (see
            `selection.select`).
        problems: Files that could not be read; they are listed as left out.
        made_by: The rules that the records were made under; None for `protocol`. With others, the board says
            who moved.
        which: Which FLOPs and parameters are ranked; with the official ones, it says so too.

    Returns:
        The board. Where the baseline was not evaluated as a submission, its row shows what the newest session
        measured of it, and takes no rank.

    Raises:
        UsageError: There are usable records, and none was measured on `device`.
    """
    own = made_by or protocol
    selection = select(stored, protocol, device, own.name)
    imported = [item.record.imported for item in selection.chosen if item.record.imported is not None]
    notes = imported_notes(selection.chosen, protocol, channel) if imported else []
    asked = channel
    # A results file holds RGB PSNR only, and the challenge compared it with these thresholds.
    channel = channel or ("rgb" if imported else protocol.psnr_channel)
    entries = [
        entry_from_record(item.record, protocol, channel, item.accepted, which) for item in selection.chosen
    ]
    divided = None
    if own.baseline.name.casefold() != protocol.baseline.name.casefold():
        divided = with_baseline(entries, protocol, bool(imported))
        entries = divided or entries
    if not any(entry.is_baseline for entry in entries):
        entries += _session_baseline(selection.chosen, protocol, channel, which)
    is_anew = own != protocol or which != "audited"
    rows = tuple(ranks.rank(with_intervals(entries, protocol.weights) if is_anew else entries, protocol))
    before = build(stored, own, asked, device) if is_anew else None
    device_ = selection.device
    return Board(
        protocol=protocol,
        channel=channel,
        device_name=one_line(device_.name) if device_ is not None else None,
        imported=bool(imported),
        threads=device_.threads if device_ is not None and device_.kind == "cpu" else None,
        device_class=device_,
        rows=rows,
        left_out=(*selection.left_out, *map(unreadable, problems)),
        notes=(
            *notes,
            *other_channel_notes(rows, protocol),
            *row_notes(rows),
            *selection.notes,
            *same_checkpoint_notes(selection.chosen),
            *unverifiable_notes(selection.chosen),
            *isolation_notes(selection.chosen),
        ),
        sample=any(item.record.sample for item in selection.chosen),
        superseded=selection.superseded,
        which=which,
        anew=None
        if before is None
        else compared(before.rows, rows, own, protocol, which, divided is not None),
    )


def board_from_reference(name: str, changes: Changes | None = None) -> Board:
    """Return a published table, its scores and ranks computed from the published costs.

    Args:
        name: One of `reference.available()`.
        changes: What is to be ranked otherwise than its rules say.

    Returns:
        The board, with its source and remarks.

    Raises:
        UsageError: There is no table of that name, or its rules have no such split.

    >>> [row.entry.name for row in board_from_reference("ntire2024").rows if row.rank == 1]
    ['XiaomiMM']
    """
    known = reference.load(name)
    own = protocols.load(known.protocol)
    protocol = own if changes is None else changes.applied_to(own)
    entries = reference.reference_entries(name)
    rows = ranks.rank(entries, protocol)
    before = rows if protocol == own else ranks.rank(entries, own)
    return Board(
        protocol=protocol,
        channel="rgb",
        device_name=protocol.baseline.published_device,
        rows=tuple(rows),
        notes=known.remarks,
        source=known.source,
        anew=None if protocol == own else compared(before, rows, own, protocol, "audited", True),
    )


def _session_baseline(
    chosen: Sequence[Stored], protocol: Protocol, channel: Channel, which: WhichCosts
) -> list[Entry]:
    sessions = [item for item in chosen if item.record.baseline and item.record.baseline.splits]
    if not sessions:
        return []
    newest = max(sessions, key=lambda item: item.created)
    session = f"{team_name(newest.record)} on {newest.created:%Y-%m-%d}"
    record = with_plain_runtimes(newest.record)
    if record.baseline is None:
        return []
    notes = f"as measured in the session of {session}", *age_note(record)
    return [entry_from_baseline(record.baseline, protocol, channel, which, notes_of_session=notes)]
