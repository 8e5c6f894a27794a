"""Several evaluations in a row, each stored as soon as it is made: what the command run does."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ntire_bench import interruption
from ntire_bench.claims.held import Held
from ntire_bench.claims.nodes import left_out_records
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
from ntire_bench.text import relative, utc
from ntire_bench.workflows.claimed import Claims
from ntire_bench.workflows.data import Data
from ntire_bench.workflows.evaluate import Options, evaluate
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
    claims: Claims | None = None,
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
        claims: Takes each submission before it is evaluated, on a folder that machines share; None where
            nobody else evaluates into it, or everything is to be evaluated whatever others do.

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
    base = describe(baseline)

    def done(item: Submission | Unusable) -> store.Stored | None:
        if not resume or not isinstance(item, Submission):
            return None
        # A team's own records alone: a job evaluates one of many.
        stored = _counting(store.load_team(results, data.protocol.name, item.label)[0], results)
        return already_done(item, stored, data, options, base)

    if claims is None:
        wanted = [item for item in wanted if not _is_skipped(item, done(item), skipped)]
    made = _Maker(baseline, data, options, progress)
    with _Starter(wanted, baseline, data, options) as starter, contextlib.ExitStack() as stack:
        mine = _all_are
        if claims is not None:
            stack.callback(claims.close)
            mine = functools.partial(claims.take, done=done, skipped=skipped)
        for item in wanted:
            if not mine(item):
                continue
            with contextlib.nullcontext() if claims is None else claims.of(item) as claim:
                record = made.record(item, starter, mine, claim)
                with interruption.held():
                    if claims is not None and claim is not None and not claim.storing():
                        claims.lost(item.label)
                        continue
                    evaluated = Evaluated(item.label, record, store.save(record, results))
                    if sign is not None:
                        sign(evaluated.path)
                    if claim is not None:
                        claim.done(evaluated.path.relative_to(results).as_posix(), record.status)
                    if kept is not None:
                        kept(evaluated)
            yield evaluated


def _all_are(item: Submission | Unusable) -> bool:
    """Return that a submission is this process's to evaluate: nobody else is asked."""
    return True


def _is_skipped(
    item: Submission | Unusable,
    there: store.Stored | None,
    skipped: Callable[[str, store.Stored], None] | None,
) -> bool:
    """Return whether a submission has a record that makes its evaluation unnecessary, and tell `skipped`."""
    if there is not None and skipped is not None:
        skipped(item.label, there)
    return there is not None


@dataclass(frozen=True)
class _Maker:
    """Makes the record of each submission.

    Attributes:
        baseline: What they are measured beside.
        data: Images and rules.
        options: Of the evaluations.
        progress: See `run`.
    """

    baseline: Submission
    data: Data
    options: Options
    progress: Callable[[], Progress] | None

    def record(
        self,
        item: Submission | Unusable,
        starter: _Starter,
        mine: Callable[[Submission | Unusable], bool],
        claim: Held | None,
    ) -> Record:
        """Return the record of a submission, a failed one where it cannot be tried."""
        if not isinstance(item, Submission):
            return _unusable(item, self.data, self.options)
        shown = self.progress() if self.progress is not None else None
        try:
            return evaluate(
                item,
                self.baseline,
                self.data.splits,
                self.data.protocol,
                self.options,
                shown if claim is None else _told(claim, shown),
                workers=starter.workers_of(item),
                start_next=functools.partial(starter.start_after, item, mine),
            )
        except SubmissionError as error:  # its files cannot be read
            return _unusable(Unusable(item.id, item.name, item.file, error), self.data, self.options)


def _told(claim: Held, shown: Progress | None) -> Progress:
    """Return a progress that notes it in the claim too, for others to see."""

    def step(what: str, done: int, total: int) -> None:
        claim.progress(what.partition(": ")[2] or what, done, total)
        if shown is not None:
            shown(what, done, total)

    return step


def _counting(stored: Iterable[store.Stored], results: Path) -> list[store.Stored]:
    """Return the records that are not left out because of the node that they were measured on."""
    left_out = left_out_records(results)
    return [item for item in stored if item.path not in left_out]


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

    def start_after(self, item: Submission, mine: Callable[[Submission | Unusable], bool]) -> Workers | None:
        """Start the workers of the submission after `item`; None where there is none that can be tried.

        Args:
            item: What is being evaluated.
            mine: Says whether a submission is this process's to evaluate.
        """
        following = self._following.get(item.id)
        if not isinstance(following, Submission) or not mine(following):
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
        created_utc=utc(microseconds=True),
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
