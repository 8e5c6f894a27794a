"""The command check."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ntire_bench.cli.interrupted import interruptible
from ntire_bench.cli.options import (
    Images,
    Machine,
    image_options,
    json_flag,
    machine_options,
    protocol_option,
    see_that_it_can_measure,
)
from ntire_bench.cli.output import print_json, tell_error
from ntire_bench.cli.sources import Sources, open_catalogue, sources_and_baseline
from ntire_bench.errors import UsageError
from ntire_bench.text import one_line, relative

if TYPE_CHECKING:
    from ntire_bench.protocols.protocol import Protocol
    from ntire_bench.submissions.catalogue import Catalogue
    from ntire_bench.submissions.submission import Submission
    from ntire_bench.workflows import check as checking
    from ntire_bench.workflows.data import Data
    from ntire_bench.workflows.verdict import Verdict

__all__ = ["check"]


@click.command()
@click.argument("team", metavar="ID")
@sources_and_baseline
@machine_options
@protocol_option
@click.option(
    "--write", "keep", is_flag=True, help="Write what was inferred into a TOML file beside the model file."
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Declare something for this check (and for --write): data_range=1, model=Net, args.deploy=true.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Evaluate it too, on the sample set or --data-dir, and end in a verdict: PSNR against the "
    "threshold, runtime beside the baseline's, estimated score and place, and every finding that an "
    "organizer would see.",
)
@image_options
@json_flag
def check(
    team: str,
    sources: Sources,
    machine: Machine,
    protocol_name: str | None,
    keep: bool,
    settings: tuple[str, ...],
    strict: bool,
    images: Images,
    as_json: bool,
) -> None:
    """Load a submission in a worker and say how it was resolved and what it costs.

    Exit status: 0 in order, 1 rejected, 2 wrong use; 130, 143, 129 ended by Ctrl-C, SIGTERM, SIGHUP.
    """
    see_that_it_can_measure()
    from ntire_bench.cli import terminal, wording
    from ntire_bench.cli.verdict_text import verdict_lines
    from ntire_bench.data import sample
    from ntire_bench.errors import MeasurementError, SubmissionError
    from ntire_bench.protocols import protocol
    from ntire_bench.submissions.baseline_choice import without_namesakes
    from ntire_bench.workflows import check as checking
    from ntire_bench.workflows import declare

    if not strict and (sources.baseline_choice is not None or sources.baseline_dir is not None):
        raise UsageError(
            "only a strict check runs a baseline",
            remedy="add --strict, or leave --baseline and --baseline-dir out",
        )
    if not strict and (images.data_dir is not None or images.splits is not None or images.include_test):
        raise UsageError(
            "only a strict check evaluates on images",
            remedy="add --strict, or leave --data-dir, --splits and --include-test out",
        )
    rules = protocol.load(protocol_name or protocol.DEFAULT_PROTOCOL)

    def there() -> Catalogue:
        return without_namesakes(open_catalogue(sources), rules.baseline.name)

    catalogue = there()
    id_ = catalogue.id_of(team)
    written: Path | None = None
    found: checking.Check | None = None
    outlook: Verdict | None = None

    def checked(known: Catalogue, given: tuple[str, ...]) -> checking.Check:
        chosen = declare.settled(known.get(id_), given)
        return checking.check(
            chosen,
            sample.probe_lr(rules.scale, rules.noise),
            rules,
            truth=sample.probe_hr(rules.scale),
            audit_lr=sample.large_lr(rules.noise)
            if strict
            else None,  # the sample set's own images are all small
            tell=terminal.tell,
            **vars(machine),
        )

    def with_rehearsal(found: checking.Check, chosen: Submission, data: Data) -> checking.Check:
        nonlocal outlook
        from ntire_bench.workflows import rehearse
        from ntire_bench.workflows.options import options_for
        from ntire_bench.workflows.verdict import verdict

        options = options_for(rules, tell=terminal.tell, **vars(machine))
        ran = rehearse.rehearse(chosen, there(), options, lambda text: terminal.tell(one_line(text)), data)
        findings = rehearse.together(found.findings, ran.findings)
        outlook = verdict(ran.record, ran.protocol, findings)
        return dataclasses.replace(found, findings=findings)

    def told() -> str:
        if found is None:
            return "the check was not finished."
        for line in [] if as_json else wording.check_lines(found):
            terminal.show(line)
        return "checked, but what else was asked for was not finished."

    def what_there_is() -> dict[str, Any]:
        return {
            "ok": None,
            **({} if found is None else vars(found)),
            **({} if outlook is None else {"verdict": outlook.document()}),
            "written": written and relative(written),
        }

    with interruptible(told, as_json=as_json, document=what_there_is):
        try:
            submission = catalogue.get(id_)
            if keep:
                declare.refuse_if_declared(submission)
            data = _data(images, protocol_name, rules) if strict else None
            found = checked(catalogue, settings)
            if data is not None:
                found = with_rehearsal(found, declare.settled(submission, settings), data)
            if keep:
                written = declare.proven(
                    found, declare.settled(submission, settings), lambda: checked(there(), ())
                )
        except (SubmissionError, MeasurementError) as error:
            tell_error(error, as_json, ok=False)
            sys.exit(1)
    terminal.tell_isolation(found.isolation, machine.isolation)
    rejected = any(finding.severity == "reject" for finding in found.findings)
    if as_json:
        print_json({**what_there_is(), "ok": not rejected})
    else:
        for line in wording.check_lines(found):
            terminal.show(line)
        if outlook is not None:
            for line in verdict_lines(outlook, found.findings):
                terminal.show(line)
        if written is not None:
            terminal.tell(f"written: {relative(written)}")
    sys.exit(1 if rejected else 0)


def _data(images: Images, protocol_name: str | None, rules: Protocol) -> Data:
    """Check the images of --data-dir, or take the sample set, and choose the rules."""
    from ntire_bench.cli import terminal
    from ntire_bench.workflows.data import choose_data
    from ntire_bench.workflows.rehearse import sample_data

    if images.data_dir is None:
        return sample_data(images.split_names, rules)
    with terminal.progress_bar() as progress:
        return choose_data(
            images.split_names,
            images.data_dir,
            protocol_name,
            lambda done, total: progress("checking images", done, total),
        )
