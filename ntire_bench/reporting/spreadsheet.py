"""Cells of CSV files that a spreadsheet reads as the text that they are: names in them are a stranger's."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["no_formula"]

_SEPARATORS = re.compile("([;\t\r\n])")  # at which one spreadsheet or another begins a cell
_SIGNS = re.compile("EQUALS|PLUS|MINUS|COMMERCIAL AT")


def no_formula(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula, nor for several cells.

    Some take fullwidth signs for the plain ones, and some begin a cell at every semicolon or tab.

    >>> no_formula("=1+1"), no_formula("05_Net"), no_formula(None)
    ("'=1+1", '05_Net', None)
    >>> no_formula("\uff1d1+1"), no_formula(" \u200b=1"), no_formula("a;=1; b")
    ("'\uff1d1+1", "' \u200b=1", "a;'=1; b")
    """
    if not isinstance(cell, str):
        return cell
    parts = _SEPARATORS.split(cell)
    return "".join(f"'{part}" if _begins_a_formula(part) else part for part in parts)


def _begins_a_formula(text: str) -> bool:
    """Say whether the first character that is seen, or what it stands for, may begin a formula."""
    for character in text:
        category = unicodedata.category(character)
        if category[0] in "ZC" or category == "Mn":  # spaces, and what has no width
            continue
        plain = unicodedata.normalize("NFKC", character)[:1]
        # All mathematical signs and dashes, and what is called so: which of them a spreadsheet takes for = or
        # - is its own affair.
        kind, name = unicodedata.category(plain), unicodedata.name(plain, "")
        return plain in "=+-@" or kind in ("Sm", "Pd") or (kind[0] == "S" and bool(_SIGNS.search(name)))
    return False
