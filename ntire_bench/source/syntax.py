"""What a syntax tree says: names read and bound, a function's parameters, a command line's defaults."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence, Set

__all__ = [
    "argument_defaults",
    "called_name",
    "defines",
    "function_named",
    "imported_name",
    "inner_bodies",
    "names_bound",
    "names_changed",
    "names_read",
    "parameters",
    "positional_parameters",
    "reachable",
    "root_of",
]


def names_read(node: ast.AST | Iterable[ast.AST]) -> set[str]:
    """Return the names that are read anywhere in a tree.

    >>> sorted(names_read(ast.parse("a.b = c[d]")))
    ['a', 'c', 'd']
    """
    nodes = [node] if isinstance(node, ast.AST) else node
    return {
        part.id
        for each in nodes
        for part in ast.walk(each)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)
    }


def names_bound(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that are bound, and those of which an assignment changes a part.

    Variables of comprehensions are among them, though they end with the comprehension.

    >>> sorted(names_bound(ast.parse("a.b = 1; c[0] = 2; d = 3; import e.f; del g").body))
    ['a', 'c', 'd', 'e', 'g']
    """
    found: set[str] = set()
    for part in (part for node in nodes for part in ast.walk(node)):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Del):
            found.add(part.id)
        elif isinstance(part, (ast.Subscript, ast.Attribute)) and isinstance(part.ctx, ast.Store):
            root = root_of(part)
            found |= {root.id} if isinstance(root, ast.Name) else set()
        else:
            found.update(_bound_by(part))
    return found


def names_changed(statements: Iterable[ast.AST]) -> set[str]:
    """Return the names that are bound, and those whose methods are called, as in outputs.append(sr).

    >>> sorted(names_changed(ast.parse("a = 1; b.append(c); d(e)").body))
    ['a', 'b']
    """
    calls = [
        node.value
        for top in statements
        for node in ast.walk(top)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ]
    methods = [call.func for call in calls if isinstance(call.func, ast.Attribute)]
    roots = {root.id for method in methods if isinstance(root := root_of(method), ast.Name)}
    return names_bound(statements) | roots


def defines(statement: ast.stmt) -> list[str]:
    """Return the names that a statement of a file's top level defines, in order.

    What a function or a class defines inside is not among them; variables of comprehensions are.

    >>> defines(ast.parse("if a:  b = c = d()").body[0]), defines(ast.parse("def f(x): y = x").body[0])
    (['b', 'c'], ['f'])
    """
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return [statement.name]
    return [name for part in ast.walk(statement) for name in _bound_by(part)]


def _bound_by(node: ast.AST) -> Iterator[str]:
    """Yield the names that one node of a tree binds, without what lies inside it."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from map(imported_name, node.names)
    elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        yield node.name


def reachable(names: Set[str], steps: Sequence[tuple[Set[str], Set[str]]]) -> set[str]:
    """Return these names and all to which steps lead from them, over however many steps.

    Args:
        names: Where to begin.
        steps: Each leads from any name of its first set to all names of its second.

    >>> sorted(reachable({"a"}, [({"b"}, {"c"}), ({"a", "x"}, {"b"}), ({"y"}, {"z"})]))
    ['a', 'b', 'c']
    """
    found = set(names)
    while more := {name for begin, end in steps if begin & found for name in end} - found:
        found |= more
    return found


def imported_name(alias: ast.alias) -> str:
    """Return the name that one part of an import binds."""
    return alias.asname or alias.name.split(".")[0]


def root_of(node: ast.expr, *, calls: bool = True) -> ast.expr:
    """Return what attributes and items are taken of: the `a` of `a.b[0].c().d`.

    Args:
        node: An expression.
        calls: Whether to go on from a call to what is called.
    """
    while isinstance(node, (ast.Attribute, ast.Subscript)) or (calls and isinstance(node, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node


def called_name(call: ast.Call) -> str:
    """Return the last part of what is called: `imread` of `cv2.imread(path)`."""
    return ast.unparse(call.func).split(".")[-1]


def inner_bodies(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Yield the lists of statements inside a statement; to change a list is to change the statement."""
    for part in ("body", "orelse", "finalbody"):
        if isinstance(getattr(statement, part, None), list):
            yield getattr(statement, part)
    for handler in getattr(statement, "handlers", []):
        yield handler.body


def function_named(tree: ast.Module, name: str) -> ast.FunctionDef | None:
    """Return the first function of that name at a file's top level, or None."""
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return next((function for function in functions if function.name == name), None)


def positional_parameters(function: ast.FunctionDef) -> list[str]:
    """Return the names of the parameters that a call may give by their place."""
    return [part.arg for part in (*function.args.posonlyargs, *function.args.args)]


def parameters(function: ast.FunctionDef) -> list[str]:
    """Return the names of a function's parameters, *args and **kwargs aside."""
    return [*positional_parameters(function), *(part.arg for part in function.args.kwonlyargs)]


def argument_defaults(tree: ast.Module) -> dict[str, tuple[ast.expr | None, ast.expr | None]]:
    """Return the command-line arguments that a file declares: by name, the default and the type.

    Only calls of methods add_argument and set_defaults are looked at. Either of the two is None where it is
    not given.

    >>> tree = ast.parse('parser.add_argument("--model-id", default=0, type=int)')
    >>> [(name, *map(ast.unparse, both)) for name, both in argument_defaults(tree).items()]
    [('model_id', '0', 'int')]
    """
    found: dict[str, tuple[ast.expr | None, ast.expr | None]] = {}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr == "set_defaults":
            found.update({part.arg: (part.value, None) for part in node.keywords if part.arg})
        if node.func.attr != "add_argument":
            continue
        names = [part.value for part in node.args if isinstance(part, ast.Constant)]
        options = {part.arg: part.value for part in node.keywords}
        flags = [name for name in names if isinstance(name, str)]
        long = [name for name in flags if name.startswith("--")] or flags
        dest = options.get("dest")
        if not long and dest is None:
            continue
        name = dest.value if isinstance(dest, ast.Constant) else long[0].lstrip("-").replace("-", "_")
        action = options.get("action")
        default = options.get("default")
        if default is None and isinstance(action, ast.Constant):
            default = ast.Constant({"store_true": False, "store_false": True}.get(str(action.value)))
        found[str(name)] = (default, options.get("type"))
    return found
