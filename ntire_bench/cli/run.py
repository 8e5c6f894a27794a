"""The commands that evaluate: run and gate."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ntire_bench.cli.options import (
    PATH,
    Effort,
    IsolationWanted,
    channel_option,
    data_options,
    json_flag,
    machine,
    protocol_option,
    results_folder,
    see_that_it_can_measure,
)
from ntire_bench.cli.options import effort as effort_options
from ntire_bench.cli.output import as_channel, print_json, show_board, stored_board
from ntire_bench.cli.sources import baseline_options, open_catalogue, sources, tell_baseline
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.text import one_line, relative

if TYPE_CHECKING:
    from ntire_bench.measuring.session import Options
    from ntire_bench.protocols.protocol import Protocol
    from ntire_bench.submissions.catalogue import Catalogue
    from ntire_bench.submissions.submission import Submission
    from ntire_bench.workflows.data import Data

__all__ = ["INTERRUPTED", "DefaultId", "gate", "run"]

_SAVE_DIR = "results"  # as in the challenge's scripts
INTERRUPTED = 130  # as shells report a process that Ctrl-C ended


@dataclass(frozen=True)
class DefaultId:
    """The id that `run` takes where none is named: test_demo.py has one, as the challenge's has."""

    id: int


@click.command()
@click.argument("ids", nargs=-1, type=click.IntRange(0), metavar="[ID]...")
@click.option("--model-id", "model_ids", type=click.IntRange(0), multiple=True, help="Same as ID.")
@click.option("--all", "everything", is_flag=True, help="Evaluate every submission there is.")
@click.option("--resume", is_flag=True, help="Leave out what an earlier run has done.")
@data_options
@click.option("--save-dir", type=PATH, help="Keep SR images, in this folder.")
@click.option(
    "--save-images", is_flag=True, help=f"Keep SR images, in {_SAVE_DIR}/ unless --save-dir is given."
)
@click.option("--ssim", is_flag=True, help="Compute SSIM too.")
@effort_options
@protocol_option
@channel_option
@machine
@sources
@baseline_options
@results_folder
@json_flag
def run(
    ids: tuple[int, ...],
    model_ids: tuple[int, ...],
    everything: bool,
    resume: bool,
    data_dir: Path | None,
    splits: str | None,
    include_test: bool,
    save_dir: Path | None,
    save_images: bool,
    ssim: bool,
    effort: Effort,
    protocol_name: str | None,
    channel: str | None,
    device: str,
    isolation: IsolationWanted,
    models: Path,
    model_zoo: Path,
    challenge_root: Path | None,
    baseline_choice: str | None,
    baseline_dir: Path | None,
    results: Path,
    as_json: bool,
) -> None:
    """Evaluate submissions, store a record of each, and print the leaderboard.

    Exit status: 0 all succeeded, 1 one failed, 2 wrong use or unfit images, 130 interrupted.
    """
    see_that_it_can_measure()
    from ntire_bench.cli import terminal
    from ntire_bench.ranking import selection
    from ntire_bench.records import store
    from ntire_bench.reporting.export import document
    from ntire_bench.submissions.zoo import unfetched
    from ntire_bench.workflows import campaign

    if save_images and save_dir is None:
        save_dir = Path(_SAVE_DIR)
    catalogue = open_catalogue(models, model_zoo, challenge_root, baseline_choice, baseline_dir)
    default = click.get_current_context().find_object(DefaultId)
    wanted = list(dict.fromkeys([*ids, *model_ids])) or ([default.id] if default else [])
    if everything:
        if ids or model_ids:
            raise UsageError("both IDs and --all are given", remedy="give one of them")
        # The examples of models/ whose published checkpoints nobody has fetched are no failures.
        left = unfetched(catalogue)
        if left:
            names = ", ".join(f"{item.id:02d}_{item.name}" for item in left)
            pull = " ".join(str(item.id) for item in left)
            terminal.show(f"Left out, not fetched: {names} (ntire-bench zoo pull {pull})", stderr=True)
        everyone = {*catalogue.submissions, *catalogue.problems}
        wanted = sorted(everyone - {item.id for item in left})
    if not wanted:
        what = "there is no submission to evaluate" if everything else "no submission is named"
        remedy = "give an ID (--model_id 0), or --all; `ntire-bench list` shows what there is"
        raise UsageError(what, remedy=remedy)
    _refuse_unknown(catalogue, wanted)
    outcomes: list[campaign.Outcome] = []
    passed_over: list[Path] = []

    def skipped(label: str, path: Path) -> None:
        passed_over.append(path)
        terminal.show(f"{label}  done already: {relative(path)}", stderr=True)

    for folder in (results, save_dir):  # before anything is measured that could not be kept
        if folder is not None:
            store.check_writable(folder)
    data = _choose_data(splits, include_test, data_dir, protocol_name)
    options = _evaluation_options(data, effort, channel, device, ssim, save_dir, isolation)
    if data.sample:
        terminal.show(terminal.SAMPLE, stderr=True)
    with _interruptible(
        lambda: f"{len(outcomes)} of {len(wanted)} evaluations made and kept", resumable=True
    ):
        with terminal.progress_bar() as progress:
            for outcome in campaign.run(
                catalogue,
                wanted,
                data,
                options,
                results,
                resume=resume,
                progress=progress,
                skipped=skipped,
                inferred=tell_baseline,
            ):
                outcomes.append(outcome)
                style = "red" if outcome.record.error else None
                terminal.show(terminal.record_line(outcome.record), stderr=True, style=style)
    known = [o.record.environment for o in outcomes if not o.record.error and o.record.environment]
    measured_on = str(selection.device_of(known[0])) if known else None
    board = stored_board(results, data.protocol.name, channel, measured_on)
    if as_json:
        print_json(
            {
                "records": [{"path": relative(item.path), "record": item.record} for item in outcomes],
                "already_done": [relative(path) for path in passed_over],
                "leaderboard": document(board),
            }
        )
    else:
        show_board(board)
        for item in outcomes:
            terminal.show(f"record: {relative(item.path)}", stderr=True)
    sys.exit(1 if any(item.record.error for item in outcomes) else 0)


@click.command()
@click.argument("ids", nargs=-1, type=click.IntRange(0), metavar="[ID]...")
@click.option("--record", "record_file", type=PATH, help="Judge this record instead of evaluating.")
@click.option(
    "--changed",
    metavar="BASE",
    help="Judge what changed in git since BASE in the model and checkpoint folders.",
)
@data_options
@protocol_option
@channel_option
@machine
@sources
@baseline_options
@json_flag
def gate(
    ids: tuple[int, ...],
    record_file: Path | None,
    changed: str | None,
    data_dir: Path | None,
    splits: str | None,
    include_test: bool,
    protocol_name: str | None,
    channel: str | None,
    device: str,
    isolation: IsolationWanted,
    models: Path,
    model_zoo: Path,
    challenge_root: Path | None,
    baseline_choice: str | None,
    baseline_dir: Path | None,
    as_json: bool,
) -> None:
    """Say whether submissions keep the PSNR thresholds, from a fresh one-round run or a stored record.

    Exit status: 0 pass, 1 below a threshold, 2 could not be judged. Of several, the worst.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.protocols import protocol
    from ntire_bench.ranking.gate import Gate, not_judged
    from ntire_bench.ranking.gate import gate as judge
    from ntire_bench.records import store
    from ntire_bench.submissions import submission
    from ntire_bench.submissions.baseline_choice import without_namesakes
    from ntire_bench.submissions.changed import changed_since

    if [bool(ids), record_file is not None, changed is not None].count(True) != 1:
        remedy = "give one of: IDs, --record FILE, --changed BASE"
        raise UsageError("what is to be judged is not clear", remedy=remedy)
    answers: list[Gate] = []
    strays: list[str] = []
    if record_file is not None:
        record = store.load(record_file)
        rules = protocol.load(protocol_name or record.protocol.name)
        answers.append(judge(record, rules, as_channel(channel or record.psnr_channel)))
    else:
        see_that_it_can_measure()
        from ntire_bench.workflows.evaluate import evaluate

        # What changed in a checkout is asked of that checkout: no examples stand in for its folders.
        catalogue = open_catalogue(
            models, model_zoo, challenge_root, baseline_choice, baseline_dir, examples=changed is None
        )
        wanted = list(dict.fromkeys(ids))
        if changed is not None:
            if challenge_root is not None:
                remedy = "name the IDs: what a branch of a checkout is made of lies in many files"
                raise UsageError("--changed does not go with --challenge-root", remedy=remedy)
            wanted, strays = changed_since(changed, catalogue, models, model_zoo)
            for stray in strays:
                name = one_line(str(stray))
                terminal.show(f"{name} belongs to no submission: rename it, or take it out.", stderr=True)
            if not wanted:
                terminal.show("No submission changed.", stderr=True)
                if as_json:
                    print_json({"gates": [], "strays": strays})
                sys.exit(2 if strays else 0)
        _refuse_unknown(catalogue, wanted)
        data = _choose_data(splits, include_test, data_dir, protocol_name)
        catalogue = without_namesakes(catalogue, data.protocol.baseline.name)
        entries = [catalogue.problems.get(id_) or catalogue.get(id_) for id_ in wanted]
        options = _evaluation_options(data, None, channel, device, False, None, isolation)
        if data.sample:
            terminal.show(terminal.SAMPLE, stderr=True)
        baseline = _gates_baseline(catalogue, data.protocol)

        progressing = _interruptible(
            lambda: f"{len(answers)} of {len(entries)} judged, nothing stored", resumable=False
        )
        with progressing, terminal.progress_bar() as progress:
            for entry in entries:
                if isinstance(entry, submission.Unusable):
                    reason = str(entry.error)
                elif changed is not None and baseline is not None and entry.is_same_as(baseline):
                    reason = "the baseline itself changed, and the thresholds follow it: a person must look"
                else:
                    try:
                        record = evaluate(
                            entry, baseline or entry, data.splits, data.protocol, options, progress
                        )
                    except SubmissionError as error:  # its files cannot be read
                        reason = str(error)
                    else:
                        answers.append(judge(record, data.protocol, options.psnr_channel))
                        continue
                answers.append(not_judged(entry.label, data.protocol, options.psnr_channel, reason))
    if as_json:
        documents = [answer.document() for answer in answers]
        alone = len(documents) == 1 and changed is None
        print_json(documents[0] if alone else {"gates": documents, "strays": strays})
    else:
        for answer in answers:
            for line in terminal.gate_lines(answer):
                terminal.show(line)
    sys.exit(max([*(answer.exit_code for answer in answers), 2 if strays else 0]))


def _refuse_unknown(catalogue: Catalogue, ids: Sequence[int]) -> None:
    """Refuse ids, and a baseline that is named, before the images are checked, which may take minutes."""
    from ntire_bench.submissions.baseline_choice import choose

    for id_ in ids:
        if id_ not in catalogue.problems:
            catalogue.get(id_)
    if catalogue.baseline_choice is not None:
        choose(catalogue, catalogue.baseline_choice)


def _gates_baseline(catalogue: Catalogue, rules: Protocol) -> Submission | None:
    """Return the baseline where the thresholds follow it; else each submission stands in for it."""
    from ntire_bench.cli import terminal
    from ntire_bench.submissions.baseline_choice import choose

    if rules.thresholds.kind == "below_baseline":
        baseline = choose(catalogue, rules.baseline.name)
        tell_baseline(baseline)
        return baseline
    if catalogue.baseline_choice is not None or catalogue.baseline_folder is not None:
        choose(catalogue, rules.baseline.name)  # a wrong option is told all the same
        terminal.show(f"The thresholds of {rules.name} are absolute: no baseline is run.", stderr=True)
    return None


def _choose_data(
    splits: str | None, include_test: bool, data_dir: Path | None, protocol_name: str | None
) -> Data:
    from ntire_bench.cli import terminal
    from ntire_bench.workflows.data import choose_data

    names = [name.strip() for name in (splits or "valid").split(",") if name.strip()]
    if include_test and "test" not in names:
        names.append("test")
    if not names:
        raise UsageError("no split is named", remedy="give --splits valid,test or the like")
    with terminal.progress_bar() as progress:
        return choose_data(
            names, data_dir, protocol_name, lambda done, total: progress("checking images", done, total)
        )


def _evaluation_options(
    data: Data,
    effort: Effort | None,
    channel: str | None,
    device: str,
    ssim: bool,
    save_dir: Path | None,
    isolation: IsolationWanted,
) -> Options:
    """Return the options of an evaluation; no `effort` is one round, which is enough for PSNR."""
    from ntire_bench.cli import terminal
    from ntire_bench.estimating.stopping import StopRule
    from ntire_bench.measuring.session import Options, isolation_of

    stop = StopRule(rounds=1)
    if effort is not None:
        stop = StopRule(
            rounds=effort.rounds,
            min_rounds=min(data.protocol.rounds, effort.max_rounds),
            precision=effort.precision,
            max_rounds=effort.max_rounds,
            max_time_s=effort.max_time_s,
        )
    options = Options(
        stop=stop,
        threads=None if effort is None else effort.threads,
        psnr_channel=as_channel(channel or data.protocol.psnr_channel),
        device=device,
        ssim=ssim,
        save_dir=save_dir,
        isolation=isolation.level,
        allow_pickle=isolation.allow_pickle,
        tell=lambda text: terminal.show(text, stderr=True),
    )
    terminal.tell_isolation(isolation_of(options, data.splits), isolation.level)
    return options


@contextlib.contextmanager
def _interruptible(done: Callable[[], str], *, resumable: bool) -> Iterator[None]:
    """On Ctrl-C, say what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        from ntire_bench.cli import terminal

        text = f"Interrupted: {done()}."
        if resumable:
            program = Path(sys.argv[0])
            if program.name == "__main__.py":
                words = ["python", "-m", "ntire_bench"]
            else:
                words = ["python", relative(program)] if program.suffix == ".py" else [program.name]
            words += [word for word in sys.argv[1:] if word != "--resume"]
            text += f" Go on with: {shlex.join([*words, '--resume'])}"
        terminal.show(text, stderr=True)
        sys.exit(INTERRUPTED)
