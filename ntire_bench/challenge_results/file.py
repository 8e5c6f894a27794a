"""Reads the results file that the challenge's own code writes, results.json or results.txt, into rows."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ntire_bench.challenge_results.table import read_table
from ntire_bench.errors import RecordError
from ntire_bench.text import one_line

__all__ = ["LISTS", "NUMBERS", "ResultsFile", "ResultsRow", "Value", "read"]

Value = float | tuple[float, ...]
LISTS = tuple(f"{split}_{what}" for split in ("valid", "test") for what in ("runtime", "psnr"))
NUMBERS = (
    *(f"{split}_{what}" for split in ("valid", "test") for what in ("ave_runtime", "ave_psnr", "memory")),
    "num_parameters",
    "flops",
    "activations",
    "num_conv",
)
_EXPECTED = "the results.json or results.txt that the challenge's test_demo.py wrote"
_TWICE = "rename one of the two, or take it out"
_DICT = 'a dict of model names, {"00_RLFN_baseline": {"valid_runtime": [...], ...}, ...}'


@dataclass(frozen=True, kw_only=True)
class ResultsRow:
    """One model of the file.

    Attributes:
        model: Its name, as the file has it, on one line and without control characters.
        where: Where it is in the file, for messages: "line 4", or the name in quotes.
        values: By the challenge's keys, which are `LISTS`, `NUMBERS`, and in a text file "ave_runtime":
            runtimes [ms], PSNR on RGB [dB], memory [MiB], parameters [M], FLOPs [G], activations [M]. They
            may be infinite or not a number. Keys that the file leaves out are absent.
    """

    model: str
    where: str
    values: dict[str, Value]

    def number(self, key: str) -> float | None:
        """Return a single value, or None where the file gives none."""
        value = self.values.get(key)
        return value if isinstance(value, float) else None

    def images(self, key: str) -> tuple[float, ...]:
        """Return the values of single images; empty where the file gives none."""
        value = self.values.get(key)
        return value if isinstance(value, tuple) else ()


@dataclass(frozen=True, kw_only=True)
class ResultsFile:
    """A results file.

    Attributes:
        path: Of the file.
        sha256: Of its bytes.
        format: "json" or "text".
        rows: In the file's order; every name is unique.
        ignored: Keys or headings that this program does not know.
    """

    path: Path
    sha256: str
    format: Literal["json", "text"]
    rows: tuple[ResultsRow, ...]
    ignored: tuple[str, ...] = ()


def read(path: str | os.PathLike[str]) -> ResultsFile:
    """Read a results.json or results.txt.

    A file is read as JSON if its name ends in .json or it begins with a brace or bracket.

    Args:
        path: Of the file.

    Returns:
        Its rows. Every value has the right type; whether it is plausible is not checked here.

    Raises:
        RecordError: The file cannot be read, is neither of the two, holds no model, holds one twice, or a
            value has the wrong type.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordError(
            "the results file cannot be read",
            file=path,
            expected=_EXPECTED,
            found=error.strerror or str(error),
            remedy="give the path of that file",
        ) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecordError(
            "the results file is not text", file=path, expected=_EXPECTED, found=str(error)
        ) from None
    is_json = path.suffix.casefold() == ".json" or text.lstrip()[:1] in ("{", "[")
    rows, ignored = _read_json(text, path) if is_json else _read_text(text, path)
    if not rows:
        raise RecordError("the results file holds no model", file=path, expected=_EXPECTED)
    seen: dict[str, str] = {}
    for row in rows:
        if row.model in seen:
            found = f"{seen[row.model]} and {row.where}"
            raise RecordError(f"{row.model!r} occurs twice", file=path, found=found, remedy=_TWICE)
        seen[row.model] = row.where
    return ResultsFile(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        format="json" if is_json else "text",
        rows=tuple(rows),
        ignored=tuple(dict.fromkeys(map(one_line, ignored))),
    )


def _read_text(text: str, path: Path) -> tuple[list[ResultsRow], list[str]]:
    lines, ignored = read_table(text, path)
    rows = [
        ResultsRow(model=one_line(row.model), where=f"line {row.line}", values=dict(row.values))
        for row in lines
    ]
    return rows, ignored


def _read_json(text: str, path: Path) -> tuple[list[ResultsRow], list[str]]:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        (key, count), *_ = Counter(key for key, _ in items).most_common(1) or [("", 0)]
        if count > 1:
            raise RecordError(f"{key!r} occurs twice in one dict", file=path, remedy=_TWICE)
        return dict(items)

    try:
        # The standard library's, because the challenge writes NaN and Infinity with it.
        document = json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        found = str(error) if text.strip() else "an empty file"
        raise RecordError(
            "the results file is not JSON", file=path, expected=_EXPECTED, found=found
        ) from None
    if not isinstance(document, dict):
        raise RecordError("the results file is not a dict", file=path, expected=_DICT, found=_kind(document))
    rows, ignored = [], []
    for model, values in document.items():
        if not isinstance(values, dict):
            raise RecordError(
                f"{model!r} is not a dict of results", file=path, expected=_DICT, found=_kind(values)
            )
        if not one_line(model):
            raise RecordError("a model has no name", file=path, expected=_DICT, found=repr(model))
        known = {key: value for key, value in values.items() if key in LISTS or key in NUMBERS}
        ignored += [key for key in values if key not in known]
        read_values = {
            key: _value(value, key, f"{model}: {key}", path)
            for key, value in known.items()
            if value is not None and value != []
        }
        rows.append(ResultsRow(model=one_line(model), where=repr(model), values=read_values))
    return rows, ignored


def _value(value: object, key: str, where: str, path: Path) -> Value:
    if key in NUMBERS:
        return _number(value, where, path)
    if not isinstance(value, list):
        found = _kind(value)
        raise RecordError(f"{where} is not a list", file=path, expected="one number per image", found=found)
    return tuple(_number(item, f"{where}[{index}]", path) for index, item in enumerate(value))


def _number(value: object, where: str, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RecordError(f"{where} is not a number", file=path, expected="a number", found=_kind(value))
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _kind(value: object) -> str:
    """Describe a JSON value for a message.

    >>> _kind([1.0, 2.0]), _kind("x" * 50), _kind(True)
    ('a list of 2', "the text 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'", 'true')
    """
    if isinstance(value, dict):
        return f"a dict of {len(value)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        return f"the text {value if len(value) <= 30 else value[:30] + '...'!r}"
    return json.dumps(value)
