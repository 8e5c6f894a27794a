"""The command check."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ntire_bench.cli.interrupted import interruptible
from ntire_bench.cli.options import (
    Machine,
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
    from ntire_bench.submissions.catalogue import Catalogue
    from ntire_bench.submissions.submission import Submission
    from ntire_bench.workflows import check as checking

__all__ = ["check"]


@click.command()
@click.argument("id", type=click.IntRange(0))
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
    help="Evaluate it on the sample set too, and show every finding that an organizer would see.",
)
@json_flag
def check(
    id: int,  # noqa: A002 - what a user reads in the usage line
    sources: Sources,
    machine: Machine,
    protocol_name: str | None,
    keep: bool,
    settings: tuple[str, ...],
    strict: bool,
    as_json: bool,
) -> None:
    """Load a submission in a worker and say how it was resolved and what it costs.

    Exit status: 0 in order, 1 rejected, 2 wrong use; 130, 143, 129 ended by Ctrl-C, SIGTERM, SIGHUP.
    """
    see_that_it_can_measure()
    from ntire_bench.cli import terminal, wording
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
    rules = protocol.load(protocol_name or protocol.DEFAULT_PROTOCOL)

    def there() -> Catalogue:
        return without_namesakes(open_catalogue(sources), rules.baseline.name)

    def checked(given: tuple[str, ...]) -> checking.Check:
        chosen = declare.settled(there().get(id), given)
        return checking.check(
            chosen,
            sample.probe_lr(),
            rules,
            audit_lr=sample.large_lr() if strict else None,  # the sample set's own images are all small
            tell=terminal.tell,
            **vars(machine),
        )

    def with_rehearsal(found: checking.Check, chosen: Submission) -> checking.Check:
        from ntire_bench.workflows.options import options_for
        from ntire_bench.workflows.rehearse import rehearse, together

        options = options_for(rules, tell=terminal.tell, **vars(machine))
        more = rehearse(chosen, there(), options, lambda text: terminal.tell(one_line(text)))
        return dataclasses.replace(found, findings=together(found.findings, more))

    written: Path | None = None
    found: checking.Check | None = None

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
            "written": written and relative(written),
        }

    with interruptible(told, as_json=as_json, document=what_there_is):
        try:
            submission = there().get(id)
            if keep:
                declare.refuse_if_declared(submission)
            found = checked(settings)
            if strict:
                found = with_rehearsal(found, declare.settled(submission, settings))
            if keep:
                written = declare.proven(found, declare.settled(submission, settings), lambda: checked(()))
        except (SubmissionError, MeasurementError) as error:
            tell_error(error, as_json, ok=False)
            sys.exit(1)
    terminal.tell_isolation(found.isolation, machine.isolation)
    rejected = any(finding.severity == "reject" for finding in found.findings)
    if as_json:
        print_json({"ok": not rejected, **vars(found), "written": written and relative(written)})
    else:
        for line in wording.check_lines(found):
            terminal.show(line)
        if strict and not found.findings:
            terminal.show("Nothing was found that an organizer would object to.")
        if written is not None:
            terminal.tell(f"written: {relative(written)}")
    sys.exit(1 if rejected else 0)
