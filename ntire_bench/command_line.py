"""What a file's own command line has where nothing is given, read from its syntax tree."""

from __future__ import annotations

import ast

__all__ = ["argument_defaults"]


def argument_defaults(tree: ast.Module) -> dict[str, tuple[ast.expr | None, str | None]]:
    """Return the command-line arguments that a file declares: name, default, and name of the type.

    Only calls of a method add_argument are looked at; `type` is None where none is given.

    >>> tree = ast.parse('parser.add_argument("--model-id", default=0, type=int)')
    >>> [(name, ast.unparse(value), kind) for name, (value, kind) in argument_defaults(tree).items()]
    [('model_id', '0', 'int')]
    """
    found: dict[str, tuple[ast.expr | None, str | None]] = {}
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
        kind = options.get("type")
        found[str(name)] = (default, None if kind is None else ast.unparse(kind))
    return found
