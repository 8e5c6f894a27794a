"""An index beside the records: what a leaderboard needs of each file, so that few files are read again.

A file is taken to be as it was while its size, times and number are the same; `ctime` cannot be set by a
program. What is in doubt is read again: a file that was written as the index was, one that is not listed, and
all of them where the index is not this user's own: its checksum is keyed, so that whoever can write to the
folder cannot have a record shown as something else.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ntire_bench.errors import RecordError
from ntire_bench.records import store
from ntire_bench.records.accepted import FOLDER, Accepted, load_accepted
from ntire_bench.records.record import SCHEMA_VERSION, Record
from ntire_bench.records.store import Problem, Stored

__all__ = ["load_indexed", "secret_of"]

_VERSION = f"ntire_bench index 1, schema {SCHEMA_VERSION}".encode()
_SECRET_BYTES = 32
_FRESH_NS = 2 * 10**9  # a file that was changed so shortly before the index was written may change once more
_FEW, _FEW_SHARE = 20, 0.02  # files that are rather read each time than the index written anew


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """What is known of one file.

    Attributes:
        path: Relative to the folder of the rules.
        stat: Size, mtime, ctime [ns] and number.
        sha256: Of the file.
        record: Without the lists of single images.
    """

    path: str
    stat: tuple[int, int, int, int]
    sha256: str
    record: Record


_DECODER = msgspec.msgpack.Decoder(list[_Entry])


def secret_of(folder: Path) -> bytes | None:
    """Return the secret of this user that indexes are keyed with, made on first use; None where none can be.

    Args:
        folder: That nobody else can write to.
    """
    path = folder / "index.key"
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
                with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
                    file.write(secrets.token_bytes(_SECRET_BYTES))
        found = path.read_bytes()
    except OSError:
        return None
    return found if len(found) == _SECRET_BYTES else None


def load_indexed(
    results_dir: str | os.PathLike[str], protocol: str, secret: bytes | None
) -> tuple[list[Stored], list[Problem]]:
    """Read every record of some rules, as `store.load_all` does, by the index where that can be believed.

    Args:
        results_dir: The results folder.
        protocol: Name of the rules.
        secret: See `secret_of`; None reads every file.
    """
    if secret is None:
        return store.load_all(results_dir, protocol)
    folder = store.team_folder(results_dir, protocol, "x").parent
    index = folder / f".index-{hashlib.blake2b(secret, digest_size=6).hexdigest()}"
    known, written_ns = _read(index, secret)
    stored: list[Stored] = []
    problems: list[Problem] = []
    entries: list[_Entry] = []
    changed = 0
    for path, stat, accepted, unread in _files(folder):
        problems += unread
        relative = f"{path.parent.name}/{path.name}"
        entry = known.pop(relative, None)
        if entry is None or entry.stat != stat or stat[2] > written_ns - _FRESH_NS:
            changed += 1
            try:
                record, sha256 = store.load_hashed(path)
            except RecordError as error:
                problems.append(Problem(path=path, message=str(error)))
                continue
            entry = _Entry(path=relative, stat=stat, sha256=sha256, record=record)
        entries.append(entry)
        stored.append(Stored(path=path, record=entry.record, accepted=accepted, sha256=entry.sha256))
    if changed + len(known) > max(_FEW, _FEW_SHARE * len(entries)):
        _write(index, entries, secret)
    return stored, problems


def _files(
    folder: Path,
) -> Iterator[tuple[Path, tuple[int, int, int, int], tuple[Accepted, ...], list[Problem]]]:
    """Yield each record's path, what tells a changed file, and what was accepted for its team."""
    for team in _names(folder, folders=True):
        place = folder / team
        names = _names(place, folders=False)
        accepted: tuple[Accepted, ...] = ()
        unread: list[Problem] = []
        if FOLDER in names:
            accepted, errors = load_accepted(place)
            unread = [Problem(path=Path(error.file or place), message=str(error)) for error in errors]
        for name in names:
            if not name.endswith(".json") or name.startswith("."):
                continue
            path = place / name
            try:
                found = path.stat()
            except OSError:  # it was taken away just now
                continue
            stat = found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
            yield path, stat, accepted, unread
            unread = []


def _names(folder: Path, *, folders: bool) -> Sequence[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if not folders or entry.is_dir())
    except OSError:
        return ()


def _read(path: Path, secret: bytes) -> tuple[dict[str, _Entry], int]:
    """Return what an index holds, by file, and when it was written [ns]; nothing where it is in doubt."""
    try:
        with path.open("rb") as file:
            data, written_ns = file.read(), os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return {}, 0
    own, body = data[: hashlib.sha256().digest_size], data[hashlib.sha256().digest_size :]
    if not hmac.compare_digest(own, _checksum(body, secret)):
        return {}, 0
    try:
        return {entry.path: entry for entry in _DECODER.decode(body)}, written_ns
    except msgspec.DecodeError:  # of a version with other fields
        return {}, 0


def _write(path: Path, entries: list[_Entry], secret: bytes) -> None:
    """Write an index; where that fails, files are read the next time too."""
    body = msgspec.msgpack.encode(entries)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    with contextlib.suppress(OSError):
        try:
            temporary.write_bytes(_checksum(body, secret) + body)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def _checksum(body: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, _VERSION + hashlib.sha256(body).digest(), "sha256")
