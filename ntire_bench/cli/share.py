"""A share as people write it: 2%, 2 % or 0.02."""

from __future__ import annotations

import math
from typing import Any

import click

__all__ = ["SHARE", "share"]


def share(text: str) -> float:
    """Return a share.

    Raises:
        ValueError: It is none, or below 0.

    >>> share("2%"), share("0.02"), share("2.5 %")
    (0.02, 0.02, 0.025)
    """
    number = text.strip()
    value = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    if not 0 <= value < math.inf:
        raise ValueError(text)
    return value


class _Share(click.ParamType[float]):
    """A share on the command line."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        if isinstance(value, float):
            return value
        try:
            return share(str(value))
        except ValueError:
            self.fail(f"{value!r} is no share: write 2% or 0.02", param, ctx)


SHARE = _Share()
