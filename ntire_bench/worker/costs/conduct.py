"""What forward does besides computing: threads it starts, files it opens, programs it runs. Worker only."""

from __future__ import annotations

import _thread
import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Conduct", "repeated", "watched"]

# Where Python starts threads; audit events of it there are from Python 3.12 on.
_STARTERS = (
    (threading, "_start_new_thread"),
    (threading, "_start_joinable_thread"),
    (_thread, "start_new_thread"),
)
_STARTS = frozenset({"_thread.start_new_thread", "_thread.start_joinable_thread"})
_OPENS = frozenset({"open", "socket.connect", "subprocess.Popen", "os.posix_spawn", "os.fork", "os.exec"})
_BUSY_NS = 200_000  # of another thread during forward; threads that only wait take less
_BUSY_SHARE = 0.02  # of a long pass: a timer that wakes again and again takes less
_REPETITIONS = 3
_TASKS = Path("/proc/self/task")


@dataclass
class Conduct:
    """What was seen.

    Attributes:
        started: Threads that the watched thread started.
        beside: Threads that computed at the same time, or that another thread started. A library's own thread
            may wake now and then, so one sighting proves nothing; see `repeated`.
        files: What was opened, connected to or started.
    """

    started: int = 0
    beside: int = 0
    files: list[str] = field(default_factory=list)


class _Hook:
    """The one audit hook of this process: Python cannot remove a hook."""

    def __init__(self) -> None:
        self.conduct: Conduct | None = None
        self.starts: list[int] = []
        self.installed = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        conduct = self.conduct
        if conduct is None:
            return
        if event in _STARTS:
            self.starts.append(threading.get_ident())
        elif event in _OPENS:
            what = arguments[0] if arguments else ""
            conduct.files.append(f"{event} {what!r}"[:200])


_hook = _Hook()


@contextlib.contextmanager
def watched() -> Iterator[Conduct]:
    """Watch what Python code does within the context."""
    if not _hook.installed:
        sys.addaudithook(_hook)
        _hook.installed = True
    conduct = Conduct()
    own = threading.get_ident()
    started: list[int] = []  # by which thread
    _hook.starts = []
    before = _busy_ns()
    begin = time.perf_counter_ns()
    _hook.conduct = conduct
    try:
        with _counted_starts(started):
            yield conduct
    finally:
        _hook.conduct = None
        after = _busy_ns()
        most = max(_BUSY_NS, _BUSY_SHARE * (time.perf_counter_ns() - begin))
        starts = max(started, _hook.starts, key=len)  # two ways to see the same threads
        conduct.started = starts.count(own)
        conduct.beside = len(starts) - conduct.started
        conduct.beside += sum(spent - before[task] > most for task, spent in after.items() if task in before)


def repeated(conduct: Conduct, again: Callable[[], object]) -> int:
    """Return how many threads a watched pass started, or computed at the same time in most passes.

    A thread that a library keeps, such as a progress bar's monitor that wakes every ten seconds, may fall
    into one pass; a thread that works for forward works in each.

    Args:
        conduct: What was seen in the first pass.
        again: Runs the same pass once more.

    Returns:
        0 where only the first pass, or less than half of the others, had another thread computing.
    """
    if conduct.started or not conduct.beside:
        return conduct.started + conduct.beside
    busy = []
    for _ in range(_REPETITIONS):
        with watched() as conduct_again:
            again()
        busy.append(conduct_again.started + conduct_again.beside)
    return sorted(busy)[_REPETITIONS // 2]


@contextlib.contextmanager
def _counted_starts(started: list[int]) -> Iterator[None]:
    """Whenever a thread is started, add the number of the thread that started it to a list."""
    originals = [(module, name, getattr(module, name)) for module, name in _STARTERS if hasattr(module, name)]

    def counting(original: Callable[..., Any]) -> Callable[..., Any]:
        def start(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
            started.append(threading.get_ident())
            return original(*arguments, **options)

        return start

    for module, name, original in originals:
        setattr(module, name, counting(original))
    try:
        yield
    finally:
        for module, name, original in originals:
            setattr(module, name, original)


def _busy_ns() -> dict[int, int]:
    """Return the processor time [ns] of Python's other threads; torch's own are none of Python's."""
    own = threading.get_native_id()
    others = {thread.native_id for thread in threading.enumerate()} - {own, None}
    spent = {}
    for task in others:
        with contextlib.suppress(
            OSError, ValueError, IndexError
        ):  # it has ended, or this kernel does not count
            spent[int(task or 0)] = int((_TASKS / str(task) / "schedstat").read_text().split()[0])
    return spent
