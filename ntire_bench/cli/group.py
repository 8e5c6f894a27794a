"""The command `ntire-bench`: parses, calls one function, prints. Heavy imports wait till they are needed."""

from __future__ import annotations

import io
import signal
import sys
from pathlib import Path
from typing import Any

import click

from ntire_bench import __version__
from ntire_bench.cli.check import check
from ntire_bench.cli.import_ import import_
from ntire_bench.cli.options import PATH, channel_option, json_flag, protocol_option, results_folder
from ntire_bench.cli.output import print_json, show_board, stored_board, write
from ntire_bench.cli.run import INTERRUPTED, DefaultId, gate, run
from ntire_bench.cli.sources import open_catalogue, sources
from ntire_bench.cli.stability import stability
from ntire_bench.cli.weights import fuse, zoo
from ntire_bench.errors import NtireBenchError, UsageError
from ntire_bench.text import relative

__all__ = ["main", "test_demo"]


_JSON_WANTED = "ntire_bench.json"  # in a context's meta


def _dashes(name: str) -> str:
    return name.replace("_", "-")


def _write_unicode() -> None:
    """Have files and pipes written in UTF-8 on every system, and a terminal shown what it can show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() not in ("utf-8", "utf8"):
            if stream.isatty():
                stream.reconfigure(errors="replace")
            else:
                stream.reconfigure(encoding="utf-8")


class _Group(click.Group):
    """A group that prints a user's fault as one message and takes - and _ alike."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Known before the words are: a fault in them, wherever it stands, is then told in JSON too.
        ctx.meta[_JSON_WANTED] = "--json" in args
        _write_unicode()
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        # An exception unwinds, so that workers are ended and what lies in temporary folders is removed.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)
        except NtireBenchError as error:
            fault = error
        except click.exceptions.NoArgsIsHelpError:  # `ntire-bench zoo` alone: click shows its help
            raise
        except click.UsageError as error:
            command = "ntire-bench" if error.ctx is None else error.ctx.command_path
            fault = UsageError(error.format_message().rstrip("?."), remedy=f"see {command} --help")
        from ntire_bench.cli.terminal import show_error

        if ctx.meta[_JSON_WANTED]:
            print_json({"error": {"type": type(fault).__name__, "message": str(fault)}})
        show_error(fault)
        ctx.exit(2)


@click.group(
    cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": _dashes}
)
@click.version_option(__version__, prog_name="ntire-bench")
def main() -> None:
    """Measure and rank efficient x4 super-resolution networks as the NTIRE challenge does.

    Put models/team05_NAME.py and its checkpoint model_zoo/team05_NAME.pth beside each other, then:
    ntire-bench check 5, ntire-bench run 5, ntire-bench leaderboard.
    """


@main.command("list")
@sources
@json_flag
def list_(models: Path, model_zoo: Path, challenge_root: Path | None, as_json: bool) -> None:
    """List the submissions found, without executing any."""
    from ntire_bench.cli import terminal

    catalogue = open_catalogue(models, model_zoo, challenge_root)
    if as_json:
        print_json(
            {
                "models": relative(catalogue.models),
                "submissions": [
                    {
                        "id": item.id,
                        "name": item.name,
                        "file": relative(item.file),
                        "checkpoint": None if item.checkpoint is None else relative(item.checkpoint),
                        "declaration": vars(item.declaration),
                        "build_model": item.has_build_model,
                        "branch": terminal.branch_document(item.branch),
                    }
                    for item in catalogue.submissions.values()
                ],
                "problems": [
                    {"id": item.id, "name": item.name, "message": str(item.error)}
                    for item in catalogue.problems.values()
                ],
                "ignored": list(catalogue.ignored),
            }
        )
        return
    for line in terminal.catalogue_lines(catalogue):
        terminal.show(line)


@main.command()
@results_folder
@protocol_option
@channel_option
@click.option(
    "--format",
    "fmt",
    type=click.Choice(["table", "md", "csv", "json", "latex", "html", "challenge"]),
    default="table",
    show_default=True,
    help="What to write; challenge: its results.txt, with RGB PSNR.",
)
@click.option("--reference", help="Show a published table instead: ntire2024.")
@click.option("--device", "device", help="Rank the records of this device (as the table's title names it).")
@click.option("--output", "-o", type=PATH, help="File to write instead of standard output.")
@json_flag
def leaderboard(
    results: Path,
    protocol_name: str | None,
    channel: str | None,
    fmt: str,
    reference: str | None,
    device: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Rank the stored records, or show a published table."""
    from ntire_bench.challenge_results import table
    from ntire_bench.cli import terminal
    from ntire_bench.ranking.board import board_from_reference
    from ntire_bench.reporting.render import render

    if not reference and not results.is_dir():
        terminal.show(f"There is no folder {relative(results)}: nothing has been evaluated yet.", stderr=True)
    board = (
        board_from_reference(reference)
        if reference
        else stored_board(results, protocol_name, channel, device)
    )
    chosen = "json" if as_json else fmt
    if chosen == "table" and output is None:
        show_board(board)
        return
    text = render(board, chosen)  # type: ignore[arg-type]
    if chosen == "challenge":
        for remark in table.remarks(board):
            terminal.show(remark, stderr=True)
    if output is None:
        click.echo(text.rstrip("\n"))
    else:
        write(output, text)
        terminal.show(f"written: {relative(output)}", stderr=True)


@main.command()
@click.argument("hr_dir", type=PATH)
@click.option(
    "--output", "-o", "lr_dir", type=PATH, help="Folder for the LR images.  [default: beside HR_DIR]"
)
@click.option("--scale", type=click.IntRange(2, 4), default=4, show_default=True)
@click.option("--force", is_flag=True, help="Replace LR images that are there already.")
@json_flag
def prepare(hr_dir: Path, lr_dir: Path | None, scale: int, force: bool, as_json: bool) -> None:
    """Make LR images from HR images as MATLAB's imresize does, bit for bit."""
    from ntire_bench.cli import terminal
    from ntire_bench.data.prepare import folder_beside
    from ntire_bench.data.prepare import prepare as make

    target = lr_dir or folder_beside(hr_dir)
    with terminal.progress_bar() as progress:
        written = make(
            hr_dir,
            target,
            scale,
            lambda done, total: progress("LR images", done, total),
            replace=force,
        )
    if as_json:
        print_json({"lr_dir": relative(target), "written": [relative(path) for path in written]})
    else:
        terminal.show(f"{len(written)} LR images in {relative(target)}")


main.add_command(check)
main.add_command(run)
main.add_command(stability)
main.add_command(gate)
main.add_command(import_)
main.add_command(fuse)
main.add_command(zoo)


def test_demo() -> None:
    """Run `ntire-bench run` with the challenge's flags; see test_demo.py."""
    main.main(args=["run", *sys.argv[1:]], prog_name="test_demo.py", obj=DefaultId(0))
