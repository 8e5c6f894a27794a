"""What the source text of a model file shows about how a class or function is called. Worker only.

Its syntax tree shows which keys of a configuration are looked up, which words an argument is compared with,
and which arguments the file itself calls with.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["EMPTY", "Parameter", "SourceText"]

EMPTY = inspect.Parameter.empty
_NOT_PLAIN = (ValueError, TypeError, SyntaxError)  # of ast.literal_eval: no literal
_OF_LISTS = ("len", "sum", "enumerate", "zip", "reversed", "list", "tuple", "iter")


@dataclass
class Parameter:
    """One value to call with.

    Attributes:
        name: Its name; dotted for a key of a configuration object.
        default: EMPTY if there is none.
        annotation: EMPTY if there is none.
        choices: Strings that the code compares it with.
        listed: Whether the code takes it apart by an index, as it does with a list.
        examples: What the file itself calls with, somewhere outside the class.
    """

    name: str
    default: Any = EMPTY
    annotation: Any = EMPTY
    choices: list[str] = field(default_factory=list)
    listed: bool = False
    examples: list[Any] = field(default_factory=list)

    @property
    def word(self) -> str:
        """The last part of its name, in small letters."""
        return self.name.rsplit(".", 1)[-1].lower()


class SourceText:
    """The text of a file, as far as one class or function uses it."""

    def __init__(self, tree: ast.Module | None, name: str, values: Mapping[str, Any] | None = None) -> None:
        self.tree = tree
        self.values = values or {}  # of names at the top level of the file
        defined: dict[str, list[ast.AST]] = {}
        for node in ast.walk(tree) if tree is not None else ():
            if isinstance(node, (ast.ClassDef, *_functions())):
                defined.setdefault(str(node.name), []).append(node)  # type: ignore[attr-defined]
        reached, todo = {name}, [name]
        while todo:
            for node in (n for top in defined.get(todo.pop(), ()) for n in ast.walk(top)):
                if isinstance(node, ast.Name) and node.id in defined and node.id not in reached:
                    reached.add(node.id)
                    todo.append(node.id)
        self.own = defined.get(name, [])
        own = [node for reach in reached for node in defined.get(reach, ())]
        self.nodes = list({id(n): n for top in own for n in ast.walk(top)}.values())
        self.positions = {n: _arguments(defined[n][-1]) for n in reached if n in defined}

    @classmethod
    def of(cls, build: Callable[..., Any]) -> SourceText:
        """Read the file of a class or function; where there is none, nothing is found in it."""
        values: Mapping[str, Any] = {}
        try:
            module = sys.modules[build.__module__]
            tree = _parse(inspect.getsource(module))
            values = vars(module)
        except (OSError, TypeError, KeyError, AttributeError, SyntaxError):
            tree = None
        return cls(tree, getattr(build, "__name__", ""), values)

    def keys(self, config: str) -> list[Parameter]:
        """Return the keys that are read from a configuration of that name, in the order of the text."""
        found: dict[str, Parameter] = {}
        called = {id(node.func) for node in self.nodes if isinstance(node, ast.Call)}
        inner = {id(node.value) for node in self.nodes if isinstance(node, (ast.Attribute, ast.Subscript))}
        for node in self.nodes:
            path, default, listed = _path(node), EMPTY, False
            if isinstance(node, ast.Subscript) and path is None and _index(node):
                path, listed = _path(node.value), True
            elif id(node) in called or (id(node) in inner and not isinstance(node, ast.Call)):
                continue  # a method, or a step on the way to a key
            if isinstance(node, ast.Call):
                path, default = _lookup(node)
            if path is None or path[0] != config or len(path) < 2:
                continue
            name = ".".join(path)
            known = found.setdefault(name, Parameter(name))
            known.default = default if known.default is EMPTY else known.default
            known.listed |= listed
        for name, parameter in found.items():
            parameter.choices = self.choices(name)
        return [found[name] for name in found if not any(other.startswith(f"{name}.") for other in found)]

    def taken_apart(self, name: str) -> bool:
        """Whether the constructor, or the function, treats an argument as a list, as sum(depths) does."""
        top = self.own[-1] if self.own else None
        inits = [n for n in getattr(top, "body", ()) if getattr(n, "name", "") == "__init__"]
        for node in ast.walk(inits[0] if inits else top) if top is not None else ():
            parts: list[ast.expr] = []
            if isinstance(node, (ast.For, ast.comprehension)):
                parts = [node.iter]
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in _OF_LISTS:
                parts = list(node.args)
            elif isinstance(node, (ast.Subscript, ast.Starred)):
                parts = [node.value]
            if any(isinstance(part, ast.Name) and part.id == name for part in parts):
                return True
        return False

    def choices(self, name: str) -> list[str]:
        """Return the strings that an argument is compared with, wherever it is passed on to."""
        names, todo = {name}, [name]
        while todo:
            for other in self._passed_on(todo.pop()):
                if other not in names:
                    names.add(other)
                    todo.append(other)
        found: list[str] = []
        for node in self.nodes:
            if isinstance(node, ast.Compare) and any(
                _named(n, names) for n in [node.left, *node.comparators]
            ):
                found += [s for side in [node.left, *node.comparators] for s in _strings(side)]
            elif isinstance(node, ast.Subscript) and _named(node.slice, names):
                found += [s for s in self._dictionary(node.value)]
        return list(dict.fromkeys(found))[:8]

    def _passed_on(self, name: str) -> Iterator[str]:
        for node in self.nodes:
            if isinstance(node, ast.Call):
                yield from (k.arg for k in node.keywords if k.arg and _named(k.value, {name}))
                called = node.func.id if isinstance(node.func, ast.Name) else ""
                order = self.positions.get(called, [])
                yield from (p for p, value in zip(order, node.args, strict=False) if _named(value, {name}))
            elif isinstance(node, ast.Assign) and _named(node.value, {name}):
                yield from (t.attr for t in node.targets if isinstance(t, ast.Attribute))
                yield from (t.id for t in node.targets if isinstance(t, ast.Name))

    def _dictionary(self, node: ast.expr) -> list[str]:
        if isinstance(node, ast.Name) and self.tree is not None:
            name = node.id
            for top in self.tree.body:
                if isinstance(top, ast.Assign) and any(_named(t, {name}) for t in top.targets):
                    node = top.value
        keys = node.keys if isinstance(node, ast.Dict) else []
        return [k.value for k in keys if isinstance(k, ast.Constant) and isinstance(k.value, str)]

    def calls(self, name: str, order: list[str]) -> list[dict[str, Any]]:
        """Return the plain arguments of each call of that name in the file."""
        found = []
        for node in ast.walk(self.tree) if self.tree is not None else ():
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name):
                continue
            plain: dict[str, Any] = {}
            for key, value in zip(order, node.args, strict=False):
                with contextlib.suppress(*_NOT_PLAIN):
                    plain[key] = self._plain(value)
            for part in node.keywords:
                with contextlib.suppress(*_NOT_PLAIN):
                    plain.update({part.arg: self._plain(part.value)} if part.arg else self._plain(part.value))
            found += [plain] if plain and plain not in found else []
        return found[:4]

    def _plain(self, node: ast.expr) -> Any:  # noqa: ANN401
        """Return a literal, or the value of a name at the top level of the file if that is as plain."""
        value = self.values.get(node.id) if isinstance(node, ast.Name) else None
        if value is None:
            return ast.literal_eval(node)
        return ast.literal_eval(repr(value))  # a copy; raises for what is no plain value


def _functions() -> tuple[type, ...]:
    return (ast.FunctionDef, ast.AsyncFunctionDef)


@functools.lru_cache(maxsize=2)
def _parse(source: str) -> ast.Module:
    return ast.parse(source)


def _arguments(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ClassDef):
        inits = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
        return _arguments(inits[0])[1:] if inits else []
    return [a.arg for a in node.args.args] if isinstance(node, ast.FunctionDef) else []


def _path(node: ast.AST) -> list[str] | None:
    """Return ["opt", "net", "width"] for opt.net["width"], self.opt["net"].width and the like."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            return [node.attr]
        inner = _path(node.value)
        return None if inner is None else [*inner, node.attr]
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        inner = _path(node.value)
        key = node.slice.value
        return [*inner, key] if inner is not None and isinstance(key, str) else None
    return None


def _lookup(node: ast.Call) -> tuple[list[str] | None, Any]:
    """Return the path and the default of opt.get("width", 3), opt.pop(...), getattr(opt, "width", 3)."""
    if isinstance(node.func, ast.Name) and node.func.id == "getattr" and len(node.args) >= 2:
        owner, key, rest = node.args[0], node.args[1], node.args[2:]
    elif isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop") and node.args:
        owner, key, rest = node.func.value, node.args[0], node.args[1:]
    else:
        return None, EMPTY
    inner = _path(owner)
    if inner is None or not isinstance(key, ast.Constant) or not isinstance(key.value, str):
        return None, EMPTY
    default: Any = None if isinstance(node.func, ast.Attribute) else EMPTY
    if rest:
        try:
            default = ast.literal_eval(rest[0])
        except ValueError:
            default = None
    return [*inner, key.value], default


def _index(node: ast.Subscript) -> bool:
    return isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int)


def _named(node: ast.AST, names: set[str]) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args:
        node = node.func.value  # act.lower()
    path = _lookup(node)[0] if isinstance(node, ast.Call) else _path(node)
    return path is not None and (".".join(path) in names or path[-1] in names)


def _strings(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        for element in node.elts:
            yield from _strings(element)
