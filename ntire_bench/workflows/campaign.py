"""Several evaluations in a row, each stored as soon as it is made: what the command run does."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ntire_bench import interruption
from ntire_bench.client.workers import Workers
from ntire_bench.errors import SubmissionError
from ntire_bench.measuring.options import start_workers
from ntire_bench.measuring.resolve import describe, file_sha256
from ntire_bench.measuring.side import Progress
from ntire_bench.ranking.rules import info_of
from ntire_bench.records import store
from ntire_bench.records.record import ErrorInfo, Record, SubmissionInfo
from ntire_bench.submissions import baseline_choice
from ntire_bench.submissions.catalogue import Catalogue
from ntire_bench.submissions.submission import Submission, Unusable
from ntire_bench.text import relative
from ntire_bench.workflows.data import Data
from ntire_bench.workflows.evaluate import Options, evaluate, timestamp
from ntire_bench.workflows.resume import already_done

__all__ = ["Evaluated", "run"]


@dataclass(frozen=True)
class Evaluated:
    """One evaluation of a campaign.

    Attributes:
        label: The submission, such as "00_RLFN".
        record: What was found.
        path: Where it is stored.
    """

    label: str
    record: Record
    path: Path


def run(
    catalogue: Catalogue,
    ids: Sequence[int],
    data: Data,
    options: Options,
    results: Path,
    *,
    resume: bool = False,
    progress: Callable[[], Progress] | None = None,
    skipped: Callable[[str, store.Stored], None] | None = None,
    inferred: Callable[[Submission], None] | None = None,
    kept: Callable[[Evaluated], None] | None = None,
    sign: Callable[[Path], object] | None = None,
) -> Iterator[Evaluated]:
    """Evaluate submissions one after the other and store each record before the next begins.

    Args:
        catalogue: What there is.
        ids: What to evaluate; an id that is repeated counts once.
        data: Images and rules.
        options: Rounds, device, channel.
        results: Folder of the records.
        resume: Leave out what an earlier run has done (see `resume.already_done`).
        progress: Called before each evaluation; what it returns is told of every forward pass.
        skipped: Called with the label of every submission that is left out, and the record it has.
        inferred: Called with the baseline, where neither an option nor its name alone says which one it is.
        kept: Called with each evaluation before a signal can end the command: what is stored is known.
        sign: Called with the path of each record as soon as it is stored.

    Yields:
        One per evaluation, with a failed record where a submission cannot be tried.

    Raises:
        UsageError: An id, or the baseline, is not there, or several may be the baseline.
        SubmissionError: The baseline cannot be tried.
    """
    name = data.protocol.baseline.name
    catalogue = baseline_choice.without_namesakes(catalogue, name)
    wanted = [catalogue.entry(id_) for id_ in dict.fromkeys(ids)]
    baseline = baseline_choice.choose(catalogue, name)
    if inferred is not None and baseline.baseline_because:
        inferred(baseline)
    wanted = [
        baseline if isinstance(item, Submission) and item.is_same_as(baseline) else item for item in wanted
    ]
    if resume:
        wanted = list(_not_yet_done(wanted, baseline, data, options, results, skipped))
    with _Starter(wanted, baseline, data, options) as starter:
        for item in wanted:
            if isinstance(item, Submission):
                try:
                    record = evaluate(
                        item,
                        baseline,
                        data.splits,
                        data.protocol,
                        options,
                        progress() if progress is not None else None,
                        workers=starter.workers_of(item),
                        start_next=functools.partial(starter.start_after, item),
                    )
                except SubmissionError as error:  # its files cannot be read
                    record = _unusable(Unusable(item.id, item.name, item.file, error), data, options)
            else:
                record = _unusable(item, data, options)
            with interruption.held():
                evaluated = Evaluated(item.label, record, store.save(record, results))
                if sign is not None:
                    sign(evaluated.path)
                if kept is not None:
                    kept(evaluated)
            yield evaluated


def _not_yet_done(
    items: Iterable[Submission | Unusable],
    baseline: Submission,
    data: Data,
    options: Options,
    results: Path,
    skipped: Callable[[str, store.Stored], None] | None,
) -> Iterator[Submission | Unusable]:
    """Yield what has no record yet, and tell `skipped` of the rest."""
    base = describe(baseline)
    stored = store.load_all(results, data.protocol.name)[0]
    for item in items:
        done = already_done(item, stored, data, options, base) if isinstance(item, Submission) else None
        if done is None:
            yield item
        elif skipped is not None:
            skipped(item.label, done)


class _Starter:
    """Starts the workers of a submission while the one before it is in an untimed phase.

    Args:
        items: What is evaluated, in order; no two have the same id.
        baseline: What they are measured beside.
        data: Images and rules.
        options: Of the evaluations.
    """

    def __init__(
        self, items: Sequence[Submission | Unusable], baseline: Submission, data: Data, options: Options
    ) -> None:
        self._following = {item.id: after for item, after in zip(items, items[1:], strict=False)}
        self._baseline, self._data, self._options = baseline, data, options
        self._started: dict[int, Workers] = {}

    def __enter__(self) -> _Starter:
        return self

    def __exit__(self, *_: object) -> None:
        for workers in self._started.values():
            workers.close()

    def start_after(self, item: Submission) -> Workers | None:
        """Start the workers of the submission after `item`; None where there is none that can be tried."""
        following = self._following.get(item.id)
        if not isinstance(following, Submission):
            return None
        workers = start_workers(
            following, self._baseline, self._data.splits, self._data.protocol.scale, self._options
        )
        self._started[following.id] = workers
        return workers

    def workers_of(self, item: Submission) -> Workers | None:
        """Return the workers that were started for a submission, if any."""
        return self._started.get(item.id)


def _unusable(item: Unusable, data: Data, options: Options) -> Record:
    """Return the record of a submission that cannot even be tried: failures are records too."""
    try:
        sha256 = file_sha256(item.file)
    except SubmissionError:  # a folder, or a file that cannot be read: the error says so
        sha256 = hashlib.sha256().hexdigest()
    return Record(
        status="failed",
        created_utc=timestamp(),
        error=ErrorInfo(type=SubmissionError.__name__, message=str(item.error), phase="find"),
        protocol=info_of(data.protocol),
        submission=SubmissionInfo(
            id=item.id,
            name=item.name,
            file=relative(item.file),
            file_sha256=sha256,
        ),
        rounds=0,
        psnr_channel=options.psnr_channel,
        sample=data.sample,
    )
