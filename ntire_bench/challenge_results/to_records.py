"""Turns the rows of a challenge's own results file into records, which a leaderboard can rank."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec

from ntire_bench.challenge_results.file import ResultsFile, ResultsRow
from ntire_bench.challenge_results.row import ParsedRow, parse_row, submission_info
from ntire_bench.errors import RecordError, UsageError
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.ranking import scoring
from ntire_bench.ranking.entry import entry_from_record
from ntire_bench.ranking.rules import info_of
from ntire_bench.records import store
from ntire_bench.records.record import ErrorInfo, Finding, Imported, Measurement, Record

__all__ = ["ImportedRow", "all_kept", "find_baseline", "keep", "left_over", "to_records"]

# FLOPs per ms over the baseline's. The highest in Table 1 of the 2024 report is 2.3 (KLETech-CEVI); runtimes
# in seconds are 1,000 times too small.
_MOST_FASTER = 50.0
_MOST_PER_MS = 1e12  # multiply-accumulates; twice what an H100 does in its fastest dense half precision


@dataclass(frozen=True, kw_only=True)
class ImportedRow:
    """One row of the file and the record that holds it; `new` is False where an earlier import stored it."""

    path: Path
    record: Record
    new: bool


def find_baseline(file: ResultsFile, protocol: Protocol, named: str | None = None) -> ResultsRow:
    """Return the row of the baseline, by which all costs are divided.

    Args:
        file: The results file.
        protocol: The rules, which name the baseline: RLFN is found as "RLFN", "00_RLFN_baseline" and so on.
        named: The row that the user names, with or without its number; None to look for the protocol's.

    Raises:
        UsageError: No row has that name, or several have.

    >>> rows = tuple(ResultsRow(model=m, where=m, values={}) for m in ("00_RLFN_baseline", "07_RLFN-T"))
    >>> file = ResultsFile(path=Path("results.json"), sha256="", format="json", rows=rows)
    >>> from ntire_bench.protocols import protocol
    >>> find_baseline(file, protocol.load("ntire2024")).model
    '00_RLFN_baseline'
    """
    if named is not None:
        wanted = named.strip().casefold()
        found = [row for row in file.rows if row.model == named.strip()]
        found = found or [row for row in file.rows if row.model.casefold() == wanted]
        found = found or [row for row in file.rows if _without_number(row.model).casefold() == wanted]
        found = found or [
            row for row in file.rows if wanted in (_stem(row.model), _unmarked(row.model.casefold()))
        ]
        what, remedy = f"the baseline {named!r}", "name one of these rows with --baseline, as it is written"
    else:
        wanted = protocol.baseline.name.casefold()
        found = [row for row in file.rows if _stem(row.model) == wanted]
        what = f"{protocol.baseline.name}, the baseline of {protocol.name}"
        remedy = "name the baseline's row with --baseline"
    if len(found) != 1:
        how = "no row is" if not found else f"{len(found)} rows may be"
        listed = ", ".join(row.model for row in found or file.rows)
        raise UsageError(f"{how} {what}", file=file.path, found=listed, remedy=remedy)
    return found[0]


def to_records(
    file: ResultsFile, protocol: Protocol, baseline: ResultsRow, created_utc: str | None = None
) -> list[Record]:
    """Return one record per row, in the file's order; a row that cannot be ranked becomes a failed record.

    Args:
        file: The results file.
        protocol: The rules to rank by.
        baseline: One of the file's rows.
        created_utc: Time of the import, ISO 8601; None for now.

    Raises:
        RecordError: The baseline's row holds no runtime, FLOPs or parameters.
    """
    created_utc = created_utc or datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    base = parse_row(baseline, protocol)
    if base.measurement is not None:
        complexity = base.measurement.complexity
        base.problems += [f"{key} of 0" for key in ("params", "flops") if not getattr(complexity, key)]
    if base.measurement is None or base.problems:
        raise RecordError(
            f"{baseline.where}: the baseline {baseline.model} cannot be used",
            file=file.path,
            expected="runtime, FLOPs and parameters above 0",
            found=", ".join(base.problems),
            remedy="correct the file, or name another row with --baseline",
        )
    session = hashlib.sha256(
        msgspec.json.encode([baseline.model, sorted(_storable(baseline.values).items())])
    ).hexdigest()
    records = []
    for row in file.rows:
        parsed = base if row is baseline else parse_row(row, protocol)
        imported = Imported(
            file=file.path.name,
            file_sha256=file.sha256,
            format=file.format,
            model=row.model,
            session=session,
            values=_storable(row.values),
            unknown=tuple(parsed.unknown),
            no_psnr=parsed.no_psnr,
            runtime_ms=parsed.runtime_ms,
            baseline_runtime_ms=base.runtime_ms,
        )
        records.append(_record(row, parsed, base.measurement, imported, protocol, created_utc))
    return records


def keep(records: Iterable[Record], results: str | os.PathLike[str]) -> list[ImportedRow]:
    """Store each record, unless the newest stored record of the same row has the same content.

    Args:
        records: Of one import.
        results: The results folder.

    Raises:
        RecordError: The folder cannot be written to.
    """
    records = list(records)
    newest = _newest(records, results)
    rows = []
    for record in records:
        known = newest.get(_row_of(record))
        if known is not None and _content(known.record) == _content(record):
            rows.append(ImportedRow(path=known.path, record=known.record, new=False))
        else:
            rows.append(ImportedRow(path=store.save(record, results), record=record, new=True))
    return rows


def all_kept(records: Iterable[Record], results: str | os.PathLike[str]) -> bool:
    """Say whether a results folder holds each of these rows with the same content, and no other record.

    Args:
        records: Of one import.
        results: The results folder.
    """
    records = list(records)
    stored, problems = store.load_all(results)
    there = {_content(item.record) for item in stored}
    return not problems and there == {_content(record) for record in records}


def left_over(records: Iterable[Record], results: str | os.PathLike[str]) -> list[store.Stored]:
    """Return the stored records of earlier imports whose rows are no longer in the file.

    They are of the same session, so they are still ranked beside the file's rows: stored records are never
    removed.

    Args:
        records: The records of this import, already stored.
        results: The results folder.
    """
    records = list(records)
    rows = {_row_of(record) for record in records}
    imports = {row[:3] for row in rows}  # protocol, file, session
    newest = _newest(records, results)
    return [item for row, item in newest.items() if row[:3] in imports and row not in rows]


def _newest(
    records: Iterable[Record], results: str | os.PathLike[str]
) -> dict[tuple[str, str, str, str], store.Stored]:
    """Return the newest stored record of each imported row, under the protocols that the records name."""
    newest = {}
    for name in {record.protocol.name for record in records}:
        there = (item for item in store.load_all(results, name)[0] if item.record.imported is not None)
        for item in sorted(there, key=lambda item: item.order):
            newest[_row_of(item.record)] = item
    return newest


def _record(
    row: ResultsRow,
    parsed: ParsedRow,
    baseline: Measurement,
    imported: Imported,
    protocol: Protocol,
    created_utc: str,
) -> Record:
    common: dict[str, Any] = {
        "created_utc": created_utc,
        "protocol": info_of(protocol),
        "submission": submission_info(row.model),
        "rounds": 1,
        "psnr_channel": "rgb",
        "findings": (
            *parsed.findings,
            *_other_image_counts(parsed, baseline),
            *_implausible_speeds(parsed, baseline),
        ),
        "imported": imported,
    }
    if parsed.measurement is None:
        message = f"{imported.file}, {row.where}: {', '.join(parsed.problems)}"
        return Record(
            status="failed",
            error=ErrorInfo(type="RecordError", message=message, phase="import"),
            **common,
        )
    record = Record(
        status="ok",
        complexity=parsed.measurement.complexity,
        splits=parsed.measurement.splits,
        baseline=baseline,
        **common,
    )
    entry = entry_from_record(record, protocol, "rgb")
    if entry.costs is None or entry.baseline is None:
        return record
    score = scoring.score(entry.costs, entry.baseline, protocol.weights)
    return dataclasses.replace(record, score=scoring.storable(score))


def _other_image_counts(parsed: ParsedRow, baseline: Measurement) -> Iterator[Finding]:
    """Yield a finding for each split that a row and the baseline ran on different numbers of images."""
    splits = parsed.measurement.splits if parsed.measurement is not None else {}
    for split, result in splits.items():
        of_baseline = baseline.splits.get(split)
        if of_baseline is not None and 0 < result.images != of_baseline.images > 0:
            message = f"{split}: {result.images} images, and {of_baseline.images} of the baseline"
            yield Finding(code="images-differ", severity="warning", message=message)


def _implausible_speeds(parsed: ParsedRow, baseline: Measurement) -> Iterator[Finding]:
    """Yield a finding for each split that a row ran so fast that its runtimes must be in another unit."""
    if parsed.measurement is None:
        return
    flops, others = parsed.measurement.complexity.flops, baseline.complexity.flops
    for split, result in parsed.measurement.splits.items():
        of_baseline = baseline.splits.get(split)
        times = 0.0 if of_baseline is None else of_baseline.runtime_ms / result.runtime_ms
        faster = times * flops / others
        if faster > _MOST_FASTER:
            against = f"{times:,.0f} times faster than the baseline, at {faster:,.0f} times its FLOPs per ms"
        elif flops / result.runtime_ms > _MOST_PER_MS:
            against = f"{flops / result.runtime_ms / 1e9:,.0f} G FLOPs per ms, more than any one GPU does"
        else:
            continue
        message = (
            f"{split}: {flops / 1e9:.2f} G FLOPs in {result.runtime_ms:.4g} ms: {against}; its runtimes may "
            "be in seconds, where the challenge's are in ms"
        )
        yield Finding(code="runtime-implausible", severity="warning", message=message)


def _storable(values: dict[str, Any]) -> dict[str, Any]:
    """Return a row's values for JSON, which has no infinity and no NaN: these become texts."""

    def number(value: float) -> float | str:
        return value if math.isfinite(value) else str(value)

    return {
        key: [number(item) for item in value] if isinstance(value, tuple) else number(value)
        for key, value in values.items()
    }


def _row_of(record: Record) -> tuple[str, str, str, str]:
    imported = record.imported
    if imported is None:
        raise ValueError("the record was not imported")
    return record.protocol.name, imported.file, imported.session, imported.model


def _content(record: Record) -> bytes:
    """Return what a record says, without the time of its import and the hash of its file."""
    imported = record.imported and dataclasses.replace(record.imported, file_sha256="")
    return msgspec.json.encode(dataclasses.replace(record, created_utc="", imported=imported))


def _without_number(model: str) -> str:
    return re.sub(r"^(team)?\d+_", "", model, flags=re.IGNORECASE)


def _stem(model: str) -> str:
    """Return a name in small letters, without number and without the word baseline.

    >>> [_stem(name) for name in ("00_RLFN_baseline", "RLFN (baseline)", "05_SPAN-T")]
    ['rlfn', 'rlfn', 'span-t']
    """
    return _unmarked(_without_number(model).casefold())


def _unmarked(model: str) -> str:
    """Return a name in small letters without the word baseline before or after it.

    >>> [_unmarked(name) for name in ("00_span_baseline", "baseline_rfdn")]
    ['00_span', 'rfdn']
    """
    return re.sub(r"^baseline[\s_-]+|[\s_-]*\(?baseline\)?$", "", model)
