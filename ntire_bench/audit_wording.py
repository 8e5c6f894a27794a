"""How findings of the audit put numbers and names. Parent only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["few", "giga", "plain"]


def giga(count: float) -> str:
    """Return a count in units of 1e9, as FLOPs are printed.

    >>> giga(19_674_859_520)
    '19.6749 G'
    """
    return f"{count / 1e9:.4f} G"


def plain(names: Iterable[str]) -> list[str]:
    """Return operators' names without "aten::".

    >>> plain(["aten::mul"])
    ['mul']
    """
    return [name.removeprefix("aten::") for name in names]


def few(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are.

    >>> few(["a", "b"]), few(list("abcdefg"))
    ('a, b', 'a, b, c, d and 3 more')
    """
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
