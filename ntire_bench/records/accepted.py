"""An organizer's word on a finding: a file beside a team's records, which are never rewritten."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ntire_bench.errors import RecordError
from ntire_bench.records.record import Finding, Record

__all__ = ["FOLDER", "Accepted", "load_accepted", "rejections", "save_accepted"]

_FIRST_VERSION = 2  # whose findings of severity reject have an effect
FOLDER = "accepted"  # in a team's folder; records lie in that folder itself


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """One finding of one version of a submission that an organizer has accepted.

    Attributes:
        code: Of the finding.
        because: Why, in the organizer's words.
        created_utc: When, ISO 8601, UTC.
        files: Hashes of the submission's files (see `SubmissionInfo.files`): a changed submission is another.
    """

    code: str
    because: str
    created_utc: str
    files: tuple[str | None, ...]


def save_accepted(accepted: Accepted, record_path: str | os.PathLike[str]) -> Path:
    """Write an organizer's word into the folder `accepted` beside a record.

    Args:
        accepted: What is accepted, and why.
        record_path: Of a record of the team.

    Returns:
        The path of the new file.

    Raises:
        RecordError: It cannot be written.
    """
    folder = Path(record_path).parent / FOLDER
    code = re.sub(r"[^\w-]", "_", accepted.code)  # of a record, which may be a stranger's
    stem = f"{accepted.created_utc.replace(':', '').replace('-', '')}_{code}"
    path = folder / f"{stem}.json"
    temporary = folder / f".{secrets.token_hex(8)}.tmp"
    try:
        folder.mkdir(exist_ok=True)
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(accepted), indent=2) + b"\n")
        os.replace(temporary, path)
    except OSError as error:
        raise RecordError(
            "the organizer's word cannot be written",
            file=path,
            found=error.strerror or str(error),
            remedy="free space there, or name another folder with --results",
        ) from error
    return path


def load_accepted(
    team_folder: str | os.PathLike[str], objection: Callable[[Path], str | None] | None = None
) -> tuple[tuple[Accepted, ...], tuple[RecordError, ...]]:
    """Read what was accepted for a team.

    Args:
        team_folder: The folder of its records.
        objection: Returns why a file does not count, as `signing.PublicKey.objection` does; None for all do.

    Returns:
        What was accepted, the oldest first, and what could not be read.
    """
    found: list[Accepted] = []
    problems: list[RecordError] = []
    for path in sorted(Path(team_folder).glob(f"{FOLDER}/*.json")):
        if path.name.startswith("."):
            continue
        why = None if objection is None else objection(path)
        if why is not None:
            problem = RecordError(
                "an organizer's word does not count, so the finding stands",
                file=path,
                found=why,
                remedy="accept the finding again with `ntire-bench accept --sign KEY`",
            )
            problems.append(problem)
            continue
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Accepted))
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            problem = RecordError(
                "an organizer's word cannot be read, so the finding stands",
                file=path,
                found=str(error),
                remedy="accept the finding again with `ntire-bench accept`",
            )
            problems.append(problem)
    return tuple(found), tuple(problems)


def rejections(record: Record, accepted: Sequence[Accepted] = ()) -> tuple[Finding, ...]:
    """Return the findings for which a record's row has no rank.

    They are those of severity reject that nobody has accepted for these files. In records of version 1 they
    changed nothing, and some were wrong; of imported results nothing was examined here: there are none.

    Args:
        record: An evaluation.
        accepted: What was accepted for its team.
    """
    if record.schema_version < _FIRST_VERSION or record.imported is not None:
        return ()
    codes = {item.code for item in accepted if tuple(item.files) == tuple(record.submission.files)}
    return tuple(f for f in record.findings if f.severity == "reject" and f.code not in codes)
