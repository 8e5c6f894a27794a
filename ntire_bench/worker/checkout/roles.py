"""What the names in each function of a test_demo.py stand for, followed from its call of select_model."""

from __future__ import annotations

import ast
import builtins
import copy
import re
from collections.abc import Iterator, Sequence

from ntire_bench.source.syntax import inner_bodies, names_bound, names_read
from ntire_bench.worker.checkout.conversions import TO_TENSOR, converts, made_from
from ntire_bench.worker.checkout.slicer import USUAL, Slicer

__all__ = ["MORE", "ROLES", "File"]

ROLES = ("model", "name", "data_range", "tile", "args", "device")
"""What a loop gets from select_model, and what select_model gets."""
MORE = tuple(f"returned_{place}" for place in range(4, 12))
"""Roles of what else select_model returns, by its place."""


class File:
    """A file with a select_model, and what its functions call things."""

    def __init__(self, tree: ast.Module, select: ast.FunctionDef, parameter: str) -> None:
        self.tree = tree
        self.select = select.name
        self.functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        self.bodies: dict[str, Sequence[ast.stmt]] = {n: node.body for n, node in self.functions.items()}
        self.bodies[""] = tree.body
        self.roles = _roles(self.bodies, self.functions, select, parameter)
        self.top = names_bound(node for node in tree.body) | set(dir(builtins))
        imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
        self.modules = names_bound(imports)

    def made(self, name: str) -> set[str] | None:
        """Return the names of what a network makes in a function; None where that does not tell its loop."""
        body = self.bodies[name]
        networks = {own for own, role in {**USUAL, **self.roles[name]}.items() if role == "model"}
        made = made_from(body, networks, self.modules)
        return made if converts(body, made) else None

    def slicer(self, name: str, reading: re.Pattern[str], made: set[str] | None) -> Slicer:
        """Return what cuts in a function."""
        return Slicer(reading, self.roles[name], self.select, self.modules, made)

    def prepared(self, name: str) -> tuple[list[ast.stmt], list[ast.withitem]]:
        """Return what callers of a function do to the network before, and the autocasts around the call.

        Names are those of the function itself, as far as it is given the same things.
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
            kept, _ = self.slicer(caller, TO_TENSOR, set()).cut(before, networks)
            renamed = {own: _role_name(role, self.roles[name]) for own, role in self.roles[caller].items()}
            statements[:0] = [_renamed(statement, renamed) for statement in kept]
            contexts[:0] = around
            seen.add(caller)
            name = caller

    def _calls(self, caller: str, name: str) -> bool:
        if name == "":
            return False
        walked = _walk(self.bodies[caller], whole=caller != "")
        return any(isinstance(node, ast.Call) and ast.unparse(node.func) == name for node in walked)


def _up_to_call(body: Sequence[ast.stmt], name: str) -> tuple[list[ast.stmt], list[ast.withitem]]:
    """Return the statements before the first call of a function, and the autocasts around it."""
    before: list[ast.stmt] = []
    contexts: list[ast.withitem] = []
    while True:
        holder = next((part for part in body if name in names_read(part)), None)
        if holder is None or isinstance(holder, (ast.FunctionDef, ast.ClassDef)):
            return before, contexts
        before += body[: list(body).index(holder)]
        if isinstance(holder, ast.With):
            contexts += [item for item in holder.items if "autocast" in ast.unparse(item)]
        body = next((part for part in inner_bodies(holder) if name in names_read(part)), [])


def _role_name(role: str, roles: dict[str, str]) -> str:
    """Return what a function calls something, or a name for what it is not given."""
    return next((own for own, held in roles.items() if held == role), f"__{role}__")


def _renamed(statement: ast.stmt, names: dict[str, str]) -> ast.stmt:
    class Rename(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.Name:  # noqa: N802 - ast's name
            return ast.copy_location(ast.Name(names.get(node.id, node.id), node.ctx), node)

    renamed: ast.stmt = Rename().visit(copy.deepcopy(statement))
    return renamed


def _roles(
    bodies: dict[str, Sequence[ast.stmt]],
    functions: dict[str, ast.FunctionDef],
    select: ast.FunctionDef,
    parameter: str,
) -> dict[str, dict[str, str]]:
    """Return what the names in each function stand for, followed from the call of select_model."""
    found: dict[str, dict[str, str]] = {name: {} for name in bodies}
    taken = [part.arg for part in (*select.args.posonlyargs, *select.args.args)]
    for name, body in bodies.items():
        for node in _walk(body, whole=name != ""):
            if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)):
                continue
            if ast.unparse(node.value.func) != select.name:
                continue
            for target in node.targets:
                parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else []
                for part, role in zip(parts, (*ROLES[:4], *MORE), strict=False):
                    if isinstance(part, ast.Name):
                        found[name][part.id] = role
            for given, value in _given(node.value, taken):
                if isinstance(value, ast.Name) and (given == parameter or "device" in given):
                    found[name][value.id] = "args" if given == parameter else "device"
    for _ in range(4):  # loop() called by run() called by main()
        for name, body in bodies.items():
            for node in _walk(body, whole=name != ""):
                called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                if not isinstance(node, ast.Call) or called not in functions or called == select.name:
                    continue
                own = functions[called].args
                for given, value in _given(node, [part.arg for part in (*own.posonlyargs, *own.args)]):
                    if isinstance(value, ast.Name) and value.id in found[name]:
                        found[called].setdefault(given, found[name][value.id])
    return found


def _walk(body: Sequence[ast.stmt], *, whole: bool) -> Iterator[ast.AST]:
    for statement in body:
        if whole or not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            yield from ast.walk(statement)


def _given(call: ast.Call, names: Sequence[str]) -> Iterator[tuple[str, ast.expr]]:
    yield from zip(names, call.args, strict=False)
    yield from ((part.arg, part.value) for part in call.keywords if part.arg)
