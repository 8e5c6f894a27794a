"""Landlock: a process gives up its access to files, and on newer kernels to TCP and signals, for good.

https://docs.kernel.org/userspace-api/landlock.html names the rights; their bits are in linux/landlock.h.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable

from ntire_bench.isolation.levels import syscalls

__all__ = ["abi", "restrict"]

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV  # the others are folders' rights
_TCP = 0b11  # bind and connect
_SCOPES = 0b11  # abstract Unix sockets and signals


def abi() -> int:
    """Return the version of Landlock that the kernel has.

    Raises:
        OSError: It has none, or may not use it.
    """
    return syscalls.syscall(_CREATE_RULESET, None, 0, _VERSION)


def _rights(version: int) -> int:
    """Return all rights on files that this version knows: 13 bits at first, then one more each."""
    return (1 << (13 + (version >= 2) + (version >= 3) + (version >= 5))) - 1


def restrict(readable: Iterable[str], writable: Iterable[str], devices: Iterable[str]) -> None:
    """Leave this process and its children no files but these; new privileges must be forbidden before.

    Args:
        readable: Files and folders to read and execute.
        writable: Folders to do anything in.
        devices: Nodes to read, write and control.

    Raises:
        OSError: The kernel has no Landlock, or a path is missing.
    """
    version = abi()
    rights = _rights(version)
    attributes = struct.pack("=QQQ", rights, _TCP if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = syscalls.syscall(_CREATE_RULESET, attributes, size, 0)
    try:
        reading = _EXECUTE | _READ_FILE | _READ_DIR
        using = _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV
        for paths, wanted in ((readable, reading), (writable, rights), (devices, using)):
            for path in paths:
                _allow(ruleset, path, wanted & rights)
        syscalls.syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _OF_FILES
        syscalls.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, fd), 0)
    finally:
        os.close(fd)
