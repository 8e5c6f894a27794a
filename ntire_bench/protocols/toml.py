"""Reads a TOML text into a dataclass, and names every mistake in it with its key."""

from __future__ import annotations

import dataclasses
import difflib
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, cast

import msgspec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["COMPUTED", "convert", "mistakes", "parse"]

COMPUTED = "computed"  # in a field's metadata: not a key of the file
_Kind = TypeVar("_Kind")


def parse(data: bytes) -> tuple[dict[str, Any], str]:
    """Return what a TOML file holds, and why it is not TOML; one of the two is empty.

    >>> parse(b"a = 1"), parse(b"a = ")[1]
    (({'a': 1}, ''), 'Invalid value (at end of document)')
    """
    try:
        return tomllib.loads(data.decode()), ""
    except UnicodeDecodeError:
        return {}, "text that is not UTF-8"
    except tomllib.TOMLDecodeError as error:
        return {}, str(error)


def convert(kind: type[_Kind], raw: Mapping[str, Any]) -> _Kind:
    """Return a dataclass of values in which `mistakes` found none."""
    return msgspec.convert(raw, kind)


def mistakes(kind: type[Any], raw: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """Yield what is wrong with the keys and types of a table, each with its key.

    Args:
        kind: A dataclass: its fields are the keys, but for those that are computed. Fields that are
            dataclasses themselves are tables.
        raw: The table.
        where: What comes before its keys, such as "weights.".

    >>> @dataclasses.dataclass
    ... class Weights:
    ...     runtime: float
    ...     flops: float
    >>> list(mistakes(Weights, {"runtime": "a", "flop": 1}))
    ["runtime: expected `float`, got `str`: 'a'", 'flops: missing', 'flop: there is no such key (flops?)']
    """
    hints = typing.get_type_hints(kind, include_extras=True)
    known = {field.name: field for field in dataclasses.fields(kind) if not field.metadata.get(COMPUTED)}
    for name, field in known.items():
        if name not in raw:
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                yield f"{where}{name}: missing"
            continue
        value, inner = raw[name], _table_of(hints[name])
        if inner is not None and isinstance(value, dict):
            yield from mistakes(inner, value, f"{where}{name}.")
        elif inner is not None:
            yield f"{where}{name}: expected a table [{where}{name}], got {value!r}"
        elif typing.get_origin(hints[name]) is dict and isinstance(value, dict):
            of_each = typing.get_args(hints[name])[1]
            for key, each in value.items():
                yield from _misfit(f"{where}{name}.{key}", each, of_each)
        else:
            yield from _misfit(f"{where}{name}", value, hints[name])
    for name in raw:
        if name not in known:
            alike = difflib.get_close_matches(name, known, 1)
            yield f"{where}{name}: there is no such key" + (f" ({alike[0]}?)" if alike else "")


def _misfit(key: str, value: object, hint: Any) -> Iterator[str]:  # noqa: ANN401 - any type
    """Yield why a value is not of a type, if it is not."""
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        choices = (part for part in _parts(hint) if typing.get_origin(part) is typing.Literal)
        words = [word for part in choices for word in typing.get_args(part)]
        if words:
            yield f"{key}: expected {', '.join(map(repr, words[:-1]))} or {words[-1]!r}, got {value!r}"
        else:
            yield f"{key}: {str(error)[0].lower()}{str(error)[1:]}: {value!r}"


def _table_of(hint: object) -> type[Any] | None:
    """Return the dataclass that a field holds, also where it may be None instead."""
    found = (part for part in _parts(hint) if isinstance(part, type) and dataclasses.is_dataclass(part))
    return cast("type[Any] | None", next(found, None))


def _parts(hint: object) -> tuple[Any, ...]:
    """Return the types of which a value may be."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if union else (hint,)
