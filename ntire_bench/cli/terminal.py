"""How commands write to a terminal: lines, tables, progress bars. Colour only on a terminal."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal, TextIO

import click

from ntire_bench.errors import NtireBenchError
from ntire_bench.text import one_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from ntire_bench.records.record import Isolation

__all__ = [
    "err",
    "folded",
    "is_redrawn",
    "out",
    "progress_bar",
    "progress_bars",
    "show",
    "show_error",
    "tell",
    "tell_isolation",
]

Progress = Callable[[str, int, int], None]
"""To be called with what is being done, how much is done, and how much there is in all."""

_PIPE_WIDTH = 160
_LABEL = re.compile(r" *\S+(?: \S+)? {2,}(?=\S)")  # "  input range  "
# All but tab and line feed, and what turns the direction of writing or is another kind of line break.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def out() -> Console:
    """Return a console on standard output; a file or pipe is as wide as the widest table."""
    from rich.console import Console

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(highlight=False, emoji=False, markup=False, width=width, color_system=_colours())


def err() -> Console:
    """Return a console on standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, emoji=False, markup=False, color_system=_colours())


def _colours() -> Literal["auto"] | None:
    """Return how a terminal is coloured; None, with no escapes at all, where the user has set NO_COLOR."""
    return None if os.environ.get("NO_COLOR") else "auto"


def show(what: str | RenderableType, *, style: str | None = None) -> None:
    """Print text or a table on standard output: what a command was asked for."""
    if isinstance(what, str) and _is_plain(sys.stdout):
        click.echo(_CONTROL.sub("", what))
    else:
        _print(out(), what, style)


def tell(text: str, *, style: str | None = None) -> None:
    """Print a line on standard error: what a user should know beside the output of a command."""
    if _is_plain(sys.stderr):
        click.echo(_CONTROL.sub("", text), err=True)
    else:
        _print(err(), text, style)


def _is_plain(stream: TextIO) -> bool:
    """Return whether text goes to a file or pipe as it is: rich, slow to import, is then not needed."""
    forced = ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")  # which rich hears
    return not stream.isatty() and not any(os.environ.get(name) for name in forced)


def _print(console: Console, what: str | RenderableType, style: str | None) -> None:
    """Print text or a table; text is folded on a terminal alone, so that files can be searched and copied.

    Control characters are taken out: a message may hold what a stranger's file wants a terminal to do.
    """
    if isinstance(what, str):
        text = _CONTROL.sub("", what)
        if console.is_terminal:
            text = "\n".join(folded(line, console.width) for line in text.split("\n"))
        console.print(text, style=style, soft_wrap=True)
    else:
        console.print(what)


def folded(line: str, width: int) -> str:
    """Return a line folded between words; what follows is indented as far as what is folded.

    >>> print(folded("  model        a network with a long name", 30))
      model        a network with
                   a long name
    >>> print(folded("Error: a long message on one file", 20))
    Error: a long
      message on one
      file
    """
    if len(line) <= width:
        return line
    label = _LABEL.match(line)
    indent = min(len(label[0]) if label else len(line) - len(line.lstrip()) + 2, width // 2)
    return textwrap.fill(
        line,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
        replace_whitespace=False,
    )


def tell_isolation(found: Isolation, wanted: str) -> None:
    """Say in one line what is lost under the best isolation, unless the user asked for just this level."""
    from ntire_bench.isolation.choose import lost

    text = lost(found)
    if text is not None and wanted not in ("none", found.level):
        tell(text)


def show_error(error: NtireBenchError) -> None:
    """Print the one message of an error."""
    tell(f"Error: {error}", style="red")


def is_redrawn() -> bool:
    """Say whether what is drawn on standard error can be drawn anew, which takes escapes.

    Not where CI runs this, even if FORCE_COLOR asks for colours there: a log keeps every drawing, and the
    escapes that take a bar away would stand before what is printed next, such as a command to GitHub.
    """
    return err().is_terminal and _colours() is not None and not os.environ.get("CI")


@contextlib.contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show a bar with the time left on standard error; nothing on a file or pipe, and under NO_COLOR.

    Yields:
        What to call as the work goes on.
    """
    with progress_bars() as begin:
        yield begin()


@contextlib.contextmanager
def progress_bars() -> Iterator[Callable[[], Progress]]:
    """Show one bar after the other, each with a time of its own; see `progress_bar`.

    None is shown where nothing is redrawn; see `is_redrawn`.

    Yields:
        A function that begins a bar, and returns what to call as the work goes on.
    """
    from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    console = err()
    # Two redraws a second: on few cores the bar must not take time from what is being measured.
    with Bars(
        *columns,
        console=console,
        disable=not is_redrawn(),
        transient=True,
        refresh_per_second=2,
    ) as bars:

        def begin() -> Progress:
            task: TaskID | None = None

            def update(description: str, done: int, total: int) -> None:
                nonlocal task
                description = one_line(description)
                if task is None:  # shown from the first call on
                    for earlier in bars.task_ids:
                        bars.update(earlier, visible=False)
                    task = bars.add_task(description, total=total)
                bars.update(task, description=description, completed=done, total=total)

            return update

        yield begin
