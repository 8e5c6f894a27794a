"""What the names in each function of a test_demo.py stand for: the network, its tile, the arguments.

It is followed from the call of select_model, over the calls that hand these things on.
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Iterable, Iterator, Sequence

from ntire_bench.source.syntax import inner_bodies, names_bound, names_read, positional_parameters
from ntire_bench.worker.checkout.conversions import Start, converts, made_from
from ntire_bench.worker.checkout.slicer import USUAL, Slicer

__all__ = ["MORE", "ROLES", "File", "autocasts"]

ROLES = ("model", "name", "data_range", "tile", "args", "device")
"""What a loop gets: four things that select_model returns, and two that it is given."""

MORE = tuple(f"returned_{place}" for place in range(4, 12))
"""Roles of what else select_model returns, by its place."""

_CALLS_IN_CALLS = 4  # a loop in a function that main() calls over others


class File:
    """A file with a select_model, and what the names in its functions stand for.

    Args:
        tree: Its syntax tree.
        select: Its select_model.
        parameter: The parameter of select_model that tells it the number.

    Attributes:
        bodies: The statements of each function, by its name; those of the top level by "".
        roles: For each of these, the names that stand for something, and for which of ROLES or MORE.
        top: Names of the top level, and Python's own.
        modules: Names that imports bind, wherever they are.
    """

    def __init__(self, tree: ast.Module, select: ast.FunctionDef, parameter: str) -> None:
        self.tree = tree
        self.select = select.name
        self.functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        self.bodies: dict[str, Sequence[ast.stmt]] = {n: node.body for n, node in self.functions.items()}
        self.bodies[""] = tree.body
        self.roles: dict[str, dict[str, str]] = {name: {} for name in self.bodies}
        self._follow_select(select, parameter)
        for _ in range(_CALLS_IN_CALLS):
            self._follow_calls()
        self.top = names_bound(tree.body) | set(dir(builtins))
        imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
        self.modules = names_bound(imports)

    def _follow_select(self, select: ast.FunctionDef, parameter: str) -> None:
        """Note what is assigned from a call of select_model, and what it is called with."""
        for name in self.bodies:
            for node in self._nodes(name):
                if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)):
                    continue
                if ast.unparse(node.value.func) != self.select:
                    continue
                for target in node.targets:
                    parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else []
                    for part, role in zip(parts, (*ROLES[:4], *MORE), strict=False):
                        if isinstance(part, ast.Name):
                            self.roles[name][part.id] = role
                for given, value in _given(node.value, select):
                    if isinstance(value, ast.Name) and (given == parameter or "device" in given):
                        self.roles[name][value.id] = "args" if given == parameter else "device"

    def _follow_calls(self) -> None:
        """Note what the parameters of functions stand for, by what they are called with."""
        for name in self.bodies:
            for node in self._nodes(name):
                called = self.functions.get(ast.unparse(node.func)) if isinstance(node, ast.Call) else None
                if not isinstance(node, ast.Call) or called is None or called.name == self.select:
                    continue
                for given, value in _given(node, called):
                    if isinstance(value, ast.Name) and value.id in self.roles[name]:
                        self.roles[called.name].setdefault(given, self.roles[name][value.id])

    def _nodes(self, name: str) -> Iterator[ast.AST]:
        """Yield all that is in a function; of the top level, all but functions and classes."""
        for statement in self.bodies[name]:
            if name != "" or not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                yield from ast.walk(statement)

    def made(self, name: str) -> set[str] | None:
        """Return the names of what a network makes in a function; None if none of it becomes an image."""
        body = self.bodies[name]
        networks = {own for own, role in {**USUAL, **self.roles[name]}.items() if role == "model"}
        made = made_from(body, networks, self.modules)
        return made if converts(body, made) else None

    def slicer(self, name: str, start: Start, made: set[str] | None) -> Slicer:
        """Return what cuts in a function."""
        return Slicer(start, self.roles[name], self.select, self.modules, made)

    def prepared(self, name: str) -> tuple[list[ast.stmt], list[ast.withitem]]:
        """Return what callers of a function do to the network first, and the autocasts around the call.

        What both the caller and the function know has the function's name for it.
        """
        statements: list[ast.stmt] = []
        contexts: list[ast.withitem] = []
        seen = {name, self.select}
        while True:
            caller = next((one for one in self.bodies if one not in seen and self._calls(one, name)), None)
            if caller is None or "model" not in self.roles[caller].values():
                return statements, contexts
            before, around = _up_to_call(self.bodies[caller], name)
            networks = {own for own, role in self.roles[caller].items() if role == "model"}
            kept, _ = self.slicer(caller, Start.TO_TENSOR, set()).cut(before, networks)
            renamed = {own: _name_of(role, self.roles[name]) for own, role in self.roles[caller].items()}
            statements[:0] = [_renamed(statement, renamed) for statement in kept]
            contexts[:0] = around
            seen.add(caller)
            name = caller

    def _calls(self, caller: str, name: str) -> bool:
        calls = (node for node in self._nodes(caller) if isinstance(node, ast.Call))
        return name != "" and any(ast.unparse(node.func) == name for node in calls)


def autocasts(holder: ast.stmt) -> list[ast.withitem]:
    """Return the autocasts that a statement opens, or that a function is decorated with."""
    items: Iterable[ast.withitem] = holder.items if isinstance(holder, ast.With) else ()
    if isinstance(holder, ast.FunctionDef):
        items = map(ast.withitem, holder.decorator_list)
    return [item for item in items if "autocast" in ast.unparse(item)]


def _up_to_call(body: Sequence[ast.stmt], name: str) -> tuple[list[ast.stmt], list[ast.withitem]]:
    """Return the statements before the first call of a function, and the autocasts around it."""
    before: list[ast.stmt] = []
    contexts: list[ast.withitem] = []
    while True:
        holder = next((part for part in body if name in names_read(part)), None)
        if holder is None or isinstance(holder, (ast.FunctionDef, ast.ClassDef)):
            return before, contexts
        before += body[: list(body).index(holder)]
        contexts += autocasts(holder)
        body = next((part for part in inner_bodies(holder) if name in names_read(part)), [])


def _name_of(role: str, roles: dict[str, str]) -> str:
    """Return a function's name for something, or one of ours where it is not given that."""
    return next((own for own, held in roles.items() if held == role), f"__{role}__")


def _renamed(statement: ast.stmt, names: dict[str, str]) -> ast.stmt:
    class Rename(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.Name:  # noqa: N802 - ast's name
            return ast.copy_location(ast.Name(names.get(node.id, node.id), node.ctx), node)

    renamed: ast.stmt = Rename().visit(copy.deepcopy(statement))
    return renamed


def _given(call: ast.Call, function: ast.FunctionDef) -> Iterator[tuple[str, ast.expr]]:
    """Yield the parameters of a function that a call gives, and their values."""
    yield from zip(positional_parameters(function), call.args, strict=False)
    yield from ((part.arg, part.value) for part in call.keywords if part.arg)
