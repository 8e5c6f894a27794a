"""The cache of decoded images: right pixels or none, bounded, shared, and never a reason to fail."""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import os
import stat
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs import noise, write_pairs
from PIL import Image

from ntire_bench.data import dataset, pixel_cache
from ntire_bench.data.dataset import load_splits, read_hr, read_lr
from ntire_bench.data.images import write_png
from ntire_bench.data.pixel_cache import PixelCache
from ntire_bench.errors import UsageError
from ntire_bench.text import relative

GENEROUS = 2**24


def key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.pixels"))


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "pixels"


@pytest.fixture
def cache(folder: Path) -> PixelCache:
    return PixelCache(folder, GENEROUS)


@pytest.fixture
def turned_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache that the dataset uses, in a folder of its own."""
    monkeypatch.setenv("NTIRE_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NTIRE_BENCH_PIXEL_CACHE", "1")
    return tmp_path / "cache" / "pixels"


# --- what is stored comes back -----------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 99))
def test_what_is_stored_comes_back(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, seed: int
) -> None:
    cache = PixelCache(tmp_path_factory.mktemp("x") / "pixels", GENEROUS)
    image = noise(seed, height, width)
    cache.put(key(1), image)
    back = cache.get(key(1))
    assert back is not None and back.dtype == np.uint8 and np.array_equal(back, image)
    assert back.flags.c_contiguous and back.flags.writeable and back.flags.owndata
    back[:] = 0  # the caller's own
    again = cache.get(key(1))
    assert again is not None and np.array_equal(again, image)
    assert cache.get(key(2)) is None


def test_a_view_is_stored_as_it_looks(cache: PixelCache) -> None:
    image = noise(0, 40, 60)[3:33, 5:45]
    cache.put(key(1), image)
    assert np.array_equal(cache.get(key(1)), image)


def test_another_process_finds_it(cache: PixelCache, folder: Path) -> None:
    image = noise(0)
    cache.put(key(1), image)
    assert np.array_equal(PixelCache(folder, GENEROUS).get(key(1)), image)


def test_ground_truth_is_readable_by_its_owner_alone(cache: PixelCache, folder: Path) -> None:
    before = os.umask(0)
    try:
        cache.put(key(1), noise(0))
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in entries(folder)] == [0o600]
    folder.chmod(0o755)
    assert PixelCache(folder, GENEROUS).get(key(1)) is not None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


# --- a wrong pixel would be a wrong number -----------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_changed_byte_goes_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("x") / "pixels"
    cache = PixelCache(folder, GENEROUS)
    cache.put(key(1), noise(0, 5, 7))
    (path,) = entries(folder)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    assert cache.get(key(1)) is None
    assert not path.exists()  # so that it is made anew


@pytest.mark.parametrize("length", [0, 10, 55, 56, 57, 160])
def test_a_truncated_entry_is_noticed(cache: PixelCache, folder: Path, length: int) -> None:
    cache.put(key(1), noise(0, 5, 7))
    (path,) = entries(folder)
    content = path.read_bytes()
    assert len(content) == 56 + 105
    path.write_bytes(content[:length])
    assert cache.get(key(1)) is None and not path.exists()


def test_a_lengthened_entry_is_noticed(cache: PixelCache, folder: Path) -> None:
    cache.put(key(1), noise(0, 5, 7))
    (path,) = entries(folder)
    path.write_bytes(path.read_bytes() + b"\0")
    assert cache.get(key(1)) is None


def test_an_entry_under_another_name_is_noticed(cache: PixelCache, folder: Path) -> None:
    cache.put(key(1), noise(0))
    entries(folder)[0].rename(folder / f"{key(2)}.pixels")
    assert cache.get(key(2)) is None


def test_a_shape_that_claims_too_much_allocates_nothing(cache: PixelCache, folder: Path) -> None:
    cache.put(key(1), noise(0, 5, 7))
    (path,) = entries(folder)
    content = path.read_bytes()
    path.write_bytes(content[:8] + b"\xff" * 8 + content[16:])
    assert cache.get(key(1)) is None


# --- bounded -----------------------------------------------------------------------------------------------

IMAGE = noise(0, 50, 50)
ENTRY = 56 + IMAGE.nbytes


def filled(folder: Path, count: int) -> None:
    """Write entries 0 to count - 1, each used a minute after the one before, all of them long ago."""
    writer = PixelCache(folder, GENEROUS)
    for number in range(count):
        writer.put(key(number), IMAGE)
        age(folder / f"{key(number)}.pixels", 3600 * 24 - 60 * number)


def test_the_longest_unused_make_room(folder: Path) -> None:
    filled(folder, 32)
    cache = PixelCache(folder, 32 * ENTRY)
    assert cache.get(key(0)) is not None  # used now, so no longer the first to go
    cache.put(key(100), IMAGE)
    left = {path.stem for path in entries(folder)}
    assert {key(0), key(100)} <= left and key(1) not in left
    # One entry more than needed for each sixteenth of the bound, and the rest is still there.
    assert left == {key(0), key(100), *(key(number) for number in range(4, 32))}


def test_images_of_the_same_run_do_not_push_each_other_out(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = PixelCache(folder, 10 * ENTRY)
    for _ in range(2):
        for number in range(15):
            if cache.get(key(number)) is None:
                cache.put(key(number), IMAGE)
    assert {path.stem for path in entries(folder)} == {key(number) for number in range(10)}
    assert [record.message for record in caplog.records] == [
        f"{relative(folder)}: the cache of decoded images of {10 * ENTRY / 2**30:.3g} GiB cannot hold all "
        "images of this run; what is not in it is decoded each time. Remedy: set NTIRE_BENCH_PIXEL_CACHE to "
        "more, or NTIRE_BENCH_PIXEL_CACHE=0 for no cache."
    ]
    # The next run reads ten and does not touch the others either.
    later = PixelCache(folder, 10 * ENTRY)
    hits = [later.get(key(number)) is not None for number in range(15)]
    assert hits == [True] * 10 + [False] * 5


def test_the_bound_holds_whoever_wrote(folder: Path) -> None:
    caches = [PixelCache(folder, 64 * ENTRY) for _ in range(3)]
    for number in range(120):
        caches[number % 3].put(key(number), IMAGE)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 64 * ENTRY * (1 + 3 / 16)


def test_an_image_larger_than_the_bound_is_left_out(folder: Path) -> None:
    filled(folder, 3)
    PixelCache(folder, ENTRY - 1).put(key(9), IMAGE)
    assert len(entries(folder)) == 3


def test_a_clock_that_was_set_back_does_not_fill_the_cache_for_ever(folder: Path) -> None:
    filled(folder, 4)
    for path in entries(folder):
        age(path, -3600)
    cache = PixelCache(folder, 4 * ENTRY)
    cache.put(key(100), IMAGE)
    assert cache.get(key(100)) is not None


def test_what_a_killed_process_left_is_removed(folder: Path) -> None:
    filled(folder, 1)
    old, young, other = folder / "aa.tmp", folder / "bb.tmp", folder / "notes.txt"
    for path in (old, young, other):
        path.write_bytes(b"x" * 100)
    age(old, 7200)
    age(other, 7200)
    PixelCache(folder, GENEROUS).put(key(1), IMAGE)
    assert not old.exists() and young.exists() and other.exists()


# --- shared ------------------------------------------------------------------------------------------------


def work(
    folder: Path, seed: int, start: multiprocessing.synchronize.Barrier, faults: multiprocessing.Queue
) -> None:
    start.wait()
    cache = PixelCache(folder, 12 * ENTRY)
    order = np.random.default_rng(seed)
    wrong = hits = 0
    for number in order.integers(0, 20, 400).tolist():
        image = noise(number, 50, 50)
        found = cache.get(key(number))
        if found is None:
            cache.put(key(number), image)
        else:
            hits += 1
            wrong += not np.array_equal(found, image)
        if number == 7:  # what another has open or writes may vanish
            (folder / f"{key(number)}.pixels").unlink(missing_ok=True)
    faults.put((wrong, hits))


def test_processes_that_share_the_folder(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, faults = context.Barrier(3), context.Queue()
    workers = [context.Process(target=work, args=(folder, seed, start, faults)) for seed in range(3)]
    for worker in workers:
        worker.start()
    seen = [faults.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join(timeout=60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert all(wrong == 0 and hits > 50 for wrong, hits in seen), seen
    assert not list(folder.glob("*.tmp"))


def test_threads_that_share_the_cache(folder: Path) -> None:
    cache = PixelCache(folder, 12 * ENTRY)
    wrong: list[int] = []

    def use(seed: int) -> None:
        for number in np.random.default_rng(seed).integers(0, 20, 200).tolist():
            found = cache.get(key(number))
            if found is None:
                cache.put(key(number), noise(number, 50, 50))
            elif not np.array_equal(found, noise(number, 50, 50)):
                wrong.append(number)

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and 10 <= len(entries(folder)) <= 12


# --- never a reason to fail --------------------------------------------------------------------------------


def one_warning(caplog: pytest.LogCaptureFixture) -> str:
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and record.name == "ntire_bench.data.pixel_cache"
    return record.message


def test_a_folder_that_cannot_be_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    cache = PixelCache(tmp_path / "file" / "pixels", GENEROUS)
    for number in range(3):
        assert cache.get(key(number)) is None
        cache.put(key(number), IMAGE)
    assert "cannot be read (Not a directory)" in one_warning(caplog)


def test_a_full_disk(
    cache: PixelCache, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache.put(key(0), IMAGE)

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pixel_cache.os, "replace", full)
    cache.put(key(1), IMAGE)
    cache.put(key(2), IMAGE)
    assert "cannot be written (No space left on device)" in one_warning(caplog)
    assert [path.name for path in folder.iterdir()] == [f"{key(0)}.pixels"]
    assert cache.get(key(0)) is not None  # what is there is still read


def test_a_nearly_full_disk_is_left_to_others(
    cache: PixelCache, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Free:
        f_frsize = 4096
        f_bavail = 2**28 // 4096

    monkeypatch.setattr(pixel_cache.os, "statvfs", lambda path: Free)
    cache.put(key(1), IMAGE)
    assert entries(folder) == []
    assert "less than 256 MiB would be left free" in one_warning(caplog)


def test_a_folder_that_others_may_write_to_is_not_believed(
    cache: PixelCache, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache.put(key(0), IMAGE)
    folder.chmod(0o777)
    later = PixelCache(folder, GENEROUS)
    assert later.get(key(0)) is None
    later.put(key(1), IMAGE)
    assert len(entries(folder)) == 1
    assert "another user owns it or may write to it" in one_warning(caplog)


def test_a_folder_of_another_user_is_not_believed(
    cache: PixelCache, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache.put(key(0), IMAGE)
    monkeypatch.setattr(pixel_cache.os, "geteuid", lambda: folder.stat().st_uid + 1)
    assert PixelCache(folder, GENEROUS).get(key(0)) is None
    assert "another user owns it" in one_warning(caplog)


def test_a_cache_that_may_only_be_read(
    cache: PixelCache, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # By patches, because file permissions do not bind the super-user that tests may run as.
    cache.put(key(0), IMAGE)
    age(entries(folder)[0], 60)

    def read_only(*args: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(pixel_cache.os, "utime", read_only)
    later = PixelCache(folder, GENEROUS)
    for _ in range(2):
        assert np.array_equal(later.get(key(0)), IMAGE)
    later.put(key(1), IMAGE)
    assert len(entries(folder)) == 1 and not caplog.records


# --- what the dataset makes of it --------------------------------------------------------------------------


def test_images_are_decoded_once_for_all_runs(
    tmp_path: Path, turned_on: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_pairs(tmp_path / "data", "valid", [noise(1, 99, 131), noise(2)])
    (split,) = load_splits(["valid"], data)
    first = [(read_lr(pair), read_hr(pair)) for pair in split.pairs]
    assert [hr.shape for _, hr in first] == [(96, 128, 3)] * 2
    assert len(entries(turned_on)) == 4
    pixel_cache._open.cache_clear()  # as a new process
    monkeypatch.setattr(dataset, "decode_png", None)
    monkeypatch.setattr(dataset, "read_bytes", None)
    (again,) = load_splits(["valid"], data)
    for (lr, hr), pair in zip(first, again.pairs, strict=True):
        assert np.array_equal(read_lr(pair), lr) and np.array_equal(read_hr(pair), hr)
        assert np.array_equal(hr, np.asarray(Image.open(pair.hr_path))[:96, :128])


def test_a_damaged_entry_is_decoded_anew(tmp_path: Path, turned_on: Path) -> None:
    data = write_pairs(tmp_path / "data", "valid", [noise(1)])
    (pair,) = load_splits(["valid"], data)[0].pairs
    hr = read_hr(pair)
    (path,) = entries(turned_on)
    path.write_bytes(path.read_bytes()[:-1] + b"\0" + b"\0")
    assert np.array_equal(read_hr(pair), hr)
    assert np.array_equal(pixel_cache.configured().get(pair.hr_sha256), hr)


def test_a_changed_image_is_never_taken_for_the_checked_one(tmp_path: Path, turned_on: Path) -> None:
    data = write_pairs(tmp_path / "data", "valid", [noise(1)])
    (before,) = load_splits(["valid"], data)[0].pairs
    checked = read_hr(before)
    write_png(before.hr_path, noise(2))
    assert np.array_equal(read_hr(before), checked)  # the content that was checked, not what lies there now
    (after,) = load_splits(["valid"], data)[0].pairs
    assert np.array_equal(read_hr(after), noise(2))
    write_png(after.lr_path, noise(3, 24, 32))
    with pytest.raises(dataset.DatasetError, match="changed since it was checked"):
        read_lr(after)


def test_without_a_checked_hash_nothing_is_stored(tmp_path: Path, turned_on: Path) -> None:
    data = write_pairs(tmp_path / "data", "valid", [noise(1)])
    (pair,) = load_splits(["valid"], data)[0].pairs
    unchecked = dataset.Pair(pair.name, pair.lr_path, pair.hr_path, pair.height, pair.width)
    assert np.array_equal(read_hr(unchecked), noise(1))
    assert not turned_on.exists()


def test_an_unwritable_cache_changes_no_result(
    tmp_path: Path, turned_on: Path, caplog: pytest.LogCaptureFixture
) -> None:
    turned_on.parent.touch()  # a file where the cache's folder should be
    data = write_pairs(tmp_path / "data", "valid", [noise(1), noise(2)])
    (split,) = load_splits(["valid"], data)
    for seed, pair in enumerate(split.pairs, 1):
        assert np.array_equal(read_hr(pair), noise(seed))
    assert "the cache of decoded images cannot be" in one_warning(caplog)


# --- the environment's word --------------------------------------------------------------------------------


def test_where_and_how_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NTIRE_BENCH_CACHE", raising=False)
    monkeypatch.delenv("NTIRE_BENCH_PIXEL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = pixel_cache.configured()
    assert cache is not None and cache is pixel_cache.configured()
    assert (cache.folder, cache.limit) == (tmp_path / "ntire_bench" / "pixels", 4 * 2**30)
    monkeypatch.setenv("NTIRE_BENCH_PIXEL_CACHE", " 0.5 ")
    assert pixel_cache.configured().limit == 2**29
    monkeypatch.setenv("NTIRE_BENCH_CACHE", str(tmp_path / "own"))
    assert pixel_cache.configured().folder == tmp_path / "own" / "pixels"


def test_turned_off(tmp_path: Path, turned_on: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NTIRE_BENCH_PIXEL_CACHE", "0")
    data = write_pairs(tmp_path / "data", "valid", [noise(1)])
    (pair,) = load_splits(["valid"], data)[0].pairs
    assert np.array_equal(read_hr(pair), noise(1))
    assert pixel_cache.configured() is None and not turned_on.exists()


@pytest.mark.parametrize("text", ["4GB", "-1", "nan", "inf"])
def test_a_bound_that_is_no_size(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NTIRE_BENCH_PIXEL_CACHE", text)
    with pytest.raises(UsageError, match="NTIRE_BENCH_PIXEL_CACHE is not a size; expected a number of GiB"):
        load_splits(["valid"], tmp_path)


def test_no_home_folder_is_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for variable in ("NTIRE_BENCH_CACHE", "XDG_CACHE_HOME", "NTIRE_BENCH_PIXEL_CACHE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert pixel_cache.configured() is None
