"""Which stored records are believed: their figures follow from each other and, where asked for, are signed.

That the figures of a file follow from each other is found out once. The SHA-256 of such a file is remembered
in the cache folder of this user, which whoever sends in records cannot write to.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from ntire_bench.protocols.protocol import Protocol
from ntire_bench.ranking.rules import rules_of
from ntire_bench.records import store
from ntire_bench.records.accepted import Accepted, load_accepted
from ntire_bench.records.record import Record
from ntire_bench.records.signing import PublicKey
from ntire_bench.records.store import Doubt, Problem, Stored

__all__ = ["believed", "is_verifiable", "with_signed_words", "word_on"]

_FILE = "records_that_follow_2"  # the number changes with what is checked
_FIRST_VERSION = 2  # of records that store the calls as they were


def is_verifiable(record: Record) -> bool:
    """Say whether a record stores what its figures follow from: imported ones and version 1 do not."""
    return record.imported is None and record.schema_version >= _FIRST_VERSION


def word_on(record: Record, protocol: Protocol) -> str:
    """Return whether the figures of a record follow from each other, as a sentence.

    Args:
        record: Whole.
        protocol: The rules as they are now.
    """
    if record.status != "ok":
        return ""
    if not is_verifiable(record):
        return "Not verifiable: what its figures follow from is not stored."
    if record.protocol.sha256 != protocol.sha256:
        return f"It was measured under another version of the rules of {protocol.name}: run it again."
    from ntire_bench.ranking.verification import contradiction

    why = contradiction(record, protocol)
    return (
        "Its figures follow from each other."
        if why is None
        else f"Not believed, it contradicts itself: {why}."
    )


def believed(
    stored: Sequence[Stored], protocol: Protocol, cache: Path | None, key: PublicKey | None = None
) -> list[Stored]:
    """Return the same records, with a doubt on those that are not to be ranked.

    Args:
        stored: As `store.load_all` read them.
        protocol: The rules that they were made under; a record of another version keeps its own.
        cache: Folder in which it is remembered which files were found to be in order; None remembers nothing.
        key: Where given, only what is signed with it is believed.
    """
    known = _Remembered(None if cache is None else cache / _FILE)
    found = [_with_doubt(item, protocol, known, key) for item in stored]
    known.keep()
    return found


def with_signed_words(stored: Sequence[Stored], key: PublicKey) -> tuple[list[Stored], list[Problem]]:
    """Leave out what an organizer is said to have accepted, where it is not signed: files can be sent in.

    Args:
        stored: As `store.load_all` read them.
        key: What is not signed with it does not count.

    Returns:
        The same records with the words that count, and those that do not.
    """
    found: dict[Path, tuple[Accepted, ...]] = {}
    problems: list[Problem] = []
    for folder in dict.fromkeys(item.path.parent for item in stored if item.accepted):
        found[folder], unsigned = load_accepted(folder, key.objection)
        problems += [Problem(path=Path(error.file or folder), message=str(error)) for error in unsigned]
    return [dataclasses.replace(item, accepted=found.get(item.path.parent, ())) for item in stored], problems


def _with_doubt(item: Stored, protocol: Protocol, known: _Remembered, key: PublicKey | None) -> Stored:
    if key is not None and (why := key.objection(item.path)) is not None:
        return dataclasses.replace(item, doubt=Doubt("unsigned", why))
    record = item.record
    if record.status != "ok" or not is_verifiable(record) or item.sha256 in known:
        return item
    own = protocol if record.protocol.sha256 == protocol.sha256 else rules_of(record, item.path)
    if own is None:  # of rules that are not known: it is left out
        return item
    from ntire_bench.ranking.verification import contradiction

    why = contradiction(store.load(item.path), own)
    if why is None:
        known.add(item.sha256)
        return item
    return dataclasses.replace(item, doubt=Doubt("contradictory", f"it contradicts itself: {why}"))


class _Remembered:
    """Hashes in a file, one a line; lines are only ever appended."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: set[str] = set()
        self._new: list[str] = []
        if path is not None:
            with contextlib.suppress(OSError, UnicodeDecodeError):  # none yet: everything is checked again
                self._known = set(path.read_text(encoding="ascii").split())

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._known

    def add(self, sha256: str) -> None:
        self._known.add(sha256)
        self._new.append(sha256)

    def keep(self) -> None:
        """Write what is new; where that fails, the next command checks these files again."""
        if self._path is None or not self._new:
            return
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="ascii") as file:
                file.writelines(f"{sha256}\n" for sha256 in self._new)
