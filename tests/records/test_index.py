"""What the index says is what the files say; whatever is in doubt is read again."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import msgspec
import pytest
from record_factory import make_failure, make_record

from ntire_bench.records import index, store
from ntire_bench.records.accepted import Accepted, save_accepted
from ntire_bench.records.index import load_indexed, secret_of

SECRET = bytes(32)
COUNT = 30  # more than are rather read each time


@pytest.fixture
def results(tmp_path) -> Path:
    for number in range(COUNT):
        store.save(make_record(number, f"T{number}", images=1, rounds=1), tmp_path)
    store.save(make_failure(40, "Broken"), tmp_path)
    (path,) = (tmp_path / "ntire2024" / "03_T3").iterdir()
    save_accepted(Accepted(code="a", because="b", created_utc="2026-01-01T00:00:00Z", files=()), path)
    (tmp_path / "ntire2024" / "04_T4" / "bad.json").write_text("{")
    for file in tmp_path.rglob("*.json"):  # as if they had not been written just now
        os.utime(file, (1e9, 1e9))
    return tmp_path


@pytest.fixture
def reads(monkeypatch) -> list[Path]:
    """The files that are read as records."""
    found: list[Path] = []
    whole = store.load_hashed

    def load(path: Path):
        found.append(path)
        return whole(path)

    monkeypatch.setattr(store, "load_hashed", load)
    monkeypatch.setattr(index, "_FRESH_NS", -(10**12))
    return found


def told(loaded) -> object:
    """All that was loaded, whatever class holds it."""
    stored, problems = loaded
    return [
        (item.path, item.sha256, item.accepted, msgspec.to_builtins(item.record)) for item in stored
    ], sorted(problem.message for problem in problems)


def the_index(results: Path) -> Path:
    (path,) = (results / "ntire2024").glob(".index-*")
    return path


def test_the_second_time_no_record_is_read_and_all_is_the_same(results, reads):
    plain = store.load_all(results, "ntire2024")
    reads.clear()
    first = load_indexed(results, "ntire2024", SECRET)
    assert len(reads) == COUNT + 2
    reads.clear()
    second = load_indexed(results, "ntire2024", SECRET)
    assert [path.name for path in reads] == ["bad.json"]  # what cannot be read is tried each time
    assert told(first) == told(second) == told(plain)
    assert len(second[1]) == 1 and len(second[0]) == COUNT + 1
    assert next(item for item in second[0] if item.record.submission.id == 3).accepted


def test_what_is_new_changed_or_gone_is_noticed(results, reads):
    load_indexed(results, "ntire2024", SECRET)
    paths = sorted(results.glob("ntire2024/*/2*.json"))
    paths[0].unlink()
    text = paths[1].read_text()
    before = paths[1].stat()
    paths[1].write_text(text.replace('"params": 200000', '"params": 200001'))
    os.utime(paths[1], ns=(before.st_atime_ns, before.st_mtime_ns))  # only ctime tells
    new = store.save(make_record(50, "New", images=1, rounds=1), results)
    reads.clear()
    found, _ = load_indexed(results, "ntire2024", SECRET)
    assert {path.name for path in reads} == {"bad.json", paths[1].name, new.name}
    assert told((found, [])) == told((store.load_all(results, "ntire2024")[0], []))
    assert next(item for item in found if item.path == paths[1]).record.complexity.params == 200_001


def test_who_has_not_the_secret_can_have_nothing_believed(results, reads):
    load_indexed(results, "ntire2024", SECRET)
    path = the_index(results)
    good = path.read_bytes()
    forged = good.replace(b"00_T0", b"00_TX")
    for data in (forged, good[:-1], b"", bytes(len(good))):
        path.write_bytes(data)
        reads.clear()
        found, _ = load_indexed(results, "ntire2024", SECRET)
        assert len(reads) == COUNT + 2 and len(found) == COUNT + 1
    reads.clear()
    load_indexed(results, "ntire2024", bytes([1] * 32))  # another user's
    assert len(reads) == COUNT + 2


def test_a_file_that_changed_as_the_index_was_written_is_read_again(results, monkeypatch, reads):
    load_indexed(results, "ntire2024", SECRET)
    reads.clear()
    monkeypatch.setattr(index, "_FRESH_NS", 3600 * 10**9)
    load_indexed(results, "ntire2024", SECRET)
    assert len(reads) == COUNT + 2


def test_a_folder_that_cannot_be_written_to_costs_time_alone(results, monkeypatch):
    def fail(*_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(Path, "write_bytes", fail)
    assert told(load_indexed(results, "ntire2024", SECRET)) == told(store.load_all(results, "ntire2024"))
    assert not list((results / "ntire2024").glob(".index-*"))


def test_a_secret_is_made_once_and_for_this_user_alone(tmp_path):
    folder = tmp_path / "cache"
    secret = secret_of(folder)
    assert secret is not None and secret_of(folder) == secret != secret_of(tmp_path / "other")
    assert (folder / "index.key").stat().st_mode & 0o077 == 0
    (folder / "index.key").write_bytes(b"short")
    assert secret_of(folder) is None
    assert load_indexed(tmp_path, "ntire2024", None) == ([], [])


def test_a_record_in_the_index_holds_all_but_single_images(results, reads):
    whole = dataclasses.replace(make_record(60, "Whole", images=2), created_utc="2020-01-01T00:00:00Z")
    path = store.save(whole, results)
    for _ in range(2):
        found, _ = load_indexed(results, "ntire2024", SECRET)
        (item,) = [one for one in found if one.path == path]
        assert msgspec.to_builtins(item.record) == msgspec.to_builtins(store.load_head(path))
