"""The command gate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ntire_bench.cli.evaluation import _choose_data, _evaluation_options, _interruptible, _refuse_unknown
from ntire_bench.cli.options import (
    PATH,
    IsolationWanted,
    channel_option,
    data_options,
    json_flag,
    machine,
    protocol_option,
    see_that_it_can_measure,
)
from ntire_bench.cli.output import as_channel, print_json
from ntire_bench.cli.sources import baseline_options, open_catalogue, sources, tell_baseline
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.text import one_line

if TYPE_CHECKING:
    from ntire_bench.protocols.protocol import Protocol
    from ntire_bench.submissions.catalogue import Catalogue
    from ntire_bench.submissions.submission import Submission

__all__ = ["gate"]


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
    from ntire_bench.cli import terminal, wording
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
            terminal.show(wording.SAMPLE, stderr=True)
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
            for line in wording.gate_lines(answer):
                terminal.show(line)
    sys.exit(max([*(answer.exit_code for answer in answers), 2 if strays else 0]))


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
