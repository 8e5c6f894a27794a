"""What a function select_model(args, device) would do for each number, read from its syntax tree.

The function is followed once for every number that it may compare args.model_id with, with that number in its
place. Nothing is run; what cannot be known without running stays unknown.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ntire_bench.source import values
from ntire_bench.source.syntax import parameters
from ntire_bench.submissions.checkout.walk import File, Reading, Selector, Walk

__all__ = ["Found", "read"]

_WIDEST = 1000  # ids in one range
_LOWEST = 9  # ids down to -9; older files give some baselines numbers below 0
_SELECTOR = "model_id"  # the challenge's name for it, which is preferred to others that fit as well


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is known of a select_model.

    Attributes:
        selector: How it is told the number; None where it asks for none.
        readings: What each number leads to.
        empty: Numbers that it knows but returns no network for, such as a template that only passes.
        negative: Numbers below 0 that it returns a network for: no submission can have them.
        untold: Tables that it looks the number up in and whose entries cannot be read, as text.
    """

    selector: Selector | None = None
    readings: dict[int, Reading] = field(default_factory=dict)
    empty: list[int] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    negative: list[int] = field(default_factory=list)


def read(tree: ast.Module, function: ast.FunctionDef) -> Found:
    """Return what each number leads to.

    Args:
        tree: The file.
        function: Its select_model.

    Raises:
        TooMuchError: It takes too long to follow.
    """
    file = File(tree)
    budget = values.Budget()
    candidates = _candidates(tree)
    another = max(candidates, default=0) + 1  # equal to nothing, so that it reaches a table looked up last
    best = Found()
    for selector in _selectors(tree, function):
        found = Found(selector=selector)
        for id_ in (*candidates, another):
            walk = Walk(file, function, selector, id_, budget)
            reading = walk.run()
            if not walk.matched:
                if reading.returned is not None and not walk.unassigned:
                    found.untold.extend(text for text in walk.untold if text not in found.untold)
            elif reading.returned is None or walk.unassigned:
                found.empty.append(id_)
            elif id_ < 0:
                found.negative.append(id_)
            else:
                found.readings[id_] = reading
        if len(found.readings) > len(best.readings):
            best = found
        if best.readings and selector.attribute == _SELECTOR:
            break
    return best


def _selectors(tree: ast.Module, function: ast.FunctionDef) -> Iterator[Selector]:
    """Yield all ways in which a function could be given the number, the challenge's own first."""
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
    """Return all numbers in a file that the id may be compared with, or be looked up by."""
    found: set[int] = set()
    named = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
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
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            held = named.get(node.value.id)
            constants = list(range(len(held.elts) if isinstance(held, (ast.List, ast.Tuple)) else 0))
        elif isinstance(node, ast.FunctionDef):
            calls = [part for part in node.decorator_list if isinstance(part, ast.Call)]
            constants = list(_numbers(part for call in calls for part in ast.walk(call)))  # @register(7)
        found.update(constants)
    return sorted(found)


def _numbers(nodes: Iterable[ast.AST]) -> Iterator[int]:
    for node in nodes:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield from (-number for number in _numbers([node.operand]) if number <= _LOWEST)
        elif isinstance(node, ast.Constant) and not isinstance(node.value, bool):
            if isinstance(node.value, int) and node.value < 10**9:
                yield node.value
            elif isinstance(node.value, str) and node.value.isdecimal() and len(node.value) < 10:
                yield int(node.value)
