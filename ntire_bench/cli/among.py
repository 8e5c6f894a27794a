"""What `leaderboard --among NAME` shows: own rows among those of a reference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ntire_bench.cli.anew import Otherwise
from ntire_bench.cli.output import put, stored_board
from ntire_bench.errors import UsageError

if TYPE_CHECKING:
    from ntire_bench.protocols.protocol import Channel
    from ntire_bench.reporting.among import Among

__all__ = ["among_of", "show_among"]


def among_of(
    name: str,
    references: Path,
    results: Path,
    protocol_name: str | None,
    channel: Channel | None,
    device: str | None,
    key: Path | None,
    otherwise: Otherwise,
) -> Among:
    """Return own records and a reference, both judged in the reference's PSNR channel.

    Raises:
        UsageError: There is no such reference, or another channel is asked for; and see `stored_board`.
    """
    from ntire_bench.ranking.named import board_named
    from ntire_bench.reporting.among import Among

    other = board_named(references, name, otherwise.changes)
    if channel not in (None, other.channel):
        raise UsageError(
            f"{name} is judged in {other.channel.upper()}, and own rows beside it in the same channel",
            found=f"--psnr-channel {channel}",
            remedy="leave --psnr-channel out",
        )
    own = stored_board(
        results,
        protocol_name or other.protocol.name,
        other.channel,
        device,
        key,
        records_of=otherwise.records_of,
        changes=otherwise.changes,
    )
    return Among(name=name, own=own, reference=other)


def show_among(among: Among, fmt: str, output: Path | None) -> None:
    """Print own rows among a reference's, or write them to a file.

    Raises:
        UsageError: They cannot be written in that format.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.reporting.among_formats import TerminalAmong, render_among

    if fmt == "table" and output is None:
        terminal.show(TerminalAmong(among))
    else:
        put(render_among(among, fmt), output)
