"""What a campaign stores of a submission whose jobs were lost, and which records of its jobs count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ntire_bench.claims.desk import Desk
from ntire_bench.claims.nodes import left_out_records
from ntire_bench.claims.turn import Turn
from ntire_bench.errors import MeasurementError, RecordError, SubmissionError
from ntire_bench.measuring.resolve import describe
from ntire_bench.protocols import protocol as protocols
from ntire_bench.protocols.protocol import Channel
from ntire_bench.ranking.rules import info_of
from ntire_bench.records import store
from ntire_bench.records.record import ErrorInfo, Record, SubmissionInfo
from ntire_bench.submissions.catalogue import Catalogue
from ntire_bench.submissions.submission import Submission, Unusable
from ntire_bench.text import relative, utc

__all__ = ["same_baseline", "store_lost"]


def same_baseline(catalogue: Catalogue, results: Path) -> Callable[[Path], bool]:
    """Return what says whether a record of a campaign counts.

    It does not where its node is left out, it cannot be read, or the baseline has other files now.

    Args:
        catalogue: The submissions as they are now.
        results: Folder of the records.
    """
    folder = catalogue.baseline_folder
    there = {**catalogue.submissions, **({} if folder is None else folder.submissions)}
    files = {(item.id, item.name): item for item in there.values()}
    known: dict[Path, bool] = {}
    hashes: dict[tuple[int, str], object] = {}

    def unchanged(path: Path) -> bool:
        try:
            base = store.load_head(path).baseline
        except RecordError:
            return False
        if base is None:
            return True
        name = base.submission.id, base.submission.name
        if name not in files:
            return True
        if name not in hashes:
            hashes[name] = describe(files[name]).files
        return hashes[name] == base.submission.files

    def counts(path: Path) -> bool:
        if path in left_out_records(results):
            return False
        if path not in known:
            known[path] = unchanged(path)
        return known[path]

    return counts


def store_lost(
    item: Submission | Unusable,
    ends: Sequence[str],
    desk: Desk,
    digest: str,
    protocol_name: str | None,
    channel: Channel | None,
    like: Path | None,
) -> None:
    """Store a failed record that says how every job of a submission ended; nothing where somebody has it now.

    Args:
        item: The submission.
        ends: How each job ended.
        desk: The claims.
        digest: Of the evaluation; see `Claim.digest`.
        protocol_name: The rules that were asked for; None for those of the images.
        channel: The PSNR channel that was asked for.
        like: A record of the same campaign, whose rules these are too; None where there is none yet.
    """
    claim = desk.take(item.label, digest)
    if isinstance(claim, Turn):
        return
    with claim:
        record = _record(item, ends, protocol_name, channel, like)
        if claim.storing():
            path = store.save(record, desk.results)
            claim.done(path.relative_to(desk.results).as_posix(), record.status)


def _record(
    item: Submission | Unusable,
    ends: Sequence[str],
    protocol_name: str | None,
    channel: Channel | None,
    like: Path | None,
) -> Record:
    rules = protocols.load() if protocol_name is None else protocols.load(protocol_name)
    info, sample, judged_in = info_of(rules), False, channel or rules.psnr_channel
    if like is not None:
        head = store.load_head(like)
        info, sample, judged_in = head.protocol, head.sample, head.psnr_channel
    message = f"no evaluation came to its end in {len(ends)} jobs: {'; '.join(ends)}"
    return Record(
        status="failed",
        created_utc=utc(microseconds=True),
        error=ErrorInfo(type=MeasurementError.__name__, message=message, phase="job"),
        protocol=info,
        submission=_described(item),
        rounds=0,
        psnr_channel=judged_in,
        sample=sample,
    )


def _described(item: Submission | Unusable) -> SubmissionInfo:
    if isinstance(item, Submission):
        try:
            return describe(item)
        except SubmissionError:  # its files cannot be read: what is known is its name
            pass
    return SubmissionInfo(id=item.id, name=item.name, file=relative(item.file), file_sha256="")
