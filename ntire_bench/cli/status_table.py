"""How far a campaign is: as a table, as one sentence, and as a document."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ntire_bench.cli import terminal
from ntire_bench.fleet import progress
from ntire_bench.fleet.progress import TeamState
from ntire_bench.text import one_line, relative
from ntire_bench.workflows.estimate import minutes

if TYPE_CHECKING:
    from rich.live import Live as RichLive
    from rich.table import Table

__all__ = ["Live", "document", "summary", "table", "text"]

_STYLES = {"failed": "red", "left out": "yellow", "running": "bold"}
_ORDER = {"running": 0, "failed": 1, "left out": 2, "waiting": 3, "done": 4}
_COLUMNS = ("team", "state", "node", "since", "what")
_ROOM = 8  # lines of a terminal that are for other things than rows


def summary(states: Sequence[TeamState]) -> str:
    """Return how far a campaign is, in one sentence.

    >>> summary([TeamState(team="05_A", state="done", seconds=60.0), TeamState(team="06_B", state="waiting")])
    '1 of 2 done, 1 waiting; about 1 min left'
    """
    count = progress.counted(states)
    text = f"{count['done']} of {len(states)} done"
    text += "".join(f", {number} {name}" for name, number in count.items() if number and name != "done")
    left_s = progress.left_s(states)
    return text + (f"; about {minutes(left_s)} left" if left_s else "")


def table(states: Sequence[TeamState], most: int | None = None) -> Table:
    """Return the state of each team as a table, with the time left below.

    Args:
        states: Of all teams.
        most: At most so many rows, those that run first; None for all.
    """
    from rich.table import Table

    shown = list(states)
    if most is not None and len(shown) > most:
        shown = sorted(shown, key=lambda one: (_ORDER[one.state], one.team))[:most]
    found = Table(box=None, pad_edge=False, header_style="bold", caption_justify="left")
    for name in _COLUMNS:
        found.add_column(name, no_wrap=name != "what", overflow="fold")
    for one in shown:
        found.add_row(*_cells(one), style=_STYLES.get(one.state))
    hidden = len(states) - len(shown)
    found.caption = (f"and {hidden} more. " if hidden else "") + summary(states)
    return found


def text(states: Sequence[TeamState]) -> str:
    """Return the state of each team as lines of text.

    >>> print(text([TeamState(team="05_A", state="done", node="n1", seconds=60.0)]))
    team  state  node  since  what
    05_A  done   n1           took 1 min
    1 of 1 done
    """
    rows = [_COLUMNS, *(_cells(one) for one in states)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join([*padded, summary(states)])


def document(results: Path, states: Sequence[TeamState]) -> dict[str, Any]:
    """Return the state of each team for programs.

    Args:
        results: Folder of the records.
        states: Of all teams.
    """
    from ntire_bench.claims.nodes import left_out_nodes

    campaign = progress.announced(results)
    return {
        "results": relative(results),
        "engine": campaign.engine if campaign is not None else "",
        "started_utc": campaign.started_utc if campaign is not None else "",
        "counts": progress.counted(states),
        "left_s": progress.left_s(states),
        "teams": [vars(one) for one in states],
        "nodes_left_out": [vars(one) for one in left_out_nodes(results)],
    }


class Live:
    """Shows one table that is redrawn on a terminal; on a file or pipe, nothing but what is told."""

    def __init__(self) -> None:
        self._live: RichLive | None = None

    def __enter__(self) -> Live:
        """Begin, where standard error is a terminal that takes escapes."""
        if terminal.is_redrawn():
            from rich.live import Live as RichLive

            self._live = RichLive(console=terminal.err(), auto_refresh=False, transient=True)
            self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the table away."""
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    @property
    def is_shown(self) -> bool:
        """Whether there is a terminal to draw on."""
        return self._live is not None

    def show(self, states: Sequence[TeamState]) -> None:
        """Draw the table again."""
        if self._live is not None:
            room = max(3, self._live.console.height - _ROOM)
            self._live.update(table(states, room), refresh=True)

    def tell(self, text: str, *, style: str | None = None) -> None:
        """Print a line above the table."""
        if self._live is None:
            terminal.tell(text, style=style)
        else:
            self._live.console.print(one_line(text), style=style, markup=False)


def _cells(one: TeamState) -> tuple[str, str, str, str, str]:
    since = _ago(one.since_utc) if one.state == "running" else ""
    return one_line(one.team), one.state, one_line(one.node), since, one_line(_what(one))


def _what(one: TeamState) -> str:
    if one.state == "running":
        share = f" ({one.share:.0%})".replace("%", " %") if one.share else ""
        return f"{one.doing}{share}"
    if one.state == "waiting" and one.jobs > 1:
        return f"{one.detail} (asked for {one.jobs} times)"
    if one.state == "done":
        return f"took {minutes(one.seconds)}" if one.seconds is not None else ""
    return one.detail or one.record


def _ago(utc: str) -> str:
    try:
        since = datetime.fromisoformat(utc.replace("Z", "+00:00"))
    except ValueError:
        return ""
    return minutes(max(0.0, (datetime.now(timezone.utc) - since).total_seconds()))
