"""How names, numbers, times and paths are put into a message or a file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

__all__ = ["few", "giga", "json_text", "one_line", "plain", "relative", "utc"]


def relative(path: str | os.PathLike[str]) -> str:
    """Return `path` as people read it: relative to the working directory where that is shorter.

    Args:
        path: Any path; it need not exist.

    Returns:
        The relative path where the file lies at most one folder above the working directory, else `path`.

    >>> relative(os.path.join(os.getcwd(), "models", "team00_RLFN.py"))
    'models/team00_RLFN.py'
    """
    try:
        shown = os.path.relpath(path)
    except ValueError:  # on another drive, where there are such
        return os.fspath(path)
    return os.fspath(path) if shown.startswith(os.path.join("..", "..")) else shown


def one_line(text: str, most: int | None = None) -> str:
    r"""Return `text` on one line without control characters: it may come from a stranger's model file.

    Args:
        text: Any; what is not Unicode, and marks that turn the direction of writing, go as well.
        most: Characters that are kept; None for all.

    >>> one_line("line\n two \x1b[31m"), one_line("abcdefgh", most=4)
    ('line two [31m', 'abcd…')
    """
    if most is not None and len(text) > most:
        text = text[:most] + "…"
    if not text.isprintable():  # most texts are, and this is much faster than to look at each character
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())


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


def few(names: Sequence[str], most: int = 5, *, between: str = ", ", kind: str = "") -> str:
    """Return the first names, and how many more there are.

    Args:
        names: Any number.
        most: How many are named.
        between: What separates them.
        kind: What the others are called; "" for "more" alone.

    >>> few(["a", "b"]), few(list("abcdefg"))
    ('a, b', 'a, b, c, d, e and 2 more')
    >>> few(["8x8", "9x9"], most=1, kind="sizes")
    '8x8 and 1 more sizes'
    """
    rest = len(names) - most
    return between.join(names[:most]) + (f" and {rest} more {kind}".rstrip() if rest > 0 else "")


def json_text(document: object) -> str:
    r"""Return a document as indented JSON, without a last line break.

    Strangers' texts stay what they are for programs, and do nothing to a terminal: control characters, line
    separators and marks that turn the direction of writing are written as escapes of JSON. What is not
    Unicode, as a file's name may be on Linux, is written with a backslash.

    >>> print(json_text({"name": "a\u202eb\x9b31m"}))
    {
      "name": "a\u202eb\u009b31m"
    }
    """
    import msgspec

    try:
        encoded = msgspec.json.encode(document)
    except UnicodeEncodeError:
        encoded = msgspec.json.encode(_as_unicode(msgspec.to_builtins(document)))
    text = msgspec.json.format(encoded, indent=2).decode()
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _as_unicode(value: Any) -> Any:  # noqa: ANN401 - a document of any shape
    r"""Return a document without lone surrogates, which stand for bytes that are not Unicode.

    >>> _as_unicode({"names": ["a\udcff"]})
    {'names': ['a\\udcff']}
    """
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_as_unicode(key): _as_unicode(item) for key, item in value.items()}
    return [_as_unicode(item) for item in value] if isinstance(value, (list, tuple)) else value


# What JSON may hold as it is, and what a terminal would act on.
_CONTROL = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def utc(later_s: float = 0.0, *, microseconds: bool = False) -> str:
    """Return the time now, or so much later [s], as files hold it: ISO 8601 in UTC.

    >>> len(utc()), len(utc(microseconds=True)), utc()[-1]
    (20, 27, 'Z')
    """
    at = datetime.now(timezone.utc) + timedelta(seconds=later_s)
    return at.isoformat(timespec="microseconds" if microseconds else "seconds").replace("+00:00", "Z")
