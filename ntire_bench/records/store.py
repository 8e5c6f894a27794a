"""Writes and reads records: one JSON file per evaluation, written whole or not at all, never rewritten."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import math
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from ntire_bench.errors import RecordError
from ntire_bench.records.accepted import Accepted, load_accepted
from ntire_bench.records.record import SCHEMA_VERSION, Measurement, Record, SplitResult
from ntire_bench.records.version_1 import with_plain_runtimes

__all__ = [
    "Doubt",
    "Problem",
    "Stored",
    "check_writable",
    "load",
    "load_all",
    "load_hashed",
    "load_head",
    "load_team",
    "save",
    "team_folder",
]

_RESTORE = "restore the file from a backup or delete it, and evaluate the submission again"
_OLDEST_VERSION = 1
_MAX_NAME = 100
_MAX_SAME_TIME = 1000
_Decoded = TypeVar("_Decoded", bound=Record)


@dataclass(frozen=True)
class Doubt:
    """Why a record is not ranked although it can be read.

    Attributes:
        kind: "contradictory" (its figures do not follow from each other), "unsigned", or "other node" (its
            node's runtimes are not those of its class).
        reason: In one line.
    """

    kind: Literal["contradictory", "unsigned", "other node"]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A record and the file it came from, and what an organizer has accepted of its team's findings.

    Attributes:
        path: Of the file.
        record: What it holds.
        accepted: An organizer's words on its team's findings.
        sha256: Of the file; empty where it was not read from one.
        doubt: Why its figures are not to be ranked, where that was found out by whoever read it.
    """

    path: Path
    record: Record
    accepted: tuple[Accepted, ...] = ()
    sha256: str = ""
    doubt: Doubt | None = None

    @cached_property
    def created(self) -> datetime:
        """When the evaluation began, UTC."""
        return _as_time(self.record.created_utc)

    @cached_property
    def order(self) -> tuple[datetime, int, str]:
        """A key that sorts records from the oldest to the newest.

        Those of one moment are T.json, T_2.json ... T_10.json: the longer name is the later one.
        """
        return self.created, len(self.path.name), self.path.name


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A file that should hold a record but cannot be read, and the message that says why."""

    path: Path
    message: str


class _Version(msgspec.Struct):
    schema_version: int


class _Image(msgspec.Struct):
    calls_ms: tuple[float, ...] = ()


# The same classes without the lists of single images: msgspec skips a Raw value without decoding it.
@dataclass(frozen=True, kw_only=True)
class _SplitHead(SplitResult):
    per_image: msgspec.Raw  # type: ignore[assignment]


@dataclass(frozen=True, kw_only=True)
class _MeasurementHead(Measurement):
    splits: dict[str, _SplitHead]  # type: ignore[assignment]


@dataclass(frozen=True, kw_only=True)
class _RecordHead(Record):
    splits: dict[str, _SplitHead] = dataclasses.field(default_factory=dict)  # type: ignore[assignment]
    baseline: _MeasurementHead | None = None


_VERSION = msgspec.json.Decoder(_Version)
_WHOLE = msgspec.json.Decoder(Record)
_HEADS = msgspec.json.Decoder(_RecordHead)
_IMAGES = msgspec.json.Decoder(list[_Image])


def save(record: Record, results_dir: str | os.PathLike[str]) -> Path:
    """Write a record to results_dir/{protocol}/{id}_{name}/{UTC time}.json.

    The file appears under its name only when it is complete and on the disk, and no file is ever rewritten:
    where the name is taken, a number is appended to it.

    Args:
        record: Without a value that is infinite or not a number.
        results_dir: The results folder; it is created where it is missing.

    Returns:
        The path of the new file.

    Raises:
        RecordError: A value is infinite or not a number, a text is not Unicode, the time is not ISO 8601, or
            the folder cannot be written to.
    """
    folder = team_folder(results_dir, record.protocol.name, record.submission.label)
    if bad := next(_not_finite(msgspec.to_builtins(record), "record"), None):
        raise RecordError(
            "the record is not stored",
            file=folder,
            expected="finite numbers",
            found=bad,
            remedy="store None and a finding where a value is infinite or unknown",
        )
    try:
        stem = _as_time(record.created_utc).strftime("%Y%m%dT%H%M%S.%fZ")
    except (ValueError, OverflowError) as error:
        raise RecordError(
            "the record is not stored",
            file=folder,
            expected="created_utc like 2026-11-20T10:53:31.123456Z",
            found=repr(record.created_utc),
        ) from error
    try:
        data = _compact_numbers(msgspec.json.format(msgspec.json.encode(record), indent=2)) + b"\n"
    except UnicodeEncodeError as error:
        raise RecordError(
            "the record is not stored", file=folder, expected="Unicode text", found=repr(error.object)
        ) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _write_new(data, folder, stem)
    except OSError as error:
        raise RecordError(
            "the record cannot be written",
            file=folder,
            found=error.strerror or str(error),
            remedy="free space there, or name another folder with --results",
        ) from error


def team_folder(results_dir: str | os.PathLike[str], protocol: str, label: str) -> Path:
    """Return the folder that holds a team's records.

    Args:
        results_dir: The results folder.
        protocol: Name of the rules.
        label: The team's, as `SubmissionInfo.label` has it.

    >>> team_folder("results", "ntire2024", "05_Net").as_posix()
    'results/ntire2024/05_Net'
    """
    return Path(results_dir) / _as_name(protocol) / _as_name(label)


def check_writable(folder: str | os.PathLike[str]) -> None:
    """Check that files can be written to a folder, or to the one that it will be created in.

    Raises:
        RecordError: They cannot.
    """
    try:
        there = next(
            path for path in (Path(folder), *Path(folder).absolute().parents) if os.path.lexists(path)
        )
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        remedy = "name a folder that this user may write to"
        raise RecordError(
            "the folder cannot be written to", file=folder, found=error.strerror or str(error), remedy=remedy
        ) from None


def load(path: str | os.PathLike[str]) -> Record:
    """Read one record, whole.

    Args:
        path: Of a file that `save` wrote.

    Returns:
        The record; unknown keys of the file are ignored.

    Raises:
        RecordError: The file cannot be read, is not JSON, lacks a key or is of another version.
    """
    return _decode(Path(path), _read(Path(path)), _WHOLE)


def load_head(path: str | os.PathLike[str]) -> Record:
    """Read one record without the lists of single images, as `load_all` does; see `load`.

    Raises:
        RecordError: The file cannot be read, is not JSON, lacks a key or is of another version.
    """
    return load_hashed(Path(path))[0]


def load_hashed(path: Path) -> tuple[Record, str]:
    """Read one record as `load_head` does, and return the SHA-256 of its file too.

    Raises:
        RecordError: The file cannot be read, is not JSON, lacks a key or is of another version.
    """
    data = _read(path)
    return _decode(path, data, _HEADS, _without_images), hashlib.sha256(data).hexdigest()


def load_all(
    results_dir: str | os.PathLike[str], protocol: str | None = None
) -> tuple[list[Stored], list[Problem]]:
    """Read every record of a results folder, without the lists of single images.

    Args:
        results_dir: The folder that was given to `save`; it need not exist.
        protocol: Name of a protocol, to read its records only.

    Returns:
        The records, ordered by path, and the files that could not be read. Every `per_image` is empty: it is
        the largest part of a file, and no leaderboard needs it; `load` reads it. Runtimes of version 1 are
        medians of the calls as they were (see `with_plain_runtimes`).
    """
    pattern = "*/*/*.json" if protocol is None else f"{_as_name(protocol)}/*/*.json"
    return _load(Path(results_dir).glob(pattern))


def load_team(
    results_dir: str | os.PathLike[str], protocol: str, label: str
) -> tuple[list[Stored], list[Problem]]:
    """Read every record of one team; see `load_all`.

    Args:
        results_dir: The folder that was given to `save`.
        protocol: Name of the rules.
        label: The team's, "05_Net".
    """
    return _load(team_folder(results_dir, protocol, label).glob("*.json"))


def _load(paths: Iterable[Path]) -> tuple[list[Stored], list[Problem]]:
    stored: list[Stored] = []
    problems: list[Problem] = []
    accepted: dict[Path, tuple[Accepted, ...]] = {}
    for path in sorted(paths):
        if path.name.startswith("."):
            continue
        if path.parent not in accepted:
            accepted[path.parent], unread = load_accepted(path.parent)
            problems += [Problem(path=Path(error.file or path), message=str(error)) for error in unread]
        try:
            record, sha256 = load_hashed(path)
        except RecordError as error:
            problems.append(Problem(path=path, message=str(error)))
        else:
            stored.append(Stored(path=path, record=record, accepted=accepted[path.parent], sha256=sha256))
    return stored, problems


def _as_name(text: str) -> str:
    """Return `text` as the name of one file: no separator, no leading dot, of a length every system takes.

    >>> _as_name("../a b/c"), _as_name("00_RLFN")
    ('_._a_b_c', '00_RLFN')
    """
    name = re.sub(r"[^\w.+-]", "_", text)[:_MAX_NAME]
    return re.sub(r"^\.", "_", name) or "_"


def _as_time(created_utc: str) -> datetime:
    """Read an ISO 8601 time; Python 3.10 does not take the Z.

    >>> _as_time("2026-11-20T10:53:31.123456Z").strftime("%Y%m%dT%H%M%S.%fZ")
    '20261120T105331.123456Z'
    """
    created = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", created_utc))
    return (created if created.tzinfo else created.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)


def _not_finite(value: object, where: str) -> Iterator[str]:
    """Yield where nested builtins hold a number that JSON cannot: an infinite one, or NaN."""
    if isinstance(value, float):
        if not math.isfinite(value):
            yield f"{where} = {value}"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _not_finite(item, f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _not_finite(item, f"{where}[{index}]")


def _compact_numbers(formatted: bytes) -> bytes:
    """Put every list of plain numbers on one line; a line break never lies inside a JSON string.

    >>> _compact_numbers(b'[' + bytes([10]) + b'  1.5,' + bytes([10]) + b'  2' + bytes([10]) + b']')
    b'[1.5, 2]'
    """
    return re.sub(
        rb"\[\n\s*(-?\d[^\[\]{}\"]*?)\n\s*\]", lambda m: b"[" + b" ".join(m[1].split()) + b"]", formatted
    )


def _write_new(data: bytes, folder: Path, stem: str) -> Path:
    """Write `data` under a free name: complete, flushed to the disk, and never over another file."""
    temporary = folder / f".{stem}.{secrets.token_hex(8)}.tmp"
    binary = getattr(os, "O_BINARY", 0)  # Windows would write other line ends
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, 0o666)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        path = _publish(temporary, folder, stem)
    finally:
        temporary.unlink(missing_ok=True)
    if hasattr(os, "O_DIRECTORY"):  # elsewhere, on Windows, folders cannot be opened
        directory = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    return path


def _publish(temporary: Path, folder: Path, stem: str) -> Path:
    for number in range(1, _MAX_SAME_TIME):
        # "_" sorts after ".", so that the files of one moment stay in the order they were written.
        path = folder / (f"{stem}.json" if number == 1 else f"{stem}_{number}.json")
        try:
            os.link(temporary, path)
            return path
        except FileExistsError:
            continue
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
                raise
        # A file system without hard links: reserve the name, then move the finished file onto it.
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except FileExistsError:
            continue
        os.replace(temporary, path)
        return path
    raise FileExistsError(errno.EEXIST, "too many records of the same moment", str(folder / stem))


def _without_images(record: Record) -> Record:
    """Replace every Raw value by an empty tuple: a Raw value keeps the whole file in memory.

    Of version 1 the calls are decoded before, for their medians.
    """
    record = with_plain_runtimes(record, _calls_of)

    def empty(splits: dict[str, SplitResult]) -> dict[str, SplitResult]:
        return {split: dataclasses.replace(result, per_image=()) for split, result in splits.items()}

    baseline = record.baseline
    if baseline is not None:
        baseline = dataclasses.replace(baseline, splits=empty(baseline.splits))
    return dataclasses.replace(record, splits=empty(record.splits), baseline=baseline)


def _calls_of(result: SplitResult) -> list[tuple[float, ...]]:
    raw = result.per_image
    if not isinstance(raw, msgspec.Raw) or b'"calls_ms"' not in bytes(raw):
        return []
    return [image.calls_ms for image in _IMAGES.decode(raw)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordError(
            "the record cannot be read",
            file=path,
            found=error.strerror or str(error),
            remedy="name a record file of the results folder",
        ) from error


def _decode(
    path: Path,
    data: bytes,
    decoder: msgspec.json.Decoder[_Decoded],
    then: Callable[[_Decoded], Record] | None = None,
) -> Record:
    """Decode one record; `then` is what is done with it while an error is still one of its file."""
    version = SCHEMA_VERSION
    try:
        version = _VERSION.decode(data).schema_version
        if not _OLDEST_VERSION <= version <= SCHEMA_VERSION:
            newer = version > SCHEMA_VERSION
            raise RecordError(
                "the record was written by a newer ntire_bench" if newer else "no such record version exists",
                file=path,
                expected=f"schema_version {_OLDEST_VERSION} to {SCHEMA_VERSION}",
                found=f"schema_version {version}",
                remedy="update ntire_bench" if newer else _RESTORE,
            )
        record = decoder.decode(data)
        try:
            _as_time(record.created_utc)
        except (ValueError, OverflowError) as error:
            raise msgspec.ValidationError(f"{error} - at `$.created_utc`") from error
        return record if then is None else then(record)
    except msgspec.ValidationError as error:
        raise RecordError(
            "the record lacks a key, or holds a value of the wrong type",
            file=path,
            expected=f"every key of schema version {version}",
            found=str(error),
            remedy=_RESTORE,
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        found = f"{error}" if data.strip() else "an empty file"
        raise RecordError(
            "the record is not JSON", file=path, expected="a JSON document", found=found, remedy=_RESTORE
        ) from error
