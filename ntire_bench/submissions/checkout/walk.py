"""Follows a function for one number, statement by statement, without running it.

Where the value of a test is known, the branch that it selects is followed, else both are. Functions of the
same file are followed where they are called.
"""

from __future__ import annotations

import ast
import contextlib
import functools
from collections import ChainMap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ntire_bench.source.syntax import argument_defaults, imported_name, names_changed, parameters, root_of
from ntire_bench.source.values import UNKNOWN, Budget, Id, IdText, Namespace, Values

__all__ = ["File", "Reading", "Selector", "Walk"]

_DEEPEST = 6  # calls inside of calls


@dataclass(frozen=True)
class Selector:
    """How a function is given the number.

    Attributes:
        parameter: Its parameter.
        attribute: The attribute of that parameter; None where the parameter itself is the number.
        as_text: Whether the number is given as text.
    """

    parameter: str
    attribute: str | None
    as_text: bool


@dataclass
class Reading:
    """What one number leads to.

    Attributes:
        id: The number.
        line: Where the branch for this number begins.
        modules: Dotted names of the modules that are imported on the way, or that hold what is used.
        paths: Texts that are handed to calls, in order; some of them name files.
        returned: The values returned; None where nothing is.
    """

    id: int
    line: int = 0
    modules: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    returned: tuple[Any, ...] | None = None


class _Done(Exception):
    """Ends a body at a return or raise that is certainly reached."""


class File:
    """What the top level of a file defines.

    Attributes:
        functions: Its functions, by name.
        imports: The modules that each imported name may come from.
        values: The values of names, as far as they are known.
        defaults: The defaults of its command line.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        self.imports: dict[str, list[str]] = {}
        self.values: dict[str, Any] = dict(self.functions)
        for node in tree.body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                for bound, modules in _imported(node):
                    self.imports.setdefault(bound, []).extend(modules)
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    self._assign(target, Values(self.values).of(node.value))
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                self._assign(node.target, Values(self.values).of(node.value))
            elif isinstance(node, ast.FunctionDef):
                for decorator in node.decorator_list:
                    self._decorate(decorator, node)
            elif not isinstance(node, ast.ClassDef):
                self._forget_tables(node)
        self.defaults = {
            name: Values(self.values).of(default) for name, (default, _) in argument_defaults(tree).items()
        }

    def _assign(self, target: ast.expr, value: Any) -> None:  # noqa: ANN401
        if isinstance(target, ast.Name):
            self.values[target.id] = value
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            self._enter(target.value.id, Values(self.values).of(target.slice), value)

    def _enter(self, table: str, key: Any, value: Any) -> None:  # noqa: ANN401
        held = self.values.get(table)
        if isinstance(held, dict):
            known = isinstance(key, (int, str))
            self.values[table] = {**held, key: value} if known else UNKNOWN

    def _forget_tables(self, statement: ast.stmt) -> None:
        """Forget tables that a statement may change, such as TABLE.update(...) or a loop that fills one."""
        if isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test):
            return  # the main program
        for name in names_changed([statement]):
            if isinstance(self.values.get(name), (dict, list)):
                self.values[name] = UNKNOWN

    def _decorate(self, decorator: ast.expr, function: ast.FunctionDef) -> None:
        """Enter a function into the table that its decorator fills, as @register(7) does."""
        if not (isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name)):
            return
        registrar = self.functions.get(decorator.func.id)
        if registrar is None:
            return
        values = Values(self.values)
        keywords = {part.arg: values.of(part.value) for part in decorator.keywords if part.arg}
        given = _bound(registrar, [values.of(part) for part in decorator.args], keywords)
        for node in ast.walk(registrar):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
                table = node.targets[0]
                if isinstance(table.value, ast.Name):
                    key = Values(ChainMap(given, self.values)).of(table.slice)
                    self._enter(table.value.id, key, function)


class Walk:
    """Follows the function for one number.

    Attributes:
        reading: What is found on the way.
        matched: Whether the number has been equal to a constant, or has been found in a table.
        unassigned: Whether the network that is returned was never assigned.
        untold: Tables that the number is looked up in and whose entries cannot be read.
    """

    def __init__(
        self, file: File, function: ast.FunctionDef, selector: Selector, id_: int, budget: Budget
    ) -> None:
        self.file = file
        self.budget = budget
        self.function = function
        self.reading = Reading(id_, function.lineno)
        self.matched = False
        self.unassigned = False
        self.untold: list[str] = []
        self._depth = 0
        number: Any = IdText(id_) if selector.as_text else Id(id_)
        self._arguments: dict[str, Any] = dict.fromkeys(parameters(function), UNKNOWN)
        if selector.attribute is not None:
            number = Namespace({**file.defaults, selector.attribute: number})
        self._arguments[selector.parameter] = number

    def run(self) -> Reading:
        """Follow the whole function."""
        returned = self.follow(self.function, self._arguments)
        if returned is UNKNOWN:
            self.reading.returned = (UNKNOWN,) * 4
        elif isinstance(returned, (tuple, list)) and len(returned) >= 3:
            self.reading.returned = tuple(returned)
        return self.reading

    def follow(self, function: ast.FunctionDef, arguments: dict[str, Any]) -> Any:  # noqa: ANN401
        """Return what a function returns: None for nothing, UNKNOWN where that cannot be known."""
        frame = _Frame(self, arguments, outermost=function is self.function)
        with contextlib.suppress(_Done):
            frame.body(function.body)
        self.matched = self.matched or frame.values.matched
        self.untold += frame.values.untold
        return functools.reduce(_merged, frame.returned) if frame.returned else None

    def call(self, dotted: str, called: Any, args: list[Any], keywords: dict[str, Any]) -> Any:  # noqa: ANN401
        """Note the texts that a call is given; follow it if it calls a function of the file."""
        texts = [value for value in (*args, *keywords.values()) if isinstance(value, str)]
        if dotted.split(".")[-1] in ("import_module", "__import__") and texts:
            package = keywords.get("package", args[1] if len(args) > 1 else "")
            self.reading.modules.append(f"{package}{texts[0]}" if texts[0].startswith(".") else texts[0])
        elif isinstance(called, ast.FunctionDef) and called is not self.function and self._depth < _DEEPEST:
            self._depth += 1
            try:
                return self.follow(called, _bound(called, args, keywords))
            finally:
                self._depth -= 1
        else:
            self.reading.paths += [text for text in texts if text not in self.reading.paths]
        return UNKNOWN


class _Frame:
    """One function while it is followed."""

    def __init__(self, walk: Walk, arguments: dict[str, Any], *, outermost: bool) -> None:
        self.walk = walk
        self.locals = arguments
        self.outermost = outermost
        self.returned: list[Any] = []
        self.missing: set[str] = set()
        self.values = Values(ChainMap(self.locals, walk.file.values), walk.call, self._missing, walk.budget)

    def _missing(self, name: str) -> None:
        """Note a name without a value: imported at the top level, a builtin, or never assigned."""
        self.missing.add(name)
        self.walk.reading.modules += self.walk.file.imports.get(name, [])

    def body(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            handler = getattr(self, f"_{type(statement).__name__.lower()}", self._other)
            handler(statement)

    def _other(self, statement: ast.AST) -> None:
        """Evaluate all expressions of a statement: calls in them must be seen."""
        for child in ast.iter_child_nodes(statement):
            if isinstance(child, ast.expr):
                self.values.of(child)

    def _functiondef(self, statement: ast.FunctionDef) -> None:
        self.locals[statement.name] = statement

    def _assign(self, statement: ast.Assign) -> None:
        value = self.values.of(statement.value)
        for target in statement.targets:
            self._store(target, value)

    def _annassign(self, statement: ast.AnnAssign) -> None:
        if statement.value is not None:
            self._store(statement.target, self.values.of(statement.value))

    def _augassign(self, statement: ast.AugAssign) -> None:
        load = ast.BinOp(_as_load(statement.target), statement.op, statement.value)
        self._store(statement.target, self.values.of(load))

    def _store(self, target: ast.expr, value: Any) -> None:  # noqa: ANN401
        if isinstance(target, ast.Name):
            self.locals[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            fits = isinstance(value, (tuple, list)) and len(value) == len(target.elts)
            starred = any(isinstance(part, ast.Starred) for part in target.elts)
            parts = value if fits and not starred else [UNKNOWN] * len(target.elts)
            for part, item in zip(target.elts, parts, strict=True):
                self._store(part, item)
        elif isinstance(target, ast.Starred):
            self._store(target.value, UNKNOWN)
        elif isinstance(root := root_of(target, calls=False), ast.Name) and root.id in self.locals:
            if isinstance(target, ast.Subscript):  # a dictionary of which an entry changes
                self.locals[root.id] = UNKNOWN

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        for bound, modules in _imported(statement):
            self.walk.reading.modules += modules
            self.locals[bound] = UNKNOWN

    _importfrom = _import

    def _return(self, statement: ast.Return) -> None:
        first = statement.value.elts[0] if isinstance(statement.value, ast.Tuple) else statement.value
        if self.outermost and isinstance(first, ast.Name):
            self.walk.unassigned = first.id in self.missing or first.id not in self.locals
        self.returned.append(self.values.of(statement.value))
        raise _Done

    def _raise(self, statement: ast.Raise) -> None:
        raise _Done

    def _if(self, statement: ast.If) -> None:
        before = self.values.matched
        test = self.values.of(statement.test)
        if self.outermost and self.values.matched and not before:
            self.walk.reading.line = statement.lineno
        if test is UNKNOWN:
            self._either([statement.body, statement.orelse])
        else:
            self.body(statement.body if test else statement.orelse)

    def _either(self, ways: list[list[ast.stmt]]) -> None:
        """Follow several ways, as it is not known which one is taken."""
        before, after, ends = dict(self.locals), [], 0
        self.walk.budget.spend(len(before))
        for way in ways:
            self._become(before)
            try:
                self.body(way)
                after.append(dict(self.locals))
            except _Done:
                ends += 1
        if ends == len(ways):
            raise _Done
        names = {name for state in after for name in state}
        merged = {}
        for name in names:
            held = [state[name] for state in after if name in state]
            merged[name] = functools.reduce(_merged, held) if len(held) == len(after) else UNKNOWN
        self._become(merged)

    def _become(self, state: dict[str, Any]) -> None:
        self.locals.clear()
        self.locals.update(state)

    def _match(self, statement: ast.Match) -> None:
        ways: list[list[ast.stmt]] = []
        for case in statement.cases:
            fits = self._fits(statement.subject, case.pattern)
            if fits is True and case.guard is not None:
                fits = self.values.of(case.guard)
            if fits is True and not ways:
                if self.outermost and not isinstance(case.pattern, ast.MatchAs):
                    self.walk.reading.line = case.pattern.lineno
                return self.body(case.body)
            if fits is not False:
                ways.append(case.body)
        return self._either([*ways, []])

    def _fits(self, subject: ast.expr, pattern: ast.pattern) -> Any:  # noqa: ANN401 - True, False, UNKNOWN
        if isinstance(pattern, ast.MatchAs) and pattern.pattern is None:
            return True
        if isinstance(pattern, ast.MatchOr):
            answers = [self._fits(subject, part) for part in pattern.patterns]
            return True if True in answers else UNKNOWN if UNKNOWN in answers else False
        if isinstance(pattern, ast.MatchValue):
            return self.values.of(ast.Compare(subject, [ast.Eq()], [pattern.value]))
        return UNKNOWN

    def _for(self, statement: ast.For | ast.While) -> None:
        self._other(statement)
        if isinstance(statement, ast.For):
            self._store(statement.target, UNKNOWN)
        self._either([statement.body, []])
        self.body(statement.orelse)

    _while = _for

    def _with(self, statement: ast.With) -> None:
        for item in statement.items:
            self.values.of(item.context_expr)
            if item.optional_vars is not None:
                self._store(item.optional_vars, UNKNOWN)
        self.body(statement.body)

    def _try(self, statement: ast.Try) -> None:
        self.body(statement.body)  # the handlers are not followed: a branch is taken to work
        self.body(statement.orelse)
        self.body(statement.finalbody)


def _merged(left: Any, right: Any) -> Any:  # noqa: ANN401
    """Return the value that two ways agree on, else UNKNOWN."""
    if isinstance(left, tuple) and isinstance(right, tuple) and len(left) == len(right):
        return tuple(_merged(a, b) for a, b in zip(left, right, strict=True))
    return left if left is not UNKNOWN and type(left) is type(right) and left == right else UNKNOWN


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, list[str]]]:
    """Yield the names that an import binds, and the modules that each may come from."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            yield imported_name(alias), [alias.name]
        elif node.module and node.level == 0:
            yield imported_name(alias), [f"{node.module}.{alias.name}", node.module]


def _bound(function: ast.FunctionDef, args: list[Any], keywords: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a function's parameters in a call; those not given are UNKNOWN."""
    names = parameters(function)
    return {**dict.fromkeys(names, UNKNOWN), **dict(zip(names, args, strict=False)), **keywords}


def _as_load(target: ast.expr) -> ast.expr:
    return ast.Name(target.id, ast.Load()) if isinstance(target, ast.Name) else target
