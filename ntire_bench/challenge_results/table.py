"""The challenge's results.txt: tab-separated lines under a header, read and written."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ntire_bench.errors import RecordError
from ntire_bench.text import one_line

if TYPE_CHECKING:
    from ntire_bench.ranking.board import Board
    from ntire_bench.ranking.entry import Entry

__all__ = ["COLUMNS", "Column", "TextRow", "read_table", "remarks", "write_table"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the file.

    Attributes:
        key: The key of the value in results.json; "ave_runtime" is the average over both splits.
        title: The heading.
        width: Characters that a cell is padded to.
        decimals: How many the challenge prints, and how many are written at least.
        most: How many are written at most, where fewer would change the value.
    """

    key: str
    title: str
    width: int
    decimals: int = 2
    most: int = 6


COLUMNS = (
    Column(key="model", title="Model", width=20),
    Column(key="valid_ave_psnr", title="Val PSNR", width=10),
    Column(key="test_ave_psnr", title="Test PSNR", width=10),
    Column(key="valid_ave_runtime", title="Val Time [ms]", width=14),
    Column(key="test_ave_runtime", title="Test Time [ms]", width=14),
    Column(key="ave_runtime", title="Ave Time [ms]", width=14),
    Column(key="num_parameters", title="Params [M]", width=10, decimals=3),
    Column(key="flops", title="FLOPs [G]", width=10, most=9),
    Column(key="activations", title="Acts [M]", width=8),
    Column(key="valid_memory", title="Mem [M]", width=8),
    Column(key="num_conv", title="Conv", width=8, decimals=0, most=0),
)
# Columns that are left out where the split test was not run, as the challenge does.
_OF_TEST = ("test_ave_psnr", "test_ave_runtime", "ave_runtime")
_NEEDED = ("model", "num_parameters", "flops")
_EXPECTED = "a header with " + ", ".join(column.title for column in COLUMNS) + ", separated by tabs"
_RATIO_OFF = 0.005  # less than this is told by no score with two decimals
_ABSENT = {"", "-", "–", "n/a", "none"}


@dataclass(frozen=True, kw_only=True)
class TextRow:
    """One line: the model's name, the number of the line, and the values of known columns by their keys."""

    model: str
    line: int
    values: dict[str, float]


def read_table(text: str, path: str | os.PathLike[str]) -> tuple[list[TextRow], list[str]]:
    """Read the text of a results.txt.

    The header says which column is which: columns may be in any order, some may be absent, and unknown ones
    are skipped. The unit of a heading may be left out; a unit other than the challenge's is refused.

    Args:
        text: Of the file.
        path: Named in errors.

    Returns:
        The rows, and the headings that this program does not know. A cell that is empty or "-" has no value.

    Raises:
        RecordError: The header lacks a name, parameters, FLOPs or a runtime of valid or test; a line has more
            or fewer cells than the header; a cell is not a number; a name is empty.
    """
    lines = [(number, line) for number, line in enumerate(_lines(text), 1) if line.strip()]
    if not lines:
        raise RecordError("the results file is empty", file=path, expected=_EXPECTED)
    (first, header), *rest = lines
    keys, ignored = _read_header(header, first, path)
    return [_read_line(line, number, keys, path) for number, line in rest], ignored


def write_table(board: Board) -> str:
    """Return the rows of a board as a results.txt, in the board's order.

    PSNR is on RGB, whatever channel the board was judged in, because the challenge's columns hold RGB PSNR.
    Values have as many decimals as the challenge prints, and more where rounding would change them, so that
    the file of one session, imported again, gives the same board, but for ratios that are not the quotient of
    two runtimes (see `remarks`). Where no row has the split test, its columns are left out, as the challenge
    does. A cell is empty where the value is not known.
    """
    rows = [_values(row.entry) for row in board.rows]
    tested = any(key in row for row in rows for key in _OF_TEST) or not rows
    columns = [column for column in COLUMNS if tested or column.key not in _OF_TEST]
    lines = ["\t".join(column.title.ljust(column.width) for column in columns)]
    for row in board.rows:
        values = _values(row.entry)
        cells = [_name(row.entry, board), *(_number(values.get(c.key), c) for c in columns[1:])]
        padded = (cell.ljust(column.width) for cell, column in zip(cells, columns, strict=True))
        lines.append("\t".join(padded))
    return "\n".join(lines) + "\n"


def _name(entry: Entry, board: Board) -> str:
    """Return the name of a row; names must be unique, so a baseline that shares its with a team is marked."""
    name = one_line(entry.label)
    alike = sum(one_line(row.entry.label) == name for row in board.rows)
    return f"{name}_baseline" if alike > 1 and entry.is_baseline else name


def remarks(board: Board) -> list[str]:
    """Return what a reader of the written file must know and the file itself cannot say."""
    texts = ["SAMPLE: not comparable with the challenge."] if board.sample else []
    if board.channel == "y":
        texts.append("PSNR in this file is on RGB, as in the challenge's; the ranking is by PSNR on Y.")
    bases = [row.entry.baseline.runtime_ms for row in board.rows if row.entry.baseline is not None]
    if bases and max(bases) > 1.005 * min(bases):
        texts.append(
            "Each row was scored against the baseline's runtime in its own session "
            f"({min(bases):.2f} to {max(bases):.2f} ms), and the file has room for one: imported again, it "
            "gives other scores."
        )
    ratios = [_ratio_off(row.entry) for row in board.rows]
    if any(off > _RATIO_OFF for off in ratios):
        texts.append(
            "The score takes the runtime's ratio to the baseline's as its session has it. The file has room "
            f"for runtimes alone, whose quotient is up to {max(ratios):.1%} off: imported again, it gives "
            "other scores."
        )
    if others := [split for split in board.protocol.splits if split not in ("valid", "test")]:
        texts.append(f"The file has no room for the splits {', '.join(others)}: they are not in it.")
    if board.left_out:
        texts.append(f"Not in the file: {len(board.left_out)} records that are left out of the ranking.")
    return texts


def _ratio_off(entry: Entry) -> float:
    """Return by how much the quotient of both runtimes differs from the ratio that is scored."""
    if entry.ratio is None or entry.costs is None or entry.baseline is None:
        return 0.0
    return abs(entry.costs.runtime_ms / entry.baseline.runtime_ms - entry.ratio) / max(entry.ratio, 1e-9)


def _read_header(line: str, number: int, path: str | os.PathLike[str]) -> tuple[list[str | None], list[str]]:
    known = {_words(column.title)[0]: column for column in COLUMNS}
    keys: list[str | None] = []
    ignored = []
    for cell in line.lstrip("\ufeff").split("\t"):
        name, unit = _words(cell)
        column = known.get(name)
        if column is None:
            keys.append(None)
            ignored += [cell.strip()] if cell.strip() else []
            continue
        if unit not in ("", *_units(column)):
            wanted = column.title
            raise RecordError(
                f"line {number}: a column is in another unit",
                file=path,
                expected=wanted,
                found=repr(cell.strip()),
            )
        if column.key in keys:
            raise RecordError(f"line {number}: the column {column.title} occurs twice", file=path)
        keys.append(column.key)
    missing = [column.title for column in COLUMNS if column.key in _NEEDED and column.key not in keys]
    if not {"valid_ave_runtime", "test_ave_runtime"} & set(keys):
        missing.append("Val Time [ms] or Test Time [ms]")
    if missing:
        raise RecordError(
            f"line {number} is not a header with {', '.join(missing)}",
            file=path,
            expected=_EXPECTED,
            found=_shown(line),
            remedy="give the results.txt or results.json that the challenge's test_demo.py wrote",
        )
    return keys, ignored


def _read_line(line: str, number: int, keys: list[str | None], path: str | os.PathLike[str]) -> TextRow:
    cells = [cell.strip() for cell in line.split("\t")]
    while len(cells) > len(keys) and not cells[-1]:  # an editor's tab at the end of a line
        cells.pop()
    if len(cells) != len(keys):
        raise RecordError(
            f"line {number} does not fit the header",
            file=path,
            expected=f"{len(keys)} cells separated by tabs",
            found=f"{len(cells)}: {_shown(line)}",
        )
    values = {}
    model = ""
    for key, cell in zip(keys, cells, strict=True):
        if key == "model":
            model = cell
        elif key is not None and cell.casefold() not in _ABSENT:
            title = next(column.title for column in COLUMNS if column.key == key)
            try:
                values[key] = float(cell.replace("_", "?"))
            except ValueError:
                raise RecordError(
                    f"line {number}: {title} is not a number", file=path, found=_shown(cell)
                ) from None
    if not one_line(model):
        raise RecordError(f"line {number} has no name under Model", file=path, found=_shown(line))
    return TextRow(model=model, line=number, values=values)


def _lines(text: str) -> list[str]:
    # splitlines() also splits at characters at which editors do not: line numbers in messages would differ.
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _words(heading: str) -> tuple[str, str]:
    """Return a heading's words and its unit, without case.

    >>> _words(" Val  Time [ms]"), _words("PARAMS (M) ")
    (('val time', 'ms'), ('params', 'm'))
    """
    match = re.fullmatch(r"\s*([^\[\(]*?)\s*(?:[\[\(]\s*(.*?)\s*[\]\)])?\s*", heading.casefold())
    return ("", "") if match is None else (" ".join(match[1].split()), match[2] or "")


def _units(column: Column) -> tuple[str, ...]:
    if column.key.endswith("psnr"):
        return ("db",)
    unit = _words(column.title)[1]
    return (unit, "mb", "mib") if column.key == "valid_memory" else (unit,)


def _values(entry: Entry) -> dict[str, float]:
    rgb = entry.psnr_db if entry.channel == "rgb" else entry.other_psnr_db
    runtime, costs = entry.runtime_by_split_ms, entry.costs
    values = {
        "valid_ave_psnr": rgb.get("valid"),
        "test_ave_psnr": rgb.get("test"),
        "valid_ave_runtime": runtime.get("valid"),
        "test_ave_runtime": runtime.get("test"),
        "ave_runtime": costs.runtime_ms
        if costs is not None and {"valid", "test"} <= runtime.keys()
        else None,
        "num_parameters": None if costs is None else costs.params / 1e6,
        "flops": None if costs is None else costs.flops / 1e9,
        "activations": None if entry.activations is None else entry.activations / 1e6,
        "valid_memory": entry.memory_mib,
        "num_conv": entry.convs,
    }
    return {key: value for key, value in values.items() if value is not None}


def _number(value: float | None, column: Column) -> str:
    """Return a number with as few decimals as it needs, and at least the challenge's.

    >>> [_number(value, COLUMNS[1]) for value in (26.9, 26.896, 28.0, None)]
    ['26.90', '26.896', '28.00', '']
    """
    if value is None:
        return ""
    text = f"{value:.{column.most}f}"
    least = len(text) - (column.most - column.decimals)
    return text[:least] + text[least:].rstrip("0")


def _shown(text: str) -> str:
    return repr(text.strip() if len(text) <= 80 else text.strip()[:80] + "...")
