"""The command intake: what teams sent becomes submissions, and each team gets a feedback sheet."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ntire_bench.cli.interrupted import interruptible
from ntire_bench.cli.options import (
    PATH,
    Machine,
    json_flag,
    machine_options,
    places,
    protocol_option,
    see_that_it_can_measure,
)
from ntire_bench.cli.output import print_json, write
from ntire_bench.text import one_line, relative

if TYPE_CHECKING:
    from ntire_bench.submissions.submission import Submission
    from ntire_bench.workflows.check import Check
    from ntire_bench.workflows.intake import Taken

__all__ = ["intake"]


@click.command()
@click.argument("inbox", type=PATH)
@click.option("--feedback", type=PATH, help="Folder of the feedback sheets.  [default: INBOX/feedback]")
@click.option("--no-check", is_flag=True, help="Take in what was not tried in a worker.")
@click.option("--replace", is_flag=True, help="Replace submissions of the same id.")
@places
@machine_options
@protocol_option
@json_flag
def intake(
    inbox: Path,
    feedback: Path | None,
    no_check: bool,
    replace: bool,
    models: Path,
    model_zoo: Path,
    machine: Machine,
    protocol_name: str | None,
    as_json: bool,
) -> None:
    """Take in what teams sent: each zip file, folder or model file of INBOX becomes a submission.

    Each is unpacked within bounds, its model file and checkpoint are found, loaded and run in a worker as by
    `check`, and put into the two folders. A sheet in Markdown tells each team what became of it.

    Exit status: 0 all are taken in, 1 one was refused or does not run, 2 wrong use.
    """
    if not no_check:
        see_that_it_can_measure()
    from ntire_bench.cli import terminal
    from ntire_bench.protocols import protocol
    from ntire_bench.workflows import intake as taking

    items = taking.items_of(inbox)
    rules = protocol.load(protocol_name or protocol.DEFAULT_PROTOCOL)
    target = feedback or inbox / taking.FEEDBACK
    documents: list[dict[str, Any]] = []

    def trial(submission: Submission) -> Check:
        from ntire_bench.data import sample
        from ntire_bench.workflows.check import check

        return check(
            submission, sample.probe_lr(rules.scale, rules.noise), rules, tell=terminal.tell, **vars(machine)
        )

    with interruptible(
        lambda: f"{len(documents)} of {len(items)} taken in or refused.",
        as_json=as_json,
        document=lambda: {"items": documents},
    ):
        for taken in taking.intake(
            items, models, model_zoo, trial=None if no_check else trial, replace=replace
        ):
            page = target / f"{one_line(taken.item.name)}.md"
            write(page, _page(taken))
            documents.append(_document(taken, page))
            if not as_json:
                _show(taken, page)
    if not items:
        terminal.tell(f"{relative(inbox)}: nothing lies there.")
    if as_json:
        print_json({"items": documents})
    good = ("taken in", "there already")
    sys.exit(0 if all(one["outcome"] in good for one in documents) else 1)


def _page(taken: Taken) -> str:
    from ntire_bench.reporting.feedback import sheet

    check = taken.check
    info = None
    if check is not None:  # paths of a temporary folder say nothing to a team
        own = check.submission
        info = dataclasses.replace(own, checkpoint=own.checkpoint and Path(own.checkpoint).name)
    return sheet(
        taken.item.name,
        taken.outcome,
        taken.label,
        reason=taken.reason,
        info=info,
        complexity=None if check is None else check.complexity,
        findings=() if check is None else check.findings,
        left=taken.left,
    )


def _document(taken: Taken, page: Path) -> dict[str, Any]:
    return {
        "item": relative(taken.item),
        "outcome": taken.outcome,
        "submission": taken.label,
        "reason": None if taken.reason is None else str(taken.reason),
        "findings": [] if taken.check is None else list(taken.check.findings),
        "left": list(taken.left),
        "files": [relative(file) for file in taken.files],
        "feedback": relative(page),
    }


def _show(taken: Taken, page: Path) -> None:
    """Print what became of an item, and where the sheet for its team is."""
    from ntire_bench.cli import terminal
    from ntire_bench.records.operational import told

    style = None if taken.outcome in ("taken in", "there already") else "red"
    head = f"{taken.outcome}: {one_line(taken.item.name)}"
    terminal.show(head + (f"  {taken.label}" if taken.label else ""), style=style)
    if taken.reason is not None:
        terminal.show(f"  {one_line(str(taken.reason))}")
    for finding in () if taken.check is None else taken.check.findings:
        if finding.severity != "info":
            terminal.show(f"  {one_line(told(finding))}")
    if taken.left:
        count = len(taken.left)
        terminal.show(f"  not kept: {count} other file{'s' * (count != 1)}, named in {relative(page)}")
    terminal.tell(f"  {relative(page)}")
