"""How Ctrl-C, SIGTERM and SIGHUP end a command: what is kept is said; the exit status is the signal's."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NoReturn

from ntire_bench import interruption
from ntire_bench.cli.output import json_is_printed, print_json
from ntire_bench.text import relative

__all__ = ["interruptible", "leave", "same_with"]

_STATUS = 128  # plus the signal's number


@contextlib.contextmanager
def interruptible(
    done: Callable[[], str], *, as_json: bool, document: Callable[[], dict[str, Any]]
) -> Iterator[None]:
    """End the command when a signal comes, and say what is kept.

    Args:
        done: Returns what has been done so far, and how to go on.
        as_json: Whether the command has --json.
        document: Returns the document of what there is.
    """
    try:
        yield
    except (KeyboardInterrupt, OSError, ImportError) as error:
        number = interruption.number_of(error)
        if number is None:
            raise
        leave(number, done(), document() if as_json and not json_is_printed() else None)


def leave(number: int, done: str | None = None, document: dict[str, Any] | None = None) -> NoReturn:
    """Say that a signal has ended the command, in a JSON document too where there is one, and exit.

    Args:
        number: Of the signal.
        done: What has been done so far, and how to go on; None where there is nothing to say.
        document: What there is; None for no document.
    """
    from ntire_bench.cli import terminal

    name = signal.Signals(number).name
    message = "Interrupted" if number == signal.SIGINT else f"Interrupted by {name}"
    message += "." if done is None else f": {done}"
    if document is not None and not json_is_printed():
        with _perhaps_gone(sys.stdout):
            print_json({**document, "error": {"type": "Interrupted", "signal": name, "message": message}})
    with _perhaps_gone(sys.stderr):
        terminal.tell(message)
    sys.exit(_STATUS + number)


def same_with(option: str) -> str:
    """Return this command with an option added, as it is typed."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        words = ["python", "-m", "ntire_bench"]
    else:
        words = ["python", relative(program)] if program.suffix == ".py" else [program.name]
    words += [word for word in sys.argv[1:] if word != option]
    return shlex.join([*words, option])


@contextlib.contextmanager
def _perhaps_gone(stream: IO[str]) -> Iterator[None]:
    """Write to a stream whose reader or terminal may have ended: what cannot be said changes no status."""
    try:
        yield
        stream.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):  # else Python fails when it flushes at its end
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
