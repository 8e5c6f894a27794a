"""The command gate."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ntire_bench.cli.evaluation import (
    Request,
    images_and_options,
    refuse_unknown,
    taken_as_request,
)
from ntire_bench.cli.interrupted import interruptible
from ntire_bench.cli.options import (
    PATH,
    Effort,
    channel_option,
    image_options,
    json_flag,
    machine_options,
    protocol_option,
    results_folder,
    see_that_it_can_measure,
)
from ntire_bench.cli.output import print_json
from ntire_bench.cli.sources import Sources, open_catalogue, sources_and_baseline, tell_baseline
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.text import one_line

if TYPE_CHECKING:
    from ntire_bench.protocols.protocol import Protocol
    from ntire_bench.ranking.gate import Answer
    from ntire_bench.records.accepted import Accepted
    from ntire_bench.submissions.catalogue import Catalogue
    from ntire_bench.submissions.submission import Submission

__all__ = ["gate"]

_ONE_ROUND = Effort(rounds=1)  # enough for PSNR


@click.command()
@click.argument("teams", nargs=-1, metavar="[ID]...")
@click.option("--record", "record_file", type=PATH, help="Judge this record instead of evaluating.")
@click.option(
    "--changed",
    metavar="BASE",
    help="Judge what changed in git since BASE in the model and checkpoint folders.",
)
@image_options
@protocol_option
@channel_option
@machine_options
@sources_and_baseline
@results_folder
@json_flag
@taken_as_request
def gate(
    teams: tuple[str, ...],
    record_file: Path | None,
    changed: str | None,
    request: Request,
    results: Path,
    as_json: bool,
) -> None:
    """Say whether submissions keep the PSNR thresholds, from a fresh one-round run or a stored record.

    What an organizer has accepted with `accept` counts: beside the record, or in the folder of --results.

    Exit status: 0 pass, 1 below a threshold or rejected, 2 could not be judged; of several, the worst.
    130, 143, 129 ended by Ctrl-C, SIGTERM, SIGHUP.
    """
    from ntire_bench.cli import terminal, wording

    if [bool(teams), record_file is not None, changed is not None].count(True) != 1:
        remedy = "give one of: IDs, --record FILE, --changed BASE"
        raise UsageError("what is to be judged is not clear", remedy=remedy)
    strays: list[str] = []
    answers: list[Answer] = []
    if record_file is not None:
        answers.append(_judge_record(record_file, request))
    else:
        see_that_it_can_measure()
        # What changed in a checkout is asked of that checkout: no examples stand in for its folders.
        catalogue = open_catalogue(request.sources, examples=changed is None)
        wanted = list(dict.fromkeys(map(catalogue.id_of, teams)))
        if changed is not None:
            wanted, strays = _changed(changed, catalogue, request.sources)
            if not wanted:
                terminal.tell("No submission changed.")
                if as_json:
                    print_json({"gates": [], "strays": strays})
                sys.exit(2 if strays else 0)
        with interruptible(
            lambda: f"{len(answers)} of {len(wanted)} judged, nothing stored.",
            as_json=as_json,
            document=lambda: {"gates": [answer.document() for answer in answers], "strays": strays},
        ):
            for answer in _judge_fresh(catalogue, wanted, request, results, baseline_too=changed is None):
                answers.append(answer)
    if as_json:
        documents = [answer.document() for answer in answers]
        alone = len(documents) == 1 and changed is None
        print_json(documents[0] if alone else {"gates": documents, "strays": strays})
    else:
        for answer in answers:
            for line in wording.gate_lines(answer):
                terminal.show(line)
    sys.exit(max([*(answer.exit_code for answer in answers), 2 if strays else 0]))


def _judge_record(file: Path, request: Request) -> Answer:
    """Judge a stored record, with what an organizer has accepted beside it."""
    from ntire_bench.protocols import protocol
    from ntire_bench.ranking.gate import gate as judge
    from ntire_bench.records import store

    record = store.load(file)
    rules = protocol.load(request.protocol_name or record.protocol.name)
    return judge(record, rules, request.channel or record.psnr_channel, _accepted_in(file.parent))


def _accepted_in(team_folder: Path) -> tuple[Accepted, ...]:
    """Return what an organizer has accepted for a team, and say what of it cannot be read."""
    from ntire_bench.cli import terminal
    from ntire_bench.records.accepted import load_accepted

    accepted, problems = load_accepted(team_folder)
    for problem in problems:
        terminal.tell(str(problem))
    return accepted


def _changed(base: str, catalogue: Catalogue, sources: Sources) -> tuple[list[int], list[str]]:
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


def _judge_fresh(
    catalogue: Catalogue, ids: Sequence[int], request: Request, results: Path, *, baseline_too: bool
) -> Iterator[Answer]:
    """Evaluate submissions and judge them.

    Args:
        catalogue: What there is.
        ids: What to judge.
        request: What the user asks for.
        results: The folder of records, beside which lies what an organizer has accepted.
        baseline_too: Whether a baseline that the thresholds follow is judged as any other; else it is left
            to a person.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.ranking.gate import gate as judge
    from ntire_bench.ranking.gate import not_judged
    from ntire_bench.records.store import team_folder
    from ntire_bench.submissions.baseline_choice import without_namesakes
    from ntire_bench.submissions.submission import Unusable
    from ntire_bench.workflows.evaluate import evaluate

    refuse_unknown(catalogue, ids)
    data, options = images_and_options(request, _ONE_ROUND)
    rules, channel = data.protocol, options.psnr_channel
    catalogue = without_namesakes(catalogue, rules.baseline.name)
    baseline = _baseline(catalogue, rules)
    with terminal.progress_bars() as progress:
        for entry in map(catalogue.entry, ids):
            if isinstance(entry, Unusable):
                reason = str(entry.error)
            elif baseline is not None and entry.is_same_as(baseline) and not baseline_too:
                reason = "the baseline itself changed, and the thresholds follow it: a person must look"
            else:
                try:
                    record = evaluate(entry, baseline or entry, data.splits, rules, options, progress())
                except SubmissionError as error:  # its files cannot be read
                    reason = str(error)
                else:
                    folder = team_folder(results, rules.name, record.submission.label)
                    yield judge(record, rules, channel, _accepted_in(folder))
                    continue
            yield not_judged(entry.label, rules, channel, reason)


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
        terminal.tell(f"The thresholds of {rules.name} are absolute: no baseline is run.")
    return None
