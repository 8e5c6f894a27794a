"""What a function select_model(args, device) would do for each number, read from its syntax tree.

The function is followed with the number in place of args.model_id, for every number that it may be compared
with. Nothing is run, and what cannot be told stays unknown.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ntire_bench import static_value
from ntire_bench.branch_walk import File, Reading, Selector, Walk, parameters

__all__ = ["read"]

_WIDEST = 1000  # of a range of ids
_SELECTOR = "model_id"  # what the challenge calls it; goes before others that fit as well


def read(
    tree: ast.Module, function: ast.FunctionDef
) -> tuple[Selector | None, dict[int, Reading], list[int]]:
    """Return what each number leads to.

    Args:
        tree: The file.
        function: Its select_model.

    Returns:
        How the function is told the number, or None where it asks for none; what each number leads to; and
        the numbers that it knows but returns no network for, such as a template that only passes.

    Raises:
        TooMuchError: It takes too long to follow.
    """
    file = File(tree)
    budget = static_value.Budget()
    candidates = _candidates(tree)
    best: tuple[Selector | None, dict[int, Reading], list[int]] = (None, {}, [])
    for selector in _selectors(tree, function):
        found: dict[int, Reading] = {}
        empty: list[int] = []
        for id_ in candidates:
            walk = Walk(file, function, selector, id_, budget)
            reading = walk.run()
            if not walk.matched:
                continue
            if reading.returned is None or walk.unassigned:
                empty.append(id_)
            else:
                found[id_] = reading
        if len(found) > len(best[1]):
            best = (selector, found, empty)
        if best[1] and selector.attribute == _SELECTOR:
            break
    return best


def _selectors(tree: ast.Module, function: ast.FunctionDef) -> Iterator[Selector]:
    """List all ways in which a function could be told the number, the challenge's own first."""
    names = parameters(function)
    asked = [
        (node.value.id, node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names
    ]
    usual = [(parameter, _SELECTOR) for parameter in names if (parameter, _SELECTOR) in asked]
    whole: list[tuple[str, str | None]] = [(parameter, None) for parameter in names]
    for parameter, attribute in dict.fromkeys([*usual, *asked, *whole]):
        for as_text in (False, True):
            yield Selector(parameter, attribute, as_text)


def _candidates(tree: ast.Module) -> list[int]:
    """Return all numbers that something may be compared with."""
    found: set[int] = set()
    named = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        constants: list[int] = []
        if isinstance(node, (ast.Compare, ast.match_case)):
            part = node if isinstance(node, ast.Compare) else node.pattern
            constants = list(_numbers(ast.walk(part)))
            for name in {one.id for one in ast.walk(part) if isinstance(one, ast.Name)} & named.keys():
                constants += _numbers(ast.walk(named[name]))  # model_id in TEAMS
            ordered = isinstance(node, ast.Compare) and len(node.ops) > 1
            ranges = "range(" in ast.unparse(part) if isinstance(node, ast.Compare) else False
            if (ordered or ranges) and constants and max(constants) - min(constants) <= _WIDEST:
                constants += range(min(constants), max(constants) + 1)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            constants = list(_numbers([node.slice]))  # LOADERS[7] = load_team07
        elif isinstance(node, ast.Dict):
            constants = list(_numbers(key for key in node.keys if key is not None))
        found.update(constants)
    return sorted(number for number in found if number >= 0)


def _numbers(nodes: Iterable[ast.AST]) -> Iterator[int]:
    for node in nodes:
        if isinstance(node, ast.Constant) and not isinstance(node.value, bool):
            if isinstance(node.value, int) and node.value < 10**9:
                yield node.value
            elif isinstance(node.value, str) and node.value.isdecimal() and len(node.value) < 10:
                yield int(node.value)
