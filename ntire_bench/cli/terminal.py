"""All that a person sees on a terminal: lines, progress bars, tables. Colour only on a terminal."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ntire_bench.errors import NtireBenchError
from ntire_bench.text import one_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from ntire_bench.records.record import Isolation

__all__ = ["err", "out", "progress_bar", "show", "show_error", "tell_isolation"]

_PIPE_WIDTH = 160
# All but tab and line feed, and what turns the direction of writing or is another kind of line break.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def out() -> Console:
    """Return a console on standard output; a file or pipe is as wide as the widest table."""
    from rich.console import Console

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(highlight=False, emoji=False, markup=False, width=width)


def err() -> Console:
    """Return a console on standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, emoji=False, markup=False)


def show(what: str | RenderableType, *, stderr: bool = False, style: str | None = None) -> None:
    """Print text or a table; text is never folded, so that it can be searched and copied.

    Control characters are taken out: a message may hold what a stranger's file wants a terminal to do.
    """
    console = err() if stderr else out()
    if isinstance(what, str):
        console.print(_CONTROL.sub("", what), style=style, soft_wrap=True)
    else:
        console.print(what)


def tell_isolation(found: Isolation, wanted: str) -> None:
    """Say in one line what is lost under the best isolation, unless just that was asked for."""
    from ntire_bench.isolation.choose import lost

    text = lost(found)
    if text is not None and wanted not in ("none", found.level):
        show(text, stderr=True)


def show_error(error: NtireBenchError) -> None:
    """Print the one message of an error."""
    show(f"Error: {error}", stderr=True, style="red")


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar with the time left on standard error; on anything but a terminal, nothing.

    Yields:
        A function to call with what is being done, how much is done, and how much there is in all.
    """
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

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
    with Progress(
        *columns,
        console=console,
        disable=not console.is_terminal,
        transient=True,
        refresh_per_second=2,
    ) as bar:
        tasks: dict[str, TaskID] = {}

        def update(description: str, done: int, total: int) -> None:
            description = one_line(description)
            title = description.split(":")[0]
            if title not in tasks:
                for task in tasks.values():
                    bar.update(task, visible=False)
                tasks[title] = bar.add_task(description, total=total)
            bar.update(tasks[title], description=description, completed=done, total=total)

        yield update
