"""What the command gate does to come to its answers: evaluates, compares with an earlier version, judges."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ntire_bench.cli.evaluation import Request, images_and_options, refuse_unknown
from ntire_bench.cli.options import Effort
from ntire_bench.cli.sources import Sources, tell_baseline
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.text import one_line, relative

if TYPE_CHECKING:
    from ntire_bench.cli.terminal import Progress
    from ntire_bench.measuring.options import Options
    from ntire_bench.protocols.protocol import Protocol
    from ntire_bench.ranking.growth import Growth
    from ntire_bench.ranking.limits import Limits
    from ntire_bench.records.accepted import Accepted
    from ntire_bench.records.record import Record
    from ntire_bench.reporting.gate_reports import Judged
    from ntire_bench.submissions.catalogue import Catalogue
    from ntire_bench.submissions.submission import Submission
    from ntire_bench.workflows.data import Data

__all__ = ["Wanted", "changed_ids", "judge_fresh", "judge_record"]

_ONE_ROUND = Effort(rounds=1)  # enough for PSNR


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be judged by evaluating it.

    Attributes:
        catalogue: What there is.
        ids: What to judge.
        base: Commit whose version each is compared with; None compares with nothing.
        limits: How much a change may cost.
        thresholds: By split [dB], in place of the rules' own.
        rounds: Of the comparison.
        baseline_too: Whether a baseline that the thresholds follow is judged as any other; else it is left to
            a person.
        results: Folder that records are stored in; None stores none.
        accepted_in: Folder of records beside which lies what an organizer has accepted; None takes no word.
        save_dir: Folder that SR images are kept in; None keeps none.
    """

    catalogue: Catalogue
    ids: Sequence[int]
    base: str | None
    limits: Limits
    thresholds: Mapping[str, float]
    rounds: int
    baseline_too: bool
    results: Path | None
    accepted_in: Path | None
    save_dir: Path | None


def judge_record(file: Path, request: Request, thresholds: Mapping[str, float]) -> Judged:
    """Judge a stored record, with what an organizer has accepted beside it.

    Args:
        file: The record.
        request: What the user asks for.
        thresholds: By split [dB], in place of the rules' own.
    """
    from ntire_bench.ranking.anew import changes_of
    from ntire_bench.ranking.gate import gate as judge
    from ntire_bench.ranking.rules import rules_for
    from ntire_bench.records import store
    from ntire_bench.reporting.gate_reports import Judged

    record = store.load(file)
    rules = rules_for(record, file, request.protocol_name)
    rules = changes_of(None, thresholds).applied_to(rules)
    answer = judge(record, rules, request.channel or record.psnr_channel, _accepted_in(file.parent))
    return Judged(answer=answer, file=record.submission.file, seconds=0.0, record=relative(file))


def _accepted_in(team_folder: Path) -> tuple[Accepted, ...]:
    """Return what an organizer has accepted for a team, and say what of it cannot be read."""
    from ntire_bench.cli import terminal
    from ntire_bench.records.accepted import load_accepted

    accepted, problems = load_accepted(team_folder)
    for problem in problems:
        terminal.tell(str(problem))
    return accepted


def changed_ids(base: str, catalogue: Catalogue, sources: Sources) -> tuple[list[int], list[str]]:
    """Return the ids of what changed since a commit, and the files that belong to no submission.

    Raises:
        UsageError: They are those of a challenge's checkout, or git cannot tell what changed.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.submissions.changed import changed_since

    if sources.challenge_root is not None:
        remedy = "name the IDs: what a branch of a checkout is made of lies in many files"
        raise UsageError("--changed does not go with --challenge-root", remedy=remedy)
    ids, strays = changed_since(base, catalogue, sources.models, sources.model_zoo)
    for stray in strays:
        terminal.tell(f"{one_line(stray)} belongs to no submission: rename it, or take it out.")
    return ids, strays


def judge_fresh(wanted: Wanted, sources: Sources, request: Request) -> Iterator[Judged]:
    """Evaluate submissions and judge them.

    Args:
        wanted: Which, and what is compared and kept.
        sources: Where they lie.
        request: What the user asks for.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.ranking.anew import changes_of
    from ntire_bench.ranking.gate import gate as judge
    from ntire_bench.ranking.gate import not_judged
    from ntire_bench.records import store
    from ntire_bench.reporting.gate_reports import Judged
    from ntire_bench.submissions.baseline_choice import without_namesakes
    from ntire_bench.submissions.submission import Unusable
    from ntire_bench.workflows.evaluate import evaluate

    refuse_unknown(wanted.catalogue, wanted.ids)
    for folder in (wanted.results, wanted.save_dir):
        if folder is not None:
            store.check_writable(folder)
    data, options = images_and_options(request, _ONE_ROUND, save_dir=wanted.save_dir)
    rules, channel = changes_of(None, wanted.thresholds).applied_to(data.protocol), options.psnr_channel
    catalogue = without_namesakes(wanted.catalogue, rules.baseline.name)
    baseline = _baseline(catalogue, rules)
    with terminal.progress_bars() as progress:
        for entry in map(catalogue.entry, wanted.ids):
            begin, growth, stored = time.perf_counter(), None, None
            if isinstance(entry, Unusable):
                answer = not_judged(entry.label, rules, channel, str(entry.error))
            elif baseline is not None and entry.is_same_as(baseline) and not wanted.baseline_too:
                reason = "the baseline itself changed, and the thresholds follow it: a person must look"
                answer = not_judged(entry.label, rules, channel, reason)
            else:
                try:
                    record = evaluate(
                        entry, baseline or entry, data.splits, data.protocol, options, progress()
                    )
                except SubmissionError as error:  # its files cannot be read
                    answer = not_judged(entry.label, rules, channel, str(error))
                else:
                    words: tuple[Accepted, ...] = ()
                    if wanted.accepted_in is not None:
                        label = record.submission.label
                        words = _accepted_in(store.team_folder(wanted.accepted_in, rules.name, label))
                    answer = judge(record, rules, channel, words)
                    if wanted.results is not None:
                        stored = relative(store.save(record, wanted.results))
                    if wanted.base is not None and record.status == "ok":
                        growth = _growth(entry, wanted, sources, data, options, progress())
            yield Judged(
                answer=answer,
                file=_from_top(entry.file),
                seconds=time.perf_counter() - begin,
                growth=growth,
                record=stored,
            )


def _growth(
    entry: Submission, wanted: Wanted, sources: Sources, data: Data, options: Options, progress: Progress
) -> Growth:
    """Evaluate a submission beside the version that it changes, and compare both."""
    from ntire_bench.estimating.stopping import StopRule
    from ntire_bench.ranking.growth import growth_of, not_compared
    from ntire_bench.submissions.base_version import version_in
    from ntire_bench.workflows.evaluate import evaluate

    assert wanted.base is not None
    channel = options.psnr_channel
    commit, name = wanted.base, wanted.base[:12]
    undecided = ("there is nothing to compare with",) if wanted.limits.any else ()
    with tempfile.TemporaryDirectory(prefix="ntire_bench_base_") as folder:
        try:
            before = version_in(commit, entry.id, sources.models, sources.model_zoo, Path(folder))
            if before is None:
                return not_compared(name, channel, "it is new")
            rule = StopRule(rounds=wanted.rounds)
            changed = dataclasses.replace(options, stop=rule, save_dir=None)
            record: Record = evaluate(entry, before, data.splits, data.protocol, changed, progress)
        except SubmissionError as error:
            why = f"its version there cannot be used: {error}".rstrip(".")
            return not_compared(name, channel, why, undecided=undecided)
    if record.status != "ok":
        message = "the evaluation failed" if record.error is None else record.error.message
        why = f"both could not be run beside each other: {message}".rstrip(".")
        return not_compared(name, channel, why, undecided=undecided)
    return growth_of(record, name, channel, wanted.limits)


def _from_top(file: Path) -> str:
    """Return a path as GitHub wants it in an annotation: relative to the checkout's top folder."""
    top = os.environ.get("GITHUB_WORKSPACE")
    path = file.resolve()
    if top and path.is_relative_to(Path(top).resolve()):
        return path.relative_to(Path(top).resolve()).as_posix()
    return relative(file)


def _baseline(catalogue: Catalogue, rules: Protocol) -> Submission | None:
    """Return the baseline where the thresholds follow it; else None: each submission then runs alone."""
    from ntire_bench.cli import terminal
    from ntire_bench.submissions.baseline_choice import choose

    if rules.thresholds.kind == "below_baseline":
        baseline = choose(catalogue, rules.baseline.name)
        tell_baseline(baseline)
        return baseline
    if catalogue.baseline_choice is not None or catalogue.baseline_folder is not None:
        choose(catalogue, rules.baseline.name)  # a wrong option is an error all the same
        terminal.tell(f"No threshold of {rules.name} follows a baseline: none is run.")
    return None
