"""The command `ntire-bench`. Subcommands are imported when asked for, what is heavy when they run."""

from __future__ import annotations

import io
import sys
from typing import Any

import click

from ntire_bench import __version__, interruption
from ntire_bench.cli.commands import SECTIONS, Commands
from ntire_bench.cli.interrupted import leave
from ntire_bench.cli.output import tell_error
from ntire_bench.errors import NtireBenchError, UsageError

__all__ = ["main"]


_JSON_WANTED = "ntire_bench.json"  # in a context's meta


def _dashes(name: str) -> str:
    return name.replace("_", "-")


def _write_unicode() -> None:
    """Write files and pipes in UTF-8 on every system, and to a terminal what it can show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() not in ("utf-8", "utf8"):
            if stream.isatty():
                stream.reconfigure(errors="replace")
            else:
                stream.reconfigure(encoding="utf-8")


class _Group(click.Group):
    """A group that prints a user's fault as one message and takes - and _ alike."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Looked for before the arguments are parsed, so that a fault in any of them is told in JSON too.
        ctx.meta[_JSON_WANTED] = "--json" in args
        _write_unicode()
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what there is to do, by who does it; nothing is imported for that."""
        width = max(map(len, self.commands))
        for title, places in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), place.about) for name, place in places.items()])

    def __call__(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - click's signature
        """Run as a program does that was started with this function, not with `__main__`."""
        interruption.catch()
        return super().__call__(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        try:
            interruption.begin()
            return self._invoke(ctx)
        except (KeyboardInterrupt, Exception) as error:
            number = interruption.number_of(error)
            if number is None:
                raise
            leave(number, document={} if ctx.meta[_JSON_WANTED] else None)
        finally:
            interruption.end()

    def _invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        try:
            return super().invoke(ctx)
        except NtireBenchError as error:
            if interruption.number_of(error) is not None:
                raise
            fault = error
        except click.exceptions.NoArgsIsHelpError:  # `ntire-bench zoo` alone: click shows its help
            raise
        except click.UsageError as error:
            command = "ntire-bench" if error.ctx is None else error.ctx.command_path
            fault = UsageError(error.format_message().rstrip("?."), remedy=f"see {command} --help")
        tell_error(fault, ctx.meta[_JSON_WANTED])
        ctx.exit(2)


@click.group(
    cls=_Group,
    commands=Commands(),
    context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": _dashes},
)
@click.version_option(__version__, prog_name="ntire-bench")
def main() -> None:
    """Measure and rank efficient x4 super-resolution networks as the NTIRE challenge does.

    Put models/team05_NAME.py and its checkpoint model_zoo/team05_NAME.pth beside each other, then:
    ntire-bench check 5, ntire-bench run 5, ntire-bench leaderboard.
    """
