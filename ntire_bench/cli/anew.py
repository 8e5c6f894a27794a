"""Options with which `leaderboard` ranks stored records by other rules than they were made under."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from ntire_bench.cli.options import Command, options, taken_as

if TYPE_CHECKING:
    from ntire_bench.ranking.anew import Changes

__all__ = ["Otherwise", "otherwise_options", "threshold_option"]

_WEIGHTS = "runtime=0.8,flops=0.1,params=0.1"


@dataclass(frozen=True, kw_only=True)
class Otherwise:
    """What a user wants to be ranked otherwise than the rules say.

    Attributes:
        records_of: Name of the rules that the records were made under; None for those of --protocol, or the
            first that these can rank.
        weights: By "runtime", "flops" and "params"; empty for the rules' own.
        thresholds: By split [dB].
        costs: "audited" or "official".
    """

    records_of: str | None = None
    weights: dict[str, float] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    costs: Any = "audited"

    @property
    def changes(self) -> Changes:
        """The same for the ranking.

        Raises:
            UsageError: These are no weights.
        """
        from ntire_bench.ranking.anew import changes_of

        return changes_of(self.weights, self.thresholds, self.costs)


def _numbers(ctx: click.Context, parameter: click.Parameter, value: object) -> dict[str, float]:
    """Read NAME=NUMBER,NAME=NUMBER, given once or several times."""
    texts = (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ()
    found: dict[str, float] = {}
    for part in ",".join(texts).split(",") if texts else ():
        name, _, number = part.partition("=")
        try:
            read = float(number)
        except ValueError:
            raise click.BadParameter(f"{part!r} is not NAME=NUMBER", ctx, parameter) from None
        if name.strip() in found:
            raise click.BadParameter(f"{name.strip()} is given twice", ctx, parameter)
        if not math.isfinite(read) or read < 0:
            raise click.BadParameter(f"{part!r} is no number of at least 0", ctx, parameter)
        found[name.strip()] = read
    return found


def threshold_option(text: str) -> Callable[[Command], Command]:
    """Return the option --threshold SPLIT=DB, as the argument `thresholds`.

    Args:
        text: Its help.
    """
    return click.option(
        "--threshold", "thresholds", multiple=True, callback=_numbers, metavar="SPLIT=DB", help=text
    )


otherwise_options = options(
    click.option(
        "--from",
        "records_of",
        metavar="NAME",
        help="Rank records that were made under the rules NAME by those of --protocol.",
    ),
    click.option(
        "--weights", callback=_numbers, metavar="TEXT", help=f"Rank by other weights, such as {_WEIGHTS}."
    ),
    threshold_option("Rank by another threshold, such as valid=26.9."),
    click.option(
        "--costs",
        type=click.Choice(["audited", "official"]),
        default="audited",
        show_default=True,
        help="FLOPs and parameters: what the audit found where that is more, or fvcore's and those of "
        "parameters() alone, as the challenge ranks.",
    ),
    taken_as("otherwise", Otherwise),
)
