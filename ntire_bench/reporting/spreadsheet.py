"""Cells of CSV files that a spreadsheet reads as the text that they are: names in them are a stranger's."""

from __future__ import annotations

import unicodedata

__all__ = ["no_formula"]


def no_formula(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula, nor for several cells.

    Some take fullwidth signs for the plain ones, and some begin a cell at every semicolon.

    >>> no_formula("=1+1"), no_formula("05_Net"), no_formula(None)
    ("'=1+1", '05_Net', None)
    >>> no_formula("\uff1d1+1"), no_formula(" \u200b=1"), no_formula("a;=1; b")
    ("'\uff1d1+1", "' \u200b=1", "a;'=1; b")
    """
    if not isinstance(cell, str):
        return cell
    return ";".join(f"'{part}" if _begins_a_formula(part) else part for part in cell.split(";"))


def _begins_a_formula(text: str) -> bool:
    """Say whether the first character that is seen, or what it stands for, may begin a formula."""
    for character in text:
        category = unicodedata.category(character)
        if category[0] in "ZC" or category == "Mn":  # spaces, and what has no width
            continue
        plain = unicodedata.normalize("NFKC", character)[:1]
        # All mathematical signs and dashes: which of them a spreadsheet takes for = or - is its own affair.
        return plain in "=+-@" or unicodedata.category(plain) in ("Sm", "Pd")
    return False
