"""Ctrl-C, SIGTERM and SIGHUP: each becomes one exception, so that workers are ended and files are finished.

A command catches them with `catch`; what uses the package otherwise keeps its own handlers, and `held` does
nothing there.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

__all__ = ["Interrupted", "begin", "catch", "end", "held", "number_of"]

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
# The first signal ends the command, and takes less than this. One that comes later finds it stuck.
_GRACE_S = 10.0
_AGAIN_S = 0.05


class Interrupted(KeyboardInterrupt):
    """A signal asks this program to end; whatever handles Ctrl-C handles it.

    Attributes:
        number: Of the signal.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


class _State:
    """What has come, and whether it may be raised. Only the main thread is told of signals and uses it."""

    caught: tuple[int, ...] = ()
    first: Interrupted | None = None
    since_s = 0.0
    holds = 0
    pending = False


_state = _State()


def catch(early: Sequence[int] = ()) -> None:
    """Have the signals that end a program raise `Interrupted` from `begin` on, which raises earlier ones.

    A signal that is ignored stays so: nohup has SIGHUP ignored, and a shell has its background ignore Ctrl-C.

    Args:
        early: The numbers of those that have come already.
    """
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    _state.caught = tuple(number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN)
    _state.holds = 1
    for number in _state.caught:
        signal.signal(number, _come)
    for number in early[:1]:
        _come(number, None)
    sys.unraisablehook = _unraisable


def begin() -> None:
    """Raise what has come since `catch`, and from now on what comes."""
    if _state.caught:
        _release()


def end() -> None:
    """Ignore what comes from now on: all is done and said, and the program is about to end."""
    for number in _state.caught:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Put off a signal until the end of a block that must be done whole, such as the storing of a record."""
    if not _state.caught or threading.current_thread() is not threading.main_thread():
        yield
        return
    _state.holds += 1
    try:
        yield
    except BaseException:  # it is told first; the signal is raised at the end of the next such block
        _state.holds -= 1
        raise
    _release()


def number_of(error: BaseException) -> int | None:
    """Return the signal that an exception comes from; None where it has another cause.

    Python itself turns an exception in some places into another one, such as a RuntimeError where a class is
    made. A terminal that is gone after SIGHUP fails when it is written to. A module of C that is being
    imported may turn any exception into an ImportError.

    >>> number_of(Interrupted(signal.SIGTERM)) == signal.SIGTERM, number_of(OSError())
    (True, None)
    """
    one: BaseException | None = error
    while one is not None:
        if isinstance(one, KeyboardInterrupt):
            return one.number if isinstance(one, Interrupted) else signal.SIGINT
        one = one.__cause__ or one.__context__
    if isinstance(error, (OSError, ImportError)) and _state.first is not None:
        return _state.first.number
    return None


def _come(number: int, _: FrameType | None) -> None:
    """Raise for the first signal. More of them, as `timeout` sends, must not break the clean-up."""
    now = time.monotonic()
    if _state.first is None:
        _state.first, _state.since_s = Interrupted(number), now
        if _state.holds:
            _state.pending = True
            return
    elif now - _state.since_s < _GRACE_S:
        return
    _state.since_s, _state.pending = now, False
    raise _state.first


def _send(number: int) -> None:
    if hasattr(signal, "pthread_kill"):  # to the main thread: it may be waiting for something
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)


def _release() -> None:
    _state.holds -= 1
    if _state.pending and not _state.holds and _state.first is not None:
        _state.pending = False
        raise _state.first


def _unraisable(lost: UnraisableHookArgs, /) -> None:
    """Send a signal again whose exception was lost: one is, where it is raised in a destructor."""
    if isinstance(lost.exc_value, Interrupted):
        number, _state.first = lost.exc_value.number, None
        again = threading.Timer(_AGAIN_S, _send, (number,))
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(lost)
