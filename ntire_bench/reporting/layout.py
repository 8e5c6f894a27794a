"""The numbers of a board: title, columns and cells, before any format is put on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ntire_bench.ranking.board import Board
from ntire_bench.ranking.board_notes import display_name, remarks
from ntire_bench.ranking.ranks import Row
from ntire_bench.text import one_line

__all__ = [
    "COLUMNS",
    "FULL",
    "PLAIN",
    "Column",
    "Style",
    "below_threshold",
    "cells",
    "column",
    "columns_of",
    "left_out_columns",
    "ratio_reorders",
    "score_text",
    "title",
    "value",
    "widths_of",
]


@dataclass(frozen=True)
class Column:
    """The heading of one column: its group, what is in it, and the unit."""

    group: str
    name: str
    unit: str = ""

    @property
    def lines(self) -> list[str]:
        """The heading, one part a line."""
        return [part for part in (self.group, self.name, self.unit) if part]


# In the order of Table 1 of the NTIRE 2024 report, which has no ratio and no SSIM.
COLUMNS = {
    "team": Column("", "Team"),
    "psnr_valid": Column("PSNR", "valid", "[dB]"),
    "psnr_test": Column("PSNR", "test", "[dB]"),
    "ssim_valid": Column("SSIM", "valid"),
    "ssim_test": Column("SSIM", "test"),
    "runtime_valid": Column("Runtime", "valid", "[ms]"),
    "runtime_test": Column("Runtime", "test", "[ms]"),
    "runtime": Column("Runtime", "average", "[ms]"),
    "ratio": Column("Runtime", "ratio"),
    "params": Column("Params", "", "[M]"),
    "flops": Column("FLOPs", "", "[G]"),
    "score_runtime": Column("Runtime", "score"),
    "score_params": Column("Params", "score"),
    "score_flops": Column("FLOPs", "score"),
    "final": Column("Final", "score"),
    "rank": Column("", "Rank"),
}
FULL = tuple(key for key in COLUMNS if not key.startswith("ssim_"))
_SUB_SCORES = ("score_runtime", "score_params", "score_flops")


@dataclass(frozen=True)
class Style:
    """How a format writes what is more than plain text.

    Attributes:
        place: Returns a sub-track's rank as it is written after the score.
        below: Returns a PSNR below its threshold with a mark.
        missing: Written for a value that is not known.
        note: Written after the name of a team that has remarks in the captions.
        escape: Returns a name in which no character has a special meaning to the format.
        interval: Returns half the width of an interval as it is written after the value.
        tied: Written after the rank of a team that is tied with others.
        note_sign: `note` as the legend names it.
        below_sign: How `below` marks, for the legend.
        missing_sign: `missing` as the legend names it.
        best: Returns the best value of a column with a mark; None where a format has none.
    """

    place: Callable[[int], str]
    below: Callable[[str], str]
    missing: str
    note: str
    escape: Callable[[str], str]
    interval: Callable[[str], str] = "±{}".format
    tied: str = "≈"
    note_sign: str = "†"
    below_sign: str = "↓"
    missing_sign: str = "–"
    best: Callable[[str], str] | None = None


PLAIN = Style(
    place="({})".format,
    below="{}↓".format,
    missing="–",
    note="†",
    escape=str,
)


def column(key: str) -> Column:
    """Return the heading of a column, also of a split that a user's own rules judge.

    >>> column("psnr_night").lines
    ['PSNR', 'night', '[dB]']
    """
    if key in COLUMNS:
        return COLUMNS[key]
    what, _, split = key.partition("_")
    if what == "ssim":
        return Column("SSIM", split)
    return Column("PSNR", split, "[dB]") if what == "psnr" else Column("Runtime", split, "[ms]")


def columns_of(board: Board) -> tuple[str, ...]:
    """Return the columns of a board.

    The ratio has one where sessions stored it, not in a published table. Each split that the rules judge has
    one of PSNR, one of SSIM where that was computed, and one of runtime where there are several.
    """
    measured = any(row.entry.runtime_ratio is not None for row in board.rows)
    splits = board.protocol.splits
    several = splits if len(splits) > 1 else ()
    return (
        "team",
        *(f"psnr_{split}" for split in splits),
        *(f"ssim_{split}" for split in splits if any(split in row.entry.ssim_y for row in board.rows)),
        *(f"runtime_{split}" for split in several),
        "runtime",
        *(("ratio",) if measured else ()),
        *FULL[FULL.index("ratio") + 1 :],
    )


def ratio_reorders(board: Board) -> bool:
    """Say whether the order of runtimes in ms is another one than that of the ratios, which ranks follow.

    Then the ratio is shown however little room there is.
    """
    ranked = [row.entry for row in board.rows if row.rank is not None]
    by_ratio = [e.costs.runtime_ms for e in sorted(ranked, key=lambda e: e.ratio or 0.0) if e.costs]
    return any(first > second for first, second in zip(by_ratio, by_ratio[1:], strict=False))


def _less(board: Board) -> list[tuple[tuple[str, ...], str]]:
    """Return what is left out where there is no room, step by step, and how it is called."""
    steps = [
        (tuple(f"ssim_{split}" for split in board.protocol.splits), "SSIM"),
        (tuple(f"runtime_{split}" for split in board.protocol.splits), "the runtime of each split"),
        (_SUB_SCORES, "the sub-scores"),
    ]
    ratio = () if ratio_reorders(board) else ((("ratio",), "the runtime's ratio"),)
    return [*steps, *ratio, (("params", "flops"), "the other costs")]


def widths_of(board: Board) -> list[tuple[str, ...]]:
    """Return the columns of a board, and what stays of them where there is less and less room."""
    steps = [columns_of(board)]
    for less, _ in _less(board):
        steps.append(tuple(key for key in steps[-1] if key not in less))
    return list(dict.fromkeys(steps))


def left_out_columns(board: Board, keys: Sequence[str]) -> str:
    """Return in words which columns of a board are not among `keys`; empty where all are.

    >>> from ntire_bench.ranking.board import board_from_reference
    >>> published = board_from_reference("ntire2024")
    >>> left_out_columns(published, widths_of(published)[-1])
    'the runtime of each split, the sub-scores and the other costs'
    """
    told = [name for less, name in _less(board) if set(less) & (set(columns_of(board)) - set(keys))]
    return " and ".join(part for part in (", ".join(told[:-1]), *told[-1:]) if part)


def score_text(score: float | None) -> str:
    """Return a score as the report prints it: if it is large, with three digits and a power of ten.

    >>> [score_text(value) for value in (2.594, 604.7249, 3834.6, 999.996, 1.1459e51, math.inf, None)]
    ['2.59', '604.72', '383.46e1', '100.00e1', '114.59e49', '>1e308', '']
    """
    if score is None:
        return ""
    if math.isinf(score):
        return ">1e308"
    plain = f"{score:.2f}"
    if float(plain) < 1000:
        return plain
    mantissa, _, exponent = f"{score:.4e}".partition("e")
    return f"{float(mantissa) * 100:.2f}e{int(exponent) - 2}"


def title(board: Board) -> str:
    """Return what was ranked, where, and in which PSNR channel, in one line."""
    device = board.device_name or "no device"
    if board.imported:  # the name then begins with "unknown"
        device = f"device {device}"
    if board.threads is not None:
        device += f", {board.threads} thread{'s' if board.threads != 1 else ''}"
    parts = [board.protocol.title, device, "PSNR on Y" if board.channel == "y" else "PSNR on RGB"]
    if board.sample and "not comparable" not in board.protocol.title:
        parts.insert(0, "SAMPLE: not comparable with the challenge")
    elif board.sample:
        parts[0] = f"SAMPLE: {parts[0]}"
    if board.source is not None:
        parts.append("published table")
    return one_line(" · ".join(parts))


def below_threshold(row: Row) -> set[str]:
    """Return the columns in which a row's PSNR is below its threshold; none for a row out of rank."""
    if not row.entry.competes:
        return set()
    return {f"psnr_{verdict.split}" for verdict in row.verdicts if verdict.passed is False}


def cells(board: Board, row: Row, keys: Sequence[str], style: Style) -> list[str]:
    """Return the text of one row's cells under the columns `keys`.

    Where the sub-scores have no columns of their own, their ranks stand beside the costs they follow from.
    The interval is of the ratio and stands beside it, or beside the runtime where the ratio has no column.
    That of the baseline, whose ratio is 1, is of its runtime.
    """
    entry, costs, score = row.entry, row.entry.costs, row.score
    below = below_threshold(row)
    decimals = board.protocol.thresholds.decimals

    def psnr(split: str) -> str:
        value = entry.psnr_db.get(split)
        if value is None:
            return style.missing
        text = f"{value:.{decimals}f}"
        return style.below(text) if f"psnr_{split}" in below else text

    def ssim(split: str) -> str:
        value = entry.ssim_y.get(split)
        return style.missing if value is None else f"{value:.4f}"

    def runtime(split: str) -> str:
        value = entry.runtime_by_split_ms.get(split)
        return style.missing if value is None else f"{value:.2f}"

    def with_place(text: str, place: int | None, shown: bool = True) -> str:
        return (text or style.missing) + (style.place(place) if shown and place is not None else "")

    def half(column: str) -> str:
        with_ratio = "ratio" in keys and not entry.is_baseline
        if entry.half_width is None or column != ("ratio" if with_ratio else "runtime"):
            return ""
        return style.interval(f"{entry.half_width * 100:.1f}%")

    def half_score() -> str:
        limits = entry.score_ci95
        if limits is None or score is None or score.final is None or score.final >= 1000:
            return ""
        return "" if limits[0] == limits[1] else style.interval(f"{(limits[1] - limits[0]) / 2:.2f}")

    beside_costs = "score_runtime" not in keys
    texts = {
        "team": style.escape(display_name(entry)) + (style.note if style.note and remarks(row) else ""),
        **{f"psnr_{split}": psnr(split) for split in board.protocol.splits},
        **{f"ssim_{split}": ssim(split) for split in board.protocol.splits},
        **{f"runtime_{split}": runtime(split) for split in board.protocol.splits},
        "runtime": with_place(
            f"{costs.runtime_ms:.2f}{half('runtime')}" if costs else "",
            row.rank_runtime,
            beside_costs and "ratio" not in keys,
        ),
        "ratio": with_place(
            "" if entry.ratio is None else f"{entry.ratio:.3f}{half('ratio')}", row.rank_runtime, beside_costs
        ),
        "params": with_place(f"{costs.params / 1e6:.3f}" if costs else "", row.rank_params, beside_costs),
        "flops": with_place(f"{costs.flops / 1e9:.2f}" if costs else "", row.rank_flops, beside_costs),
        "score_runtime": with_place(score_text(score.runtime) if score else "", row.rank_runtime),
        "score_params": with_place(score_text(score.params) if score else "", row.rank_params),
        "score_flops": with_place(score_text(score.flops) if score else "", row.rank_flops),
        "final": with_place(score_text(score.final) + half_score() if score else "", None),
        "rank": style.missing if row.rank is None else str(row.rank) + (style.tied if row.tied else ""),
    }
    best = style.best
    return [texts[key] if best is None or not _is_best(board, row, key) else best(texts[key]) for key in keys]


def _is_best(board: Board, row: Row, key: str) -> bool:
    """Say whether a ranked row has the best value of a column, as printed; none has where all are alike."""
    if row.rank is None or key in ("team", "rank"):
        return False
    ranked = [value(other, key) for other in board.rows if other.rank is not None]
    known = [number for number in ranked if number is not None]
    own = value(row, key)
    if own is None or not known:
        return False
    printed = {_printed(board, key, number) for number in known}
    limit = max(known) if key.startswith(("psnr_", "ssim_")) else min(known)
    return _printed(board, key, own) == _printed(board, key, limit) and (len(printed) > 1 or len(known) == 1)


def value(row: Row, key: str) -> float | None:
    """Return the number in a column, not rounded; None where it is not known, and of a name.

    PSNR [dB], runtimes [ms], and FLOPs and parameters as plain counts.
    """
    entry, costs, score = row.entry, row.entry.costs, row.score
    what, _, split = key.partition("_")
    if what == "psnr":
        return entry.psnr_db.get(split)
    if what == "ssim":
        return entry.ssim_y.get(split)
    if what == "runtime" and split:
        return entry.runtime_by_split_ms.get(split)
    numbers = {
        "rank": row.rank,
        "runtime": costs.runtime_ms if costs else None,
        "ratio": entry.ratio,
        "params": costs.params if costs else None,
        "flops": costs.flops if costs else None,
        "score_runtime": score.runtime if score else None,
        "score_params": score.params if score else None,
        "score_flops": score.flops if score else None,
        "final": score.final if score else None,
    }
    return numbers.get(key)


def _printed(board: Board, key: str, number: float) -> str:
    if key.startswith("psnr_"):
        return f"{number:.{board.protocol.thresholds.decimals}f}"
    if key.startswith("ssim_"):
        return f"{number:.4f}"
    if key.startswith("score_") or key == "final":
        return score_text(number)
    units = {"params": (1e6, 3), "flops": (1e9, 2), "ratio": (1.0, 3)}
    unit, digits = units.get(key, (1.0, 2))
    return f"{number / unit:.{digits}f}"
