"""Tells what a network has learned from what its code has made: masks, coordinates, sines. Worker only.

Learned numbers hardly repeat, and follow no rule. So what a table holds is told from its values: it may be
made in PyTorch or in NumPy, in the constructor or in forward, and it may lie in the checkpoint, too.
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["FEWEST", "different_rows", "following", "free_values", "packed_size"]

FEWEST = 64  # values; of fewer, equal ones are not looked for

_REPEATED = 12  # times smaller when compressed: learned numbers are not, even if rounded to two bits
_BYTES = 4  # of a value of 32 bits
_LONG = 16  # values of a line along which a rule is looked for
_BEGIN = 4  # numbers that such a line follows from: two values, and how two give the next
_EXACT = 2e-3  # of the largest value; angles of some thousand in 32 bits are exact to that
_MOST_LINES = 100_000
_PIECE, _PIECES = 2**15, 8  # values; of a larger table so many pieces are compressed


def free_values(parts: Sequence[Tensor], count: int | None = None) -> int:
    """Return how many values of a table do not follow from structure.

    None do where patterns repeat, as in masks and coordinates; of lines that follow a rule, their begin does.

    Args:
        parts: Of the table, as real numbers.
        count: How many values there are; None for those of all parts.

    >>> free_values([torch.arange(64.0).repeat(64, 1)])
    0
    """
    count = sum(part.numel() for part in parts) if count is None else count
    if count <= FEWEST:
        return count
    if _REPEATED * sum(map(packed_size, parts)) <= count:
        return 0
    rule = sum(map(following, parts))
    return rule if 2 * rule <= count else count


def packed_size(values: Tensor) -> int:
    """Return how many values of 32 bits a tensor's bytes take when they are compressed.

    Coordinates, masks and sines of both coordinates take next to nothing, as the same numbers come again and
    again in the same order, along rows or along columns; of whole numbers, so may their differences. Learned
    numbers take all of their room, and rounded to eight bits a quarter of it.

    >>> packed_size(torch.arange(64.0).repeat(64, 1)) < 64 * 64 // 16
    True
    """
    if not values.numel():
        return 0
    table = values.detach().flatten(0, -2) if values.ndim > 1 else values.detach().reshape(1, -1)
    orders = [table] if len(table) == 1 else [table, table.T]
    packed = [size for order in orders for size in _packed_bytes(order)]
    return -(-min(packed) // _BYTES)


def _packed_bytes(table: Tensor) -> list[int]:
    """Return how many bytes are left of a table when it is compressed: of its values, and of their steps.

    Of a large one, by pieces at random places: whole, ten million bytes take up to ten seconds. What was
    32 KiB before, this compression has forgotten anyway.
    """
    pieces = [_bytes_of(piece.cpu()) for piece in _pieces(table)]
    share = table.numel() / sum(count for count, _ in pieces)
    level = 9 if table.numel() <= _PIECE else 6
    forms = zip(*(contents for _, contents in pieces), strict=True)
    return [round(share * sum(len(zlib.compress(content, level)) for content in form)) for form in forms]


def _pieces(table: Tensor) -> list[Tensor]:
    """Return a table (rows x values), or some rows of a large one, or parts of them."""
    rows, side = table.shape
    if table.numel() <= _PIECES * _PIECE:
        return [table]
    if side >= _PIECE:
        places = [(secrets.randbelow(rows), secrets.randbelow(side - _PIECE + 1)) for _ in range(_PIECES)]
        return [table[row : row + 1, place : place + _PIECE] for row, place in places]
    many = -(-_PIECE // side)
    return [table[row : row + many] for row in (secrets.randbelow(rows - many + 1) for _ in range(_PIECES))]


def _bytes_of(piece: Tensor) -> tuple[int, list[bytes]]:
    """Return how many values there are, and their bytes; of whole numbers also those of their steps.

    Places have steps that repeat.
    """
    forms = [piece.float() if piece.is_floating_point() else piece]
    if not piece.is_floating_point() and piece.dtype != torch.bool:
        steps = piece.long().diff(dim=1, prepend=piece.long()[:, :1])
        forms += [steps, *([steps.diff(dim=0)] if len(steps) > 1 else [])]
    return piece.numel(), [form.contiguous().numpy().tobytes() for form in forms]


def different_rows(values: Tensor) -> int:
    """Return how many values the different rows of a tensor have: one kernel for every channel is one kernel.

    >>> different_rows(torch.ones(16, 1, 3, 3))
    9
    """
    if values.ndim < 2 or not values.numel():
        return values.numel()
    return int(torch.unique(values.flatten(1).float(), dim=0).numel())


def following(values: Tensor) -> int:
    """Return how many numbers a tensor follows from: four for each line in which two values give the next.

    So do sines of any frequency, ramps and powers, and sums of two of them.

    Args:
        values: Of any type; along one dimension there must be sixteen values at least.

    Returns:
        The number of elements where not all lines along any dimension follow such a rule.

    >>> following(torch.sin(torch.arange(64.0)[:, None] * torch.tensor([0.1, 0.7])))
    8
    """
    fewest = values.numel()
    for dimension, side in enumerate(values.shape):
        lines = values.numel() // max(1, side)
        if side < _LONG or lines > _MOST_LINES or _BEGIN * lines >= fewest:
            continue
        table = values.movedim(dimension, -1).reshape(lines, side)
        # A rule holds everywhere: a little of each line tells most tables from one that has it.
        place = secrets.randbelow(side - _LONG + 1)
        if _follows(table[:, place : place + _LONG]) and _follows(table):
            fewest = _BEGIN * lines
    return fewest


def _follows(lines: Tensor) -> bool:
    """Return whether each value of a line (lines x values) is the same mixture of the two before it."""
    lines = lines.double().cpu()
    if not bool(torch.isfinite(lines).all()):
        return False
    pairs, after = torch.stack((lines[:, :-2], lines[:, 1:-1]), -1), lines[:, 2:, None]
    size = lines.abs().amax(1).clamp_min(1e-30)
    how = torch.linalg.lstsq(pairs, after, driver="gelsd").solution
    return bool(((pairs @ how - after).abs().amax((1, 2)) <= _EXACT * size).all())
