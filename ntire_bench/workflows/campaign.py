"""Several evaluations in a row: which are wanted, which are done, each stored as soon as it is made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ntire_bench.client.workers import Workers
from ntire_bench.data.dataset import Split, load_splits
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.machine import environment
from ntire_bench.measuring.options import start_workers
from ntire_bench.measuring.resolve import describe, file_sha256
from ntire_bench.measuring.rounds import sr_path
from ntire_bench.measuring.side import Progress
from ntire_bench.protocols import protocol as protocols
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.records import store
from ntire_bench.records.record import LAUNCHES, ErrorInfo, ProtocolInfo, Record, SubmissionInfo
from ntire_bench.submissions import baseline_choice
from ntire_bench.submissions.submission import Catalogue, Submission, Unusable
from ntire_bench.text import relative
from ntire_bench.workflows.evaluate import Options, evaluate

__all__ = ["Data", "Outcome", "already_done", "choose_data", "run"]


@dataclass(frozen=True)
class Data:
    """The images of a campaign and the rules that go with them.

    Attributes:
        splits: Checked pairs.
        protocol: The rules.
    """

    splits: tuple[Split, ...]
    protocol: Protocol

    @property
    def sample(self) -> bool:
        """Whether this is the sample set, which is not comparable with the challenge."""
        return any(split.sample for split in self.splits)


@dataclass(frozen=True)
class Outcome:
    """One evaluation of a campaign.

    Attributes:
        label: The submission, such as "00_RLFN".
        record: What was found.
        path: Where it is stored.
    """

    label: str
    record: Record
    path: Path


def choose_data(
    split_names: Sequence[str],
    data_dir: Path | None,
    protocol_name: str | None,
    progress: Callable[[int, int], None] | None = None,
) -> Data:
    """Check the images and choose the rules.

    Args:
        split_names: "valid", "test", or the NAME of folder pairs NAME_HR, NAME_LR.
        data_dir: Folder of the pairs; None looks beside the checkout and falls back to the sample set.
        protocol_name: None takes the default protocol, or "sample" on the sample set.
        progress: Told of every file checked.

    Raises:
        DatasetError: The images are not fit; lists every problem.
        UsageError: The protocol does not go with the images.
    """
    named = None if protocol_name is None else protocols.load(protocol_name)
    rules = named or protocols.load()
    splits = load_splits(
        split_names,
        data_dir,
        scale=rules.scale,
        border=rules.border,
        prefer_sample=rules.fits_any_images,
        progress=progress,
    )
    data = Data(splits, rules)
    if not data.sample:
        return data
    if named is None:
        return Data(splits, protocols.load(protocols.SAMPLE_PROTOCOL))
    if not rules.fits_any_images:
        raise UsageError(
            f"protocol {rules.name} is judged on DIV2K_LSDIR images, and there are none here",
            remedy=f"name their folder with --data_dir, or use --protocol {protocols.SAMPLE_PROTOCOL}",
        )
    return data


def already_done(
    submission: Submission,
    stored: Iterable[store.Stored],
    data: Data,
    options: Options,
    baseline: SubmissionInfo | None = None,
) -> Path | None:
    """Return the record that makes an evaluation unnecessary, or None.

    It must be of the same files, rules, images, CPU model and threads, at an isolation that is enough, with
    as many rounds, and have succeeded; it must hold SSIM where that is wanted, and where SR images are to be
    kept they must be there. The model of a GPU is not compared: it is not known before a worker runs.

    Args:
        submission: What is to be evaluated.
        stored: Records of the same protocol.
        data: Images and rules.
        options: Rounds, device, SSIM, SR images.
        baseline: The baseline as it is now; None to leave it uncompared.

    Raises:
        SubmissionError: The submission's files cannot be read.
    """
    if options.save_dir is not None and not _images_saved(submission, data, options.save_dir):
        return None
    files = describe(submission).files
    cpu = environment.cpu_model()
    threads = options.threads or environment.compute_threads()
    wanted = {split.name: split.sha256 for split in data.splits}
    for item in stored:
        record, base = item.record, item.record.baseline
        there = {name: result.dataset_sha256 for name, result in record.splits.items()}
        device = record.environment.device if record.environment else ""
        if (
            record.status == "ok"
            and (record.submission.id, record.submission.name) == (submission.id, submission.name)
            and record.submission.files == files
            and (baseline is None or (base is not None and _same(base.submission, baseline)))
            and record.protocol.sha256 == data.protocol.sha256
            and _measured_enough(record, options)
            and wanted.items() <= there.items()
            and not (options.ssim and any(record.splits[name].ssim_y is None for name in wanted))
            and (options.device == "auto" or options.device.split(":")[0] == device)
            and record.environment is not None
            and record.environment.cpu == cpu
            and (device != "cpu" or record.environment.threads == threads)
            and _isolated_enough(record, options.isolation)
        ):
            return item.path
    return None


def _measured_enough(record: Record, options: Options) -> bool:
    timing, rule = record.timing, options.stop
    if rule.rounds is not None:
        return record.rounds >= rule.rounds
    if timing is None or record.environment is None:
        return False
    precise = timing.half_width is not None and timing.half_width <= rule.target(record.environment.device)
    if precise and len(timing.launches) >= LAUNCHES and record.rounds >= rule.min_rounds:
        return True
    if timing.stopped == "max-time":  # no sooner than it would be now
        return timing.max_time_s is not None and timing.max_time_s >= rule.max_time_s
    return record.rounds >= rule.max_rounds


def _same(one: SubmissionInfo, other: SubmissionInfo) -> bool:
    return (one.id, one.name, one.files) == (other.id, other.name, other.files)


def _isolated_enough(record: Record, wanted: str) -> bool:
    level = record.isolation.level if record.isolation is not None else ""
    if wanted == "required":
        return level in ("L2", "L3")
    return wanted in ("auto", "none") or level == wanted


def _images_saved(submission: Submission, data: Data, save_dir: Path) -> bool:
    return all(
        sr_path(save_dir, submission, split, pair).is_file() for split in data.splits for pair in split.pairs
    )


def run(
    catalogue: Catalogue,
    ids: Sequence[int],
    data: Data,
    options: Options,
    results: Path,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    skipped: Callable[[str, Path], None] | None = None,
    inferred: Callable[[Submission], None] | None = None,
) -> Iterator[Outcome]:
    """Evaluate submissions one after the other and store each record before the next begins.

    Args:
        catalogue: What there is.
        ids: What to evaluate.
        data: Images and rules.
        options: Rounds, device, channel.
        results: Folder of the records.
        resume: Leave out what an earlier run has done (see `already_done`).
        progress: Told of every call.
        skipped: Told of every submission left out, and the record it has.
        inferred: Told of the baseline, where no option and not its name alone says which one it is.

    Yields:
        One outcome per evaluation, a failed one where a submission cannot be tried.

    Raises:
        UsageError: An id, or the baseline, is not there, or several may be the baseline.
        SubmissionError: The baseline cannot be tried.
    """
    name = data.protocol.baseline.name
    catalogue = baseline_choice.without_namesakes(catalogue, name)
    wanted = [catalogue.problems.get(id_) or catalogue.get(id_) for id_ in dict.fromkeys(ids)]
    baseline = baseline_choice.choose(catalogue, name)
    if inferred is not None and baseline.baseline_because:
        inferred(baseline)
    wanted = [
        baseline if isinstance(item, Submission) and item.is_same_as(baseline) else item for item in wanted
    ]
    base = describe(baseline) if resume else None
    stored = store.load_all(results, data.protocol.name)[0] if resume else []
    left: list[Submission | Unusable] = []
    for item in wanted:
        done = _done(item, stored, data, options, base) if resume else None
        if done is None:
            left.append(item)
        elif skipped is not None:
            skipped(item.label, done)
    with _Starter(left, baseline, data, options) as starter:
        for item in left:
            if isinstance(item, Submission):
                try:
                    record = evaluate(
                        item,
                        baseline,
                        data.splits,
                        data.protocol,
                        options,
                        progress,
                        workers=starter.workers_of(item),
                        start_next=lambda item=item: starter.start_after(item),  # type: ignore[misc]
                    )
                except SubmissionError as error:  # its files cannot be read
                    record = _unusable(Unusable(item.id, item.name, item.file, error), data, options)
            else:
                record = _unusable(item, data, options)
            yield Outcome(item.label, record, store.save(record, results))


def _done(
    item: Submission | Unusable,
    stored: Iterable[store.Stored],
    data: Data,
    options: Options,
    baseline: SubmissionInfo | None,
) -> Path | None:
    if not isinstance(item, Submission):
        return None
    try:
        return already_done(item, stored, data, options, baseline)
    except SubmissionError:  # its files cannot be read: the evaluation says so
        return None


class _Starter:
    """Starts the workers of a submission while the one before it is in an untimed phase."""

    def __init__(
        self, items: Sequence[Submission | Unusable], baseline: Submission, data: Data, options: Options
    ) -> None:
        self._following = dict(zip(map(id, items), [*items[1:], None], strict=False))
        self._baseline, self._data, self._options = baseline, data, options
        self._started: dict[int, Workers] = {}

    def __enter__(self) -> _Starter:
        return self

    def __exit__(self, *_: object) -> None:
        for workers in self._started.values():
            workers.close()

    def start_after(self, item: Submission) -> Workers | None:
        """Start the workers of the submission after `item`; None where there is none that can be tried."""
        following = self._following[id(item)]
        if not isinstance(following, Submission):
            return None
        workers = start_workers(
            following, self._baseline, self._data.splits, self._data.protocol.scale, self._options
        )
        self._started[id(following)] = workers
        return workers

    def workers_of(self, item: Submission) -> Workers | None:
        """Return the workers that were started for a submission, if any."""
        return self._started.get(id(item))


def _unusable(item: Unusable, data: Data, options: Options) -> Record:
    """Return the record of a submission that cannot even be tried: failures are records too."""
    try:
        sha256 = file_sha256(item.file)
    except SubmissionError:  # a folder, or not to be read: the error says so
        sha256 = hashlib.sha256().hexdigest()
    return Record(
        status="failed",
        created_utc=datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        error=ErrorInfo(type=SubmissionError.__name__, message=str(item.error), phase="find"),
        protocol=ProtocolInfo(name=data.protocol.name, sha256=data.protocol.sha256),
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
