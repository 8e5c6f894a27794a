"""The commands pack and factsheet: what a team sends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ntire_bench.cli.compare import successful
from ntire_bench.cli.options import (
    PATH,
    Images,
    Machine,
    image_options,
    json_flag,
    machine_options,
    places,
    protocol_option,
    results_folder,
    see_that_it_can_measure,
)
from ntire_bench.cli.output import print_json, tell_error, write
from ntire_bench.cli.which_record import record_path
from ntire_bench.text import one_line, relative

if TYPE_CHECKING:
    from ntire_bench.protocols.protocol import Protocol
    from ntire_bench.records.record import Finding, Record
    from ntire_bench.submissions.submission import Submission
    from ntire_bench.workflows.pack import Packed

__all__ = ["factsheet", "pack"]


@click.command()
@click.argument("which", metavar="ID|FILE")
@click.option(
    "--format",
    "fmt",
    type=click.Choice(["md", "latex"]),
    default="md",
    show_default=True,
    help="Markdown, or LaTeX with the package booktabs.",
)
@click.option("--output", "-o", type=PATH, help="File to write instead of standard output.")
@protocol_option
@results_folder
@json_flag
def factsheet(
    which: str, fmt: str, output: Path | None, protocol_name: str | None, results: Path, as_json: bool
) -> None:
    """Write the table of numbers of a challenge's factsheet, from a stored evaluation.

    Parameters, FLOPs, activations, convolutions; PSNR, SSIM, memory and runtime of each split. ID is a team
    (5, 05_Net, Net), an earlier version of one (5~1), or the file of a record.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.records.version_1 import with_plain_runtimes
    from ntire_bench.reporting import factsheet as sheet

    path = record_path(which, results, protocol_name)
    record = with_plain_runtimes(successful(path))
    text = sheet.to_latex(record) if fmt == "latex" else sheet.to_markdown(record)
    if output is not None:
        write(output, text)
        terminal.tell(f"written: {relative(output)}")
    if as_json:
        print_json({"record": relative(path), **sheet.document(record)})
    elif output is None:
        click.echo(text.rstrip("\n"))
    terminal.tell(f"record: {relative(path)}")


@click.command()
@click.argument("team", metavar="ID")
@click.option("--output", "-o", type=PATH, help="Archive to write.  [default: teamID_NAME.zip]")
@click.option("--images", "with_images", is_flag=True, help="Write the SR images too, as teamID_NAME_SR.zip.")
@click.option(
    "--save-dir",
    type=PATH,
    default=Path("results"),
    show_default=True,
    help="Where run --save-images put the SR images.",
)
@places
@machine_options
@image_options
@protocol_option
@results_folder
@json_flag
def pack(
    team: str,
    output: Path | None,
    with_images: bool,
    save_dir: Path,
    models: Path,
    model_zoo: Path,
    machine: Machine,
    images: Images,
    protocol_name: str | None,
    results: Path,
    as_json: bool,
) -> None:
    """Check a submission, and write what is sent to the organizers into one archive.

    Model file, checkpoint, declaration, hashes, and the factsheet's numbers (Markdown and LaTeX) of the
    newest evaluation of these files. No images are in it.

    Exit status: 0 written, 1 it does not run or would be rejected, 2 wrong use.
    """
    see_that_it_can_measure()
    from ntire_bench.cli import terminal
    from ntire_bench.errors import MeasurementError, SubmissionError
    from ntire_bench.ranking.rules import rules_for
    from ntire_bench.ranking.stored import rules_named
    from ntire_bench.records import store
    from ntire_bench.records.version_1 import with_plain_runtimes
    from ntire_bench.submissions import models_folder
    from ntire_bench.workflows import pack as packing

    written: list[Packed] = []
    try:
        there = models_folder.find(models, model_zoo)
        submission = there.get(there.id_of(team))
        packing.member_names(submission)
        name = rules_named(results, protocol_name).name if protocol_name else None
        stored = store.load_all(results, name)[0]
        found = packing.record_of(submission, stored)
        record = with_plain_runtimes(store.load(found.path))
        rules = rules_for(record, found.path, None)
        findings = _findings(submission, rules, machine)
        packing.refuse_rejected(submission, findings)
        told = packing.remarks(submission, record, rules, findings)
        target = output or Path(f"{submission.stem}.zip")
        written.append(packing.pack(submission, target, _texts(record), record))
        if with_images:
            archive = target.with_name(f"{target.stem}_SR.zip")
            written.append(_pack_images(record, rules, images, save_dir, archive))
    except (SubmissionError, MeasurementError) as error:
        tell_error(error, as_json)
        sys.exit(1)
    if as_json:
        documents = [
            {"path": relative(one.path), "sha256": one.sha256, "files": one.members} for one in written
        ]
        print_json({"written": documents, "record": relative(found.path), "remarks": told})
        return
    for one in written:
        terminal.show(f"{relative(one.path)}  SHA-256 {one.sha256}")
        for name, value in one.members.items() if len(one.members) < 12 else ():
            terminal.show(f"  {value[:12]}  {name}")
    for text in told:
        terminal.tell(f"Note: {one_line(text)}")
    terminal.tell(f"numbers: {relative(found.path)}")
    terminal.tell(
        "Send it with a factsheet as PDF and its sources; MAIL.txt in it has what the letter must say."
    )


def _findings(submission: Submission, rules: Protocol, machine: Machine) -> tuple[Finding, ...]:
    """Load and run the submission, as `check` does, and return what was found."""
    from ntire_bench.cli import terminal
    from ntire_bench.data import sample
    from ntire_bench.workflows.check import check

    checked = check(
        submission, sample.probe_lr(rules.scale, rules.noise), rules, tell=terminal.tell, **vars(machine)
    )
    terminal.tell_isolation(checked.isolation, machine.isolation)
    return checked.findings


def _texts(record: Record) -> dict[str, str]:
    from ntire_bench.reporting import factsheet as sheet

    return {
        "factsheet.md": sheet.to_markdown(record),
        "factsheet.tex": sheet.to_latex(record),
        "MAIL.txt": sheet.letter(record),
    }


def _pack_images(record: Record, rules: Protocol, images: Images, save_dir: Path, target: Path) -> Packed:
    from ntire_bench.cli import terminal
    from ntire_bench.workflows.data import choose_data
    from ntire_bench.workflows.pack import pack_images

    with terminal.progress_bar() as progress:
        data = choose_data(
            list(record.splits),
            images.data_dir,
            rules.name,
            lambda done, total: progress("checking images", done, total),
        )
    return pack_images(record, data.splits, save_dir, target, rules)
