"""A filter of system calls that no network needs and that escapes from a sandbox are made of.

A classic BPF program, built here so that no library is needed. What a GPU's driver asks of the kernel (ioctl,
mmap, and so on) passes unfiltered.
"""

from __future__ import annotations

import ctypes
import os
import struct

from ntire_bench.isolation.levels import syscalls

__all__ = ["apply", "program"]

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Numbers from 424 on are the same on every architecture.
_DENIED = {
    "x86_64": {
        "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "bpf": 321,
        "perf_event_open": 298, "userfaultfd": 323, "mount": 165, "umount2": 166, "pivot_root": 155,
        "chroot": 161, "unshare": 272, "setns": 308, "add_key": 248, "request_key": 249, "keyctl": 250,
        "kexec_load": 246, "kexec_file_load": 320, "init_module": 175, "finit_module": 313,
        "delete_module": 176, "reboot": 169, "acct": 163, "swapon": 167, "swapoff": 168,
        "open_by_handle_at": 304, "iopl": 172, "ioperm": 173, "fanotify_init": 300,
    },
    "aarch64": {
        "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "bpf": 280,
        "perf_event_open": 241, "userfaultfd": 282, "mount": 40, "umount2": 39, "pivot_root": 41,
        "chroot": 51, "unshare": 97, "setns": 268, "add_key": 217, "request_key": 218, "keyctl": 219,
        "kexec_load": 104, "kexec_file_load": 294, "init_module": 105, "finit_module": 273,
        "delete_module": 106, "reboot": 142, "acct": 89, "swapon": 224, "swapoff": 225,
        "open_by_handle_at": 265, "fanotify_init": 262,
    },
}  # fmt: skip
_DENIED_EVERYWHERE = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_getfd": 438,
    "mount_setattr": 442,
}  # fmt: skip
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
_SOCKET = {"x86_64": 41, "aarch64": 198}
_X32 = 0x40000000  # x86_64 programs' second table of system calls
_AF_UNIX = 1
_EPERM, _ENOSYS = 1, 38

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data, little-endian
_SYS_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER, _FLAG_SPEC_ALLOW = 1, 4


def program(*, sockets: bool) -> bytes | None:
    """Return the filter as the kernel takes it, or None on an architecture whose numbers are not known.

    Args:
        sockets: Whether sockets other than local ones may be made: in a network namespace they reach nobody.
    """
    machine = os.uname().machine
    if machine not in _ARCHITECTURES:
        return None
    lines = [
        _line(_LOAD, _ARCHITECTURE),
        _line(_EQUAL, _ARCHITECTURES[machine], 1, 0),
        _line(_RETURN, _KILL),
        _line(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        lines += [_line(_AT_LEAST, _X32, 0, 1), _line(_RETURN, _ERRNO | _ENOSYS)]
    for number in sorted({*_DENIED[machine].values(), *_DENIED_EVERYWHERE.values()}):
        lines += [_line(_EQUAL, number, 0, 1), _line(_RETURN, _ERRNO | _EPERM)]
    # The flags of clone3 lie in memory, where a filter cannot look: without it, programs call clone.
    lines += [_line(_EQUAL, _CLONE3, 0, 1), _line(_RETURN, _ERRNO | _ENOSYS)]
    lines += [
        _line(_EQUAL, _CLONE[machine], 0, 4),
        _line(_LOAD, _FIRST_ARGUMENT),
        _line(_ANY_BIT, syscalls.CLONE_NEWUSER, 0, 1),
        _line(_RETURN, _ERRNO | _EPERM),
        _line(_RETURN, _ALLOW),
    ]
    if not sockets:
        lines += [
            _line(_EQUAL, _SOCKET[machine], 0, 4),
            _line(_LOAD, _FIRST_ARGUMENT),
            _line(_EQUAL, _AF_UNIX, 1, 0),
            _line(_RETURN, _ERRNO | _EPERM),
            _line(_RETURN, _ALLOW),
        ]
    return b"".join([*lines, _line(_RETURN, _ALLOW)])


def _line(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def apply(filter_: bytes) -> None:
    """Put this process and its children under a filter, for good; new privileges must be forbidden before."""
    code = ctypes.create_string_buffer(filter_, len(filter_))
    head = struct.pack("@HP", len(filter_) // 8, ctypes.addressof(code))
    number = _SYS_SECCOMP[os.uname().machine]
    # Without the flag, kernels before 5.16 slow the whole process down against speculation.
    syscalls.syscall(number, _SET_MODE_FILTER, _FLAG_SPEC_ALLOW, head)
