"""What a reader must know about the rows of a board, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from ntire_bench.protocols.protocol import Channel, Protocol
from ntire_bench.ranking import scoring
from ntire_bench.ranking.entry import Entry, swap_channel
from ntire_bench.ranking.groups import team_name
from ntire_bench.ranking.ranks import Row
from ntire_bench.ranking.trust import is_verifiable
from ntire_bench.records.operational import word
from ntire_bench.records.record import Finding
from ntire_bench.records.store import Stored
from ntire_bench.text import few, one_line

__all__ = [
    "display_name",
    "imported_notes",
    "isolation_notes",
    "other_channel_notes",
    "remarks",
    "row_notes",
    "same_checkpoint_notes",
    "unverifiable_notes",
]

_CLOCKS = "timing-unattested"  # told in the words below, which say what to do
_NOT_BELIEVED = (
    "the runtime is not believed: the worker's clock does not fit the program's own, most likely because "
    "other programs kept the machine busy; run it again when the machine is idle"
)
_NOTES = (
    "counted-on-twin",
    "launch-bound",
    "runtime-per-flop",
)  # findings that are no fault and that a reader of the table must know all the same
_MANY = 2  # a remark of more rows than this is written once: "Every team: ...", or after all their names


def display_name(entry: Entry) -> str:
    """Return the name that a board shows: with the team's number, and a mark on the baseline.

    >>> from ntire_bench.ranking.board import board_from_reference
    >>> display_name(board_from_reference("ntire2024").rows[-1].entry)
    'RLFN (baseline)'
    """
    name = one_line(entry.label)
    return name + (" (baseline)" if entry.is_baseline and "baseline" not in name.casefold() else "")


def remarks(row: Row) -> list[str]:
    """Return what a reader must know of one row: notes, splits without a verdict, warnings and rejections."""
    entry = row.entry
    texts = list(entry.notes)
    texts += [f"{f.code}: {f.message}" for f in entry.findings if f.code in _NOTES]
    if entry.attested is False:
        texts.append(_NOT_BELIEVED)
    if entry.competes:
        texts += [f"not judged on {v.split}: {v.reason}" for v in row.verdicts if v.passed is None]
    # Rules without a threshold judge splits without a verdict; these have a column.
    if not row.verdicts and any(note.startswith("not judged") for note in entry.notes):
        known = entry.psnr_db.items()
        texts += [f"PSNR {value:.2f} dB on {split}" for split, value in known if value is not None]
    told = (*_NOTES, *((_CLOCKS,) if entry.attested is False else ()))
    texts += [
        f"{_word(f, entry)} ({f.code}): {f.message}"
        for f in entry.findings
        if f.severity != "info" and f.code not in told
    ]
    return [one_line(text).rstrip(".") for text in texts]


def _word(finding: Finding, entry: Entry) -> str:
    """Return what a finding is to a row: a warning, a rejection, on the machine, or accepted."""
    because = entry.accepted.get(finding.code)
    return word(finding) if because is None else f"accepted by the organizer, as {because};"


def row_notes(rows: Sequence[Row]) -> list[str]:
    """Return the remarks of every row; one that all teams have, or many rows, is written once."""
    of_rows = [(display_name(row.entry), remarks(row)) for row in rows]
    competing = [texts for row, (_, texts) in zip(rows, of_rows, strict=True) if row.entry.competes]
    first = competing[0] if len(competing) > _MANY else []
    shared = [text for text in first if all(text in texts for texts in competing)]
    having: dict[str, list[str]] = {}
    for name, texts in of_rows:
        for text in texts:
            having.setdefault(text, []).append(name)
    notes = [f"Every team: {text}." for text in shared]
    done = set(shared)
    for name, texts in of_rows:
        for text in texts:
            if text not in done:
                many = len(having[text]) > _MANY
                notes.append(f"{', '.join(having[text]) if many else name}: {text}.")
                done |= {text} if many else set()
    return notes


def imported_notes(chosen: Sequence[Stored], protocol: Protocol, channel: Channel | None) -> list[str]:
    """Say which file imported numbers are from, and what is not known of them."""
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
    for split in protocol.splits:
        wanted = protocol.datasets.images_of(split) if protocol.datasets is not None else None
        counts = {r.splits[split].images for r in (item.record for item in chosen) if split in r.splits}
        if wanted is not None and counts - {0, wanted}:
            found = ", ".join(str(count) for count in sorted(counts))
            notes.append(f"{split}: the threshold is for {wanted} images; the file lists {found}.")
    return notes


def unverifiable_notes(chosen: Sequence[Stored]) -> list[str]:
    """Name the teams whose figures cannot be computed again from what is stored."""
    names = [team_name(item.record) for item in chosen if not is_verifiable(item.record)]
    if not names:
        return []
    who = "any team" if len(names) == len(chosen) else ", ".join(names)
    return [f"Not verifiable: what their figures follow from is not stored of {who}."]


def isolation_notes(chosen: Sequence[Stored]) -> list[str]:
    """Say how the submissions were isolated; of which team it is true where that differs."""
    groups: dict[str, list[str]] = {}
    for item in chosen:
        found = item.record.isolation
        if found is not None:
            groups.setdefault(one_line(f"{found.level}, {found.detail}"), []).append(team_name(item.record))
    if len(groups) == 1:
        return [f"Isolation: {how}." for how in groups]
    return [f"Isolation: {how}: {', '.join(groups[how])}." for how in sorted(groups, reverse=True)]


def same_checkpoint_notes(chosen: Sequence[Stored]) -> list[str]:
    """Name the teams that ran with the same checkpoint, whatever the file was called."""
    groups: dict[str, set[str]] = {}
    for item in chosen:
        baseline = item.record.baseline
        for own in (item.record.submission, *(() if baseline is None else (baseline.submission,))):
            if own.checkpoint_sha256 is not None:
                groups.setdefault(own.checkpoint_sha256, set()).add(one_line(own.label))
    return [
        f"{', '.join(sorted(teams))} ran with the same checkpoint, byte for byte."
        for teams in groups.values()
        if len(teams) > 1
    ]


def other_channel_notes(rows: Sequence[Row], protocol: Protocol) -> list[str]:
    """Name the teams that pass in one PSNR channel and not in the other."""
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
            of_status = [row for row in rows if row.status == status]
            if len(names) == len(of_status) > _MANY:
                notes.append(f"All {len(names)} that {state} {own} {becomes} in {other}.")
            else:
                notes.append(f"These {state} {own} and {becomes} in {other}: {few(names, 8)}.")
    return notes
