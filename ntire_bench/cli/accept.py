"""The command accept: an organizer's word on a finding."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import click

from ntire_bench.cli.options import PATH, json_flag, protocol_option, results_folder
from ntire_bench.cli.output import print_json
from ntire_bench.cli.which_record import newest_record
from ntire_bench.errors import UsageError
from ntire_bench.text import few, one_line, relative

__all__ = ["accept"]


@click.command()
@click.argument("team", metavar="ID")
@click.argument("code", metavar="CODE")
@click.option("--because", required=True, metavar="TEXT", help="Why; boards show it.")
@click.option("--sign", "key", type=PATH, metavar="KEY", help="Sign it with this key; see keygen.")
@protocol_option
@results_folder
@json_flag
def accept(
    team: str,
    code: str,
    because: str,
    key: Path | None,
    protocol_name: str | None,
    results: Path,
    as_json: bool,
) -> None:
    """Accept a finding of severity reject: the team takes its rank, and the table shows why.

    It holds for the team's files as they were measured last. A file beside the records says so; records are
    never rewritten, and taking that file away takes the word back. Where boards ask for
    signatures (`leaderboard --verify`), only a signed word counts.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.records.accepted import Accepted, rejections, save_accepted
    from ntire_bench.records.signing import PrivateKey

    sign = None if key is None else PrivateKey(key).sign
    if not because.strip():
        raise UsageError("there is no reason", remedy="say why with --because TEXT")
    newest = newest_record(results, protocol_name, team)
    found = list(dict.fromkeys(finding.code for finding in rejections(newest.record)))
    if code not in found:
        raise UsageError(
            f"the newest record of {newest.record.submission.label} has no finding {one_line(code)}",
            file=newest.path,
            found=few(found, 8) if found else "no finding of severity reject",
            remedy="name one of these" if found else "there is nothing to accept",
        )
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    word = Accepted(
        code=code, because=one_line(because), created_utc=now, files=newest.record.submission.files
    )
    path = save_accepted(word, newest.path)
    if sign is not None:
        sign(path)
    if as_json:
        print_json({"written": relative(path), "record": relative(newest.path), "accepted": word})
        return
    terminal.tell(f"{newest.record.submission.label}: {code} is accepted, as {one_line(because)}.")
    terminal.tell(f"written: {relative(path)}")
