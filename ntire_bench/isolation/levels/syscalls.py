"""Linux system calls that Python does not offer, through ctypes; a failure is an OSError."""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = [
    "CLONE_NEWCGROUP",
    "CLONE_NEWIPC",
    "CLONE_NEWNET",
    "CLONE_NEWNS",
    "CLONE_NEWPID",
    "CLONE_NEWUSER",
    "CLONE_NEWUTS",
    "die_with_parent",
    "drop_capabilities",
    "forbid_new_privileges",
    "mount",
    "mount_read_only",
    "pivot_root",
    "reap_orphans",
    "set_dumpable",
    "syscall",
    "unmount",
    "unshare",
]

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 1, 4, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 36, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_LAST_CAPABILITY = 63
_CAPABILITY_VERSION_3 = 0x20080522
_SYS_MOUNT_SETATTR = 442  # the same number on every architecture
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _library() -> ctypes.CDLL:
    if _libc is None:
        raise OSError(38, "these system calls are Linux's")
    return _libc


def syscall(number: int, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Make a system call by number.

    Args:
        number: Of the call on this architecture.
        arguments: Numbers, or buffers whose address is handed over.

    Raises:
        OSError: It failed.
    """
    values: list[ctypes.c_long | ctypes.c_char_p | ctypes.Array[ctypes.c_char]] = []
    for value in arguments:
        if isinstance(value, int):
            values.append(ctypes.c_long(value))
        elif isinstance(value, bytes) or value is None:
            values.append(ctypes.c_char_p(value))
        else:
            values.append(value)
    return _check(_library().syscall(ctypes.c_long(number), *values), f"system call {number}")


def _prctl(option: int, value: int, third: int = 0) -> int:
    arguments = [ctypes.c_ulong(number) for number in (value, third, 0, 0)]
    return _check(_library().prctl(option, *arguments), f"prctl {option}")


def set_dumpable(dumpable: bool) -> None:
    """Open or close this process's memory and descriptors to others of the same user, in /proc too."""
    _prctl(_PR_SET_DUMPABLE, int(dumpable))


def reap_orphans() -> None:
    """Make this process the parent of descendants whose own parents end."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this process a signal when its parent ends, however that ends."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def forbid_new_privileges() -> None:
    """Keep set-uid programs and file capabilities from adding privileges, from now on."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> None:
    """Give up every capability for good, those that a program could gain by exec too."""
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            _prctl(_PR_CAPBSET_DROP, capability)
        except OSError:
            break  # beyond the last that this kernel knows, or there is nothing to drop them with
    try:
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    except OSError as error:
        if error.errno != 22:  # a kernel without ambient capabilities
            raise
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _check(_library().capset(header, nothing), "capset")


def unshare(flags: int) -> None:
    """Move this process, or its children to come, into new namespaces."""
    _check(_library().unshare(flags), "unshare")


def mount(source: str | None, target: str, kind: str | None, flags: int = 0, data: str | None = None) -> None:
    """Mount a file system, or change a mount."""
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    extra = None if data is None else data.encode()
    _check(_library().mount(*texts, ctypes.c_ulong(flags), extra), f"mount {target}")


def unmount(target: str) -> None:
    """Take a mount away, and what is mounted inside it, as soon as nobody uses it."""
    _check(_library().umount2(os.fsencode(target), _MNT_DETACH), f"umount {target}")


def mount_read_only(target: str, *, inside: bool, devices: bool = False) -> None:
    """Make a mount read-only, without set-uid programs.

    Args:
        target: Where it is mounted.
        inside: Whether all that is mounted inside it follows.
        devices: Whether device nodes work on it, and it stays writable.
    """
    read_only, no_suid, no_devices = 1, 2, 4
    setting = no_suid if devices else read_only | no_suid | no_devices
    attributes = b"".join(value.to_bytes(8, sys.byteorder) for value in (setting, 0, 0, 0))
    flags = _AT_RECURSIVE if inside else 0
    syscall(_SYS_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(target), flags, attributes, len(attributes))


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root of the file system and keep the former one at `old`."""
    number = _SYS_PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise OSError(38, f"pivot_root has no known number on {os.uname().machine}")
    syscall(number, os.fsencode(new), os.fsencode(old))
