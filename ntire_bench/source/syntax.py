"""What a syntax tree says: the names that statements read and bind, and a command line's defaults."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

__all__ = [
    "argument_defaults",
    "called_name",
    "inner_bodies",
    "names_bound",
    "names_changed",
    "names_read",
    "root_of",
]


def argument_defaults(tree: ast.Module) -> dict[str, tuple[ast.expr | None, ast.expr | None]]:
    """Return the command-line arguments that a file declares: name, default, and type.

    Only calls of a method add_argument are looked at; either is None where none is given.

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


def names_read(node: ast.AST | Iterable[ast.AST]) -> set[str]:
    """Return the names that are read anywhere in a tree."""
    nodes = [node] if isinstance(node, ast.AST) else node
    return {
        part.id
        for each in nodes
        for part in ast.walk(each)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)
    }


def names_bound(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that are bound, or changed by an assignment to a part of what they hold."""
    found: set[str] = set()
    for node in nodes:
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, (ast.Store, ast.Del)):
                found.add(part.id)
            elif isinstance(part, (ast.Subscript, ast.Attribute)) and isinstance(part.ctx, ast.Store):
                root = root_of(part)
                found |= {root.id} if isinstance(root, ast.Name) else set()
            elif isinstance(part, (ast.Import, ast.ImportFrom)):
                found |= {alias.asname or alias.name.split(".")[0] for alias in part.names}
            elif isinstance(part, (ast.FunctionDef, ast.ClassDef)):
                found.add(part.name)
    return found


def root_of(node: ast.expr) -> ast.expr:
    """Return what attributes, items and calls are taken of: `a` of `a.b[0].c()`."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node


def inner_bodies(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Yield the lists of statements inside a statement; changing one changes the statement."""
    for part in ("body", "orelse", "finalbody"):
        if isinstance(getattr(statement, part, None), list):
            yield getattr(statement, part)
    for handler in getattr(statement, "handlers", []):
        yield handler.body


def names_changed(statements: Iterable[ast.AST]) -> set[str]:
    """Return the names that are bound, or whose methods are called, as in outputs.append(sr)."""
    calls = [
        node.value
        for top in statements
        for node in ast.walk(top)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ]
    methods = [call.func for call in calls if isinstance(call.func, ast.Attribute)]
    roots = {root.id for method in methods if isinstance(root := root_of(method), ast.Name)}
    return names_bound(statements) | roots


def called_name(call: ast.Call) -> str:
    """Return the last part of what is called: `imread` of `cv2.imread(path)`."""
    return ast.unparse(call.func).split(".")[-1]
