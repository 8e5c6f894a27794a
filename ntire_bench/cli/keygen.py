"""The command keygen: a pair of keys for signed records."""

from __future__ import annotations

from pathlib import Path

import click

from ntire_bench.cli.options import PATH, json_flag
from ntire_bench.cli.output import print_json
from ntire_bench.text import relative

__all__ = ["keygen"]


@click.command()
@click.argument("key", metavar="FILE", type=PATH)
@json_flag
def keygen(key: Path, as_json: bool) -> None:
    """Make a key in FILE and its public key in FILE.pub.

    With `run --sign FILE` each record gets a signature beside it; `leaderboard --verify FILE.pub` ranks
    signed records alone. Keep FILE where only the organizer can read it, and hand out FILE.pub.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.records.signing import make_keys

    private, public = make_keys(key)
    if as_json:
        print_json({"private": relative(private), "public": relative(public)})
        return
    terminal.tell(f"private key: {relative(private)} (for run --sign; keep it to yourself)")
    terminal.tell(f"public key:  {relative(public)} (for leaderboard --verify)")
