"""Runs of a checkout's test_demo.py what its select_model and its loop need, and no more.

Imports and assignments that nothing needed here refers to are left out, the main program is never run, and
where something needed cannot be had, only its use is an error, not its absence.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import sys
import types
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol

from ntire_bench.source.syntax import argument_defaults, names_read

__all__ = ["Absent", "Arguments", "Script"]

MODULE = "test_demo"
# Statements that only these are called in change where modules are found, or how torch computes.
_SETTINGS = ("sys", "os", "torch", "site")


class Imports(Protocol):
    """What stands in for packages that are not installed; see `stand_ins.StandIns`."""

    def attach(self, module: types.ModuleType) -> None:
        """Make a module's answered code find its stand-ins."""

    def answered(self, body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
        """Yield the statements, of which imports that fail bind stand-ins."""

    def why(self, value: object) -> str | None:
        """Return why something could not be had, if it is a stand-in."""


class Absent:
    """Stands for something that could not be had; using it in any way raises why."""

    def __init__(self, name: str, why: BaseException | str) -> None:
        self.__dict__["_told"] = (name, why)

    def _raise(self) -> NoReturn:
        name, why = self.__dict__["_told"]
        if isinstance(why, BaseException):
            raise why
        raise NameError(f"{name} is not known here: {why}")

    def __getattr__(self, name: str) -> NoReturn:
        """Raise why; AttributeError for what Python itself asks for in passing."""
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        self._raise()

    def _used(self, *_: object, **__: object) -> NoReturn:
        self._raise()

    __call__ = __bool__ = __iter__ = __getitem__ = __enter__ = __exit__ = _used


class Arguments(argparse.Namespace):
    """Parsed arguments that remember which of them were asked for."""

    __slots__ = ("_asked",)  # outside of what vars() gives

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[str, None] = {}

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - an argument may be anything
        """Return an argument."""
        if not name.startswith("_"):
            super().__getattribute__("_asked")[name] = None
        return super().__getattribute__(name)

    def names_asked(self) -> list[str]:
        """Return the names of the arguments that were asked for and are there, in order."""
        held = vars(self)
        return [name for name in self._asked if name in held]


class Script:
    """A test_demo.py, of which only what is wanted is run.

    Args:
        path: The file.
        tree: Its syntax tree.
        wanted: Names of its top level that are needed, with all that they need in turn.
        select: The name of its select_model; nothing at the top level that calls it is run.
        imports: What stands in for packages that it imports and that are not installed.

    Attributes:
        namespace: What the file's top level defines now.
        absent: Names that could not be had, and why.
    """

    def __init__(
        self, path: Path, tree: ast.Module, wanted: Iterable[str], select: str, imports: Imports
    ) -> None:
        self.path = path
        self.tree = tree
        self._imports = imports
        self.absent: dict[str, str] = {}
        module = types.ModuleType(MODULE)
        module.__file__ = str(path)
        sys.modules[MODULE] = module  # dataclasses and torch.jit look their module up by name
        imports.attach(module)
        self.namespace = vars(module)
        self._future = [
            node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        ]
        needed = _needed(tree, set(wanted), _callers(tree, select))
        for statement in _chosen(tree, needed, _callers(tree, select) | {select}):
            self._run(statement)

    def arguments(self) -> Arguments:
        """Return the values that the file's own command line has where nothing is given."""
        result = Arguments()
        for name, (default, kind) in argument_defaults(self.tree).items():
            try:
                value = None if default is None else self._value(default)
                if (
                    isinstance(value, str) and kind is not None
                ):  # as argparse does with a default that is text
                    value = self._value(kind)(value)
            except Exception:  # a default that only the file's main program could tell
                continue
            setattr(result, name, value)
        return result

    def define(self, code: ast.Module) -> None:
        """Run definitions among what the file defines."""
        exec(self._compiled(code.body), self.namespace)  # a stranger's code, in the process made for it

    def _value(self, expression: ast.expr) -> Any:  # noqa: ANN401
        code = compile(ast.fix_missing_locations(ast.Expression(expression)), str(self.path), "eval")
        return eval(code, self.namespace)

    def _compiled(self, body: list[ast.stmt]) -> types.CodeType:
        module = ast.fix_missing_locations(ast.Module([*self._future, *body], []))
        return compile(module, str(self.path), "exec", dont_inherit=True)

    def _run(self, statement: ast.stmt) -> None:
        try:
            exec(self._compiled(list(self._imports.answered([statement]))), self.namespace)
        except (Exception, SystemExit) as error:
            bound = list(_bound(statement))
            why = f"{type(error).__name__}: {error}"
            for name in bound:
                self.namespace.setdefault(name, Absent(name, error))
            shown = ", ".join(bound) or ast.unparse(statement)[:60]
            self.absent[shown] = f"{why} (line {statement.lineno})"
            return
        for name in _bound(statement) if isinstance(statement, (ast.Import, ast.ImportFrom)) else ():
            if (missing := self._imports.why(self.namespace.get(name))) is not None:
                self.absent[name] = f"{missing} (line {statement.lineno})"


def _bound(statement: ast.stmt) -> Iterator[str]:
    """List the names that a statement binds at the top level."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):  # inside a try or an if
            yield node.name


def _callers(tree: ast.Module, select: str) -> set[str]:
    """Return the functions that select_model is called from, over however many others."""
    found: set[str] = set()
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    while True:
        new = {node.name for node in functions if names_read(node.body) & {select, *found}} - found - {select}
        if not new:
            return found
        found |= new


def _needed(tree: ast.Module, wanted: set[str], never: set[str]) -> set[str]:
    """Return all names that the wanted ones need, directly or not."""
    uses: dict[str, set[str]] = {}
    always: set[str] = set()
    for statement in tree.body:
        read = names_read(statement)
        if _is_setting(statement):
            always |= read
        for name in _bound(statement):
            uses.setdefault(name, set()).update(read)
    found: set[str] = set()
    todo = (wanted | always) - never
    while todo:
        name = todo.pop()
        found.add(name)
        todo |= uses.get(name, set()) - found - never
    return found


def _is_setting(statement: ast.stmt) -> bool:
    """Return whether a statement is one like sys.path.append(...) or os.environ[...] = ..."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        target: ast.expr = statement.value.func
    elif isinstance(statement, ast.Assign) and not isinstance(statement.targets[0], ast.Name):
        target = statement.targets[0]
    else:
        return False
    while isinstance(target, (ast.Attribute, ast.Subscript)):
        target = target.value
    return isinstance(target, ast.Name) and target.id in _SETTINGS


def _chosen(tree: ast.Module, needed: set[str], never: set[str]) -> Iterator[ast.stmt]:
    """Yield the statements to run, imports one name at a time."""
    for statement in tree.body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
                continue
            for alias in statement.names:
                bound = alias.asname or alias.name.split(".")[0]
                if bound in needed or (bound == "*" and needed - set(dir(builtins))):
                    one = (
                        ast.Import([alias])
                        if isinstance(statement, ast.Import)
                        else ast.ImportFrom(statement.module, [alias], statement.level)
                    )
                    yield ast.copy_location(one, statement)
        elif isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            if statement.name in needed:
                yield statement
        elif isinstance(statement, ast.If) and "__name__" in names_read(statement.test):
            continue
        elif not names_read(statement) & never and (
            set(_bound(statement)) & needed or _is_setting(statement)
        ):
            yield statement
