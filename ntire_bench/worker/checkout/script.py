"""Runs of a checkout's test_demo.py what its select_model and its loop need, and no more.

An import or assignment that nothing needed here refers to is left out, and so is the main program. Where
something that is needed cannot be had, that alone is no error; only to use it is one.
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

from ntire_bench.source.syntax import (
    argument_defaults,
    defines,
    imported_name,
    names_read,
    reachable,
    root_of,
)

__all__ = ["Absent", "Arguments", "Script"]

MODULE = "test_demo"
# A statement that only calls or sets something of these modules changes where other modules are found, or how
# torch computes. It is run although nothing refers to it.
_SETTINGS = ("sys", "os", "torch", "site")


class Imports(Protocol):
    """What stands in for packages that are not installed; see `missing_packages.StandIns`."""

    def attach(self, module: types.ModuleType) -> None:
        """Let code that `answered` gave find the stand-ins in its module."""

    def answered(self, body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
        """Yield the statements, changed so that imports that fail give stand-ins."""

    def why(self, value: object) -> str | None:
        """Return why something could not be had, if it is a stand-in; else None."""


class Absent:
    """Takes the place of something that could not be had; to use it in any way raises the reason."""

    def __init__(self, name: str, why: BaseException | str) -> None:
        self.__dict__["_told"] = (name, why)

    def _raise(self) -> NoReturn:
        name, why = self.__dict__["_told"]
        if isinstance(why, BaseException):
            raise why
        raise NameError(f"{name} is not known here: {why}")

    def __getattr__(self, name: str) -> NoReturn:
        """Raise the reason; AttributeError for the names with __ that Python itself looks for."""
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        self._raise()

    def _used(self, *_: object, **__: object) -> NoReturn:
        self._raise()

    __call__ = __bool__ = __iter__ = __getitem__ = __enter__ = __exit__ = _used


class Arguments(argparse.Namespace):
    """Parsed command-line arguments that remember which of them were read."""

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
        """Return the names of the arguments that were read and exist, in order."""
        held = vars(self)
        return [name for name in self._asked if name in held]


class Script:
    """A test_demo.py, of which only what is wanted is run.

    Args:
        path: The file.
        tree: Its syntax tree.
        wanted: Names of its top level that are needed. What these need in turn is run, too.
        select: The name of its select_model; nothing at the top level that calls it is run.
        imports: What stands in for packages that it imports and that are not installed.

    Attributes:
        namespace: What the file's top level has defined.
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
        callers = _callers(tree, select)
        needed = _needed(tree, set(wanted), callers)
        for statement in _chosen(tree, needed, callers | {select}):
            self._run(statement)

    def arguments(self) -> Arguments:
        """Return the values of the file's own command line where no argument is given."""
        result = Arguments()
        for name, (default, kind) in argument_defaults(self.tree).items():
            try:
                value = None if default is None else self._value(default)
                if isinstance(value, str) and kind is not None:  # argparse converts a default that is text
                    value = self._value(kind)(value)
            except Exception:  # it needs something that only the main program has: the argument is left out
                continue
            setattr(result, name, value)
        return result

    def define(self, code: ast.Module) -> None:
        """Run definitions as if they stood in the file."""
        exec(self._compiled(code.body), self.namespace)  # a stranger's code, in the process made for it

    def _value(self, expression: ast.expr) -> Any:  # noqa: ANN401
        code = compile(ast.fix_missing_locations(ast.Expression(expression)), str(self.path), "eval")
        return eval(code, self.namespace)

    def _compiled(self, body: list[ast.stmt]) -> types.CodeType:
        module = ast.fix_missing_locations(ast.Module([*self._future, *body], []))
        return compile(module, str(self.path), "exec", dont_inherit=True)

    def _run(self, statement: ast.stmt) -> None:
        names = defines(statement)
        try:
            exec(self._compiled(list(self._imports.answered([statement]))), self.namespace)
        except (Exception, SystemExit) as error:
            for name in names:
                self.namespace.setdefault(name, Absent(name, error))
            shown = ", ".join(names) or ast.unparse(statement)[:60]
            self.absent[shown] = f"{type(error).__name__}: {error} (line {statement.lineno})"
            return
        for name in names if isinstance(statement, (ast.Import, ast.ImportFrom)) else ():
            if (missing := self._imports.why(self.namespace.get(name))) is not None:
                self.absent[name] = f"{missing} (line {statement.lineno})"


def _callers(tree: ast.Module, select: str) -> set[str]:
    """Return the functions that call select_model, directly or not."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return reachable({select}, [(names_read(node.body), {node.name}) for node in functions]) - {select}


def _needed(tree: ast.Module, wanted: set[str], never: set[str]) -> set[str]:
    """Return all names that the wanted ones need, directly or not; none of `never` is among them."""
    uses = [({name}, names_read(node) - never) for node in tree.body for name in defines(node)]
    always = {name for node in tree.body if _is_setting(node) for name in names_read(node)}
    return reachable((wanted | always) - never, uses)


def _is_setting(statement: ast.stmt) -> bool:
    """Return whether a statement is one like sys.path.append(...) or os.environ[...] = ..."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        target: ast.expr = statement.value.func
    elif isinstance(statement, ast.Assign) and not isinstance(statement.targets[0], ast.Name):
        target = statement.targets[0]
    else:
        return False
    root = root_of(target, calls=False)
    return isinstance(root, ast.Name) and root.id in _SETTINGS


def _chosen(tree: ast.Module, needed: set[str], never: set[str]) -> Iterator[ast.stmt]:
    """Yield the statements to run, imports one name at a time."""
    for statement in tree.body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            yield from _chosen_imports(statement, needed)
        elif isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            if statement.name in needed:
                yield statement
        elif isinstance(statement, ast.If) and "__name__" in names_read(statement.test):
            continue  # the main program
        elif not names_read(statement) & never and (
            set(defines(statement)) & needed or _is_setting(statement)
        ):
            yield statement


def _chosen_imports(statement: ast.Import | ast.ImportFrom, needed: set[str]) -> Iterator[ast.stmt]:
    if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
        return
    for alias in statement.names:
        bound = imported_name(alias)
        if bound in needed or (bound == "*" and needed - set(dir(builtins))):
            one: ast.stmt = ast.Import([alias])
            if isinstance(statement, ast.ImportFrom):
                one = ast.ImportFrom(statement.module, [alias], statement.level)
            yield ast.copy_location(one, statement)
