"""Decoded images on disk, so that later runs of any submission need not decode the same PNG files again.

An entry is named after the SHA-256 of the PNG file that it was decoded from, so a changed image is another
entry. It holds raw pixels behind a header with a checksum of both, which is compared at every use: decoding
2040x1356 pixels takes tens of milliseconds, reading and checking them two to three (docs/PERFORMANCE.md).

A cache that cannot be read or written (no rights, no space, another user's) costs time and never a result:
that is logged once as a warning, and images are decoded.
"""

from __future__ import annotations

import functools
import logging
import math
import os
import secrets
import struct
import threading
import time
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ntire_bench.data.cache_dir import cache_dir
from ntire_bench.errors import NtireBenchError, UsageError
from ntire_bench.text import relative

__all__ = ["DEFAULT_GIB", "VARIABLE", "PixelCache", "configured"]

Uint8 = NDArray[np.uint8]

VARIABLE = "NTIRE_BENCH_PIXEL_CACHE"
DEFAULT_GIB = 4.0
_GIB = 2**30

# Magic with the version of this format, height, width, channels, the PNG's SHA-256, CRC-32 of all that comes
# before it and of the pixels.
_HEADER = struct.Struct("<8sIII32sI")
_MAGIC = b"NTBpix\0\1"
_SUFFIX = ".pixels"
_KEEP_FREE = 2**28  # bytes of the disk that are left to what matters more, such as records
_ABANDONED_NS = 3600 * 10**9  # a temporary file older than this belongs to a killed process

_log = logging.getLogger(__name__)


class PixelCache:
    """A folder of decoded images, bounded in size; any number of threads and processes may share it.

    The entries that were not used for longest make room, but never those that this run has used: of a data
    set larger than the bound the first images stay, instead of all being replaced in every pass. Nothing is
    held in memory.

    Args:
        folder: Made on first use, readable by its owner alone, as it holds ground truth.
        limit: Bytes that all entries together may take; several processes that write at once may exceed it by
            a sixteenth each.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self._lock = threading.RLock()
        self._mark = f"{secrets.token_hex(4)}-"  # of its temporary files
        self._born_ns = time.time_ns() - 10**8  # file systems stamp with a clock that ticks more coarsely
        self._checked = False  # that the folder is ours
        self._closed = False  # neither read nor written any more
        self._full = False  # not written any more
        self._complained = False
        self._used = 0  # bytes of all entries, those that are being written included
        self._writing = 0  # bytes of entries that have their room and are not under their name yet
        self._unseen = limit  # bytes written since the folder was last looked through

    def get(self, sha256: str) -> Uint8 | None:
        """Return the pixels of a PNG file, or None where they are not stored or the entry is damaged.

        Args:
            sha256: Of the file's content, in hexadecimal.

        Returns:
            (H, W, 3) uint8, RGB, C-contiguous; the caller's own.
        """
        if self._closed:
            return None
        path = self._path(sha256)
        try:
            if not self._usable():
                return None
            with path.open("rb", buffering=0) as stream:
                image = _read(stream.fileno(), bytes.fromhex(sha256))
                if image is not None:
                    self._touch(stream.fileno())
            if image is None:
                path.unlink(missing_ok=True)
            return image
        except FileNotFoundError:
            return None
        except OSError as error:
            self._closed = True
            self._complain(
                f"cannot be read ({error.strerror or error})", "NTIRE_BENCH_CACHE to a folder of your own"
            )
            return None

    def put(self, sha256: str, image: Uint8) -> None:
        """Store the pixels of a PNG file where there is room.

        Args:
            sha256: Of the file's content, in hexadecimal.
            image: (H, W, 3) uint8, RGB.
        """
        size = _HEADER.size + image.nbytes
        if self._closed or self._full or size > self.limit:
            return
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self.folder.mkdir(mode=0o700, exist_ok=True)
            if self._usable() and self._make_room(size):
                self._write(self._path(sha256), bytes.fromhex(sha256), np.ascontiguousarray(image), size)
        except OSError as error:
            self._full = True
            self._complain(
                f"cannot be written ({error.strerror or error})",
                "NTIRE_BENCH_CACHE to a folder with free space that you may write to",
            )

    def _path(self, sha256: str) -> Path:
        return self.folder / f"{sha256}{_SUFFIX}"

    def _usable(self) -> bool:
        """Return whether the folder is there and nobody else's; look once."""
        if not self._checked:
            try:
                status = os.stat(self.folder)
            except FileNotFoundError:
                return False
            if status.st_uid != os.geteuid() or status.st_mode & 0o022:
                raise PermissionError(0, "another user owns it or may write to it")
            if status.st_mode & 0o077:
                os.chmod(self.folder, 0o700)
            self._checked = True
        return True

    def _touch(self, descriptor: int) -> None:
        """Note that this run uses an entry; its time of change is all that says so."""
        if os.fstat(descriptor).st_mtime_ns < self._born_ns:
            try:
                os.utime(descriptor)
            except OSError:  # a folder that may be read only: whoever may write there sees to its size
                self._full = True

    def _make_room(self, size: int) -> bool:
        with self._lock:
            if self._used + size > self.limit or self._unseen + size > self.limit // 16:
                self._look_through(size)
            if self._used + size > self.limit:
                self._full = True
                self._complain(
                    f"of {self.limit / _GIB:.3g} GiB cannot hold all images of this run",
                    f"{VARIABLE} to more",
                )
                return False
            free = os.statvfs(self.folder)
            if free.f_bavail * free.f_frsize < size + _KEEP_FREE:
                raise OSError(28, "less than 256 MiB would be left free on the disk")
            self._used += size
            self._writing += size
            self._unseen += size
            return True

    def _look_through(self, size: int) -> None:
        """Add up all entries; remove the longest unused ones until `size` more bytes fit with a margin."""
        now_ns = time.time_ns()
        entries = []
        self._used = self._writing
        with os.scandir(self.folder) as listing:
            for entry in listing:
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # removed by another process
                    continue
                if entry.name.endswith(".tmp") and now_ns - status.st_mtime_ns > _ABANDONED_NS:
                    Path(entry.path).unlink(missing_ok=True)
                    continue
                if entry.name.endswith(".tmp") and entry.name.startswith(self._mark):
                    continue  # counted as being written
                self._used += status.st_size
                # One that carries a time yet to come was not used by this run: the clock was set back.
                if entry.name.endswith(_SUFFIX) and not self._born_ns <= status.st_mtime_ns <= now_ns + 10**9:
                    entries.append((status.st_mtime_ns, status.st_size, entry.path))
        self._unseen = 0
        if self._used + size > self.limit:
            for _, freed, path in sorted(entries):
                Path(path).unlink(missing_ok=True)
                self._used -= freed
                if self._used + size <= self.limit - self.limit // 16:
                    break

    def _write(self, path: Path, key: bytes, image: Uint8, size: int) -> None:
        header = _HEADER.pack(_MAGIC, *image.shape, key, 0)[:-4]
        pixels = image.data.cast("B")
        checksum = zlib.crc32(pixels, zlib.crc32(header))
        temporary = path.with_name(f"{self._mark}{secrets.token_hex(8)}.tmp")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as stream:
                stream.write(header + struct.pack("<I", checksum))
                stream.write(pixels)
            with self._lock:  # so that whoever looks through the folder counts it once
                os.replace(temporary, path)
                self._writing -= size
        except BaseException:
            with self._lock:
                temporary.unlink(missing_ok=True)
                self._writing -= size
            raise

    def _complain(self, what: str, remedy: str) -> None:
        """Say what keeps images from being stored, once."""
        with self._lock:
            if self._complained:
                return
            self._complained = True
        _log.warning(
            "%s: the cache of decoded images %s; what is not in it is decoded each time. "
            "Remedy: set %s, or %s=0 for no cache.",
            relative(self.folder), what, remedy, VARIABLE,
        )  # fmt: skip


def configured() -> PixelCache | None:
    """Return the cache that the environment asks for; None where it asks for none.

    It lies in the folder `pixels` of the cache folder. NTIRE_BENCH_PIXEL_CACHE bounds its size in GiB (4
    unless it is set); 0 turns it off.

    Raises:
        UsageError: NTIRE_BENCH_PIXEL_CACHE is not a size.
    """
    text = os.environ.get(VARIABLE, "").strip()
    try:
        size_gib = float(text) if text else DEFAULT_GIB
    except ValueError:
        size_gib = math.nan
    if not 0 <= size_gib < math.inf:
        raise UsageError(
            f"{VARIABLE} is not a size", expected="a number of GiB, 0 for no cache", found=repr(text)
        )
    if size_gib == 0:
        return None
    try:
        return _open(cache_dir() / "pixels", int(size_gib * _GIB))
    except NtireBenchError:  # no home folder: nobody asked for a cache there
        return None


@functools.cache
def _open(folder: Path, limit: int) -> PixelCache:
    return PixelCache(folder, limit)


def _read(descriptor: int, key: bytes) -> Uint8 | None:
    """Read one entry and compare its checksum; None if it is not sound."""
    header = os.read(descriptor, _HEADER.size)
    if len(header) != _HEADER.size:
        return None
    magic, height, width, channels, found_key, checksum = _HEADER.unpack(header)
    size = height * width * channels
    if magic != _MAGIC or found_key != key or os.fstat(descriptor).st_size != _HEADER.size + size:
        return None
    # Read, not mapped: what was checked must not change afterwards, nor vanish under the reader.
    image = np.empty((height, width, channels), np.uint8)
    pixels = image.data.cast("B")
    done = 0
    while done < size:
        count = os.readv(descriptor, [pixels[done:]])
        if not count:
            return None
        done += count
    return image if zlib.crc32(pixels, zlib.crc32(header[:-4])) == checksum else None
