"""How much a worker may use, and the limits that its process sets for itself before strange code runs."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "Limits",
    "apply",
    "gpu_share_bytes",
    "machine_memory_bytes",
    "met",
    "rlimits",
    "tensors_share_bytes",
]

_GIB = 1024**3
_MIB = 1024**2
_MEMORY_SHARE = 0.8
_CONTAINER_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much one worker may use.

    Attributes:
        memory_bytes: In use by all its processes; None for four fifths of the machine's.
        processes: Processes and threads.
        scratch_bytes: In its scratch folder, and the size of one file.
        output_bytes: Printed, in all.
        open_files: Descriptors.
        stopped_s: How long it may stay stopped by a signal [s].
        phase_s: How long all its calls of one kind may take together [s].
    """

    memory_bytes: int | None = None
    processes: int = 512 + 16 * (os.cpu_count() or 1)  # every library starts threads by the number of cores
    scratch_bytes: int = _GIB
    output_bytes: int = 256 * _MIB
    open_files: int = 4096
    stopped_s: float = 5.0
    phase_s: float = 6 * 3600.0

    @property
    def memory(self) -> int:
        """The limit on memory [bytes]."""
        return self.memory_bytes or int(machine_memory_bytes() * _MEMORY_SHARE)


def machine_memory_bytes() -> int:
    """Return the memory of the machine, or of the container if that has less [bytes]."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in map(Path, _CONTAINER_LIMITS):
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text.isdigit() and int(text):
            total = min(total, int(text))
    return total


def gpu_share_bytes(total: int) -> int:
    """Return how much of a GPU's memory one worker may hold [bytes].

    That is half of it, less a reserve for workers that wait for their turn and for other programs. It is the
    same where a submission is its own baseline: what is allowed must not depend on what it is compared with.

    Args:
        total: What the GPU has [bytes].

    >>> [round(gpu_share_bytes(total * _GIB) / _GIB, 1) for total in (4, 8, 80)]
    [1.5, 3.0, 36.0]
    """
    return (total - max(total // 10, min(2 * _GIB, total // 4))) // 2


def tensors_share_bytes(share: int) -> int:
    """Return how much of its share [bytes] a worker's torch may take for tensors.

    What CUDA itself holds in a process is no part of that: some hundred MiB, more with many kernels. torch
    gives back what it keeps unused before it goes over, so an honest network is not ended for what it keeps.
    """
    return max(share // 2, share - _GIB)


def rlimits(limits: Limits, *, own_count: bool, gpu: bool) -> list[tuple[str, int]]:
    """Return the resource limits of a worker: names of the resource module, and values.

    Address space has no limit: importing torch takes gigabytes of it, and CUDA reserves far more.

    Args:
        limits: How much it may use.
        own_count: Whether its processes are counted apart from the user's others.
        gpu: Whether there is one; its driver maps memory in ways that the limit on data would miscount.
    """
    processes = limits.processes + (0 if own_count else _threads_of_this_user())
    found = [
        ("RLIMIT_CORE", 0),
        ("RLIMIT_FSIZE", limits.scratch_bytes),
        ("RLIMIT_NOFILE", limits.open_files),
        ("RLIMIT_NPROC", processes),
    ]
    return found if gpu else [*found, ("RLIMIT_DATA", limits.memory)]


def _threads_of_this_user() -> int:
    count = 0
    uid = os.getuid()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if entry.stat().st_uid == uid:
                count += len(os.listdir(entry / "task"))
        except OSError:
            continue
    return count


def met(text: str, limits: Limits) -> str | None:
    """Return which limit an error of a worker's code tells of, in words; None where it tells of none.

    At some limits the kernel ends a process, at others a call of it fails with one of these texts.

    Args:
        text: The error's.
        limits: The worker's.

    >>> met("BlockingIOError: [Errno 11] Resource temporarily unavailable", Limits(processes=544))
    '544 processes and threads'
    >>> met("ValueError: 11", Limits()) is None
    True
    """
    processes = f"{limits.processes} processes and threads"
    words = {
        r"Resource temporarily unavailable|can't start new thread": processes,
        r"[Cc]an(no|')t allocate memory|MemoryError|bad_alloc": f"{limits.memory / _GIB:.1f} GiB of memory",
        r"No space left on device|File too large": f"{limits.scratch_bytes / _GIB:.1f} GiB of files",
        r"Too many open files": f"{limits.open_files} open files",
    }
    return next((limit for pattern, limit in words.items() if re.search(pattern, text)), None)


def apply(values: Sequence[tuple[str, int]]) -> None:
    """Lower this process's resource limits, for good, and its children's.

    Args:
        values: What `rlimits` returned.
    """
    import resource

    for name, most in values:
        number = getattr(resource, name, None)
        if number is not None:
            hard = resource.getrlimit(number)[1]
            lowered = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(number, (lowered, lowered))
