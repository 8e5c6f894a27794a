"""The value of an expression in a stranger's file, computed from its syntax tree without running the file.

Only plain values are computed: numbers, strings, paths, tuples, lists, dictionaries. All else is UNKNOWN, and
so is whatever is made from it.
"""

from __future__ import annotations

import ast
import operator
import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["UNKNOWN", "Budget", "Id", "IdText", "Namespace", "TooMuchError", "Values"]

_MOST_STEPS = 1_000_000  # expressions of one file; the challenge's own take some thousands for each id
_MOST_NUMBER = 2**64
_LONGEST = 10_000  # characters or elements of one value; a name or a path is far shorter


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("an unknown value is neither true nor false")


UNKNOWN: Any = _Unknown()
"""A value that is only known when the file runs."""


class Id(int):
    """The number of the branch that is followed; its type tells a comparison with it from any other."""


class IdText(str):
    """The same number as text."""


class Namespace(dict[str, Any]):
    """Parsed command-line arguments; the keys are the names of attributes."""


_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: lambda a, b: a == b if isinstance(a, Id) else a is b,
    ast.IsNot: lambda a, b: a is not b,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mod: operator.mod,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mult: operator.mul,
}
_JOINS = ("os.path.join", "osp.join", "path.join", "posixpath.join", "join")
_SAME_PATH = ("Path", "PurePath", "pathlib.Path", "str", "os.fspath")  # a path is kept as its text
_ABSOLUTE = ("abspath", "realpath", "expanduser", "normpath")  # of os.path; a relative path stays relative
_TEXT_METHODS = ("lower", "upper", "strip", "zfill", "replace", "format", "capitalize", "rstrip", "lstrip")
# Methods of a path that do not change which file it names.
_PATH_METHODS = ("resolve", "absolute", "as_posix")


class TooMuchError(Exception):
    """Following a file takes too many steps."""


class Budget:
    """Counts the expressions that are evaluated, over all the times that one file is followed.

    Args:
        left: How many there may be.
    """

    def __init__(self, left: int = _MOST_STEPS) -> None:
        self.left = left

    def spend(self, steps: int = 1) -> None:
        """Count some more.

        Raises:
            TooMuchError: There are too many.
        """
        self.left -= steps
        if self.left < 0:
            raise TooMuchError


class Values:
    """Evaluates expressions over known names.

    Args:
        names: Values of names; a name that is missing is UNKNOWN.
        on_call: Gives the value of a call that is not known here. It gets the dotted name of what is called,
            the value of that, and the values of the arguments.
        on_name: Is called with every name that is read and has no value.
        budget: How many expressions may be evaluated; None for a file's whole budget.

    Attributes:
        matched: Whether the id has been equal to a constant, or has been found in a table.
        untold: Tables that the id was looked up in and whose entries are UNKNOWN, as text.

    >>> names = {"model_id": Id(7)}
    >>> values = Values(names)
    >>> values.of(ast.parse('f"{model_id:02}_A b"', mode="eval").body)
    '07_A b'
    >>> values.of(ast.parse('os.path.join("model_zoo", f"team{model_id:02d}.pth")', mode="eval").body)
    'model_zoo/team07.pth'
    >>> values.of(ast.parse("model_id in (3, 7)", mode="eval").body), values.matched
    (True, True)
    >>> values.of(ast.parse("secrets.token_hex()", mode="eval").body)
    UNKNOWN
    """

    def __init__(
        self,
        names: Mapping[str, Any],
        on_call: Callable[[str, Any, list[Any], dict[str, Any]], Any] | None = None,
        on_name: Callable[[str], None] | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.budget = budget or Budget()
        self.names = names
        self.on_call = on_call
        self.on_name = on_name
        self.matched = False
        self.untold: list[str] = []

    def of(self, node: ast.expr | None) -> Any:  # noqa: ANN401 - any plain value
        """Return the value of an expression, or UNKNOWN."""
        if node is None:
            return None
        self.budget.spend()
        handler = getattr(self, f"_{type(node).__name__.lower()}", None)
        try:
            value = handler(node) if handler is not None else self._parts(node)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError):
            return UNKNOWN
        return value if _size(value) <= _LONGEST else UNKNOWN

    def _parts(self, node: ast.expr) -> Any:  # noqa: ANN401
        """Evaluate the parts of an expression that has no value: calls in them must be seen."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.of(child)
        return UNKNOWN

    def _constant(self, node: ast.Constant) -> Any:  # noqa: ANN401
        return node.value

    def _name(self, node: ast.Name) -> Any:  # noqa: ANN401
        if node.id == "__file__":
            return "test_demo.py"
        if node.id in self.names:
            return self.names[node.id]
        if self.on_name is not None:
            self.on_name(node.id)
        return UNKNOWN

    def _attribute(self, node: ast.Attribute) -> Any:  # noqa: ANN401
        value = self.of(node.value)
        if isinstance(value, Namespace):
            return value.get(node.attr, UNKNOWN)
        if isinstance(value, str) and node.attr == "parent":
            return posixpath.dirname(value)
        return UNKNOWN

    def _joinedstr(self, node: ast.JoinedStr) -> Any:  # noqa: ANN401
        return self._joined([self.of(part) for part in node.values])

    def _joined(self, parts: list[Any]) -> Any:  # noqa: ANN401
        return UNKNOWN if any(part is UNKNOWN for part in parts) else "".join(parts)

    def _formattedvalue(self, node: ast.FormattedValue) -> Any:  # noqa: ANN401
        value, spec = self.of(node.value), self.of(node.format_spec) or ""
        if value is UNKNOWN or spec is UNKNOWN:
            return UNKNOWN
        if node.conversion == ord("r"):
            value = repr(value)
        elif node.conversion != -1:
            value = str(value)
        _harmless(spec, ())
        return format(int(value) if isinstance(value, Id) else value, spec)

    def _ifexp(self, node: ast.IfExp) -> Any:  # noqa: ANN401
        test = self.of(node.test)
        if test is UNKNOWN:
            return self._parts(node)
        return self.of(node.body if test else node.orelse)

    def _boolop(self, node: ast.BoolOp) -> Any:  # noqa: ANN401
        unknown = False
        value: Any = UNKNOWN
        for part in node.values:
            value = self.of(part)
            if value is UNKNOWN:
                unknown = True
            elif bool(value) is isinstance(node.op, ast.Or):
                return value
        return UNKNOWN if unknown else value

    def _unaryop(self, node: ast.UnaryOp) -> Any:  # noqa: ANN401
        value = self.of(node.operand)
        if value is UNKNOWN:
            return UNKNOWN
        return not value if isinstance(node.op, ast.Not) else -value

    def _binop(self, node: ast.BinOp) -> Any:  # noqa: ANN401
        left, right = self.of(node.left), self.of(node.right)
        if left is UNKNOWN or right is UNKNOWN or type(node.op) not in _BINARY:
            return UNKNOWN
        if isinstance(node.op, ast.Div) and isinstance(left, str):
            return posixpath.join(left, right)
        numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
        if isinstance(node.op, ast.Mult) and not numbers:
            return UNKNOWN
        if isinstance(node.op, ast.Mod) and isinstance(left, str):
            _harmless(left, right if isinstance(right, tuple) else (right,))
        return _BINARY[type(node.op)](left, right)

    def _compare(self, node: ast.Compare) -> Any:  # noqa: ANN401
        values = [self.of(side) for side in (node.left, *node.comparators)]
        result = True
        for left, right, op in zip(values, values[1:], node.ops, strict=False):
            if left is UNKNOWN or right is UNKNOWN:
                if isinstance(op, ast.In):
                    self._lookup_untold(right, left, node.comparators[-1])
                return UNKNOWN
            result = result and bool(_COMPARE[type(op)](left, right))
        told = isinstance(node.ops[0], (ast.Eq, ast.In, ast.Is)) or len(node.ops) > 1
        if result and told and any(isinstance(value, (Id, IdText)) for value in values):
            self.matched = True
        return result

    def _tuple(self, node: ast.Tuple) -> Any:  # noqa: ANN401
        return tuple(self.of(part) for part in node.elts)

    def _list(self, node: ast.List) -> Any:  # noqa: ANN401
        return [self.of(part) for part in node.elts]

    def _set(self, node: ast.Set) -> Any:  # noqa: ANN401
        values = [self.of(part) for part in node.elts]
        return UNKNOWN if UNKNOWN in values else values

    def _dict(self, node: ast.Dict) -> Any:  # noqa: ANN401
        found: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            name, held = (None if key is None else self.of(key)), self.of(value)
            if key is not None and name is not UNKNOWN:
                found[name] = held
            elif key is None and isinstance(held, dict):  # **others
                found.update(held)
            else:
                found[UNKNOWN] = UNKNOWN  # an entry with a key that is not known
        return UNKNOWN if UNKNOWN in found else found

    def _subscript(self, node: ast.Subscript) -> Any:  # noqa: ANN401
        value, index = self.of(node.value), self.of(node.slice)
        if value is UNKNOWN or index is UNKNOWN:
            self._lookup_untold(value, index, node.value)
            return UNKNOWN
        return self._looked_up(value, index)

    def _lookup_untold(self, value: Any, index: Any, node: ast.expr) -> None:  # noqa: ANN401
        if value is UNKNOWN and isinstance(index, (Id, IdText)):
            self.untold.append(ast.unparse(node))

    def _looked_up(self, value: Any, index: Any) -> Any:  # noqa: ANN401
        found = value[index]
        if isinstance(index, (Id, IdText)) and isinstance(value, (dict, list, tuple)):
            self.matched = True
        return found

    def _call(self, node: ast.Call) -> Any:  # noqa: ANN401
        dotted = ast.unparse(node.func)
        args = [self.of(part) for part in node.args]
        keywords = {part.arg: self.of(part.value) for part in node.keywords if part.arg}
        method = node.func.attr if isinstance(node.func, ast.Attribute) else None
        known = UNKNOWN not in args and UNKNOWN not in keywords.values()
        if dotted in ("os.getcwd", "Path.cwd"):
            return "."
        if dotted == "str" and known and isinstance(args[0], Id):
            return IdText(int(args[0]))
        if dotted == "int" and known:
            return Id(args[0]) if isinstance(args[0], (Id, IdText)) else int(args[0])
        if dotted == "float" and known:
            return float(args[0])
        if dotted == "range" and known:
            return range(*args)
        if (dotted in _JOINS or dotted in _SAME_PATH) and known and not keywords:
            return posixpath.join(*map(str, args))
        if method == "dirname" and known:
            return posixpath.dirname(args[0])
        if method in _ABSOLUTE and known:
            return posixpath.normpath(args[0]) if args[0] else "."
        if method is not None and isinstance(node.func, ast.Attribute):
            owner = self.of(node.func.value)
            if isinstance(owner, str) and method in _PATH_METHODS:
                return owner
            if isinstance(owner, str) and method == "joinpath" and known:
                return posixpath.join(owner, *args)
            if isinstance(owner, str) and method in _TEXT_METHODS and known:
                _harmless(owner, (*args, *keywords.values()))
                return getattr(owner, method)(*args, **keywords)
            if method == "get" and args:
                self._lookup_untold(owner, args[0], node.func.value)
            if isinstance(owner, dict) and not isinstance(owner, Namespace) and method == "get" and args:
                return self._looked_up(owner, args[0]) if args[0] in owner else (args[1:] or [None])[0]
        called = UNKNOWN if method is not None else self.of(node.func)
        return UNKNOWN if self.on_call is None else self.on_call(dotted, called, args, keywords)


def _size(value: Any) -> int:  # noqa: ANN401
    """Return how many characters or elements a value has, with all that is in it; stops once it is too many.

    A list that holds another twice counts it twice: sixty such lists in each other would fill any memory.
    """
    if isinstance(value, (int, float)):
        return 1 if abs(value) <= _MOST_NUMBER or value in (float("inf"), float("-inf")) else _LONGEST + 1
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if not isinstance(value, (tuple, list, set)):
        return 1
    size = len(value)
    for item in value:
        if size > _LONGEST:
            break
        if isinstance(item, (str, bytes, tuple, list, dict, set)):
            size += _size(item)
    return size


def _harmless(text: str, args: tuple[Any, ...]) -> None:
    """Refuse formats that may make a text of millions of characters, by a huge width or one given elsewhere.

    Raises:
        ValueError: The text may become too long.
    """
    numbers = [int(number) for number in re.findall(r"\d{1,9}", text)]
    numbers += [value for value in args if isinstance(value, int)]
    size = len(text) * max([len(value) for value in args if isinstance(value, str)], default=1)
    elsewhere = re.search(r"%[^a-z]*\*|\{[^{}]*\{", text)
    if max(numbers, default=0) > _LONGEST or size > 100 * _LONGEST or elsewhere:
        raise ValueError("a text that would be too long")
