"""Two evaluations beside each other, and the images of one, as tables for a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ntire_bench.ranking.comparing import Comparison, Cost, ImageDifference, Runtime
from ntire_bench.text import giga

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["cost_text", "costs_table", "images_table", "percent", "runtime_line", "summary_lines"]

_MISSING = "–"


def percent(share: float | None) -> str:
    """Return a change in percent with its sign.

    >>> percent(-0.1234), percent(0.0), percent(None)
    ('-12.3 %', '0.0 %', '–')
    """
    if share is None:
        return _MISSING
    return f"{share:+.1%}".replace("%", " %") if round(share, 3) else "0.0 %"


def cost_text(cost: Cost, value: float | None) -> str:
    """Return a cost as it is read.

    >>> cost_text(Cost(name="FLOPs", unit="", a=1, b=1), 19_674_859_520)
    '19.6749 G'
    >>> cost_text(Cost(name="parameters", unit="", a=1, b=1), 317218)
    '317,218'
    """
    if value is None:
        return _MISSING
    if cost.unit:
        return f"{value:.2f} {cost.unit}"
    return giga(value) if cost.name == "FLOPs" else f"{value:,.0f}"


def runtime_line(found: Runtime, a: str, b: str) -> str:
    """Return in a sentence which one is faster.

    >>> both = Runtime(ratio=0.9, ci95=(0.88, 0.92), verdict="faster", how="side by side, in one session")
    >>> runtime_line(both, "05_A", "06_B")
    '05_A is faster than 06_B: 0.900 of its runtime, 0.880 to 0.920 (side by side, in one session).'
    """
    if found.ratio is None:
        return f"Which one is faster cannot be told: {found.how}."
    limits = "" if found.ci95 is None else f", {found.ci95[0]:.3f} to {found.ci95[1]:.3f}"
    figure = f"{found.ratio:.3f} of its runtime{limits}"
    if found.verdict == "cannot be told":
        return f"Whether {a} is faster than {b} cannot be told: {figure} ({found.how})."
    return f"{a} is {found.verdict} than {b}: {figure} ({found.how})."


def summary_lines(found: Comparison) -> Iterator[str]:
    """Yield what comes of a comparison, as sentences."""
    a, b = names(found)
    yield runtime_line(found.runtime, a, b)
    for split, (mine, theirs) in found.mean_db.items():
        if mine is not None and theirs is not None:
            known = [one.difference_db for one in found.images if one.split == split]
            signs = [value for value in known if value is not None]
            better, worse = sum(v > 0 for v in signs), sum(v < 0 for v in signs)
            yield (
                f"PSNR on {found.channel.upper()}, {split}: {mine:.2f} dB and {theirs:.2f} dB, "
                f"{mine - theirs:+.3f} dB; {a} is better on {better} of {len(signs)} images, worse on "
                f"{worse}."
            )
    yield from found.notes


def names(found: Comparison) -> tuple[str, str]:
    """Return what to call both: their labels, with the beginning of a hash where these are the same."""
    if found.a.label != found.b.label:
        return found.a.label, found.b.label
    if found.a.version != found.b.version:
        return f"{found.a.label}@{found.a.version}", f"{found.b.label}@{found.b.version}"
    return f"{found.a.label} (first)", f"{found.b.label} (second)"


def costs_table(found: Comparison) -> Table:
    """Return the costs of both as a table."""
    table = _table("", *names(found), "change")
    for cost in found.costs:
        label = cost.name[0].upper() + cost.name[1:]
        table.add_row(label, cost_text(cost, cost.a), cost_text(cost, cost.b), percent(cost.change))
    return table


def images_table(found: Comparison, images: Sequence[ImageDifference]) -> Table:
    """Return PSNR by image as a table.

    Args:
        found: The comparison.
        images: Those of its images that are shown.
    """
    a, b = names(found)
    table = _table("image", f"{a} [dB]", f"{b} [dB]", "difference")
    for one in images:
        gap = one.difference_db
        shown = (_db(one.a_db), _db(one.b_db), _MISSING if gap is None else f"{gap:+.3f}")
        table.add_row(f"{one.split}/{one.name}", *shown)
    return table


def _db(value: float | None) -> str:
    return "inf" if value is None else f"{value:.3f}"


def _table(first: str, *others: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right", overflow="fold")
    return table
