"""What forward does besides computing: threads it starts, files it opens, programs it runs. Worker only."""

from __future__ import annotations

import _thread
import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Conduct", "watched"]

# Where Python starts threads; audit events of it there are from Python 3.12 on.
_STARTERS = (
    (threading, "_start_new_thread"),
    (threading, "_start_joinable_thread"),
    (_thread, "start_new_thread"),
)
_STARTS = frozenset({"_thread.start_new_thread", "_thread.start_joinable_thread"})
_OPENS = frozenset({"open", "socket.connect", "subprocess.Popen", "os.posix_spawn", "os.fork", "os.exec"})
_BUSY_NS = 200_000  # of one thread beside forward; those that only wait take less
_TASKS = Path("/proc/self/task")


@dataclass
class Conduct:
    """What was seen.

    Attributes:
        threads: Threads that were started, or that computed beside.
        files: What was opened, connected to or started.
    """

    threads: int = 0
    files: list[str] = field(default_factory=list)


class _Hook:
    """The one audit hook of this process: Python has no way to take one away again."""

    def __init__(self) -> None:
        self.conduct: Conduct | None = None
        self.installed = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        conduct = self.conduct
        if conduct is None:
            return
        if event in _STARTS:
            conduct.threads += 1
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
    started: list[object] = []
    before = _busy_ns()
    _hook.conduct = conduct
    try:
        with _counted_starts(started):
            yield conduct
    finally:
        _hook.conduct = None
        after = _busy_ns()
        conduct.threads = max(conduct.threads, len(started))
        conduct.threads += sum(
            spent - before[task] > _BUSY_NS for task, spent in after.items() if task in before
        )


@contextlib.contextmanager
def _counted_starts(started: list[object]) -> Iterator[None]:
    """Add to a list whenever Python starts a thread."""
    originals = [(module, name, getattr(module, name)) for module, name in _STARTERS if hasattr(module, name)]

    def counting(original: Callable[..., Any]) -> Callable[..., Any]:
        def start(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
            started.append(original)
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
    """Return the processor time [ns] of Python's threads but this one; torch's own are not Python's."""
    own = threading.get_native_id()
    others = {thread.native_id for thread in threading.enumerate()} - {own, None}
    spent = {}
    for task in others:
        with contextlib.suppress(
            OSError, ValueError, IndexError
        ):  # it has ended, or Linux does not count here
            spent[int(task or 0)] = int((_TASKS / str(task) / "schedstat").read_text().split()[0])
    return spent
