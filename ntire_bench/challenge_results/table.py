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
        key: The challenge's name for the value in results.json; "ave_runtime" is of both splits.
        title: Heading.
        width: Of the padded cell.
        decimals: As the challenge prints the value.
        most: Decimals that are written where fewer would change the value.
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
# As the challenge does where the split test was not run.
_OF_TEST = ("test_ave_psnr", "test_ave_runtime", "ave_runtime")
_NEEDED = ("model", "num_parameters", "flops")
_EXPECTED = "a header with " + ", ".join(column.title for column in COLUMNS) + ", separated by tabs"
_ABSENT = {"", "-", "–", "n/a", "none"}


@dataclass(frozen=True, kw_only=True)
class TextRow:
    """One line: the name, its number in the file, and what stands under the known columns, as numbers."""

    model: str
    line: int
    values: dict[str, float]


def read_table(text: str, path: str | os.PathLike[str]) -> tuple[list[TextRow], list[str]]:
    """Read the text of a results.txt.

    The header decides what is where: columns may be in any order, some absent, others added. The unit of a
    heading may be left out; another unit is refused.

    Args:
        text: Of the file.
        path: Named in errors.

    Returns:
        The rows, and the headings that mean nothing to this program. Cells that are empty or "-" are absent.

    Raises:
        RecordError: There is no header with a name, parameters, FLOPs and a runtime of valid or test; a line
            has not as many cells as the header; a cell is no number; a name is empty.
    """
    lines = [(number, line) for number, line in enumerate(_lines(text), 1) if line.strip()]
    if not lines:
        raise RecordError("the results file is empty", file=path, expected=_EXPECTED)
    (first, header), *rest = lines
    keys, ignored = _read_header(header, first, path)
    return [_read_line(line, number, keys, path) for number, line in rest], ignored


def write_table(board: Board) -> str:
    """Return the rows of a board as a results.txt, in the board's order.

    PSNR is on RGB whatever channel the board was judged in: that is what the column means to the challenge.
    The challenge's decimals are written, and more where they would change a value: the file of one session,
    imported again, gives the same board. Where no row has the split test, its columns are left out, as the
    challenge does. What is not known is empty.
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
    """Return what a row is called: no name may be there twice, and the baseline's may be another's too."""
    name = one_line(entry.label)
    alike = sum(one_line(row.entry.label) == name for row in board.rows)
    return f"{name}_baseline" if alike > 1 and entry.is_baseline else name


def remarks(board: Board) -> list[str]:
    """Return what a reader of the written file must know, and the file has no place for."""
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
    if board.left_out:
        texts.append(f"Not in the file: {len(board.left_out)} records that are left out of the ranking.")
    return texts


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
                f"line {number}: another unit", file=path, expected=wanted, found=repr(cell.strip())
            )
        if column.key in keys:
            raise RecordError(f"line {number}: the column {column.title} is there twice", file=path)
        keys.append(column.key)
    missing = [column.title for column in COLUMNS if column.key in _NEEDED and column.key not in keys]
    if not {"valid_ave_runtime", "test_ave_runtime"} & set(keys):
        missing.append("Val Time [ms] or Test Time [ms]")
    if missing:
        raise RecordError(
            f"line {number} is no header with {', '.join(missing)}",
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
                    f"line {number}: {title} is no number", file=path, found=_shown(cell)
                ) from None
    if not one_line(model):
        raise RecordError(f"line {number} has no name under Model", file=path, found=_shown(line))
    return TextRow(model=model, line=number, values=values)


def _lines(text: str) -> list[str]:
    # Not splitlines(): what an editor shows as one line is one, so that the numbers in messages are right.
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
